"""Sessions in real worker processes over TLS: agreements, jobs, and what becomes of them when a party fails."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from mpc_cde.documents.figure import Figure
from mpc_cde.encodings import encoding_of
from mpc_cde.errors import SealRefused
from mpc_cde.sealing import ResultContext, SealingPrivateKey, open_sealed
from parties.column_file import writing_columns
from parties.errors import (
    JobFailed,
    JobsDiffer,
    PartyError,
    PeerFailure,
    PeerLost,
    PeerSilent,
    PeerUnreachable,
    SessionsDiffer,
    WorkerDied,
    WorkerTooLarge,
)
from parties.job_runner import pack_mask
from parties.session_supervisor import Journal, Session, SessionInputs, SessionSupervisor
from parties.time_limits import TimeLimits
from parties.worker_pipe import JobAsker, JobCell, JobSpecification
from protocols import field as fp
from protocols import keystream
from protocols.reconstruction import reconstruct, verify_degree
from tests.parties.communities import QUICK, TestCommunity, make_community

STUDY, ROSTER, CHECKED = bytes([1]) * 32, bytes([2]) * 32, bytes([3]) * 32
INPUTS = SessionInputs(STUDY, ROSTER, CHECKED)
FIGURE = Figure(
    name="sales", label="Sales", minimum="0", step="1", publish_step="1", radices=(4, 4), blank_allowed=False
)
FIGURES = (3, 7, 7, 9, 15, 0, 4, 8, 8, 2, 11, 12, 1, 6, 5)


class Journals:
    """What each party's node was told to make durable."""

    def __init__(self, parties: int) -> None:
        self.entries: list[list[tuple[str, tuple[int, ...]]]] = [[] for _ in range(parties)]

    def of(self, party: int) -> Journal:
        async def journal(_: bytes, label: str, values: tuple[int, ...]) -> None:
            self.entries[party].append((label, values))

        return journal


@dataclasses.dataclass
class Parties:
    """A community with one supervisor a party, as their nodes would hold them."""

    community: TestCommunity
    supervisors: list[SessionSupervisor]
    journals: Journals

    @asynccontextmanager
    async def computing(self, parties: tuple[int, ...] = (0, 1, 2)) -> AsyncIterator[dict[int, Session]]:
        async with AsyncExitStack() as stack:
            sessions = await asyncio.gather(
                *(
                    stack.enter_async_context(
                        self.supervisors[index].computing(INPUTS, journal=self.journals.of(index))
                    )
                    for index in parties
                )
            )
            yield dict(zip(parties, sessions, strict=True))


def make_supervisor(
    community: TestCommunity, index: int, limits: TimeLimits = QUICK, *, code_version: str | None = None
) -> SessionSupervisor:
    return SessionSupervisor(
        own_index=index,
        credentials=community.credentials[index],
        peers=community.peers_of(index),
        threshold=1,
        community=bytes(32),
        listening_socket=community.sockets[index],
        limits=limits,
        code_version=code_version,
    )


@pytest.fixture
def parties() -> Iterator[Parties]:
    with make_community() as community:
        yield Parties(community, [make_supervisor(community, index) for index in range(3)], Journals(3))


@pytest.fixture
def four() -> Iterator[TestCommunity]:
    with make_community(4) as community:
        yield community


def write_columns(directory: Path, figures: tuple[int, ...] = FIGURES) -> list[Path]:
    """Each party's columns of degree-1 shares of the indicators of `figures`."""
    values = np.array(figures, dtype=np.uint64)
    rows = [values // 4 == symbol for symbol in range(3)] + [values % 4 == symbol for symbol in range(3)]
    plain = np.array(rows, dtype=np.uint64)
    mask = keystream.expand_seed(b"m" * 32, plain.size).reshape(plain.shape)
    paths = []
    for party in range(3):
        share = fp.add(plain, fp.multiply(mask, np.array(party + 1, dtype=np.uint64)))
        path = directory / f"party-{party}.u64"
        with writing_columns(path, [encoding_of(FIGURE, allow_exact=True)], len(figures)) as write:
            write(np.ascontiguousarray(share))
        paths.append(path)
    return paths


def median_job(job_id: bytes, figures: tuple[int, ...] = FIGURES) -> JobSpecification:
    everybody = pack_mask("all", np.ones(len(figures), dtype=np.uint8))
    return JobSpecification(
        job_id=job_id,
        kind="answer_query",
        roster=CHECKED,
        figures=(FIGURE,),
        records=len(figures),
        masks=(everybody,),
        cells=(
            JobCell(
                function="percentiles@1",
                figures=("sales",),
                mask="all",
                parameters={"quantiles": ("1/2",)},
                minimum=3,
            ),
            JobCell(function="sum@1", figures=("sales",), mask="all", parameters={}, minimum=3),
        ),
    )


def rehearsal(job_id: bytes, rounds: int) -> JobSpecification:
    return JobSpecification(job_id=job_id, kind="rehearsal", roster=CHECKED, rounds=rounds)


async def outcomes_of(awaitables: list[Awaitable[object]]) -> list[object]:
    return list(await asyncio.gather(*awaitables, return_exceptions=True))


async def test_agreement_shows_everybodys_bytes_to_everybody(parties: Parties) -> None:
    async def agree(index: int) -> list[dict[int, bytes]]:
        async with parties.supervisors[index].agreement(STUDY) as session:
            first = await session.exchange("commitment", bytes([index]) * 32)
            second = await session.exchange("list", b"x" * (1000 * index))
            return [first, second]

    shown = await asyncio.gather(*(agree(index) for index in range(3)))
    assert shown[0] == shown[1] == shown[2]
    assert shown[0][0] == {index: bytes([index]) * 32 for index in range(3)}
    assert [len(payload) for payload in shown[0][1].values()] == [0, 1000, 2000]


async def test_jobs_run_one_after_another_in_a_session(parties: Parties, tmp_path: Path) -> None:
    columns = write_columns(tmp_path)
    ordered = sorted(FIGURES)
    async with parties.computing() as sessions:
        ids = {session.session_id for session in sessions.values()}
        assert len(ids) == 1
        assert all(session.parties == (0, 1, 2) for session in sessions.values())
        for number in range(3):
            job = median_job(bytes([number]) * 32)
            outcomes = await asyncio.gather(
                *(session.run_job(job, columns[index]) for index, session in sessions.items())
            )
            for outcome in outcomes:
                assert outcome.cells is not None
                assert outcome.cells[0].values == (str(ordered[7]),)
                assert outcome.cells[1].values == (str(sum(FIGURES)),)
                assert outcome.cells[0].contributors == len(FIGURES)
        job = median_job(b"c" * 32).model_copy(update={"kind": "check_inputs"})
        faulty = await asyncio.gather(
            *(session.run_job(job, columns[index]) for index, session in sessions.items())
        )
        assert [outcome.faulty_rows for outcome in faulty] == [(), (), ()]
    assert parties.journals.entries[0] == parties.journals.entries[1] == parties.journals.entries[2]
    assert parties.journals.entries[0]


async def test_sessions_have_different_ids(parties: Parties) -> None:
    ids = []
    for _ in range(2):
        async with parties.computing() as sessions:
            ids.append(sessions[0].session_id)
    assert ids[0] != ids[1]


async def test_job_id_serves_once_in_a_session(parties: Parties) -> None:
    async with parties.computing() as sessions:
        job = rehearsal(b"j" * 32, 2)
        await asyncio.gather(*(session.run_job(job) for session in sessions.values()))
        again = await outcomes_of([session.run_job(job) for session in sessions.values()])
        assert all(isinstance(found, JobFailed | PeerFailure) for found in again)
        assert any(isinstance(found, JobFailed) for found in again)


async def test_parties_with_different_studies_open_no_session(parties: Parties) -> None:
    async def open_with(index: int, checked: bytes) -> None:
        inputs = SessionInputs(STUDY, ROSTER, checked)
        async with parties.supervisors[index].computing(inputs, journal=parties.journals.of(index)):
            raise AssertionError("the session must not open")

    found = await outcomes_of([open_with(0, CHECKED), open_with(1, CHECKED), open_with(2, bytes(32))])
    for index in (0, 1):
        assert isinstance(found[index], SessionsDiffer)
        assert found[index].peer == 2
        assert "checked_roster" in str(found[index])
    assert isinstance(found[2], SessionsDiffer)


async def test_parties_that_understand_a_job_differently_do_not_run_it(
    parties: Parties, tmp_path: Path
) -> None:
    columns = write_columns(tmp_path)
    job = median_job(b"d" * 32)
    lowered = job.cells[0].model_copy(update={"minimum": 1})
    other = job.model_copy(update={"cells": (lowered, job.cells[1])})
    async with parties.computing() as sessions:
        found = await outcomes_of(
            [
                sessions[0].run_job(job, columns[0]),
                sessions[1].run_job(job, columns[1]),
                sessions[2].run_job(other, columns[2]),
            ]
        )
    for index in (0, 1):
        assert isinstance(found[index], JobsDiffer)
        assert found[index].peer == 2
    assert parties.journals.entries == [[], [], []]


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def environment_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


async def kill(session: Session) -> None:
    os.kill(session.worker_pid, signal.SIGKILL)


async def halt(session: Session) -> None:
    os.kill(session.worker_pid, signal.SIGSTOP)


@pytest.mark.parametrize(("attack", "kind"), [(kill, PeerLost), (halt, PeerSilent)])
async def test_party_that_dies_or_stops_amid_a_job_is_named_and_the_job_runs_again(
    parties: Parties,
    tmp_path: Path,
    attack: Callable[[Session], Awaitable[None]],
    kind: type[PeerFailure],
) -> None:
    columns = write_columns(tmp_path)
    async with parties.computing() as sessions:
        running = [asyncio.create_task(s.run_job(rehearsal(b"r" * 32, 10**6))) for s in sessions.values()]
        await asyncio.sleep(0.5)
        assert not any(task.done() for task in running)
        await attack(sessions[2])
        start = asyncio.get_running_loop().time()
        found = await asyncio.wait_for(outcomes_of(list(running[:2])), QUICK.silent_peer_seconds * 2 + 1)
        assert asyncio.get_running_loop().time() - start < QUICK.silent_peer_seconds * 2 + 1
        for error in found:
            assert isinstance(error, kind)
            assert (error.peer, error.name) == (2, "municipality")
        with contextlib.suppress(ProcessLookupError):
            await kill(sessions[2])
        [own] = await outcomes_of([running[2]])
        assert isinstance(own, WorkerDied)
    async with parties.computing() as sessions:
        job = median_job(b"n" * 32)
        outcomes = await asyncio.gather(
            *(session.run_job(job, columns[index]) for index, session in sessions.items())
        )
    assert {outcome.cells[0].values for outcome in outcomes if outcome.cells} == {(str(sorted(FIGURES)[7]),)}


async def test_nothing_is_released_when_a_party_dies_before_the_answer(
    parties: Parties, tmp_path: Path
) -> None:
    """Party 2's node never says that the first opening is durable: the others wait, and get no result."""
    columns = write_columns(tmp_path)
    stuck = asyncio.Event()

    async def never(_: bytes, label: str, values: tuple[int, ...]) -> None:
        stuck.set()
        await asyncio.Event().wait()

    async with AsyncExitStack() as stack:
        sessions = await asyncio.gather(
            *(
                stack.enter_async_context(
                    parties.supervisors[index].computing(
                        INPUTS, journal=never if index == 2 else parties.journals.of(index)
                    )
                )
                for index in range(3)
            )
        )
        job = median_job(b"s" * 32)
        running = [asyncio.create_task(sessions[index].run_job(job, columns[index])) for index in range(3)]
        await asyncio.wait_for(stuck.wait(), 5)
        os.kill(sessions[2].worker_pid, signal.SIGKILL)
        found = await outcomes_of(list(running))
    assert all(isinstance(error, PeerLost) for error in found[:2])
    assert isinstance(found[2], WorkerDied)


async def test_missing_party_is_named_and_the_next_session_waits_longer(parties: Parties) -> None:
    limits = dataclasses.replace(QUICK, connect_seconds=3.0)
    supervisors = [make_supervisor(parties.community, index, limits) for index in range(2)]

    async def attempt(index: int) -> None:
        async with supervisors[index].agreement(STUDY):
            raise AssertionError("the session must not open")

    found = await outcomes_of([attempt(0), attempt(1)])
    for error in found:
        assert isinstance(error, PeerUnreachable)
        assert error.peer == 2
    assert supervisors[0].pause_seconds == limits.retry_seconds


async def test_other_code_version_opens_no_session(parties: Parties) -> None:
    supervisors = [
        make_supervisor(parties.community, index, code_version="mpc-cde 9.9" if index == 1 else None)
        for index in range(3)
    ]

    async def attempt(index: int) -> None:
        async with supervisors[index].agreement(STUDY):
            raise AssertionError("the session must not open")

    found = await outcomes_of([attempt(index) for index in range(3)])
    assert isinstance(found[0], SessionsDiffer)
    assert found[0].peer == 1
    assert "run the same at every party" in str(found[0])


async def test_spare_stays_idle_and_a_session_runs_without_it(four: TestCommunity) -> None:
    supervisors = [make_supervisor(four, index) for index in range(4)]
    journals = Journals(4)

    async def take_part(index: int) -> tuple[tuple[int, ...], bool]:
        async with supervisors[index].computing(INPUTS, journal=journals.of(index)) as session:
            if session.is_spare:
                error = await session.wait_failed()
                assert isinstance(error, PeerFailure)
                return session.parties, True
            await session.run_job(rehearsal(b"q" * 32, 3))
            return session.parties, False

    everyone = await asyncio.gather(*(take_part(index) for index in range(4)))
    assert everyone == [((0, 1, 2), False)] * 3 + [((0, 1, 2), True)]


async def test_session_goes_on_with_a_spare_when_a_party_is_down(four: TestCommunity) -> None:
    limits = dataclasses.replace(QUICK, connect_seconds=2.5)
    supervisors = [make_supervisor(four, index, limits) for index in range(4)]
    journals = Journals(4)

    async def take_part(index: int) -> tuple[int, ...]:
        async with supervisors[index].computing(INPUTS, journal=journals.of(index)) as session:
            await session.run_job(rehearsal(b"q" * 32, 3))
            return session.parties

    assert await asyncio.gather(*(take_part(index) for index in (0, 2, 3))) == [(0, 2, 3)] * 3


async def test_worker_above_its_memory_is_ended(parties: Parties) -> None:
    limits = dataclasses.replace(QUICK, worker_memory_bytes=1 << 20)
    greedy = make_supervisor(parties.community, 0, limits)
    with pytest.raises(WorkerTooLarge):
        async with greedy.agreement(STUDY):
            await asyncio.sleep(5)


async def test_worker_dies_with_its_node(parties: Parties) -> None:
    async with parties.computing() as sessions:
        pid = sessions[0].worker_pid
        sessions[0]._process.pipe._writer.transport.abort()
        for _ in range(100):
            if not is_running(pid):
                break
            await asyncio.sleep(0.02)
        assert not is_running(pid)


async def test_environment_of_a_worker_holds_nothing_of_the_nodes(
    parties: Parties, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MPC_CDE_SECRET", "visible")
    monkeypatch.setenv("MPYC_NOPRSS", "1")
    async with parties.computing() as sessions:
        environment = environment_of(sessions[1].worker_pid)
        assert b"MPC_CDE_SECRET" not in environment
        assert b"MPYC_NOPRSS" not in environment
        assert b"READTHEDOCS=True" in environment


def test_no_failure_of_a_party_is_outside_the_tree() -> None:
    assert issubclass(PeerFailure, PartyError)


async def test_a_members_place_leaves_the_worker_sealed_to_that_member(
    parties: Parties, tmp_path: Path
) -> None:
    columns = write_columns(tmp_path)
    key, member, row = SealingPrivateKey(b"k" * 32), b"m" * 16, 3
    place = JobCell(function="own_rank@1", figures=("sales",), mask="all", parameters={}, minimum=3)
    job = median_job(b"o" * 32).model_copy(
        update={
            "cells": (place,),
            "asker": JobAsker(member=member, row=row, sealing_key=key.public),
        }
    )
    async with parties.computing() as sessions:
        outcomes = await asyncio.gather(
            *(session.run_job(job, columns[index]) for index, session in sessions.items())
        )
    shares = []
    for party, outcome in enumerate(outcomes):
        assert outcome.cells is not None
        (cell,) = outcome.cells
        assert (cell.values, cell.withheld, cell.contributors) == (None, None, len(FIGURES))
        assert cell.sealed is not None
        (sealed,) = cell.sealed
        plain = open_sealed(key, sealed, ResultContext(job.job_id, member, party, 0))
        shares.append(fp.from_bytes(plain, count=1))
        with pytest.raises(SealRefused):
            open_sealed(key, sealed, ResultContext(job.job_id, member, (party + 1) % 3, 0))
    verify_degree([1, 2, 3], np.stack(shares), 1)
    below = sum(figure < FIGURES[row] for figure in FIGURES)
    assert int(reconstruct([1, 2, 3], np.stack(shares), 1)[0]) == below * 20 // (len(FIGURES) - 1) * 5
    entries = parties.journals.entries[0]
    assert not [entry for entry in entries if "rank" in str(entry)], "a place is no opened value"
