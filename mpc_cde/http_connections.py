"""What every HTTP server of ours does about connections: bounds for what comes before a request.

uvicorn waits for ever for the rest of a request's head, and keeps as much of it as comes. Whoever opens connections
and says nothing, or a byte now and then, would take every file descriptor of the process: then nobody else gets in,
and a gateway cannot open its own files either. Whoever sends headers without end would take its memory. And
whoever has many requests answered slowly, or sends many bodies slowly, still holds no more than its share of
connections.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Collection
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mpc_cde.callers import caller_of

HEAD_SECONDS = 20.0
MAX_HEAD_BYTES = 1 << 16
"""More than one read of a socket may bring is in hand before it is counted, and no more than that."""
CONNECTIONS_PER_ADDRESS = 256
SHARE_OF_DESCRIPTORS = 0.5
"""Of the files that a process may have open; the rest is for its store, and for whom it calls itself."""
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class BoundedConnection(HttpToolsProtocol):
    """uvicorn's own; closed when HEAD_SECONDS pass in which no request began and none was being answered, or when
    more than MAX_HEAD_BYTES come and are no whole head of a request."""

    head_seconds = HEAD_SECONDS
    max_head_bytes = MAX_HEAD_BYTES
    per_address = CONNECTIONS_PER_ADDRESS
    trusted: frozenset[str] = frozenset()
    """Addresses of proxies, which bring everybody's connections."""
    _looking: asyncio.TimerHandle | None = None
    _answered: Any = None
    """The exchange that was over when this was last looked at."""
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        if self._is_one_too_many():
            transport.abort()
            return
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._looking is not None:
            self._looking.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        self._head_bytes += len(data)
        super().data_received(data)
        if self.cycle is not before or not self._is_waiting:
            self._head_bytes = 0
        elif self._head_bytes > self.max_head_bytes and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def _is_one_too_many(self) -> bool:
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if len(self.connections) > most * SHARE_OF_DESCRIPTORS:
            return True
        address = self.client[0] if self.client else ""
        if self.brings_many(address):
            return False
        clients = [getattr(each, "client", None) for each in self.connections]
        caller = caller_of(address)
        same = [client for client in clients if client is not None and caller_of(client[0]) == caller]
        return len(same) > self.per_address

    def brings_many(self, address: str) -> bool:
        """Whether many may come by this address: this machine itself, or a proxy in front of it."""
        if not address or address in self.trusted or "*" in self.trusted:
            return True
        try:
            known = ip_address(address)
        except ValueError:
            return False
        return known.is_loopback or any(
            known in network for network in map(_network, self.trusted) if network
        )

    @property
    def _is_waiting(self) -> bool:
        """Whether the next thing due is a request."""
        cycle: Any = self.cycle  # None before the first request, though uvicorn does not say so
        return cycle is None or bool(cycle.response_complete)

    def _look_later(self) -> None:
        self._looking = self.loop.call_later(self.head_seconds, self._look)

    def _look(self) -> None:
        if self._is_waiting and self.cycle is self._answered:
            self.transport.close()
            return
        self._answered = self.cycle if self._is_waiting else None
        self._look_later()


def _network(text: str) -> IPv4Network | IPv6Network | None:
    """What uvicorn too takes for several proxies at once, such as 10.0.0.0/8; None: a name."""
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def server_config(app: ASGIApp, *, proxies: Collection[str] = (), **more: Any) -> uvicorn.Config:
    """How every server of ours is set up: bounded connections, no websockets, nothing said of who reads."""

    class Connection(BoundedConnection):
        trusted = frozenset(proxies)

    return uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        access_log=False,
        server_header=False,
        **more,
    )
