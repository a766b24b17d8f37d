"""Sessions of one process in which a party may say different things to different parties."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

Lie = Callable[[int, int, str, bytes], bytes]
"""Given sender, receiver, step and the honest bytes: what this receiver gets."""


def truth(_sender: int, _receiver: int, _step: str, payload: bytes) -> bytes:
    return payload


@dataclass
class LyingTable:
    """What every party has put down, by the number of the step."""

    parties: tuple[int, ...]
    lie: Lie = truth
    said: dict[int, dict[int, tuple[str, bytes]]] = field(default_factory=dict)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def chairs(self) -> list[LyingSession]:
        return [LyingSession(self, party) for party in self.parties]


class LyingSession:
    """One party's chair; `leave_after` names a step whose answers it never sees."""

    def __init__(self, table: LyingTable, own: int) -> None:
        self._table = table
        self._own = own
        self._number = 0
        self.session_id = bytes(32)
        self.parties = table.parties
        self.leave_after: str | None = None

    async def exchange(
        self, step: str, payload: bytes, *, patience_seconds: float | None = 0.0
    ) -> dict[int, bytes]:
        self._number += 1
        said = self._table.said.setdefault(self._number, {})
        async with self._table.changed:
            said[self._own] = (step, payload)
            self._table.changed.notify_all()
            if step == self.leave_after:
                raise ConnectionError("killed")
            async with asyncio.timeout(10):
                await self._table.changed.wait_for(lambda: len(said) == len(self.parties))
        assert {name for name, _ in said.values()} == {step}
        return {
            party: data if party == self._own else self._table.lie(party, self._own, step, data)
            for party, (_, data) in sorted(said.items())
        }
