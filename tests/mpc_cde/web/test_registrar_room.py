"""The registrar's page against a gateway on paper: links, requests certified once, the second signature."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from mpc_cde.client.membership_ledger import LEDGER_FILE, MembershipLedger
from mpc_cde.client.role_cards import MemberCard
from mpc_cde.documents.envelope import Envelope, open_envelope
from mpc_cde.documents.membership import Membership
from mpc_cde.errors import CallerError
from mpc_cde.keys import SigningKey
from mpc_cde.secret_files import write_secret_file
from mpc_cde.web.registrar_room import RegistrarRoom
from protocols.randomness import ScriptedRandomness
from tests.mpc_cde.client.paper import sealing_key, signing_key
from tests.mpc_cde.gateway.paper_gateway import ORIGIN
from tests.mpc_cde.web.test_steward_room import Office

ROUTES = {
    ("GET", "/room/overview"),
    ("GET", "/room/studies"),
    ("POST", "/room/invite"),
    ("POST", "/room/read"),
    ("POST", "/room/certify"),
    ("POST", "/room/compare"),
    ("POST", "/room/countersign"),
    ("POST", "/room/turnout"),
}
PAGES = "https://pages.example"


class Register:
    """Two registrars of one community, each at a page of its own."""

    def __init__(self, directory: Path) -> None:
        self.office = Office(directory / "gateway")
        self.office.play(self.office.gateway.open_study)
        keys = self.office.paper.registrar_keys
        self.first, self.second = (self.room(directory / str(n), keys[n]) for n in range(2))

    def room(self, directory: Path, key: SigningKey) -> RegistrarRoom:
        directory.mkdir(mode=0o700)
        return RegistrarRoom(
            key,
            self.office.connected,
            MembershipLedger(directory),
            ORIGIN,
            self.office.paper.fingerprint,
            describe=str,
            randomness=ScriptedRandomness(str(directory).encode()),
            clock=self.office.gateway.clock,
        )


@pytest.fixture
def register(tmp_path: Path) -> Iterator[Register]:
    (tmp_path / "gateway").mkdir()
    register = Register(tmp_path)
    yield register
    register.office.gateway.store.close()


def request(register_id: str, *, key: str | None = None) -> str:
    name = key or register_id
    card = MemberCard(
        signing_key=signing_key(name).public_bytes,
        sealing_key=sealing_key(name).public,
        register_id=register_id,
    )
    return card.payload_bytes().decode()


def asked(*ids: str, size: str = "small", **more: Any) -> dict[str, Any]:
    return {"requests": [request(one) for one in ids], "attributes": [{"size": size} for _ in ids], **more}


def test_no_call_is_answered_but_these(register: Register) -> None:
    assert register.first.room().routes == ROUTES


def test_the_page_knows_what_studies_ask_to_be_certified(register: Register) -> None:
    found = register.first.overview({})
    assert found["attributes"] == {"size": {"label": "Size", "values": ["small", "large"], "needed": True}}
    assert found["issued"] == 0


def test_every_entry_gets_a_link_of_its_own(register: Register) -> None:
    made = register.first.invite(
        {"table": "register_id;name\n17;Bakery Rise\n18;\n", "pages": PAGES, "reply_to": "office@example.org"}
    )
    assert [one["register_id"] for one in made["people"]] == ["17", "18"]
    fields = parse_qs(urlsplit(made["people"][0]["link"]).fragment)
    assert (fields["register"], fields["name"]) == (["17"], ["Bakery Rise"])
    assert made["csv"].splitlines()[0] == "register_id,name,link"
    for table in ("name\nBakery\n", "register_id\n1\n1\n", ""):
        with pytest.raises(CallerError):
            register.first.invite({"table": table, "pages": PAGES})


def test_a_request_is_certified_and_countersigned(register: Register) -> None:
    (read,) = register.first.read({"requests": [request("17")]})
    assert read["register_id"] == "17"
    assert len(read["code"]) == 12
    done = register.first.certify(asked("17", "18"))
    assert (done["issued"], done["fresh"]) == (2, 2)
    assert register.first.certify(asked("17", "18"))["fresh"] == 0
    compared = register.second.compare({"file": done["file"]})
    assert compared == {"memberships": 2, "counts": [("size", "small", 2)]}
    assert register.second.countersign({"file": done["file"]}) == {"countersigned": 2}
    membership = open_envelope(Envelope.parse_json(done["file"].splitlines()[0].encode()), Membership)
    assert membership.signing_key == signing_key("17").public_bytes
    assert dict(membership.attributes) == {"size": "small"}
    assert register.first.overview({})["issued"] == 2


def test_who_has_submitted_is_told_of_the_own_members_alone(register: Register, tmp_path: Path) -> None:
    """Members 0 and 1 are the first registrar's, on paper; 0 has submitted."""
    paper = register.office.paper
    lines = [paper.membership_envelope(number).to_json() for number in (0, 1)]
    write_secret_file(tmp_path / "0" / LEDGER_FILE, b"\n".join(lines) + b"\n")
    register.office.play(lambda: register.office.gateway.submitted(0))
    (study,) = register.first.studies({})
    assert (study["submitted"], study["to_remind"]) == (1, 1)
    (others,) = register.second.studies({})
    assert (others["submitted"], others["to_remind"]) == (0, 0)
    told = register.first.turnout({"study": study["study"], "table": "register_id,name\n17,Rise\n"})
    assert told["entries"] == [{"register_id": "17", "name": "Rise", "standing": "not_joined"}]
    assert told["csv"].splitlines() == ["register_id,name,standing", "17,Rise,not_joined"]
    for wrong in ("", "A" * 42, "not a digest!"):
        with pytest.raises(CallerError, match="study"):
            register.first.turnout({"study": wrong, "table": "register_id\n17\n"})


def test_what_no_study_asks_for_any_more_can_be_left_blank(register: Register) -> None:
    gateway = register.office.gateway
    gateway.clock.advance(seconds=400 * 24 * 3600)  # long after its closing
    assert register.first.overview({})["attributes"]["size"]["needed"] is False
    done = register.first.certify({"requests": [request("17")], "attributes": [{"size": ""}]})
    membership = open_envelope(Envelope.parse_json(done["file"].encode().strip()), Membership)
    assert dict(membership.attributes) == {}


def test_one_entry_of_the_register_gets_one_key(register: Register) -> None:
    register.first.certify(asked("17"))
    with pytest.raises(CallerError):
        register.first.certify({"requests": [request("17", key="thief")], "attributes": [{"size": "small"}]})
    with pytest.raises(CallerError):
        register.first.certify(asked("19", "19"))
    assert register.first.overview({})["issued"] == 1


def test_nobody_countersigns_its_own_memberships(register: Register) -> None:
    done = register.first.certify(asked("17"))
    with pytest.raises(CallerError, match="key on this machine"):
        register.first.countersign({"file": done["file"]})


def test_an_attribute_cannot_take_the_place_of_a_key(register: Register) -> None:
    done = register.first.certify(
        {
            "requests": [request("17")],
            "attributes": [{"size": "small", "signing_key": "A" * 43, "register_id": "99"}],
        }
    )
    membership = open_envelope(Envelope.parse_json(done["file"].encode().strip()), Membership)
    assert membership.signing_key == signing_key("17").public_bytes
    assert set(membership.attributes) == {"size"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"requests": []},
        {"requests": ["{}"], "attributes": [{}]},
        {"requests": "text", "attributes": []},
        {"requests": [json.dumps({"type": "member-card/v1"})], "attributes": [{}]},
        asked("17", attributes=[]),
        asked("17", attributes=[{"size": 3}]),
        asked("17", attributes=["small"]),
    ],
)
def test_what_is_no_request_is_not_certified(register: Register, wrong: dict[str, Any]) -> None:
    with pytest.raises(CallerError):
        register.first.certify(wrong)
    assert register.first.overview({})["issued"] == 0
