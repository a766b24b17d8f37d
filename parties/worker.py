"""The worker: one session in a process of its own, its jobs one after another, then exit.

`python -m parties.worker --pipe FD --listen FD [--jobs]`, started by the node with an environment of its own making.
It does the TLS, runs the computations on MPyC's runtime, and dies with its node: when the pipe closes, it is gone.
A session ends at its first failure, with one typed message; nothing that was not finished is reported.

What computes is imported and compiled by a session that is to run jobs, before it opens; numba and the kernels are
more than half of a start, and a session that only agrees has no use for them.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import os
import socket
import sys
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from parties.errors import (
    DeadlinePassed,
    JobsDiffer,
    PartyError,
    PeerFailure,
    PeerProtocolViolation,
    PeerSilent,
    SessionClosed,
)
from parties.mesh import Mesh, open_mesh
from parties.mesh_frames import Abort
from parties.mesh_identity import MeshCredentials, PinnedPeer
from parties.session_opening import (
    OpenedSession,
    SessionTerms,
    all_to_all,
    exchange_session_keys,
    open_session,
    step_label,
)
from parties.time_limits import TimeLimits
from parties.worker_failures import abort_code_of, describe_failure
from parties.worker_pipe import (
    End,
    ExchangeAll,
    Exchanged,
    JobSpecification,
    Opened,
    Progress,
    Recorded,
    RunJob,
    SessionOpened,
    StartSession,
    ToWorker,
    WorkerPipe,
    WorkerReady,
    worker_end,
)
from protocols.effects import Computation, Record
from protocols.errors import PeerDeviation, ProtocolMisuse
from protocols.mpyc_engine import MPyCRuntime, WaitExpired, open_runtime
from protocols.randomness import Randomness, SystemRandomness
from protocols.session_keys import SessionKeys

if TYPE_CHECKING:
    from parties.column_file import ColumnFile
    from parties.job_runner import CostMeter, Outcome
    from protocols.engine import Engine

T = TypeVar("T")
COMPARING_JOBS = "comparing jobs"


def computation_of(
    engine: Engine,
    job: JobSpecification,
    columns_path: str | None,
    column_file: ColumnFile | None = None,
) -> Computation[Outcome]:
    """From specification to code; the one place where a worker chooses what runs."""
    from parties.job_runner import open_records, rehearse, request_of, unpack_masks
    from protocols.computations import answer_query, check_inputs

    if job.kind == "rehearsal":
        return rehearse(engine, job.rounds)
    records = open_records(job, columns_path, column_file)
    if job.kind == "check_inputs":
        return check_inputs(engine, records, job.roster)
    return answer_query(
        engine,
        records,
        unpack_masks(job),
        [request_of(cell, job.asker) for cell in job.cells],
        [request_of(cell) for cell in job.siblings],
    )


class Worker:
    """Serves one session over `pipe`; `run` returns the exit status."""

    def __init__(
        self, pipe: WorkerPipe[ToWorker], listening_socket: socket.socket, randomness: Randomness
    ) -> None:
        self._pipe = pipe
        self._listening_socket = listening_socket
        self._randomness = randomness
        self._wishes: asyncio.Queue[ExchangeAll | RunJob] = asyncio.Queue()
        self._recorded: dict[int, asyncio.Future[None]] = {}
        self._numbers = 0
        self._steps = 0
        self._jobs_seen: set[bytes] = set()
        self._column_file: ColumnFile | None = None
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> int:
        """One session, from the first message of the pipe to its end."""
        await self._pipe.send(WorkerReady())
        start = await self._pipe.receive()
        if not isinstance(start, StartSession):
            return 0 if start is None or isinstance(start, End) else 2
        listener = asyncio.create_task(self._listen())
        mesh: Mesh | None = None
        try:
            mesh = await self._until_ended(self._connect(start))
            await self._serve(start, mesh)
        except SessionClosed:
            if mesh is not None:
                await mesh.close(Abort("ended", None))
            return 0
        except Exception as error:  # noqa: BLE001  # every failure is told to the node, typed, and ends the session
            return await self._fail(mesh, error)
        finally:
            listener.cancel()
        return 0

    async def _connect(self, start: StartSession) -> Mesh:
        limits = _limits_of(start)
        peers = {
            peer.index: PinnedPeer(peer.index, peer.name, peer.host, peer.port, peer.certificate)
            for peer in start.peers
        }
        needed = len(peers) if start.kind == "agreement" else 2 * start.threshold
        own = MeshCredentials(start.certificate, start.private_key_pem)
        return await open_mesh(
            start.own_index, peers, self._listening_socket, own, limits, needed_peers=needed
        )

    async def _serve(self, start: StartSession, mesh: Mesh) -> None:
        terms = SessionTerms(
            start.kind,
            start.community,
            start.study_terms,
            start.roster,
            start.checked_roster,
            start.code_version,
            start.threshold,
        )
        session = await self._during(mesh, open_session(mesh, terms, self._randomness))
        keys: SessionKeys | None = None
        runtime: MPyCRuntime | None = None
        if start.kind == "computing" and start.own_index in session.parties:
            keys = await self._during(
                mesh, exchange_session_keys(mesh, session.parties, start.threshold, self._randomness)
            )
            channels = {index: mesh.channels[index] for index in session.parties if index != start.own_index}
            runtime = await self._during(
                mesh, open_runtime(channels, start.own_index, session.parties, start.threshold)
            )
        await self._pipe.send(SessionOpened(session_id=session.session_id, parties=session.parties))
        if start.own_index not in session.parties:
            await self._during(mesh, self._idle(mesh, session))
        while True:
            wish = await self._during(mesh, self._wishes.get())
            if isinstance(wish, ExchangeAll):
                await self._exchange(mesh, session, wish)
            elif runtime is None or keys is None:
                raise ProtocolMisuse("a session for agreements runs no jobs")
            else:
                await self._run_job(mesh, session, runtime, keys, start.threshold, wish)

    async def _idle(self, mesh: Mesh, session: OpenedSession) -> None:
        """A spare waits until a party of the session is gone, so that it can be in the next one."""
        for index in session.parties:
            channel = mesh.channels.get(index)
            if channel is not None:
                mesh.watch([index])
        await self._ended

    # steps -----------------------------------------------------------------------------------------------

    async def _exchange(self, mesh: Mesh, session: OpenedSession, wish: ExchangeAll) -> None:
        patience = wish.patience_milliseconds
        payloads = await self._during(
            mesh,
            all_to_all(
                mesh,
                session.parties,
                self._label(session, wish.step),
                wish.payload,
                max_bytes=mesh.limits.max_agreement_bytes,
                step=wish.step,
                patience_seconds=None if patience is None else patience / 1000,
            ),
        )
        await self._pipe.send(
            Exchanged(step=wish.step, parties=tuple(payloads), payloads=tuple(payloads.values()))
        )

    async def _run_job(
        self,
        mesh: Mesh,
        session: OpenedSession,
        runtime: MPyCRuntime,
        keys: SessionKeys,
        threshold: int,
        wish: RunJob,
    ) -> None:
        job = wish.specification
        if job.job_id in self._jobs_seen:  # the same keys and operation numbers would repeat every mask
            raise ProtocolMisuse("a job id serves once in a session")
        self._jobs_seen.add(job.job_id)
        await self._compare_jobs(mesh, session, job)
        from parties.column_file import ColumnFile
        from parties.job_runner import CostMeter, build_result
        from protocols.party_engine import PartyEngine

        self._column_file = self._column_file or ColumnFile()
        meter = CostMeter()
        rounds_before, bytes_before = runtime.rounds, mesh.bytes_sent
        progress = _ProgressReport(self._pipe, job.job_id, meter)

        async def journal(record: Record) -> None:
            await self._report_durably(
                Opened(
                    number=self._next_number(),
                    job_id=job.job_id,
                    label=record.label[:500],
                    values=tuple(str(value) for value in record.values),
                )
            )

        engine = PartyEngine(session.parties, mesh.own_index, threshold, job.job_id, keys.for_job(job.job_id))
        outcome = await self._during(
            mesh,
            runtime.run(
                computation_of(engine, job, wish.columns_path, self._column_file),
                record=journal,
                deadline_seconds=wish.deadline_milliseconds / 1000,
                on_round=lambda rounds: progress.note(rounds - rounds_before, mesh.bytes_sent - bytes_before),
            ),
        )
        result = build_result(
            job,
            outcome,
            engine,
            meter,
            party=mesh.own_index,
            rounds=runtime.rounds - rounds_before,
            bytes_sent=mesh.bytes_sent - bytes_before,
        )
        await progress.stop()
        await self._pipe.send(result)

    async def _compare_jobs(self, mesh: Mesh, session: OpenedSession, job: JobSpecification) -> None:
        own = job.digest()
        digests = await self._during(
            mesh,
            all_to_all(
                mesh,
                session.parties,
                self._label(session, COMPARING_JOBS),
                own,
                max_bytes=len(own),
                step=COMPARING_JOBS,
                patience_seconds=mesh.limits.proposal_seconds,
            ),
        )
        for party, digest in digests.items():
            if digest != own:
                name = mesh.peers[party].name
                raise JobsDiffer(party, name, step=COMPARING_JOBS, expected="our job", found="another")

    def _label(self, session: OpenedSession, step: str) -> int:
        self._steps += 1
        return step_label(session.session_id, self._steps, step)

    # the pipe --------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        """Pass on what the node says. When the pipe closes, the node is dead: so is this process, at once."""
        while True:
            message = await self._pipe.receive()
            if message is None:
                os._exit(0)
            if isinstance(message, Recorded):
                waiting = self._recorded.pop(message.number, None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(None)
            elif isinstance(message, ExchangeAll | RunJob):
                self._wishes.put_nowait(message)
            elif not self._ended.done():
                self._ended.set_result(None)

    async def _report_durably(self, message: Opened) -> None:
        recorded = self._recorded[message.number] = asyncio.get_running_loop().create_future()
        await self._pipe.send(message)
        await recorded

    def _next_number(self) -> int:
        self._numbers += 1
        return self._numbers

    # ending ----------------------------------------------------------------------------------------------

    async def _until_ended(self, awaitable: Awaitable[T], failure: asyncio.Future[Any] | None = None) -> T:
        """Await, unless the node ends the session or a watched peer fails first."""
        task = asyncio.ensure_future(awaitable)
        watched: list[asyncio.Future[Any]] = [task, self._ended, *([] if failure is None else [failure])]
        try:
            await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            if self._ended.done():
                raise SessionClosed("the node ended the session")
            raise failure.result() if failure is not None else SessionClosed("nothing to wait for")
        finally:
            if not task.done():
                task.cancel()

    async def _during(self, mesh: Mesh, awaitable: Awaitable[T]) -> T:
        return await self._until_ended(awaitable, mesh.failure)

    async def _fail(self, mesh: Mesh | None, error: Exception) -> int:
        """Tell node and peers why, in that order of care: the node gets the cause that this party sees."""
        cause: Exception = _typed(mesh, error)
        if mesh is not None and isinstance(cause, PartyError):
            cause = await mesh.cause_of(cause)
        blamed = cause.peer if isinstance(cause, PeerFailure) else None
        await self._pipe.send(describe_failure(cause))
        if mesh is not None:
            await mesh.close(Abort(abort_code_of(cause), blamed))
        return 1


class _ProgressReport:
    """Tells the node how far a job is, a few times a second and never later than its result."""

    def __init__(self, pipe: WorkerPipe[ToWorker], job_id: bytes, meter: CostMeter) -> None:
        self._pipe = pipe
        self._job_id = job_id
        self._meter = meter
        self._sending: asyncio.Task[None] | None = None

    def note(self, rounds: int, bytes_sent: int) -> None:
        if self._meter.look() and (self._sending is None or self._sending.done()):
            message = Progress(job_id=self._job_id, rounds=rounds, bytes_sent=bytes_sent)
            self._sending = asyncio.ensure_future(self._pipe.send(message))

    async def stop(self) -> None:
        if self._sending is not None:
            await self._sending


def _typed(mesh: Mesh | None, error: Exception) -> Exception:
    """Errors of the mathematics that name a peer become failures of that peer."""
    if mesh is None:
        return error
    if isinstance(error, WaitExpired):
        if not error.peers:
            return DeadlinePassed("the job", error.deadline_seconds)
        name = mesh.peers[error.peers[0]].name
        within = f"its message within {error.deadline_seconds:g} seconds"
        return PeerSilent(
            error.peers[0], name, step="a computation", expected=within, found="signs of life only"
        )
    if isinstance(error, PeerDeviation) and error.peer is not None and error.peer in mesh.peers:
        return PeerProtocolViolation(
            error.peer,
            mesh.peers[error.peer].name,
            step="a computation",
            expected="what an honest run sends",
            found=type(error).__name__,
        )
    return error


def _limits_of(start: StartSession) -> TimeLimits:
    values: dict[str, Any] = {name: value / 1000 for name, value in start.limits_milliseconds.items()}
    return TimeLimits(**values, **start.limits_bytes)


def get_ready_for_jobs() -> None:
    """Import and compile all that a job needs, so that the first one does not wait."""
    for name in ("parties.job_runner", "protocols.computations", "protocols.party_engine"):
        importlib.import_module(name)
    from parties.worker_warm_up import warm_up

    warm_up()


async def serve(pipe_descriptor: int, listening_descriptor: int, *, jobs: bool) -> int:
    """Serve one session over inherited descriptors, `jobs` if it is to run any; returns the exit status."""
    if jobs:
        get_ready_for_jobs()
    pipe = await worker_end(socket.socket(fileno=pipe_descriptor))
    listening_socket = socket.socket(fileno=listening_descriptor)
    return await Worker(pipe, listening_socket, SystemRandomness()).run()


def main() -> NoReturn:
    """Exit at once when the session is over: a kernel that still runs on its thread is not waited for."""
    parser = argparse.ArgumentParser(prog="python -m parties.worker")
    parser.add_argument("--pipe", type=int, required=True)
    parser.add_argument("--listen", type=int, required=True)
    parser.add_argument("--jobs", action="store_true")
    arguments = parser.parse_args()
    status = asyncio.run(serve(arguments.pipe, arguments.listen, jobs=arguments.jobs))
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
