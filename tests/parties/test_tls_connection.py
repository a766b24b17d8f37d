"""TLS between two sockets: all bytes in order, whoever is slow, and the last word before an end."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from typing import cast

from parties.mesh_identity import accepting_context, dialing_context
from parties.tls_connection import TlsConnection, connect, shake_hands
from tests.parties.communities import make_community


class End(asyncio.BufferedProtocol):
    """Keeps what it reads, into buffers of an awkward size; `on_read` is called after each."""

    def __init__(self) -> None:
        self.read = bytearray()
        self.lost = asyncio.Event()
        self.on_read: Callable[[], None] = lambda: None
        self._room = bytearray(10_007)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.connection = cast(TlsConnection, transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return memoryview(self._room)

    def buffer_updated(self, nbytes: int) -> None:
        self.read += self._room[:nbytes]
        self.on_read()

    def connection_lost(self, exc: Exception | None) -> None:
        assert not self.lost.is_set()
        self.lost.set()


async def connected_ends() -> tuple[End, End]:
    with make_community() as community:
        own, other = community.credentials[:2]
        first, second = community.parties[:2]
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.setblocking(False)
            dialled = await connect("127.0.0.1", server.getsockname()[1])
            accepted, _ = await asyncio.get_running_loop().sock_accept(server)
        return tuple(  # type: ignore[return-value]  # two of them
            await asyncio.gather(
                shake_hands(
                    accepted, accepting_context(own, [second]), End, server_side=True, timeout_seconds=10
                ),
                shake_hands(
                    dialled, dialing_context(other, first), End, server_side=False, timeout_seconds=10
                ),
            )
        )


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110  # what two ends have come to is no event of either
            await asyncio.sleep(0.005)


async def test_bytes_arrive_in_order_from_a_sender_that_is_faster_than_its_reader() -> None:
    one, other = await connected_ends()
    sent = os.urandom(9_000_001)
    other.connection.pause_reading()
    one.connection.write(sent[:5], memoryview(sent)[5:8_000_000], b"", sent[8_000_000:])
    await asyncio.sleep(0.05)
    assert one.connection.is_sending
    assert not other.read
    turns = []

    def rest_now_and_then() -> None:
        if len(other.read) // 1_000_000 > len(turns):
            turns.append(len(other.read))
            other.connection.pause_reading()
            asyncio.get_running_loop().call_later(0.002, other.connection.resume_reading)

    other.on_read = rest_now_and_then
    other.connection.resume_reading()
    await until(lambda: len(other.read) == len(sent))
    assert other.read == sent
    assert len(turns) == 9
    assert not one.connection.is_sending
    one.connection.abort()
    other.connection.abort()


async def test_the_last_word_arrives_though_the_peer_still_sends() -> None:
    one, other = await connected_ends()
    other.connection.write(bytes(6_000_000))
    words = os.urandom(3_000_000)
    one.connection.pause_reading()
    one.connection.write(words)
    one.connection.close()
    one.connection.write(b"too late")
    await until(other.lost.is_set)
    assert other.read == words
    await until(one.lost.is_set)


async def test_an_abort_ends_both_ends_once() -> None:
    one, other = await connected_ends()
    one.connection.write(b"x")
    await until(lambda: other.read == b"x")
    one.connection.abort()
    one.connection.abort()
    await until(lambda: one.lost.is_set() and other.lost.is_set())
    other.connection.write(b"y")
    other.connection.close()
