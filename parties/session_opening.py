"""From connected peers to one session: who takes part, that all mean the same, and its keys.

The session id is the SHA-256 of every party's hello, in party order, each with 32 fresh bytes: no two sessions
have the same one, and no party alone can choose it. Whatever differs in the hellos besides the fresh bytes ends
the session with SessionsDiffer, before anything secret is sent; so does a session id that is not everybody's, as
of a party that greeted each of the others differently: later the honest ones would take each other for the liar.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import Field

from mpc_cde.documents.base import Part
from mpc_cde.documents.canonical import Bytes32, Digest, PartyIndex, ShortText
from mpc_cde.errors import BadDocument
from parties.errors import PartyError, PeerProtocolViolation, PeerSilent, SessionsDiffer
from parties.mesh import Mesh, live_parties
from protocols.randomness import Randomness
from protocols.session_keys import SessionKeys, assemble, message_bytes, own_keys

OFFER_LABEL = 1
HELLO_LABEL = 2
KEYS_LABEL = 3
SESSION_LABEL = 4
MAX_HELLO_BYTES = 16 << 10
_TAG = b"mpc-cde/session/v1\x00"

Sent = TypeVar("Sent", bound=Part)
Parties = Annotated[tuple[PartyIndex, ...], Field(min_length=3, max_length=16)]


class SessionOffer(Part):
    """Which parties compute, as the lowest live party proposes where more are there than are needed."""

    max_payload_bytes: ClassVar[int] = MAX_HELLO_BYTES

    type: Literal["session-offer/v1"] = "session-offer/v1"
    parties: Parties


class SessionHello(Part):
    """What a party takes the session to be; only `fresh` may differ between parties."""

    max_payload_bytes: ClassVar[int] = MAX_HELLO_BYTES

    type: Literal["session-hello/v1"] = "session-hello/v1"
    kind: Literal["agreement", "computing"]
    community: Digest
    study_terms: Digest
    roster: Digest | None
    checked_roster: Digest | None
    code_version: ShortText
    parties: Parties
    fresh: Bytes32


@dataclass(frozen=True, slots=True)
class SessionTerms:
    """What this party takes the session to be, before it is known who is there."""

    kind: Literal["agreement", "computing"]
    community: bytes
    study_terms: bytes
    roster: bytes | None
    checked_roster: bytes | None
    code_version: str
    threshold: int


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """`parties` ascending; a party that is not among them is a spare and stays idle."""

    session_id: bytes
    parties: tuple[int, ...]


async def open_session(mesh: Mesh, terms: SessionTerms, randomness: Randomness) -> OpenedSession:
    """Agree on the parties and exchange hellos. Raises PeerFailure naming the party at fault."""
    parties = await _choose_parties(mesh, terms)
    if mesh.own_index not in parties:
        return OpenedSession(bytes(32), parties)
    mesh.watch(parties)
    own = SessionHello(
        kind=terms.kind,
        community=terms.community,
        study_terms=terms.study_terms,
        roster=terms.roster,
        checked_roster=terms.checked_roster,
        code_version=terms.code_version,
        parties=parties,
        fresh=randomness.random_bytes(32),
    )
    payloads = await all_to_all(
        mesh,
        parties,
        HELLO_LABEL,
        own.payload_bytes(),
        max_bytes=MAX_HELLO_BYTES,
        step="hello",
        patience_seconds=mesh.limits.connect_seconds,
    )
    hellos = {party: _parse(mesh, party, SessionHello, data, "hello") for party, data in payloads.items()}
    for party, hello in sorted(hellos.items()):
        _compare(mesh, party, own, hello)
        if party != mesh.own_index and hello.fresh == own.fresh:  # each party looks for its own ones
            raise _violation(mesh, party, "hello", "fresh random bytes", "ours")
    session_id = session_id_of(payloads)
    await _compare_session_ids(mesh, parties, session_id)
    return OpenedSession(session_id, parties)


async def _compare_session_ids(mesh: Mesh, parties: tuple[int, ...], session_id: bytes) -> None:
    found = await all_to_all(
        mesh,
        parties,
        SESSION_LABEL,
        session_id,
        max_bytes=len(session_id),
        step="session id",
        patience_seconds=mesh.limits.connect_seconds,
    )
    for party, data in sorted(found.items()):
        if data != session_id:
            name = mesh.peers[party].name
            raise SessionsDiffer(
                party, name, step="session id", expected="hellos that are the same to all", found="others"
            )


def session_id_of(hellos: Mapping[int, bytes]) -> bytes:
    """SHA-256 over a tag and the hellos in party order, each after its length: 32 bytes."""
    digest = hashlib.sha256(_TAG)
    for _, payload in sorted(hellos.items()):
        digest.update(len(payload).to_bytes(4, "big") + payload)
    return digest.digest()


def step_label(session_id: bytes, number: int, step: str) -> int:
    """Eight bytes that name a step within a session; a party that is at another step is found at once."""
    text = session_id + number.to_bytes(8, "big") + step.encode()
    return int.from_bytes(hashlib.sha256(b"mpc-cde/step/v1\x00" + text).digest()[:8], "big")


async def exchange_session_keys(
    mesh: Mesh, parties: tuple[int, ...], threshold: int, randomness: Randomness
) -> SessionKeys:
    """Send K[me->j] and the subset keys that this party chooses, and collect the others'. One round."""
    own = own_keys(mesh.own_index, parties, threshold, randomness)
    peers = [party for party in parties if party != mesh.own_index]
    for peer in peers:
        mesh.channels[peer].send(KEYS_LABEL, own.message_to(peer))
    expected = {peer: message_bytes(parties, threshold, peer, mesh.own_index) for peer in peers}
    received = await _from_each(
        mesh,
        {
            peer: mesh.channels[peer].receive(KEYS_LABEL, expected[peer], step="session keys")
            for peer in peers
        },
        mesh.limits.connect_seconds,
        "session keys",
    )
    return assemble(own, received)


async def all_to_all(
    mesh: Mesh,
    parties: tuple[int, ...],
    label: int,
    payload: bytes,
    *,
    max_bytes: int,
    step: str,
    patience_seconds: float | None,
) -> dict[int, bytes]:
    """Every party's bytes for a step, own ones included, ascending.

    Without `patience_seconds` it waits as long as the peers give signs of life. Raises the failure of a
    channel, or PeerSilent naming the first party that is missing.
    """
    peers = [party for party in parties if party != mesh.own_index]
    for peer in peers:
        mesh.channels[peer].send(label, payload)
    waits = {peer: mesh.channels[peer].receive_up_to(label, max_bytes, step=step) for peer in peers}
    received = await _from_each(mesh, waits, patience_seconds, step)
    return dict(sorted({**received, mesh.own_index: payload}.items()))


async def _from_each(
    mesh: Mesh, waits: Mapping[int, Any], patience_seconds: float | None, step: str
) -> dict[int, bytes]:
    tasks = {peer: asyncio.ensure_future(wait) for peer, wait in waits.items()}
    try:
        await asyncio.wait(tasks.values(), timeout=patience_seconds, return_when=asyncio.FIRST_EXCEPTION)
        for task in tasks.values():
            if task.done():
                task.result()
        for peer, task in sorted(tasks.items()):
            if not task.done():
                within = f"a message within {patience_seconds or 0:g} seconds"
                name = mesh.peers[peer].name
                raise PeerSilent(peer, name, step=step, expected=within, found="signs of life only")
        return {peer: task.result() for peer, task in tasks.items()}
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)


async def _choose_parties(mesh: Mesh, terms: SessionTerms) -> tuple[int, ...]:
    """All parties; or of more than 2t + 1, for computing, those that the lowest live one offers."""
    everybody = tuple(sorted([mesh.own_index, *mesh.peers]))
    needed = 2 * terms.threshold + 1
    if terms.kind == "agreement" or len(everybody) == needed:
        return everybody
    live = live_parties(mesh)
    if live[0] == mesh.own_index:
        offer = SessionOffer(parties=live[:needed])
        for index in live[1:]:
            mesh.channels[index].send(OFFER_LABEL, offer.payload_bytes())
        return offer.parties
    lowest = live[0]
    wait = mesh.channels[lowest].receive_up_to(OFFER_LABEL, MAX_HELLO_BYTES, step="offer of a session")
    data = (await _from_each(mesh, {lowest: wait}, mesh.limits.connect_seconds, "offer of a session"))[lowest]
    parties = _parse(mesh, lowest, SessionOffer, data, "offer of a session").parties
    sound = len(parties) == needed and list(parties) == sorted(set(parties)) and parties[0] == lowest
    if not sound or not set(parties) <= set(everybody):
        raise _violation(mesh, lowest, "offer of a session", f"{needed} parties of the community", "others")
    return parties


def _compare(mesh: Mesh, party: int, own: SessionHello, hello: SessionHello) -> None:
    for name in SessionHello.model_fields:
        if name != "fresh" and getattr(own, name) != getattr(hello, name):
            expected, found = f"our {name}", "another"
            if name == "code_version":
                expected, found = own.code_version, "another version: run the same at every party"
            raise SessionsDiffer(party, mesh.peers[party].name, step="hello", expected=expected, found=found)


def _parse(mesh: Mesh, party: int, model: type[Sent], data: bytes, step: str) -> Sent:
    try:
        return model.parse_payload(data)
    except BadDocument:
        raise _violation(mesh, party, step, "canonical JSON of its form", "something else") from None


def _violation(mesh: Mesh, party: int, step: str, expected: str, found: str) -> PartyError:
    return PeerProtocolViolation(party, mesh.peers[party].name, step=step, expected=expected, found=found)
