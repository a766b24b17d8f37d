"""From options to a connection: which community, which gateway, and one event loop for the call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mpc_cde.cli.surroundings import open_home

if TYPE_CHECKING:
    from mpc_cde.client.connection import Connection
    from mpc_cde.client.home import CommunityHome

T = TypeVar("T")


def community_home(home: Path | None, fingerprint: str | None) -> CommunityHome:
    """The directory of the named community, or of the only one that is known here. Raises CallerError."""
    from mpc_cde.client.trust import parse_pin

    return open_home(home).community(None if fingerprint is None else parse_pin(fingerprint))


def known_gateway(*, home: Path | None, gateway: str | None, fingerprint: str | None) -> tuple[str, str]:
    """The gateway that was named or is remembered, and the pinned fingerprint. Raises CallerError without one."""
    from mpc_cde.errors import CallerError

    own = community_home(home, fingerprint)
    url = gateway or own.gateway()
    if url is None:
        raise CallerError("no gateway is known here", hint="Give --gateway URL once; it is remembered.")
    return url, own.fingerprint


def run_connected(
    action: Callable[[Connection], Awaitable[T]],
    *,
    home: Path | None,
    gateway: str | None,
    fingerprint: str | None,
) -> T:
    """Connect to the gateway, follow the pinned community, do `action`. Raises CallerError without a gateway."""
    import anyio
    from stamina.instrumentation import set_on_retry_hooks

    from mpc_cde.client.connection import connect

    url, _ = known_gateway(home=home, gateway=gateway, fingerprint=fingerprint)
    own = community_home(home, fingerprint)
    set_on_retry_hooks(())  # people read the one error at the end, not each attempt

    async def connected() -> T:
        async with connect(url, fingerprint=own.fingerprint, home=own) as connection:
            return await action(connection)

    return anyio.run(connected)
