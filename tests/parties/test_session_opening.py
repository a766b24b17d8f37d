"""Who opens a session with whom: an offer that no honest party makes, and another version, are refused by name."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from parties import session_opening, session_supervisor
from parties.errors import PeerProtocolViolation, SessionsDiffer
from parties.session_opening import SessionHello, SessionOffer, SessionTerms, open_session
from parties.session_supervisor import default_code_version
from parties.time_limits import DEFAULT_LIMITS
from protocols.randomness import SystemRandomness

TERMS = SessionTerms("computing", b"c" * 32, b"s" * 32, b"r" * 32, b"k" * 32, "0.1.0", 1)


class Offering:
    """The channel to party 0, which says whom it offers."""

    def __init__(self, parties: tuple[int, ...]) -> None:
        self._offer = SessionOffer.model_construct(parties=parties).payload_bytes()

    async def receive_up_to(self, *_: object, **__: object) -> bytes:
        return self._offer


def mesh_of_party_three(parties: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(session_opening, "live_parties", lambda mesh: (0, 1, 2, 3))

    async def one(mesh: Any, waits: dict[int, Any], *_: object) -> dict[int, bytes]:
        return {index: await wait for index, wait in waits.items()}

    monkeypatch.setattr(session_opening, "_from_each", one)
    peers = {index: SimpleNamespace(name=f"Party {index}") for index in range(3)}
    return SimpleNamespace(own_index=3, peers=peers, channels={0: Offering(parties)}, limits=DEFAULT_LIMITS)


async def chosen(parties: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> tuple[int, ...]:
    mesh = mesh_of_party_three(parties, monkeypatch)
    return await session_opening._choose_parties(cast(Any, mesh), TERMS)


async def test_the_offer_of_the_lowest_party_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await chosen((0, 1, 3), monkeypatch) == (0, 1, 3)


@pytest.mark.parametrize("parties", [(0, 1), (0, 1, 2, 3), (0, 1, 1), (0, 3, 1), (1, 2, 3), (0, 1, 7)])
async def test_an_offer_that_no_honest_party_makes_is_a_violation(
    parties: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PeerProtocolViolation, match="Party 0"):
        await chosen(parties, monkeypatch)


async def test_parties_of_two_protocol_versions_refuse_each_other_and_say_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of two versions of the protocols the shares would be added up as if they were of one."""
    older = default_code_version()
    monkeypatch.setattr(session_supervisor, "PROTOCOL_VERSION", session_supervisor.PROTOCOL_VERSION + 1)
    newer = default_code_version()

    async def exchanged(mesh: Any, parties: Any, label: int, payload: bytes, **_: object) -> dict[int, bytes]:
        own = SessionHello.parse_payload(payload)
        others = {"code_version": older if own.code_version == newer else newer, "fresh": bytes(32)}
        peer = own.model_copy(update=others).payload_bytes()
        return {0: peer, 1: payload, 2: payload}

    monkeypatch.setattr(session_opening, "all_to_all", exchanged)
    peers = {index: SimpleNamespace(name=f"Party {index}") for index in (0, 2)}
    mesh = SimpleNamespace(own_index=1, peers=peers, watch=lambda parties: None, limits=DEFAULT_LIMITS)
    for version in (older, newer):
        terms = replace(TERMS, code_version=version)
        with pytest.raises(SessionsDiffer) as refused:
            await open_session(cast(Any, mesh), terms, SystemRandomness())
        assert str(refused.value) == (
            f"party 0 (Party 0), hello: expected {version}, found another version: run the same at every party"
        )
