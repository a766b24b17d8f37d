"""An HTTP server for a process of its own: it ends at SIGTERM or Ctrl-C, after closing what was opened."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from mpc_cde.http_connections import server_config


class _Server(uvicorn.Server):
    """Ends without raising the signal once more, so that what was opened is closed."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        numbers = (signal.SIGTERM, signal.SIGINT)
        before = {number: signal.signal(number, self.handle_exit) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def serve_until_signal(
    app: ASGIApp, listening: socket.socket, *, certificate: str | Path | None = None, key: str | None = None
) -> None:
    """Serve on a bound socket, with TLS where a certificate is given; nothing is written about who reads."""
    config = server_config(
        app,
        log_level="warning",
        ssl_certfile=certificate,
        ssl_keyfile=key,
        timeout_graceful_shutdown=2,
    )
    _Server(config).run(sockets=[listening])
