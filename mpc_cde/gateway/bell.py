"""Wakes everybody who waits for something new in the store; rung after a transaction is on disk."""

from __future__ import annotations

import anyio


class Bell:
    """Take `next_ring` before looking into the store, then wait on it: nothing falls in between."""

    def __init__(self) -> None:
        self._event: anyio.Event | None = None
        self.is_stopping = False

    def next_ring(self) -> anyio.Event:
        if self._event is None:
            self._event = anyio.Event()
            if self.is_stopping:
                self._event.set()
        return self._event

    def ring(self) -> None:
        """Wake all that wait; on the event loop."""
        event, self._event = self._event, None
        if event is not None:
            event.set()

    def stop(self) -> None:
        """From now on nobody waits: the gateway is about to end."""
        self.is_stopping = True
        self.ring()


async def wait_for_ring(ring: anyio.Event, seconds: float) -> None:
    """Returns at the ring, or after `seconds`."""
    with anyio.move_on_after(seconds):
        await ring.wait()
