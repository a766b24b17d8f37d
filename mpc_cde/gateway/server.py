"""uvicorn around the application: a directory of its own, run.json, JSON logs, a clean end at SIGTERM."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import structlog
import uvicorn
from sqlalchemy.exc import SQLAlchemyError

from mpc_cde.documents.canonical import timestamp_of
from mpc_cde.errors import CallerError, MpcCdeError
from mpc_cde.gateway.app import create_app
from mpc_cde.gateway.desk import Desk, system_clock
from mpc_cde.gateway.settings import LOOPBACK_HOSTS, GatewaySettings
from mpc_cde.gateway.store import Store, code_of
from mpc_cde.http_connections import server_config
from mpc_cde.remarks import write_remarks
from mpc_cde.secret_files import delete_secret_file, make_private_directory, write_secret_file
from mpc_cde.settled_memory import settle_memory

RUN_FILE = "run.json"
GRACE_SECONDS = 5
BACKLOG = 512


class _Server(uvicorn.Server):
    """Sends everybody home who waits for news before it stops to listen."""

    def __init__(self, config: uvicorn.Config, desk: Desk) -> None:
        super().__init__(config)
        self._desk = desk

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._desk.bell.is_stopping = self._desk.receipts.bells.is_stopping = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._desk.bell.stop()
        self._desk.receipts.bells.stop()
        await super().shutdown(sockets)


def run(settings: GatewaySettings) -> None:
    """Serve until SIGTERM or Ctrl-C. Raises CallerError if the address or the store cannot be had."""
    configure_logs()
    make_private_directory(settings.home)
    os.umask(0o077)
    store = open_store(settings)
    try:
        listener = listen(settings)
        try:
            _serve(settings, store, listener)
        finally:
            listener.close()
    finally:
        store.close()


def _serve(settings: GatewaySettings, store: Store, listener: socket.socket) -> None:
    app = create_app(settings, store)
    desk: Desk = app.state.desk
    port = int(listener.getsockname()[1])
    url = settings.public_url or f"http://{_bracketed(settings.host)}:{port}"
    desk.reader_origins = frozenset({url, *_loopback_origins(settings, port)})
    config = server_config(  # our own line a request, without addresses and queries
        app,
        proxies=settings.trusted_proxies,
        log_config=None,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    run_file = settings.home / RUN_FILE
    announcement: dict[str, Any] = {"pid": os.getpid(), "url": url, "started": timestamp_of(system_clock())}
    write_secret_file(run_file, json.dumps(announcement).encode() + b"\n", replace=True)
    structlog.get_logger("gateway").info("listening", url=url, home=str(settings.home))
    settle_memory()
    try:
        with _signals_end_here():
            _Server(config, desk).run(sockets=[listener])
    finally:
        delete_secret_file(run_file)


@contextmanager
def _signals_end_here() -> Iterator[None]:
    """uvicorn raises a signal again once it has ended; by then it has done its work."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, lambda *_: None) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def open_store(settings: GatewaySettings) -> Store:
    """The store of the settings. Raises CallerError naming where, never quoting a password."""
    where = "the database of the settings" if settings.database else str(settings.home)
    try:
        return Store.open(settings.database_url)
    except (SQLAlchemyError, OSError, ModuleNotFoundError) as error:
        raise CallerError(
            f"{where}: the store cannot be opened ({code_of(error) or type(error).__name__})",
            hint="Check the address of the database, and that this user may write there and has room.",
        ) from None


def listen(settings: GatewaySettings) -> socket.socket:
    """The listening socket, so that port 0 is known before anybody is told. Raises CallerError."""
    host, port = settings.host, settings.port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CallerError(f"cannot listen on {host}: {error.strerror}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise CallerError(
            f"cannot listen on {host}:{port}: {error.strerror}", hint="Choose another port with --port."
        ) from None
    return listener


def configure_logs() -> None:
    """One JSON object a line on stderr; what libraries log goes the same way."""
    write_remarks()
    logging.basicConfig(level=logging.WARNING, handlers=[_ToStructlog()], force=True)


class _ToStructlog(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger(record.name).warning(record.getMessage(), logger=record.name)


def main_with(settings: GatewaySettings) -> int:
    """Run and turn what goes wrong into one line and an exit status."""
    try:
        run(settings)
    except CallerError as error:
        hint = f"\n{error.hint}" if error.hint else ""
        sys.stderr.write(f"{error}{hint}\n")
        return 2
    except MpcCdeError as error:
        sys.stderr.write(f"{error}\n")
        return 3
    return 0


def _loopback_origins(settings: GatewaySettings, port: int) -> list[str]:
    """Other names of the same loopback address that a reader on this machine may use."""
    if settings.host not in LOOPBACK_HOSTS:
        return []
    return [f"http://{_bracketed(host)}:{port}" for host in LOOPBACK_HOSTS]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
