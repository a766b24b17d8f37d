"""Sessions between nodes of one process: real stores and columns, messages by hand, no worker and no socket.

Jobs run on the local engine over the columns that each node's own code wrote.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from parties.errors import JobsDiffer, PeerLost
from parties.job_runner import cells_found, open_records
from parties.session_supervisor import JobOutcome, Journal, SessionInputs
from parties.worker import computation_of
from parties.worker_pipe import JobSpecification
from protocols.effects import Computation
from protocols.engine import Engine
from protocols.local_engine import LocalNetwork
from protocols.randomness import ScriptedRandomness

Tamper = Callable[[int, str, bytes], bytes]
"""Given the sender, the step and its bytes: what the others get instead."""

Lie = Callable[[int, int, str, bytes], bytes]
"""Given sender, receiver, step and bytes: what this receiver gets instead."""


@dataclass
class MemoryMesh:
    """A meeting place for m parties; sessions open when everybody who is needed has come."""

    parties: int
    threshold: int
    tamper: Tamper | None = None
    lie: Lie | None = None
    jobs: list[JobSpecification] = field(default_factory=list)
    failing_jobs: int = 0
    _tables: dict[tuple[str, bytes], _Table] = field(default_factory=dict)
    _sessions: int = 0

    def table(self, kind: str, topic: bytes, needed: int) -> _Table:
        table = self._tables.get((kind, topic))
        if table is None or table.closed:
            self._sessions += 1
            table = self._tables[kind, topic] = _Table(self, needed, self._sessions)
        return table


@dataclass
class _Table:
    """One session: who is in it, and what was put down at each step."""

    mesh: MemoryMesh
    needed: int
    number: int
    closed: bool = False
    seated: set[int] = field(default_factory=set)
    steps: dict[int, dict[int, object]] = field(default_factory=dict)
    outcomes: dict[bytes, dict[int, JobOutcome]] = field(default_factory=dict)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until(self, ready: Callable[[], bool]) -> None:
        async with self.changed:
            await self.changed.wait_for(lambda: ready() or self.closed)
        if not ready():
            raise PeerLost(0, "somebody", step="the session", expected="an open session", found="its end")

    async def tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()


class MemorySession:
    """One party's chair."""

    def __init__(self, table: _Table, own: int, journal: Journal | None) -> None:
        self._table = table
        self._own = own
        self._journal = journal
        self._step = 0
        self.session_id = hashlib.sha256(b"session %d" % table.number).digest()
        self.parties: tuple[int, ...] = tuple(range(table.needed))

    @property
    def is_spare(self) -> bool:
        return self._own not in self.parties

    async def exchange(
        self, step: str, payload: bytes, *, patience_seconds: float | None = 0.0
    ) -> dict[int, bytes]:
        mesh = self._table.mesh
        shown = mesh.tamper(self._own, step, payload) if mesh.tamper else payload
        everything = await self._meet((step, payload, shown))
        found = {}
        for party, item in sorted(everything.items()):
            assert isinstance(item, tuple)
            assert item[0] == step, "parties are at different steps"
            found[party] = item[1] if party == self._own else item[2]
            if party != self._own and mesh.lie is not None:
                found[party] = mesh.lie(party, self._own, step, found[party])
        return found

    async def _meet(self, item: object) -> dict[int, object]:
        self._step += 1
        place = self._table.steps.setdefault(self._step, {})
        place[self._own] = item
        await self._table.tell()
        await self._table.until(lambda: len(place) == len(self.parties))
        return dict(place)

    async def run_job(self, job: JobSpecification, columns_path: Path | None = None) -> JobOutcome:
        everybody = await self._meet((job.digest(), columns_path))
        for party, item in sorted(everybody.items()):
            if isinstance(item, tuple) and item[0] != job.digest():
                raise JobsDiffer(
                    party, f"Party {party}", step="comparing jobs", expected="our job", found="another"
                )
        mesh = self._table.mesh
        if job.job_id not in self._table.outcomes:
            mesh.jobs.append(job)
            if mesh.failing_jobs:
                mesh.failing_jobs -= 1
                self._table.closed = True
                await self._table.tell()
            else:
                self._table.outcomes[job.job_id] = self._compute(job, everybody)
        if self._table.closed:
            raise PeerLost(1, "Party 1", step="a computation", expected="a peer", found="none")
        if self._journal is not None:
            await self._journal(job.job_id, "everything", (1,))
        return self._table.outcomes[job.job_id][self._own]

    def _compute(self, job: JobSpecification, columns: dict[int, object]) -> dict[int, JobOutcome]:
        network = LocalNetwork(self.parties, self._table.mesh.threshold, ScriptedRandomness(job.job_id))

        def at(engine: Engine, party: int) -> Computation[object]:
            item = columns[party]
            assert isinstance(item, tuple)
            open_records(job, str(item[1]))
            return computation_of(engine, job, str(item[1]))

        found = {}
        for party, outcome in network.run(at).items():
            cells = cells_found(job, outcome, party) if isinstance(outcome, list) else None
            faulty = outcome if isinstance(outcome, tuple) else None
            found[party] = JobOutcome(job.job_id, faulty, cells, network.rounds, 0, 0.0, 0, 0, 0, 0)
        return found

    async def wait_failed(self) -> Exception:
        await self._table.until(lambda: self._table.closed)
        return PeerLost(0, "somebody", step="the session", expected="an open session", found="its end")


class MemorySessions:
    """What one party's conductor gets."""

    def __init__(self, mesh: MemoryMesh, own: int) -> None:
        self._mesh = mesh
        self._own = own

    @asynccontextmanager
    async def agreement(self, study_terms: bytes) -> AsyncIterator[MemorySession]:
        async with self._seat("agreement", study_terms, self._mesh.parties, None) as session:
            yield session

    @asynccontextmanager
    async def computing(self, inputs: SessionInputs, *, journal: Journal) -> AsyncIterator[MemorySession]:
        async with self._seat("computing", inputs.roster, 2 * self._mesh.threshold + 1, journal) as session:
            yield session

    @asynccontextmanager
    async def _seat(
        self, kind: str, topic: bytes, needed: int, journal: Journal | None
    ) -> AsyncIterator[MemorySession]:
        table = self._mesh.table(kind, topic, needed)
        table.seated.add(self._own)
        await table.tell()
        await table.until(lambda: table.seated >= set(range(needed)))
        try:
            yield MemorySession(table, self._own, journal)
        finally:
            table.closed = True
            await table.tell()
