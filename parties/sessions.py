"""What the conductor needs of sessions: the interface between this party's decisions and its worker process.

`session_supervisor.SessionSupervisor` implements it with real workers; tests implement it in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from parties.session_supervisor import JobOutcome, Journal, SessionInputs
from parties.worker_pipe import JobSpecification


class AgreementSession(Protocol):
    """A session among fixed parties; everything raises a PartyError that names the peer when it fails."""

    session_id: bytes
    parties: tuple[int, ...]

    async def exchange(
        self, step: str, payload: bytes, *, patience_seconds: float | None = 0.0
    ) -> Mapping[int, bytes]:
        """Everybody's bytes for everybody, own ones included; None waits as long as peers are alive."""
        ...


class ComputingSession(AgreementSession, Protocol):
    """A session of exactly 2t + 1 parties that computes; a spare is connected and idle."""

    @property
    def is_spare(self) -> bool: ...

    async def run_job(self, job: JobSpecification, columns_path: Path | None = None) -> JobOutcome:
        """Run a job that every party accepted; what it opens is in the log before anything depends on it."""
        ...

    async def wait_failed(self) -> Exception:
        """Return the error once the session has ended."""
        ...


class Sessions(Protocol):
    """Opens sessions with the other parties, one at a time."""

    def agreement(self, study_terms: bytes) -> AbstractAsyncContextManager[AgreementSession]: ...

    def computing(
        self, inputs: SessionInputs, *, journal: Journal
    ) -> AbstractAsyncContextManager[ComputingSession]: ...
