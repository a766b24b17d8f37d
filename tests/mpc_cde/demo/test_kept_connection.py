"""The bare connection of the demo's members: one after another, opened again, no answer read by another request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import httpx
import pytest

from mpc_cde.client.http import MAX_ANSWER_BYTES
from mpc_cde.demo.kept_connection import KeptConnection

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Number: %d\r\n\r\nok"


class Peer:
    """Answers each connection's requests from a script; None closes it after what came."""

    def __init__(self, *script: bytes | None) -> None:
        self.script = list(script)
        self.connections = 0
        self.requests: list[bytes] = []
        self.port = 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[httpx.AsyncClient]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{self.port}"
        try:
            async with httpx.AsyncClient(base_url=url, transport=KeptConnection()) as client:
                yield client
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while self.script:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            length = int(httpx.Headers(_pairs(head)).get("content-length", "0"))
            self.requests.append(head + await reader.readexactly(length))
            answer = self.script.pop(0)
            if answer is None:
                break
            writer.write(answer)
            await writer.drain()
        writer.close()


def _pairs(head: bytes) -> list[tuple[bytes, bytes]]:
    return [line.partition(b": ")[::2] for line in head[:-4].split(b"\r\n")[1:]]


async def test_requests_follow_each_other_over_one_connection() -> None:
    peer = Peer(OK % 1, OK % 2)
    async with peer.listening() as client:
        first = await client.post("/v1/a?b=c", content=b"figures")
        second = await client.get("/v1/d")
    assert [first.headers["x-number"], second.headers["x-number"]] == ["1", "2"]
    assert first.content == second.content == b"ok"
    assert peer.requests[0].startswith(b"POST /v1/a?b=c HTTP/1.1\r\n")
    assert peer.requests[0].endswith(b"\r\n\r\nfigures")
    assert peer.connections == 1


async def test_a_connection_that_was_closed_meanwhile_is_opened_again() -> None:
    peer = Peer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", OK % 2)
    async with peer.listening() as client:
        await client.get("/")
        assert (await client.get("/")).headers["x-number"] == "2"
    assert peer.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        None,
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MAX_ANSWER_BYTES + 1),
        b"SSH-2.0\r\n\r\n",
    ],
)
async def test_what_is_no_answer_is_an_error_of_the_network(answer: bytes | None) -> None:
    peer = Peer(answer, OK % 2)
    async with peer.listening() as client:
        with pytest.raises(httpx.TransportError):
            await client.get("/")
        assert (await client.get("/")).headers["x-number"] == "2"


async def test_the_answer_to_a_request_that_was_given_up_is_read_by_no_other() -> None:
    peer = Peer(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nlate", OK % 2)
    async with peer.listening() as client:
        with anyio.move_on_after(0.05):
            await client.get("/")
        assert (await client.get("/")).content == b"ok"
    assert peer.connections == 2
