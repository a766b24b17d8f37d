"""What the conductor needs of sessions: the interface between this party's decisions and its worker process.

The supervisor implements it with real workers; tests implement it in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from parties.results import CellValues


@dataclass(frozen=True, slots=True)
class SessionTopic:
    """What a session is about: its hello messages carry these, and any difference between parties ends it."""

    study_terms: bytes
    roster: bytes | None = None
    checked_roster: bytes | None = None


@dataclass(frozen=True, slots=True)
class CheckOrder:
    """Input checks over the columns of a roster."""

    job_id: bytes
    roster: bytes
    columns: Path
    terms: bytes
    records: int
    figures: int


@dataclass(frozen=True, slots=True)
class CellOrder:
    """One cell of a query: `cell` is (attribute, value) or None for everybody."""

    function: str
    figure: str
    cell: tuple[str, str] | None
    parameters: Mapping[str, object]
    minimum: int
    released: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QueryOrder:
    """A query's cells over the columns of a roster, without its removed rows."""

    job_id: bytes
    roster: bytes
    columns: Path
    terms: bytes
    removed_rows: tuple[int, ...]
    cells: tuple[CellOrder, ...]
    records: int
    figures: int


@dataclass(frozen=True, slots=True)
class JobCost:
    """What a job took: `seconds` from accepted to opened, rounds, payload bytes sent."""

    seconds: float
    rounds: int
    bytes_sent: int


class Session(Protocol):
    """A session among fixed parties; everything raises a PartyError that names the peer when it fails."""

    @property
    def session_id(self) -> bytes: ...

    @property
    def parties(self) -> tuple[int, ...]: ...

    async def exchange(self, label: str, payload: bytes) -> Mapping[int, bytes]:
        """Everybody's bytes for everybody, own ones included; waits as long as peers are alive."""
        ...


class ComputingSession(Session, Protocol):
    """A session of exactly 2t + 1 parties that computes."""

    async def check_inputs(self, order: CheckOrder) -> tuple[tuple[int, ...], JobCost]:
        """The rows whose submissions are not well formed."""
        ...

    async def answer_query(self, order: QueryOrder) -> tuple[Sequence[CellValues], JobCost]:
        """The outcome of every cell."""
        ...


class Sessions(Protocol):
    """Opens sessions with the other parties, one at a time."""

    def agreement(self, topic: SessionTopic) -> AbstractAsyncContextManager[Session]: ...

    def computing(self, topic: SessionTopic) -> AbstractAsyncContextManager[ComputingSession]: ...
