"""The machines that members sit at: as many as act at a time, each with a connection of its own to the gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

from mpc_cde.client.connection import Connection, connect
from mpc_cde.demo.kept_connection import KeptConnection


class Machines:
    """Lends its connections, one to each that asks; no more may ask at a time than there are."""

    def __init__(self, connections: list[Connection]) -> None:
        self._free = connections

    @contextmanager
    def one(self) -> Iterator[Connection]:
        connection = self._free.pop()
        try:
            yield connection
        finally:
            self._free.append(connection)


@asynccontextmanager
async def open_machines(url: str, *, fingerprint: str, count: int) -> AsyncIterator[Machines]:
    """Every machine follows the community for itself. Raises as `connect`."""
    async with AsyncExitStack() as stack:
        yield Machines(
            [
                await stack.enter_async_context(
                    connect(url, fingerprint=fingerprint, transport=KeptConnection())
                )
                for _ in range(count)
            ]
        )
