"""Wakes a task that has nothing to do: ring from any task, wait with a time limit."""

from __future__ import annotations

import anyio


class Doorbell:
    """Rings that come while nobody waits are kept as one. For the tasks of one event loop."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def ring(self) -> None:
        """Let the waiting task go on, now or when it next waits."""
        self._event.set()

    async def wait(self, seconds: float) -> bool:
        """True if it rang within `seconds`."""
        with anyio.move_on_after(seconds):
            await self._event.wait()
        rang = self._event.is_set()
        if rang:
            self._event = anyio.Event()
        return rang
