"""Limits by address hold for whoever has many of them."""

from __future__ import annotations

import pytest

from mpc_cde.callers import caller_of
from mpc_cde.gateway.desk import address_of


@pytest.mark.parametrize(
    ("address", "caller"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("a name", "a name"),
    ],
)
def test_whoever_has_a_network_of_addresses_is_one_caller(address: str, caller: str) -> None:
    assert caller_of(address) == caller
    assert address_of({"client": (address, 1)}) == caller
