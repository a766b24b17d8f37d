"""Two honest workers and a third party that opens the session in order and then turns on them.

Whatever it does in the middle of a computation, both honest parties end the session with a typed error that
names it, nothing of the answer is journalled, and the job runs in the next session, when the party is honest.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import struct
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from parties.errors import JobFailed, PeerAborted, PeerFailure, PeerLost, PeerProtocolViolation, PeerSilent
from parties.mesh import Mesh, open_mesh
from parties.mesh_frames import Abort, FrameKind
from parties.session_opening import (
    HELLO_LABEL,
    OpenedSession,
    SessionHello,
    SessionTerms,
    all_to_all,
    exchange_session_keys,
    open_session,
    step_label,
)
from parties.session_supervisor import Session, SessionSupervisor, default_code_version
from parties.worker import COMPARING_JOBS
from protocols.field import P
from protocols.mpyc_engine import PRSS_LABEL, _hop
from protocols.randomness import SystemRandomness
from tests.parties.communities import PATIENT, QUICK, TestCommunity, make_community
from tests.parties.test_session_supervisor import (
    CHECKED,
    FIGURES,
    INPUTS,
    ROSTER,
    STUDY,
    Journals,
    make_supervisor,
    median_job,
    outcomes_of,
    rehearsal,
    write_columns,
)

TERMS = SessionTerms("computing", bytes(32), STUDY, ROSTER, CHECKED, default_code_version(), 1)
FIRST_EXCHANGE = _hop([1, 0]) % (1 << 64)
Attack = Callable[[Mesh, Path], Awaitable[None]]


class Executed:
    """Unpickled, it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def write_raw(mesh: Mesh, data: bytes) -> None:
    for channel in mesh.channels.values():
        assert channel._transport is not None
        channel._transport.write(data)


async def garbage(mesh: Mesh, _: Path) -> None:
    write_raw(mesh, os.urandom(1000))


async def four_gibibytes(mesh: Mesh, _: Path) -> None:
    write_raw(mesh, struct.pack(">IBQ", 2**32 - 1, FrameKind.MESSAGE, FIRST_EXCHANGE))


async def pickled(mesh: Mesh, marker: Path) -> None:
    for channel in mesh.channels.values():
        channel.send(FIRST_EXCHANGE, pickle.dumps(Executed(marker)))


async def unknown_label(mesh: Mesh, _: Path) -> None:
    for channel in mesh.channels.values():
        channel.send(12345, bytes(8))


async def too_short(mesh: Mesh, _: Path) -> None:
    for channel in mesh.channels.values():
        channel.send(FIRST_EXCHANGE, bytes(7))


async def wrong_share(mesh: Mesh, _: Path) -> None:
    """A canonical number in the place of a share of degree t: the first exchange of a rehearsal."""
    for channel in mesh.channels.values():
        channel.send(FIRST_EXCHANGE, bytes(8))


async def endless(mesh: Mesh, _: Path) -> None:
    for channel in mesh.channels.values():
        channel.send(FIRST_EXCHANGE, bytes(60 << 20))


async def no_field_elements(mesh: Mesh, _: Path) -> None:
    """The right label and length, as the honest parties' own messages show it, but numbers of p and more."""
    label, payload = await mesh.channels[0].receive_message(lambda _: 1 << 30, step="spying")
    for channel in mesh.channels.values():
        channel.send(label, P.to_bytes(8, "little") * (len(payload) // 8))


async def leaving(mesh: Mesh, _: Path) -> None:
    for channel in mesh.channels.values():
        assert channel._transport is not None
        channel._transport.abort()


async def heartbeats_only(mesh: Mesh, _: Path) -> None:
    """It lives, and never sends what is awaited."""


async def play_hostile(community: TestCommunity, attack: Attack, marker: Path, job_digest: bytes) -> None:
    """Party 2: opens mesh and session as it should, agrees to the job, then attacks until it is cut off."""
    mesh = await open_mesh(2, community.peers_of(2), community.sockets[2], community.credentials[2], PATIENT)
    try:
        session = await open_session(mesh, TERMS, SystemRandomness())
        await exchange_session_keys(mesh, session.parties, 1, SystemRandomness())
        for channel in mesh.channels.values():
            await channel.receive_up_to(PRSS_LABEL, 1000, step="keys of MPyC")
        await agree_to_job(mesh, session, job_digest)
        await attack(mesh, marker)
        await asyncio.sleep(10)
    except PeerFailure:
        pass  # the others cut it off: what they should do
    finally:
        await mesh.close(Abort("done", None))


async def agree_to_job(mesh: Mesh, session: OpenedSession, job_digest: bytes) -> None:
    await all_to_all(
        mesh,
        session.parties,
        step_label(session.session_id, 1, COMPARING_JOBS),
        job_digest,
        max_bytes=32,
        step=COMPARING_JOBS,
        patience_seconds=5,
    )


async def verify_attack(
    columns: list[Path],
    supervisors: list[SessionSupervisor],
    community: TestCommunity,
    attack: Attack,
    kind: type[PeerFailure],
) -> None:
    """Whoever is honest names the attacker, and nothing was opened or executed."""
    journals = Journals(3)
    job, marker = median_job(b"h" * 32), columns[0].with_name("executed")
    hostile = asyncio.create_task(play_hostile(community, attack, marker, job.digest()))
    try:
        async with AsyncExitStack() as stack:
            sessions = await open_sessions(stack, supervisors[:2], journals)
            found = await asyncio.wait_for(
                outcomes_of(
                    [s.run_job(job, columns[i], deadline_seconds=1.5) for i, s in enumerate(sessions)]
                ),
                6,
            )
    finally:
        hostile.cancel()
        await asyncio.gather(hostile, return_exceptions=True)
    assert any(isinstance(error, kind) for error in found), found
    for error in found:
        assert isinstance(error, PeerFailure)
        assert 2 in (error.peer, error.blames), found
    assert journals.entries == [[], [], []]
    assert not marker.exists()


NAMED_AND_NO_MORE = (garbage, four_gibibytes, pickled, unknown_label, too_short, endless)
"""All the same kind of failure: what comes after it is shown with one of that kind."""


@pytest.mark.parametrize("attack", NAMED_AND_NO_MORE)
async def test_attack_amid_a_computation_is_named(tmp_path: Path, attack: Attack) -> None:
    with make_community() as community:
        supervisors = [make_supervisor(community, index, PATIENT) for index in range(2)]
        await verify_attack(write_columns(tmp_path), supervisors, community, attack, PeerProtocolViolation)


@pytest.mark.parametrize(
    ("attack", "kind"),
    [
        *(
            pytest.param(attack, PeerProtocolViolation, marks=pytest.mark.long)
            for attack in NAMED_AND_NO_MORE
        ),
        (no_field_elements, PeerProtocolViolation),
        (leaving, PeerLost),
        (heartbeats_only, PeerSilent),
    ],
)
async def test_attack_amid_a_computation_is_named_and_the_job_runs_in_the_next_session(
    tmp_path: Path, attack: Attack, kind: type[PeerFailure]
) -> None:
    with make_community() as community:
        supervisors = [make_supervisor(community, index, PATIENT) for index in range(3)]
        columns, job = write_columns(tmp_path), median_job(b"h" * 32)
        await verify_attack(columns, supervisors, community, attack, kind)
        async with AsyncExitStack() as stack:
            sessions = await open_sessions(stack, supervisors, Journals(3))
            outcomes = await asyncio.gather(*(s.run_job(job, columns[i]) for i, s in enumerate(sessions)))
        answers = {outcome.cells[0].values for outcome in outcomes if outcome.cells}
        assert answers == {(str(sorted(FIGURES)[len(FIGURES) // 2]),)}


async def test_wrong_share_of_an_opening_ends_the_session_though_nobody_can_tell_whose(
    tmp_path: Path,
) -> None:
    with make_community() as community:
        supervisors = [make_supervisor(community, index, PATIENT) for index in range(2)]
        job = rehearsal(b"w" * 32, 5)
        hostile = asyncio.create_task(play_hostile(community, wrong_share, tmp_path / "x", job.digest()))
        try:
            async with AsyncExitStack() as stack:
                sessions = await open_sessions(stack, supervisors, Journals(3))
                found = await outcomes_of([session.run_job(job) for session in sessions])
        finally:
            hostile.cancel()
            await asyncio.gather(hostile, return_exceptions=True)
    for error in found:
        told = isinstance(error, PeerAborted) and error.found == "shares_disagree"
        assert told or (isinstance(error, JobFailed) and error.kind == "SharesDisagree"), found


async def open_sessions(
    stack: AsyncExitStack, supervisors: list[SessionSupervisor], journals: Journals
) -> list[Session]:
    return list(
        await asyncio.gather(
            *(
                stack.enter_async_context(supervisor.computing(INPUTS, journal=journals.of(index)))
                for index, supervisor in enumerate(supervisors)
            )
        )
    )


async def meshes_of(community: TestCommunity) -> list[Mesh]:
    return list(
        await asyncio.gather(
            *(
                open_mesh(i, community.peers_of(i), community.sockets[i], community.credentials[i], QUICK)
                for i in range(3)
            )
        )
    )


@pytest.mark.parametrize(
    "answer", [b"", b"{}", b"\x80\x04K\x01.", b'{"type":"session-hello/v1"}', bytes(20_000)]
)
async def test_hello_of_another_form_is_a_violation(answer: bytes) -> None:
    with make_community() as community:
        meshes = await meshes_of(community)
        for channel in meshes[2].channels.values():
            channel.send(HELLO_LABEL, answer)
        found = await outcomes_of([open_session(mesh, TERMS, SystemRandomness()) for mesh in meshes[:2]])
        for error in found:
            assert isinstance(error, PeerProtocolViolation)
            assert error.peer == 2
        await asyncio.gather(*(mesh.close(Abort("done", None)) for mesh in meshes))


async def test_hello_that_echoes_ours_is_a_violation() -> None:
    with make_community() as community:
        meshes = await meshes_of(community)

        async def echo() -> None:
            for channel in meshes[2].channels.values():
                channel.send(HELLO_LABEL, await channel.receive_up_to(HELLO_LABEL, 10_000, step="spying"))

        results = await outcomes_of(
            [*(open_session(mesh, TERMS, SystemRandomness()) for mesh in meshes[:2]), echo()]
        )
        for error in results[:2]:
            assert isinstance(error, PeerProtocolViolation)
            assert (error.peer, error.found) == (2, "ours")
        await asyncio.gather(*(mesh.close(Abort("done", None)) for mesh in meshes))


async def test_peer_that_keeps_its_hello_is_named() -> None:
    with make_community() as community:
        meshes = await meshes_of(community)
        async with asyncio.timeout(8):
            results = await outcomes_of(
                [open_session(mesh, TERMS, SystemRandomness()) for mesh in meshes[:2]]
            )
        for error in results:
            assert isinstance(error, PeerSilent)
            assert error.peer == 2
        await asyncio.gather(*(mesh.close(Abort("done", None)) for mesh in meshes))


async def test_session_id_is_of_all_hellos_and_the_same_for_all() -> None:
    with make_community() as community:
        meshes = await meshes_of(community)
        opened = await asyncio.gather(*(open_session(mesh, TERMS, SystemRandomness()) for mesh in meshes))
        assert len({session.session_id for session in opened}) == 1
        assert SessionHello.model_fields["fresh"] is not None
        await asyncio.gather(*(mesh.close(Abort("done", None)) for mesh in meshes))
