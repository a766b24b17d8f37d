"""A wide-area network on one machine: a TCP relay on every link between parties that delays and limits the rate.

Each direction of a link is a pipe of its own: what comes in at time t leaves no earlier than t + delay, and no
faster than the rate. A bounded queue makes the sender wait, as a full window would. It forwards bytes of TLS, so it
sees what a network sees.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

CHUNK_BYTES = 1 << 14


@dataclass(frozen=True, slots=True)
class Link:
    """One direction: `delay_seconds` one way, `bits_per_second`."""

    delay_seconds: float
    bits_per_second: float

    @property
    def window_chunks(self) -> int:
        """What fits between the ends: twice the delay times the rate, and some."""
        return 16 + int(4 * self.delay_seconds * self.bits_per_second / 8 / CHUNK_BYTES)


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: Link) -> None:
    """Forward one direction until it ends."""
    loop = asyncio.get_running_loop()
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(link.window_chunks)

    async def take() -> None:
        free_at = 0.0
        while data := await reader.read(CHUNK_BYTES):
            free_at = max(loop.time(), free_at) + len(data) * 8 / link.bits_per_second
            await under_way.put((free_at + link.delay_seconds, data))
        await under_way.put((0.0, b""))

    taking = asyncio.create_task(take())
    try:
        while True:
            due, data = await under_way.get()
            if not data:
                break
            await asyncio.sleep(max(0.0, due - loop.time()))
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass  # the end that is left sees it too
    finally:
        taking.cancel()
        with contextlib.suppress(ConnectionError):
            writer.close()


def relays(link: Link) -> Callable[[Mapping[int, int]], contextlib.AbstractAsyncContextManager[object]]:
    """For `run_jobs(through=...)`: a relay for each pair of who dials and who is dialled."""

    @asynccontextmanager
    async def through(ports: Mapping[int, int]) -> AsyncIterator[Callable[[int, int, int], int]]:
        servers: list[asyncio.Server] = []
        tasks: set[asyncio.Task[None]] = set()
        found: dict[tuple[int, int], int] = {}

        async def relay_to(port: int) -> asyncio.Server:
            async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                try:
                    onward_reader, onward = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    writer.close()
                    return
                for source, sink in ((reader, onward), (onward_reader, writer)):
                    task = asyncio.create_task(_pipe(source, sink, link))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)

            return await asyncio.start_server(serve, "127.0.0.1", 0)

        try:
            for dialler in ports:
                for dialled, port in ports.items():
                    if dialler != dialled:
                        server = await relay_to(port)
                        servers.append(server)
                        found[dialler, dialled] = server.sockets[0].getsockname()[1]
            yield lambda dialler, dialled, _: found[dialler, dialled]
        finally:
            for server in servers:
                server.close()
            for task in list(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    return through
