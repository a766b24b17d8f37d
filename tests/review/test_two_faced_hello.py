"""A party that greets each of the others differently, so that they would be in two sessions without knowing."""

from __future__ import annotations

import asyncio

from parties.errors import SessionsDiffer
from parties.mesh import Mesh, open_mesh
from parties.mesh_frames import Abort
from parties.session_opening import (
    HELLO_LABEL,
    SESSION_LABEL,
    SessionHello,
    SessionTerms,
    open_session,
    session_id_of,
)
from parties.session_supervisor import default_code_version
from protocols.randomness import SystemRandomness
from tests.parties.communities import QUICK, make_community
from tests.parties.test_session_supervisor import CHECKED, ROSTER, STUDY, outcomes_of

TERMS = SessionTerms("computing", bytes(32), STUDY, ROSTER, CHECKED, default_code_version(), 1)


async def greet_each_differently(mesh: Mesh) -> None:
    """Everything in order towards each, but for the fresh bytes; then to each the session id that it expects."""
    hellos = {
        index: SessionHello(
            kind="computing",
            community=bytes(32),
            study_terms=STUDY,
            roster=ROSTER,
            checked_roster=CHECKED,
            code_version=default_code_version(),
            parties=(0, 1, 2),
            fresh=bytes([index]) * 32,
        ).payload_bytes()
        for index in mesh.channels
    }
    for index, channel in mesh.channels.items():
        channel.send(HELLO_LABEL, hellos[index])
    theirs = {
        index: await channel.receive_up_to(HELLO_LABEL, 10_000, step="hello")
        for index, channel in mesh.channels.items()
    }
    for index, channel in mesh.channels.items():
        channel.send(SESSION_LABEL, session_id_of({**theirs, mesh.own_index: hellos[index]}))


async def test_a_two_faced_hello_ends_the_session_before_any_key_and_accuses_nobody_of_a_violation() -> None:
    with make_community() as community:
        meshes = await asyncio.gather(
            *(
                open_mesh(i, community.peers_of(i), community.sockets[i], community.credentials[i], QUICK)
                for i in range(3)
            )
        )
        found = await outcomes_of(
            [
                *(open_session(mesh, TERMS, SystemRandomness()) for mesh in meshes[:2]),
                greet_each_differently(meshes[2]),
            ]
        )
        assert [type(error) for error in found[:2]] == [SessionsDiffer, SessionsDiffer]
        await asyncio.gather(*(mesh.close(Abort("done", None)) for mesh in meshes))
