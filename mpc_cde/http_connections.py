"""What every HTTP server of ours does about connections: bounds for what comes before a request.

uvicorn waits for ever for the rest of a request's head, and keeps as much of it as comes. Whoever opens connections
and says nothing, or a byte now and then, would take every file descriptor of the process: then nobody else gets in,
and a gateway cannot open its own files either. Whoever sends headers without end would take its memory.
"""

from __future__ import annotations

import asyncio
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 20.0
MAX_HEAD_BYTES = 1 << 16
"""More than one read of a socket may bring is in hand before it is counted, and no more than that."""
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class BoundedConnection(HttpToolsProtocol):
    """uvicorn's own; closed when HEAD_SECONDS pass in which no request began and none was being answered, or when
    more than MAX_HEAD_BYTES come and are no whole head of a request."""

    head_seconds = HEAD_SECONDS
    max_head_bytes = MAX_HEAD_BYTES
    _looking: asyncio.TimerHandle | None = None
    _answered: Any = None
    """The exchange that was over when this was last looked at."""
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
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


def server_config(app: ASGIApp, **more: Any) -> uvicorn.Config:
    """How every server of ours is set up: bounded connections, no websockets, nothing said of who reads."""
    return uvicorn.Config(
        app,
        http=BoundedConnection,
        ws="none",
        lifespan="off",
        access_log=False,
        server_header=False,
        **more,
    )
