"""What opens a connection to a server of ours and brings no request."""

from __future__ import annotations

import asyncio
import re
import resource
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from mpc_cde import http_connections
from mpc_cde.http_connections import BoundedConnection, server_config

ROOT = Path(__file__).parents[2]
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers after as many seconds as its path says."""
    request = Request(scope, receive)
    body = await request.body()
    await asyncio.sleep(float(request.url.path.strip("/") or 0))
    await Response(b"%d bytes" % len(body))(scope, receive, send)


@asynccontextmanager
async def served() -> AsyncIterator[tuple[str, int]]:
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(server_config(app, log_config=None, timeout_graceful_shutdown=0))
    server.capture_signals = suppress  # type: ignore[method-assign,assignment]  # of the test's process
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve(sockets=[listening]))
        try:
            with anyio.fail_after(20):
                yield listening.getsockname()
        finally:
            server.should_exit = True


@asynccontextmanager
async def connected(
    address: tuple[str, int],
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*address)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedConnection, "head_seconds", 0.1)


@pytest.mark.parametrize(
    "begun", [b"", b"GET / HTTP/1.1\r\n", GET + b"G"], ids=["nothing", "a line", "one more"]
)
async def test_connection_that_brings_no_request_is_closed(begun: bytes) -> None:
    async with served() as address, connected(address) as (reader, writer):
        writer.write(begun)
        answer = await reader.read()  # to the end that the server makes
        assert answer.count(b"200 OK") == begun.count(GET)


async def test_connection_that_brings_a_byte_now_and_then_is_closed() -> None:
    async with served() as address, connected(address) as (reader, writer):
        writer.write(GET[:-2] + b"X: ")

        async def drip() -> None:
            with suppress(ConnectionError):
                while True:
                    writer.write(b"x")
                    await writer.drain()
                    await asyncio.sleep(0.01)

        task = asyncio.create_task(drip())
        with suppress(ConnectionError):
            assert await reader.read() == b""
        task.cancel()


async def test_headers_without_end_are_not_kept() -> None:
    async with served() as address, connected(address) as (reader, writer):
        writer.write(GET[:-2])
        sent = 0
        with suppress(ConnectionError):
            while sent < 64 << 20:
                writer.write(b"X: " + b"x" * 8000 + b"\r\n")
                await writer.drain()
                sent += 8005
        assert sent < 16 << 20  # what sockets hold, and no more
        with suppress(ConnectionError):
            assert b"431" in await reader.read()


async def test_requests_long_answers_and_large_bodies_are_as_before() -> None:
    """One after another on one connection, the second answered more slowly than a head may take."""
    async with served() as address, connected(address) as (reader, writer):
        body = b"x" * 300_000
        posted = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        for request, said in (
            (GET, b"0 bytes"),
            (GET.replace(b"/", b"/0.4", 1), b"0 bytes"),
            (posted, b"300000 bytes"),
        ):
            writer.write(request)
            assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(len(said)) == said


@pytest.mark.parametrize("bound", ["of one address", "of all"])
async def test_connections_beyond_a_share_are_closed_and_others_served(
    monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    """Each asks for something that takes long, so that none is idle; whoever comes from elsewhere is served."""
    monkeypatch.setattr(BoundedConnection, "brings_many", lambda self, address: address == "127.0.0.2")
    monkeypatch.setattr(BoundedConnection, "per_address", 2 if bound == "of one address" else 1000)
    share = 10_000 if bound == "of one address" else 2 / resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    monkeypatch.setattr(http_connections, "SHARE_OF_DESCRIPTORS", share)
    async with served() as address, connected(address) as first, connected(address) as second:
        for _, writer in (first, second):
            writer.write(GET.replace(b"/", b"/0.5", 1))
        await asyncio.sleep(0.1)
        async with connected(address) as (reader, writer):
            with suppress(ConnectionError):
                writer.write(GET)
                assert await reader.read() == b""
        if bound == "of one address":
            elsewhere = await asyncio.open_connection(*address, local_addr=("127.0.0.2", 0))
            elsewhere[1].write(GET)
            assert b"200 OK" in await elsewhere[0].readuntil(b"\r\n\r\n")
            elsewhere[1].close()
        for reader, _ in (first, second):
            assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("address", "many"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("", True),
        ("10.0.0.7", True),
        ("10.1.2.3", True),
        ("proxy", True),
        ("a name", False),
        ("192.0.2.1", False),
        ("2001:db8::1", False),
    ],
)
def test_only_this_machine_and_its_proxies_bring_many_connections(address: str, many: bool) -> None:
    connection = server_config(app, proxies=["10.0.0.7", "10.1.0.0/16", "proxy"]).http
    assert isinstance(connection, type)
    assert connection.brings_many(connection.__new__(connection), address) is many


def test_every_server_of_ours_is_set_up_so() -> None:
    """Who writes another one finds this test."""
    made = [
        path.relative_to(ROOT).as_posix()
        for package in ("mpc_cde", "parties")
        for path in sorted((ROOT / package).rglob("*.py"))
        if re.search(r"uvicorn\.Config\(|uvicorn\.run\(", path.read_text("utf-8"))
    ]
    assert made == ["mpc_cde/http_connections.py"]


def test_whoever_trusts_every_proxy_counts_no_address() -> None:
    connection = server_config(app, proxies=["*"]).http
    assert isinstance(connection, type)
    assert connection.brings_many(connection.__new__(connection), "192.0.2.1")
