"""Who calls, for limits by address."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, ip_address


@lru_cache(maxsize=4096)
def caller_of(address: str) -> str:
    """What an address is counted under: IPv6 by its /64, since whoever has one address of it has 2^64.

    An IPv4 address that is written as IPv6 is that IPv4 address. A name, or nothing, stays what it is.
    """
    try:
        known = ip_address(address)
    except ValueError:
        return address
    if not isinstance(known, IPv6Address):
        return address
    if known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    return f"{IPv6Address(int(known) >> 64 << 64)}/64"
