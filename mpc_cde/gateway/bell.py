"""Wakes everybody who waits for something new in the store; rung after a transaction is on disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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


class Bells:
    """One bell for each thing that somebody waits for; nobody is woken for another's news."""

    def __init__(self) -> None:
        self._heard: dict[bytes, tuple[anyio.Event, int]] = {}
        self.is_stopping = False

    @contextmanager
    def hearing(self, what: bytes) -> Iterator[anyio.Event]:
        """Take it before looking into the store, then wait on it: nothing falls in between."""
        event, listeners = self._heard.get(what, (anyio.Event(), 0))
        self._heard[what] = (event, listeners + 1)
        try:
            yield event
        finally:
            known = self._heard.get(what)
            if known is not None and known[0] is event:
                if known[1] > 1:
                    self._heard[what] = (event, known[1] - 1)
                else:
                    del self._heard[what]

    def ring(self, what: bytes) -> None:
        """Wake those that wait for this; on the event loop."""
        known = self._heard.pop(what, None)
        if known is not None:
            known[0].set()

    def stop(self) -> None:
        """From now on nobody waits."""
        self.is_stopping = True
        for what in list(self._heard):
            self.ring(what)


async def wait_for_ring(ring: anyio.Event, seconds: float) -> None:
    """Returns at the ring, or after `seconds`."""
    with anyio.move_on_after(seconds):
        await ring.wait()
