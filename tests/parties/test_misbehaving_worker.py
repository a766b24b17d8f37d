"""A worker that answers something else than it was asked for ends its session, and nothing of it is taken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from parties.errors import WorkerMisbehaved
from parties.session_supervisor import Journal, Session
from parties.time_limits import DEFAULT_LIMITS
from parties.worker_pipe import Exchanged, FromWorker, JobResult, Opened, Recorded, WorkerReady
from tests.parties.test_job_runner import job_of

JOB = job_of(7)
RESULT = JobResult(
    job_id=JOB.job_id,
    cells=(),
    rounds=1,
    bytes_sent=1,
    microseconds=1,
    multiplications=1,
    comparisons=1,
    random_bits=1,
    peak_anonymous_bytes=1,
)


class Worker:
    """Stands in for the process: `says` is what comes over its pipe, `told` what went there."""

    def __init__(self, *says: FromWorker) -> None:
        self.pipe = self
        self.told: list[object] = []
        self.heard = asyncio.Event()
        self.ended: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
        self._says = asyncio.Queue[FromWorker]()
        for message in says:
            self._says.put_nowait(message)

    async def send(self, message: object) -> None:
        self.told.append(message)
        self.heard.set()

    async def receive(self) -> FromWorker:
        return await self._says.get()

    async def exited_within(self, _: float) -> bool:
        return True

    async def stop(self) -> None:
        return


@asynccontextmanager
async def session(*says: FromWorker, journal: Journal | None = None) -> AsyncIterator[tuple[Session, Worker]]:
    worker = Worker(*says)
    opened = Session(cast(Any, worker), DEFAULT_LIMITS, 0, journal, None)
    opened.parties = (0, 1, 2)
    try:
        yield opened, worker
    finally:
        await opened.close()


async def test_the_result_of_the_job_that_was_asked_for_is_taken() -> None:
    async with session(RESULT) as (opened, _):
        assert (await opened.run_job(JOB)).job_id == JOB.job_id


async def test_the_result_of_another_job_is_refused() -> None:
    async with session(RESULT.model_copy(update={"job_id": b"x" * 32})) as (opened, _):
        with pytest.raises(WorkerMisbehaved, match="another job's"):
            await opened.run_job(JOB)


@pytest.mark.parametrize("said", [WorkerReady(), Exchanged(step="s", parties=(), payloads=())])
async def test_something_else_than_a_result_is_refused(said: FromWorker) -> None:
    async with session(said) as (opened, _):
        with pytest.raises(WorkerMisbehaved, match="came instead"):
            await opened.run_job(JOB)


async def test_one_wish_at_a_time() -> None:
    async with session() as (opened, _):
        first = asyncio.create_task(opened.run_job(JOB))
        await asyncio.sleep(0)
        with pytest.raises(WorkerMisbehaved, match="busy"):
            await opened.exchange("step", b"bytes")
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)


OPENED = Opened(number=1, job_id=JOB.job_id, label="sum", values=("5",))


async def test_an_opening_is_in_the_journal_before_the_worker_may_go_on() -> None:
    noted: list[object] = []

    async def journal(job: bytes, label: str, values: tuple[int, ...]) -> None:
        noted.append((job, label, values, list(worker.told)))

    async with session(OPENED, journal=journal) as (_, worker):
        await asyncio.wait_for(worker.heard.wait(), 10)
        assert noted == [(JOB.job_id, "sum", (5,), [])]
        assert worker.told == [Recorded(number=1)]


async def test_a_session_for_agreements_opens_nothing() -> None:
    async with session(OPENED) as (opened, worker):
        with pytest.raises(WorkerMisbehaved, match="without a journal"):
            await opened.run_job(JOB)
        assert not any(isinstance(message, Recorded) for message in worker.told)


async def test_a_journal_that_cannot_write_ends_the_session_and_lets_nothing_out() -> None:
    async def full(*_: object) -> None:
        raise OSError("no space left on device")

    async with session(OPENED, journal=full) as (opened, worker):
        with pytest.raises(OSError, match="no space"):
            await opened.run_job(JOB)
        assert not any(isinstance(message, Recorded) for message in worker.told)
