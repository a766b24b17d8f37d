"""How many streams of events are open, and for which address: a slot is held from the request to its very end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class TooManyStreams(Exception):
    """Every slot is taken, or every slot of this address."""


class OpenStreams:
    """Slots, at most `total` and `per_address`; to be used on the event loop."""

    def __init__(self, total: int, per_address: int) -> None:
        self._total = total
        self._per_address = per_address
        self._held: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._held.total()

    def take(self, address: str) -> None:
        """Take a slot at once, so that requests that come together are counted. Raises TooManyStreams."""
        if len(self) >= self._total or self._held[address] >= self._per_address:
            raise TooManyStreams
        self._held[address] += 1

    def give_back(self, address: str) -> None:
        """Let go of a slot that was taken."""
        self._held[address] -= 1
        if self._held[address] <= 0:
            del self._held[address]

    @contextmanager
    def given_back_on_failure(self, address: str) -> Iterator[None]:
        """Let go of the slot if the block raises."""
        try:
            yield
        except BaseException:  # a request that is cancelled holds no slot either
            self.give_back(address)
            raise
