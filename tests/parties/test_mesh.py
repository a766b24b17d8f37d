"""The mesh: identity from the certificate, exact messages, and an end that names the peer."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import os
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from parties.errors import (
    PartyError,
    PeerAborted,
    PeerFailure,
    PeerIdentityRefused,
    PeerLost,
    PeerProtocolViolation,
    PeerSilent,
    PeerUnreachable,
)
from parties.mesh import Mesh, live_parties, open_mesh
from parties.mesh_frames import (
    FRAGMENT_BYTES,
    HEARTBEAT_FRAME,
    Abort,
    FrameKind,
    encode_header,
    encode_message,
)
from parties.mesh_identity import MeshCredentials, PinnedPeer, dialing_context
from parties.time_limits import TimeLimits
from tests.parties.communities import QUICK, TestCommunity, make_community, make_credentials, sign_with

LABEL = 0xABCDEF


@pytest.fixture
def community() -> Iterator[TestCommunity]:
    made = make_community()
    yield made
    made.close()


async def open_for(
    community: TestCommunity,
    index: int,
    limits: TimeLimits = QUICK,
    *,
    own: MeshCredentials | None = None,
    needed: int | None = None,
) -> Mesh:
    return await open_mesh(
        index,
        community.peers_of(index),
        community.sockets[index],
        own or community.credentials[index],
        limits,
        needed_peers=needed,
    )


@asynccontextmanager
async def opened(community: TestCommunity, limits: TimeLimits = QUICK) -> AsyncIterator[list[Mesh]]:
    count = len(community.sockets)
    meshes = await asyncio.gather(*(open_for(community, index, limits) for index in range(count)))
    for mesh in meshes:
        mesh.watch(range(count))
    try:
        yield list(meshes)
    finally:
        await asyncio.gather(*(mesh.close(Abort("done", None)) for mesh in meshes))


class HostileParty:
    """Party `index` with its true certificate over raw TLS: it sends exactly what a test says."""

    def __init__(self, community: TestCommunity, index: int, victim: int = 0) -> None:
        self.context = dialing_context(community.credentials[index], community.parties[victim])
        self.port = community.parties[victim].port

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=self.context)


@asynccontextmanager
async def victim_of(
    community: TestCommunity, limits: TimeLimits = QUICK
) -> AsyncIterator[tuple[Mesh, asyncio.StreamWriter]]:
    """Party 0's mesh in a community where party 1 is honest and party 2 is `HostileParty`."""
    hostile = HostileParty(community, 2)
    honest_peers = {0: community.parties[0]}
    opening = asyncio.create_task(open_for(community, 0, limits))
    honest = asyncio.create_task(
        open_mesh(1, honest_peers, community.sockets[1], community.credentials[1], limits)
    )
    reader, writer = await hostile.connect()
    writer.write(HEARTBEAT_FRAME)
    mesh, other = await asyncio.gather(opening, honest)
    mesh.watch(range(3))
    try:
        yield mesh, writer
    finally:
        writer.transport.abort()
        await asyncio.gather(mesh.close(Abort("done", None)), other.close(Abort("done", None)))
        del reader


async def knock(port: int, context: ssl.SSLContext) -> None:
    """Connect and wait for any byte in answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        writer.write(HEARTBEAT_FRAME)
        await reader.readexactly(1)
    finally:
        writer.transport.abort()


async def flood(writer: asyncio.StreamWriter, pieces: bytes) -> None:
    for _ in range(200):
        writer.write(pieces)
        await writer.drain()


async def failure_of(mesh: Mesh, seconds: float = 4.0) -> PartyError:
    return await asyncio.wait_for(asyncio.shield(mesh.failure), seconds)


async def test_every_pair_talks_over_one_connection(community: TestCommunity) -> None:
    async with opened(community) as meshes:
        for mesh in meshes:
            assert live_parties(mesh) == (0, 1, 2)
            for peer, channel in mesh.channels.items():
                channel.send(LABEL, f"{mesh.own_index} to {peer}".encode())
        for mesh in meshes:
            for peer, channel in mesh.channels.items():
                assert await channel.receive(LABEL, 6) == f"{peer} to {mesh.own_index}".encode()
        assert all(mesh.bytes_sent == 2 * (13 + 6) for mesh in meshes)


@pytest.mark.parametrize("length", [0, 1, FRAGMENT_BYTES, 40 * FRAGMENT_BYTES + 3])
async def test_message_of_any_length_arrives_whole(community: TestCommunity, length: int) -> None:
    payload = os.urandom(length)
    async with opened(community) as meshes:
        meshes[0].channels[1].send(LABEL, payload)
        meshes[0].channels[1].send(LABEL + 1, b"next")
        await asyncio.sleep(0.05)  # longer ones fill the receiver's queue and make the sender wait
        assert await meshes[1].channels[0].receive(LABEL, length) == payload
        assert await meshes[1].channels[0].receive(LABEL + 1, 4) == b"next"


async def test_nothing_but_tls_1_3_is_spoken(community: TestCommunity) -> None:
    async with opened(community) as meshes:
        for mesh in meshes:
            for channel in mesh.channels.values():
                assert channel._transport is not None
                assert channel._transport.tls_version == "TLSv1.3"


@pytest.mark.parametrize("found", [b"", b"four", b"six6!!", bytes(3 * FRAGMENT_BYTES)])
async def test_message_of_another_length_than_expected_is_a_violation(
    community: TestCommunity, found: bytes
) -> None:
    async with opened(community) as meshes:
        meshes[2].channels[0].send(LABEL, found)
        with pytest.raises(PeerProtocolViolation) as caught:
            await meshes[0].channels[2].receive(LABEL, 5)
        assert (caught.value.peer, caught.value.name) == (2, "municipality")
        assert await failure_of(meshes[0]) is caught.value


@pytest.mark.parametrize("found", [b"six6!!", bytes(3 * FRAGMENT_BYTES)])
async def test_message_longer_than_it_may_be_is_a_violation(community: TestCommunity, found: bytes) -> None:
    async with opened(community) as meshes:
        meshes[2].channels[0].send(LABEL, found)
        with pytest.raises(PeerProtocolViolation, match="at most 5 bytes"):
            await meshes[0].channels[2].receive_up_to(LABEL, 5, step="a list")


async def test_message_with_another_label_is_a_violation(community: TestCommunity) -> None:
    async with opened(community) as meshes:
        meshes[2].channels[0].send(LABEL + 1, b"hello")
        with pytest.raises(PeerProtocolViolation, match="label"):
            await meshes[0].channels[2].receive(LABEL, 5)


async def test_message_that_another_begins_in_the_middle_of_is_a_violation(community: TestCommunity) -> None:
    async with victim_of(community) as (mesh, writer):
        writer.write(encode_header(FrameKind.MESSAGE, LABEL, FRAGMENT_BYTES) + bytes(FRAGMENT_BYTES))
        writer.write(encode_header(FrameKind.MESSAGE, LABEL + 1, 5) + b"hello")
        with pytest.raises(PeerProtocolViolation, match="start of another"):
            await mesh.channels[2].receive(LABEL, FRAGMENT_BYTES + 5)


async def test_peer_that_leaves_fails_every_wait(community: TestCommunity) -> None:
    async with opened(community) as meshes:
        waits = [asyncio.create_task(meshes[index].channels[2].receive(LABEL, 1)) for index in (0, 1)]
        await asyncio.sleep(0)
        for channel in meshes[2].channels.values():
            assert channel._transport is not None
            channel._transport.abort()
        for wait in waits:
            with pytest.raises(PeerLost) as caught:
                await wait
            assert caught.value.peer == 2


async def test_what_was_sent_before_leaving_is_still_read(community: TestCommunity) -> None:
    async with opened(community) as meshes:
        meshes[2].channels[0].send(LABEL, b"last words")
        await meshes[2].close(Abort("done", None))
        await asyncio.sleep(0.1)
        assert await meshes[0].channels[2].receive(LABEL, 10) == b"last words"
        with pytest.raises(PeerAborted, match="done"):
            await meshes[0].channels[2].receive(LABEL, 1)


async def test_abort_names_the_accused_and_gives_way_to_what_is_seen(community: TestCommunity) -> None:
    async with opened(community) as meshes:
        await meshes[1].close(Abort("peer_protocol_violation", 2))
        error = await failure_of(meshes[0])
        assert isinstance(error, PeerAborted)
        assert (error.peer, error.blames, error.found) == (1, 2, "peer_protocol_violation")
    community.close()
    again = make_community()
    async with opened(again) as meshes:
        await meshes[1].close(Abort("peer_lost", 2))
        await asyncio.sleep(QUICK.heartbeat_seconds)
        for channel in meshes[2].channels.values():
            channel._shut(abruptly=True)
        seen = await failure_of(meshes[0])
        assert isinstance(seen, PeerLost)
        assert seen.peer == 2
    again.close()


async def test_idle_connection_is_kept_alive_by_heartbeats(community: TestCommunity) -> None:
    limits = dataclasses.replace(QUICK, heartbeat_seconds=0.05, silent_peer_seconds=0.3)
    async with opened(community, limits) as meshes:
        await asyncio.sleep(0.8)
        assert not any(mesh.failure.done() for mesh in meshes)


async def test_silent_peer_is_found_and_named(community: TestCommunity) -> None:
    async with victim_of(community) as (mesh, _):
        error = await failure_of(mesh)
        assert isinstance(error, PeerSilent)
        assert error.peer == 2


async def test_frame_of_four_gibibytes_ends_the_connection(community: TestCommunity) -> None:
    async with victim_of(community) as (mesh, writer):
        writer.write(struct.pack(">IBQ", 2**32 - 1, FrameKind.MESSAGE, LABEL))
        error = await failure_of(mesh)
        assert isinstance(error, PeerProtocolViolation)
        assert error.peer == 2
        assert "4294967295" in error.found


async def test_garbage_after_the_handshake_is_a_violation(community: TestCommunity) -> None:
    async with victim_of(community) as (mesh, writer):
        writer.write(os.urandom(4096))
        error = await failure_of(mesh)
        assert isinstance(error, PeerProtocolViolation)
        assert error.peer == 2


async def test_abort_with_an_essay_is_a_violation(community: TestCommunity) -> None:
    async with victim_of(community) as (mesh, writer):
        writer.write(encode_header(FrameKind.ABORT, 0, 5) + b"\x00\x1b[2J")
        assert isinstance(await failure_of(mesh), PeerProtocolViolation)


async def test_flood_of_unasked_messages_stops_at_the_queue(community: TestCommunity) -> None:
    async with victim_of(community) as (mesh, writer):
        pieces = b"".join(bytes(piece) for piece in encode_message(LABEL, bytes(FRAGMENT_BYTES - 1)))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(flood(writer, pieces), 1.0)
        assert mesh.channels[2]._queued_bytes < 12 * FRAGMENT_BYTES
        assert not mesh.failure.done()


async def test_stranger_with_an_unknown_certificate_is_refused(community: TestCommunity) -> None:
    stranger = make_credentials("stranger")
    context = dialing_context(stranger, community.parties[0])
    opening = asyncio.gather(*(open_for(community, index) for index in range(3)))
    with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
        await knock(community.parties[0].port, context)
    meshes = await opening
    assert all(live_parties(mesh) == (0, 1, 2) for mesh in meshes)
    await asyncio.gather(*(mesh.close(Abort("done", None)) for mesh in meshes))


async def test_certificate_issued_by_a_pinned_party_is_not_that_party(community: TestCommunity) -> None:
    minted = sign_with(community.credentials[2], "municipality")
    limits = dataclasses.replace(QUICK, connect_seconds=0.8)
    context = dialing_context(minted, community.parties[0])
    opening = asyncio.create_task(open_for(community, 0, limits))
    with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
        await knock(community.parties[0].port, context)
    with pytest.raises(PeerUnreachable):
        await opening


async def test_party_that_claims_anothers_place_is_known_by_its_certificate(community: TestCommunity) -> None:
    """Party 2 answers at party 1's address: to party 2's peers it is party 2, or nobody."""
    limits = dataclasses.replace(QUICK, connect_seconds=0.8)
    impostor = asyncio.create_task(
        open_mesh(1, community.peers_of(1), community.sockets[1], community.credentials[2], limits)
    )
    honest = asyncio.create_task(open_for(community, 2, limits, own=make_credentials("municipality")))
    results = await asyncio.gather(impostor, honest, return_exceptions=True)
    assert all(isinstance(result, PeerFailure) for result in results)


async def test_dialled_address_with_another_certificate_is_an_identity_refused(
    community: TestCommunity,
) -> None:
    limits = dataclasses.replace(QUICK, connect_seconds=0.8)
    impostor = make_credentials("chamber", serial=1)
    community.parties  # noqa: B018  # sockets are bound; party 0 is played by the impostor
    answers = asyncio.create_task(open_mesh(0, community.peers_of(0), community.sockets[0], impostor, limits))
    peers = {0: community.parties[0]}
    with pytest.raises(PeerIdentityRefused) as caught:
        await open_mesh(2, peers, community.sockets[2], community.credentials[2], limits)
    assert caught.value.peer == 0
    with pytest.raises(PeerUnreachable):
        await answers


async def test_two_parties_with_one_key_are_refused_before_connecting(community: TestCommunity) -> None:
    peers = community.peers_of(0)
    peers[2] = dataclasses.replace(peers[2], certificate=peers[1].certificate)
    with pytest.raises(ValueError, match="same mesh key"):
        await open_mesh(0, peers, community.sockets[0], community.credentials[0], QUICK)


async def test_connections_without_handshake_do_not_keep_the_peers_out(community: TestCommunity) -> None:
    limits = dataclasses.replace(QUICK, handshake_seconds=3.0)
    port = community.parties[0].port
    with contextlib.ExitStack() as loitering:

        def come(count: int) -> list[socket.socket]:
            return [
                loitering.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(count)
            ]

        loiterers = come(60)
        opening = asyncio.gather(*(open_for(community, index, limits) for index in range(3)))
        await asyncio.sleep(0.05)
        loiterers += await asyncio.to_thread(come, 30)
        for talker in loiterers[::7]:
            with contextlib.suppress(OSError):  # put out by now
                talker.sendall(b"GET / HTTP/1.0\r\n\r\n")
        meshes = await asyncio.wait_for(opening, 4)
        assert all(live_parties(mesh) == (0, 1, 2) for mesh in meshes)
        await asyncio.gather(*(mesh.close(Abort("done", None)) for mesh in meshes))


@pytest.mark.parametrize("steps", range(6))
@pytest.mark.parametrize("waited", [0, 5])
async def test_a_connection_that_came_as_the_session_was_called_off_is_closed(
    community: TestCommunity, waited: int, steps: int
) -> None:
    """Whatever the accepting was at: one that only the garbage collector closes is a warning, which fails this."""
    opening = asyncio.create_task(open_for(community, 0))
    for _ in range(waited):
        await asyncio.sleep(0)
    with socket.create_connection(("127.0.0.1", community.parties[0].port)) as caller:
        for _ in range(steps):
            await asyncio.sleep(0)
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        with contextlib.suppress(BlockingIOError):  # else it was accepted
            community.sockets[0].accept()[0].close()
        caller.settimeout(2)
        with contextlib.suppress(ConnectionResetError):
            assert caller.recv(1) == b""
        del opening
        gc.collect()


async def test_peer_that_starts_later_is_waited_for(community: TestCommunity) -> None:
    early = [asyncio.create_task(open_for(community, index)) for index in (1, 2)]
    await asyncio.sleep(0.6)
    meshes = await asyncio.gather(*early, open_for(community, 0))
    assert all(live_parties(mesh) == (0, 1, 2) for mesh in meshes)
    await asyncio.gather(*(mesh.close(Abort("done", None)) for mesh in meshes))


async def test_peer_that_restarts_while_connecting_is_taken_anew(community: TestCommunity) -> None:
    first = asyncio.create_task(open_for(community, 2))
    waiting = asyncio.create_task(open_for(community, 0))
    await asyncio.sleep(0.3)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    meshes = await asyncio.gather(waiting, open_for(community, 1), open_for(community, 2))
    assert all(live_parties(mesh) == (0, 1, 2) for mesh in meshes)
    await asyncio.gather(*(mesh.close(Abort("done", None)) for mesh in meshes))


async def test_missing_peer_is_named_at_the_deadline(community: TestCommunity) -> None:
    limits = dataclasses.replace(QUICK, connect_seconds=0.5)
    results = await asyncio.gather(
        open_for(community, 0, limits), open_for(community, 1, limits), return_exceptions=True
    )
    for result in results:
        assert isinstance(result, PeerUnreachable)
        assert result.peer == 2


async def test_enough_peers_suffice_when_a_spare_is_down() -> None:
    community = make_community(4)
    limits = dataclasses.replace(QUICK, connect_seconds=0.5)
    meshes = await asyncio.gather(*(open_for(community, index, limits, needed=2) for index in (0, 2, 3)))
    assert all(live_parties(mesh) == (0, 2, 3) for mesh in meshes)
    await asyncio.gather(*(mesh.close(Abort("done", None)) for mesh in meshes))
    community.close()


def test_no_private_key_is_printed() -> None:
    own = make_credentials("chamber")
    assert "PRIVATE" not in repr(own)
    assert "BEGIN" not in repr(PinnedPeer(0, "chamber", "h", 1, own.certificate))
