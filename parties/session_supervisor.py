"""Sessions as a node sees them: each in a worker process of its own, each wait with an end.

`SessionSupervisor` opens one session at a time and turns whatever becomes of its worker into results or typed
errors that name the peer. A session is dead after its first error; the node opens the next one, and the
supervisor makes it wait a little longer after each failure in a row.

    async with supervisor.agreement(terms_digest) as session:
        lists = await session.exchange("roster list", own_list)

    async with supervisor.computing(inputs, journal=journal) as session:
        answers = await session.exchange("answer", own_answer)
        outcome = await session.run_job(specification, columns_path)
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

from parties.errors import DeadlinePassed, PartyError, SessionClosed, WorkerMisbehaved
from parties.mesh_identity import MeshCredentials, PinnedPeer
from parties.time_limits import DEFAULT_LIMITS, TimeLimits
from parties.worker_failures import failure_of
from parties.worker_pipe import (
    CellFound,
    End,
    ExchangeAll,
    Exchanged,
    FromWorker,
    JobResult,
    JobSpecification,
    Opened,
    PipePeer,
    Progress,
    Recorded,
    RunJob,
    SessionFailed,
    SessionOpened,
    StartSession,
    WorkerReady,
)
from parties.worker_process import WorkerProcess

T = TypeVar("T")

Journal = Callable[[bytes, str, tuple[int, ...]], Awaitable[None]]
"""Makes opened values durable: job id, label, values. Nothing that depends on them leaves before it returns."""

ProgressListener = Callable[[bytes, int, int], None]
"""Hears how far a job is: job id, rounds so far, bytes sent so far."""

PROTOCOL_VERSION = 3


def default_code_version() -> str:
    """What two parties must have in common to compute together."""
    return f"mpc-cde {importlib.metadata.version('mpc-cde')} protocol {PROTOCOL_VERSION}"


@dataclass(frozen=True, slots=True)
class SessionInputs:
    """Digests that a computing session is about; `checked_roster` is None for the input checks."""

    study_terms: bytes
    roster: bytes
    checked_roster: bytes | None


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """What a job found and cost. `faulty_rows` of input checks, `cells` of a query in the order asked."""

    job_id: bytes
    faulty_rows: tuple[int, ...] | None
    cells: tuple[CellFound, ...] | None
    rounds: int
    bytes_sent: int
    seconds: float
    multiplications: int
    comparisons: int
    random_bits: int
    peak_anonymous_bytes: int


class Session:
    """An open session. `parties` ascending; `is_spare` if this party is connected but not among them."""

    def __init__(
        self,
        process: WorkerProcess,
        limits: TimeLimits,
        own_index: int,
        journal: Journal | None,
        progress: ProgressListener | None,
    ) -> None:
        self.session_id = bytes(32)
        self.parties: tuple[int, ...] = ()
        self.own_index = own_index
        self._process = process
        self._limits = limits
        self._journal = journal
        self._progress = progress
        self._answers: asyncio.Queue[FromWorker] = asyncio.Queue()
        self._failure: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
        self._busy = asyncio.Lock()
        self._recording: asyncio.Task[None] | None = None
        self._reading = asyncio.create_task(self._read())

    @property
    def is_spare(self) -> bool:
        return self.own_index not in self.parties

    @property
    def is_proposer(self) -> bool:
        """Whether this party is the lowest of the session, who proposes jobs."""
        return self.own_index == min(self.parties)

    @property
    def worker_pid(self) -> int:
        return self._process.pid

    async def exchange(
        self, step: str, payload: bytes, *, patience_seconds: float | None = 0.0
    ) -> dict[int, bytes]:
        """Show these bytes to every party of the session; returns everybody's for this step, own ones included.

        All parties call it with the same steps in the same order. The others have `patience_seconds`, where 0
        stands for the table's `agreement_seconds`; None waits as long as they give signs of life. Raises
        PeerFailure.
        """
        patience = self._limits.agreement_seconds if patience_seconds == 0.0 else patience_seconds
        wish = ExchangeAll(
            step=step,
            payload=payload,
            patience_milliseconds=None if patience is None else _milliseconds(patience),
        )
        deadline = None if patience is None else patience + self._grace
        answer = await self._ask(wish, Exchanged, deadline, step)
        return dict(zip(answer.parties, answer.payloads, strict=True))

    async def run_job(
        self,
        job: JobSpecification,
        columns_path: Path | None = None,
        *,
        deadline_seconds: float | None = None,
    ) -> JobOutcome:
        """Run a job that every party of the session accepted, and has written into its ledger.

        All parties call it with the same specification, each with its own columns. By default it may take what
        the table of time limits allows for its size. Raises PeerFailure, DeadlinePassed, WorkerFailed.
        """
        allowed = deadline_seconds or self._limits.job_seconds(job.records * max(1, len(job.figures)))
        wish = RunJob(
            specification=job,
            columns_path=None if columns_path is None else str(columns_path),
            deadline_milliseconds=_milliseconds(allowed),
        )
        deadline = allowed + self._limits.proposal_seconds + self._grace
        found = await self._ask(wish, JobResult, deadline, "the job")
        if found.job_id != job.job_id:
            raise self._fail(WorkerMisbehaved("the result is another job's"))
        return JobOutcome(
            found.job_id,
            found.faulty_rows,
            found.cells,
            found.rounds,
            found.bytes_sent,
            found.microseconds / 1e6,
            found.multiplications,
            found.comparisons,
            found.random_bits,
            found.peak_anonymous_bytes,
        )

    async def wait_failed(self) -> Exception:
        """Return the error once the session has failed; a spare waits here."""
        return await asyncio.shield(self._failure)

    # inside ----------------------------------------------------------------------------------------------

    @property
    def _grace(self) -> float:
        """How much later than the worker the node runs out of patience."""
        return self._limits.silent_peer_seconds + self._limits.heartbeat_seconds * 2

    async def open(self, start: StartSession) -> None:
        """Bring the worker from its start to an open session. Raises PeerFailure, WorkerFailed."""
        await self._next(WorkerReady, self._limits.worker_start_seconds, "starting the worker")
        deadline = 5 * self._limits.connect_seconds + self._grace
        opened = await self._ask(start, SessionOpened, deadline, "opening the session")
        self.session_id, self.parties = opened.session_id, opened.parties

    async def _ask(self, wish: Any, kind: type[T], deadline: float | None, step: str) -> T:
        if self._busy.locked():
            raise WorkerMisbehaved("one wish at a time: the session is busy")
        async with self._busy:
            if not self._failure.done():
                try:
                    await self._process.pipe.send(wish)
                except WorkerMisbehaved:
                    await asyncio.wait([self._failure], timeout=self._limits.stop_seconds)
            return await self._next(kind, deadline, step)

    async def _next(self, kind: type[T], deadline: float | None, step: str) -> T:
        answer = asyncio.ensure_future(self._answers.get())
        try:
            watched: list[asyncio.Future[Any]] = [answer, self._failure]
            await asyncio.wait(watched, timeout=deadline, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not answer.done():
                answer.cancel()
        if answer.done() and not answer.cancelled():
            message = answer.result()
            if not isinstance(message, kind):
                raise self._fail(WorkerMisbehaved(f"{step}: {type(message).__name__} came instead"))
            return message
        raise self._fail(DeadlinePassed(step, deadline or 0.0))

    def _fail(self, error: Exception) -> Exception:
        """End the session because of `error`; the failure that came first, which may be another, is what counts."""
        if not self._failure.done():
            self._failure.set_result(error)
        return self._failure.result()

    async def _read(self) -> None:
        try:
            while (message := await self._process.pipe.receive()) is not None:
                if isinstance(message, SessionFailed):
                    self._fail(failure_of(message))
                elif isinstance(message, Opened):
                    self._recording = asyncio.create_task(self._record(message))
                elif isinstance(message, Progress):
                    if self._progress is not None:
                        self._progress(message.job_id, message.rounds, message.bytes_sent)
                else:
                    self._answers.put_nowait(message)
            self._fail(await self._process.ended)
        except Exception as error:  # noqa: BLE001  # whatever breaks the reading ends the session, as itself
            self._fail(error)

    async def _record(self, message: Opened) -> None:
        """Have an opening made durable, then let the worker go on; it reports the next one after that only."""
        try:
            if self._journal is None:
                raise WorkerMisbehaved("a session without a journal opens nothing")
            values = tuple(int(value) for value in message.values)
            await self._journal(message.job_id, message.label, values)
            await self._process.pipe.send(Recorded(number=message.number))
        except Exception as error:  # noqa: BLE001  # a journal that cannot write ends the session, as itself
            self._fail(error)

    async def close(self) -> None:
        """End the session in order if it still lives, and the worker in any case."""
        if not self._failure.done():
            self._fail(SessionClosed("this party ended the session"))
            with contextlib.suppress(WorkerMisbehaved):  # it is gone already
                await self._process.pipe.send(End())
                await self._process.exited_within(self._limits.stop_seconds + 1)
        else:
            await self._process.exited_within(self._limits.stop_seconds)
        await self._process.stop()
        tasks = [self._reading, *([] if self._recording is None else [self._recording])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class SessionSupervisor:
    """Opens sessions for one party of one community, one at a time.

    `listening_socket` is bound by the node and inherited by each worker; `community` is the digest of the
    community document in force.
    """

    def __init__(
        self,
        *,
        own_index: int,
        credentials: MeshCredentials,
        peers: Mapping[int, PinnedPeer],
        threshold: int,
        community: bytes,
        listening_socket: socket.socket,
        limits: TimeLimits = DEFAULT_LIMITS,
        code_version: str | None = None,
        cache_directory: Path | None = None,
    ) -> None:
        self._own_index = own_index
        self._credentials = credentials
        self._peers = dict(peers)
        self._threshold = threshold
        self._community = community
        self._listening_socket = listening_socket
        self._limits = limits
        self._code_version = code_version or default_code_version()
        self._cache_directory = cache_directory
        self._one_at_a_time = asyncio.Lock()
        self._failures_in_row = 0

    @property
    def pause_seconds(self) -> float:
        """How long the next session waits before it starts: nothing, or longer after each failure in a row."""
        if not self._failures_in_row:
            return 0.0
        doubled = self._limits.retry_seconds * 2.0 ** min(self._failures_in_row - 1, 20)
        return float(min(doubled, self._limits.retry_max_seconds))

    @asynccontextmanager
    async def agreement(self, study_terms: bytes) -> AsyncIterator[Session]:
        """A session of all parties that only exchanges bytes. Raises PeerFailure, WorkerFailed."""
        async with self._session("agreement", study_terms, None, None, None, None) as session:
            yield session

    @asynccontextmanager
    async def computing(
        self, inputs: SessionInputs, *, journal: Journal, progress: ProgressListener | None = None
    ) -> AsyncIterator[Session]:
        """A session of exactly 2t + 1 parties that runs jobs one after another; this one may be a spare."""
        async with self._session(
            "computing", inputs.study_terms, inputs.roster, inputs.checked_roster, journal, progress
        ) as session:
            yield session

    @asynccontextmanager
    async def _session(
        self,
        kind: Literal["agreement", "computing"],
        study_terms: bytes,
        roster: bytes | None,
        checked_roster: bytes | None,
        journal: Journal | None,
        progress: ProgressListener | None,
    ) -> AsyncIterator[Session]:
        async with self._one_at_a_time:
            await asyncio.sleep(self.pause_seconds)
            process = await WorkerProcess.start(
                self._listening_socket,
                self._limits,
                jobs=kind == "computing",
                cache_directory=self._cache_directory,
            )
            session = Session(process, self._limits, self._own_index, journal, progress)
            try:
                await session.open(self._start(kind, study_terms, roster, checked_roster))
                yield session
                self._failures_in_row = 0
            except PartyError:
                self._failures_in_row += 1
                raise
            finally:
                await session.close()

    def _start(
        self,
        kind: Literal["agreement", "computing"],
        study_terms: bytes,
        roster: bytes | None,
        checked_roster: bytes | None,
    ) -> StartSession:
        peers = [self._peers[index] for index in sorted(self._peers)]
        table = {entry.name: getattr(self._limits, entry.name) for entry in fields(self._limits)}
        return StartSession(
            kind=kind,
            own_index=self._own_index,
            threshold=self._threshold,
            community=self._community,
            study_terms=study_terms,
            roster=roster,
            checked_roster=checked_roster,
            code_version=self._code_version,
            peers=tuple(
                PipePeer(
                    index=peer.index,
                    name=peer.name,
                    host=peer.host,
                    port=peer.port,
                    certificate=peer.certificate,
                )
                for peer in peers
            ),
            certificate=self._credentials.certificate,
            private_key_pem=self._credentials.private_key_pem,
            limits_milliseconds={
                name: _milliseconds(value) for name, value in table.items() if not name.endswith("_bytes")
            },
            limits_bytes={name: value for name, value in table.items() if name.endswith("_bytes")},
        )


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
