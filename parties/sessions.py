"""What the conductor needs of sessions: the interface between this party's decisions and its worker process.

The supervisor implements it with real workers; tests implement it in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from parties.worker_pipe import JobResult, JobSpecification


@dataclass(frozen=True, slots=True)
class SessionTopic:
    """What a session is about: its hello messages carry these, and any difference between parties ends it."""

    study_terms: bytes
    roster: bytes | None = None
    checked_roster: bytes | None = None


class Session(Protocol):
    """A session among fixed parties; everything raises a PartyError that names the peer when it fails."""

    @property
    def session_id(self) -> bytes: ...

    @property
    def parties(self) -> tuple[int, ...]: ...

    async def exchange(
        self, step: str, payload: bytes, *, patience_seconds: float | None
    ) -> Mapping[int, bytes]:
        """Everybody's bytes for everybody, own ones included. Without patience: as long as peers are alive."""
        ...


class ComputingSession(Session, Protocol):
    """A session of exactly 2t + 1 parties that computes."""

    async def run_job(self, job: JobSpecification, columns: Path | None) -> JobResult:
        """Run a job that every party accepted; what it opens is in the log before anything depends on it."""
        ...


class Sessions(Protocol):
    """Opens sessions with the other parties, one at a time."""

    def agreement(self, topic: SessionTopic) -> AbstractAsyncContextManager[Session]: ...

    def computing(self, topic: SessionTopic) -> AbstractAsyncContextManager[ComputingSession]: ...
