"""The steward's page against a gateway on paper: what it can be asked, what it signs, what it may never tell."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import anyio
import httpx
import pytest

from mpc_cde.client.connection import Connection, connect
from mpc_cde.documents.canonical import decode_base64url, encode_base64url
from mpc_cde.documents.study import Study
from mpc_cde.errors import CallerError, NotFound
from mpc_cde.gateway.settings import Limits
from mpc_cde.keys import SigningKey
from mpc_cde.study_templates import BadTemplate
from mpc_cde.study_templates.shipped_templates import TRADES, shipped_text
from mpc_cde.web.steward_room import StewardRoom
from parties.approvals import reasons_against
from parties.policy import PartyPolicy
from protocols.randomness import ScriptedRandomness
from tests.mpc_cde.gateway.paper_gateway import ORIGIN, PaperGateway

T = TypeVar("T")
ROUTES = {
    ("GET", "/room/overview"),
    ("GET", "/room/pulse"),
    ("GET", "/room/templates"),
    ("GET", "/room/template"),
    ("POST", "/room/draft"),
    ("POST", "/room/propose"),
    ("POST", "/room/close"),
}


class Office:
    """A steward's room, and the gateway that it reaches."""

    def __init__(self, directory: Path, *, key: SigningKey | None = None) -> None:
        # the transport of these tests waits for whole answers, so streams end at once
        self.gateway = PaperGateway(directory, limits=Limits(stream_seconds=0.001))
        self.paper = self.gateway.paper
        self.room = StewardRoom(
            key or self.paper.steward_key,
            self.connected,
            ORIGIN,
            self.paper.fingerprint,
            describe=str,
            clock=self.gateway.clock,
        )

    def connected(self, action: Callable[[Connection], Awaitable[T]]) -> T:
        async def run() -> T:
            transport = httpx.ASGITransport(self.gateway.app)
            async with connect(
                "http://127.0.0.1", fingerprint=self.paper.fingerprint, transport=transport
            ) as connection:
                return await action(connection)

        return anyio.run(run)

    def play(self, act: Callable[[], Awaitable[None]]) -> None:
        anyio.run(act)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(tmp_path)
    office.play(office.gateway.found)
    yield office
    office.gateway.store.close()


def asked(name: str = "services", **more: Any) -> dict[str, Any]:
    return {"text": shipped_text(name), "days": 14, **more}


def test_no_call_is_answered_but_these(office: Office) -> None:
    assert office.room.room().routes == ROUTES


def test_every_template_is_offered_in_two_languages(office: Office) -> None:
    offered = office.room.templates({})
    assert [one["name"] for one in offered] == list(TRADES)
    assert all(set(one["titles"]) == {"en", "nl"} and one["figures"] >= 8 for one in offered)
    assert office.room.template({"name": "services"})["text"] == shipped_text("services")
    with pytest.raises(NotFound):
        office.room.template({"name": "../demo"})


def test_a_draft_is_what_would_be_proposed_and_nothing_is_sent(office: Office) -> None:
    draft = office.room.draft(asked())
    assert office.room.overview({})["studies"] == []
    proposed = office.room.propose(asked())
    assert proposed["study"] == draft["terms"]
    assert draft["study"]["presentation"]["translations"]["nl"]["title"] == "Vergelijking van dienstverleners"
    (study,) = office.room.overview({})["studies"]
    assert (study["title"], study["state"], study["pilot"]) == ("Benchmark of services", "proposed", False)
    assert study["missing"] == ["Party 0", "Party 1", "Party 2"]


def test_a_pilot_says_so_in_its_signed_terms_and_is_deleted_soon(office: Office) -> None:
    draft = office.room.draft(asked(pilot=True))["study"]
    assert draft["terms"]["title"] == "Benchmark of services (pilot)"
    assert draft["terms"]["disclosure"]["name"] == "pilot"
    assert draft["terms"]["retention_days"] == 7
    assert draft["presentation"]["translations"]["nl"]["title"].endswith("(pilot)")
    office.room.propose(asked(pilot=True))
    (study,) = office.room.overview({})["studies"]
    assert study["pilot"]


def test_a_pilot_keeps_every_rule_of_what_is_withheld(office: Office) -> None:
    real, pilot = (office.room.draft(asked(pilot=one))["study"]["terms"] for one in (False, True))
    for part in ("figures", "groups", "functions", "roster_cap"):
        assert real[part] == pilot[part]
    assert {**real["disclosure"], "name": "pilot"} == pilot["disclosure"]


def test_a_template_that_is_not_right_names_the_key(office: Office) -> None:
    text = shipped_text("services").replace("publish_step = 5_000", "publish_step = 3", 1)
    for call in (office.room.draft, office.room.propose):
        with pytest.raises(BadTemplate, match="publish_step"):
            call({"text": text, "days": 14})
    for days in (0, 367, "14", True, None, 1.5):
        with pytest.raises(CallerError, match="days"):
            office.room.propose({**asked(), "days": days})
    assert office.room.overview({})["studies"] == []


def test_who_is_no_steward_of_the_community_proposes_nothing(tmp_path: Path) -> None:
    office = Office(tmp_path, key=SigningKey.generate(ScriptedRandomness(b"somebody")))
    office.play(office.gateway.found)
    for call in (office.room.draft, office.room.propose):
        with pytest.raises(CallerError, match="no steward"):
            call(asked())
    office.gateway.store.close()


def test_members_are_a_number_and_a_closing_waits_for_the_parties(office: Office) -> None:
    gateway, paper = office.gateway, office.paper

    async def open_with_two() -> None:
        await gateway.open_study()
        await gateway.submitted(0, 1)

    quiet = office.room.pulse({})
    office.play(open_with_two)
    assert office.room.pulse({}) != quiet
    (study,) = office.room.overview({})["studies"]
    assert (study["state"], study["members"], study["missing"]) == ("open", 2, [])
    told = json.dumps(office.room.overview({}))
    for member in (0, 1):
        assert encode_base64url(paper.membership(member).member) not in told
        assert encode_base64url(paper.submission(member).digest()) not in told
    assert office.room.close({"study": study["study"]}) == {"title": study["title"]}
    (study,) = office.room.overview({})["studies"]
    assert study["state"] == "open"  # until every party has signed
    for wrong in ("", "A" * 42, "not a digest!"):
        with pytest.raises(CallerError, match="study"):
            office.room.close({"study": wrong})
    assert len(decode_base64url(study["study"])) == 32


def test_what_is_proposed_here_passes_the_policy_of_a_node(office: Office) -> None:
    for trade in TRADES:
        for pilot in (False, True):
            proposed = decode_base64url(office.room.propose(asked(trade, pilot=pilot))["study"])

            async def read(connection: Connection, terms: bytes = proposed) -> Any:
                return (await connection.calls.study(terms)).study

            study = office.connected(read)
            assert (
                reasons_against(
                    Study.parse_payload(study.payload),
                    office.paper.community,
                    PartyPolicy(),
                    datetime(2026, 6, 1, tzinfo=UTC),
                )
                == ()
            )
