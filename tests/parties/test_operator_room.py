"""The operator's page: every call that it answers, what each may tell, and that it signs as the command does."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mpc_cde.documents.approval import Approval
from mpc_cde.documents.canonical import encode_base64url
from mpc_cde.documents.closing import Closing
from mpc_cde.documents.disclosure_bundle import DisclosureBundle
from mpc_cde.documents.envelope import Envelope
from mpc_cde.documents.p_percent import PPercent
from mpc_cde.documents.study import Study
from mpc_cde.errors import CallerError, Conflict, NotFound
from mpc_cde.node_log import LogDamaged
from parties.approvals import NotApproved
from parties.clock import system_clock
from parties.operator_desk import open_desk
from parties.operator_room import OperatorRoom
from parties.share_store import StoredDocument
from protocols.randomness import ScriptedRandomness
from tests.mpc_cde.client.paper import paper_terms, sealing_key, signed, signing_key
from tests.parties.test_operator_desk import Office

ROUTES = {
    ("GET", "/room/overview"),
    ("GET", "/room/study"),
    ("GET", "/room/machine"),
    ("GET", "/room/log"),
    ("POST", "/room/approve"),
    ("POST", "/room/refuse"),
    ("POST", "/room/verify-log"),
    ("POST", "/room/checkpoint"),
    ("POST", "/room/check"),
}


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


@pytest.fixture
def room(office: Office) -> Iterator[OperatorRoom]:
    with open_desk(office.home, None, system_clock) as desk:
        yield OperatorRoom(desk, None, describe=str)


def named(envelope: Envelope) -> dict[str, str]:
    return {"digest": encode_base64url(envelope.digest())}


def events(room: OperatorRoom) -> list[str]:
    return [entry["event"] for entry in room.log({})["entries"]]


def study_with(office: Office, title: str, **disclosure: Any) -> Envelope:
    terms = paper_terms(office.community.digest()).model_copy(
        update={
            "title": title,
            "disclosure": DisclosureBundle(minimum_contributors_negative=30, **disclosure),
        }
    )
    plain = Study.parse_payload(office.study(title).payload)
    return signed(plain.model_copy(update={"terms": terms}), [signing_key("steward")])


def test_no_call_is_answered_but_these(room: OperatorRoom) -> None:
    assert room.room().routes == ROUTES


def test_what_is_told_holds_no_secret_of_the_home(office: Office, room: OperatorRoom) -> None:
    secret = PPercent.choose(15, ScriptedRandomness(b"p"))
    study = study_with(office, "Shops", p_percent=secret.commitment())
    office.know(study)
    room.approve({**named(study), "p_percent": secret.payload_bytes().decode()})
    calls = room.room()
    told = [call(named(study)) for call in calls.looks.values()]
    told += [call({}) for name, call in calls.acts.items() if name not in ("approve", "refuse")]
    text = json.dumps(told)
    kept = [path for path in office.home.path.rglob("*") if path.is_file() and is_secret(path)]
    assert {path.parent.name for path in kept} == {"keys", "sealing", "rules"}
    for path in kept:
        parts = list(secret_parts(path.read_bytes()))
        assert parts
        assert not [part for part in parts if part in text], path.name


def is_secret(path: Path) -> bool:
    return path.suffix == ".key" or path.parent.name == "rules"


def secret_parts(content: bytes) -> Iterator[str]:
    """Every long text in a file of secrets, and the same bytes as base64url and hexadecimal."""
    try:
        values = [value for value in json.loads(content).values() if isinstance(value, str)]
    except ValueError:
        values = content.decode().split("\n")[1:-2]
    for value in values:
        if len(value) < 20 or "/" in value[:12]:
            continue
        yield value
        raw = base64.b64decode(value.replace("-", "+").replace("_", "/") + "=" * (-len(value) % 4))
        yield raw.hex()
        yield encode_base64url(raw)


def test_a_proposed_study_waits_until_it_is_approved(office: Office, room: OperatorRoom) -> None:
    study = office.study("Shops")
    office.know(study)
    (waiting,) = room.overview({})["waiting"]
    assert (waiting["kind"], waiting["title"], waiting["digest"]) == (
        "study",
        "Shops",
        named(study)["digest"],
    )
    assert room.approve(named(study))["delivery"]["code"] == "delivery_kept"
    assert room.overview({})["waiting"] == []
    assert office.home.pinned_community().has_sealing_key(Study.parse_payload(study.payload).terms_digest())
    assert "study.approved" in events(room)
    assert office.letters() == 1


def test_the_sheet_has_the_terms_as_they_were_proposed(office: Office, room: OperatorRoom) -> None:
    study = office.study("Shops")
    office.know(study)
    found = room.study(named(study))
    assert found["study"] == json.loads(study.payload)
    assert (found["state"], found["reasons"], found["approved"], found["last"]) == ("proposed", [], [], None)
    assert found["parties"] == ["Chamber", "University", "Municipality"]
    assert (found["threshold"], found["own_index"]) == (1, 0)


def test_a_study_below_the_own_minimum_is_not_approved_and_says_why(
    office: Office, room: OperatorRoom
) -> None:
    study = study_with(office, "Shops", minimum_contributors=3)
    office.know(study)
    (reason,) = room.study(named(study))["reasons"]
    assert reason["code"] == "own_minimum"
    assert "at least 5 contributors" in reason["text"]
    with pytest.raises(NotApproved) as refused:
        room.approve(named(study))
    assert [str(each) for each in refused.value.reasons] == [reason["text"]]
    assert office.letters() == 0
    assert "study.approved" not in events(room)


def test_a_rule_with_an_unpublished_p_needs_the_file_of_the_steward(
    office: Office, room: OperatorRoom
) -> None:
    secret = PPercent.choose(15, ScriptedRandomness(b"p"))
    other = PPercent.choose(20, ScriptedRandomness(b"q"))
    study = study_with(office, "Shops", p_percent=secret.commitment())
    office.know(study)
    assert room.study(named(study))["needs_p"]
    with pytest.raises(NotApproved, match="ask the steward"):
        room.approve(named(study))
    with pytest.raises(NotApproved, match="another p"):
        room.approve({**named(study), "p_percent": other.payload_bytes().decode()})
    with pytest.raises(CallerError, match="not the file") as refused:
        room.approve({**named(study), "p_percent": "15"})
    assert "15" not in str(refused.value)
    room.approve({**named(study), "p_percent": secret.payload_bytes().decode()})
    assert not room.study(named(study))["needs_p"]


def test_a_study_without_an_unpublished_p_needs_no_file(office: Office, room: OperatorRoom) -> None:
    study = office.study("Shops")
    office.know(study)
    assert room.study(named(study))["needs_p"] is False


def test_a_refusal_needs_a_reason_and_takes_an_approval_back(office: Office, room: OperatorRoom) -> None:
    study = office.study("Shops")
    terms = Study.parse_payload(study.payload).terms_digest()
    office.know(study)
    room.approve(named(study))
    for reason in ({}, {"reason": " "}, {"reason": "a" * 501}):
        with pytest.raises(CallerError, match="reason"):
            room.refuse({**named(study), **reason})
    room.refuse({**named(study), "reason": "our board said no"})
    assert not office.home.pinned_community().has_sealing_key(terms)
    found = room.study(named(study))
    assert (found["state"], found["may_be_refused"]) == ("refused", False)
    assert found["refused"] == [{"party": 0, "reason": "our board said no"}]
    with pytest.raises(Conflict):
        room.refuse({**named(study), "reason": "once more"})


def test_a_second_study_is_compared_with_the_one_approved_last(office: Office, room: OperatorRoom) -> None:
    first, other, second = (
        study_with(office, "Shops"),
        study_with(office, "Never approved"),
        study_with(office, "Shops again", minimum_contributors=9, minimum_contributors_group=9),
    )
    office.know(first, other, second)
    room.approve(named(first))
    own = Envelope.parse_json(_last_letter(room))
    with room.desk.store.writing() as transaction:  # as if the feed had brought it back
        terms = Study.parse_payload(first.payload).terms_digest()
        transaction.put_document(
            StoredDocument(own.digest(), "approval/v1", own, study=terms, subject=first.digest(), party=0)
        )
    found = room.study(named(second))
    assert found["last"] == "Shops"
    assert {(one["kind"], one["name"]) for one in found["differences"]} == {
        ("text", "title"),
        ("rule", "disclosure.minimum_contributors"),
        ("rule", "disclosure.minimum_contributors_group"),
    }
    (key,) = [one for one in room.machine({})["keys"] if one["kind"] == "study"]
    assert (key["title"], key["here"]) == ("Shops", True)


def test_what_others_approved_is_neither_the_last_study_nor_an_own_key(
    office: Office, room: OperatorRoom
) -> None:
    study, other = office.study("Shops"), office.study("Butchers")
    office.know(study, other)
    terms = Study.parse_payload(other.payload).terms_digest()
    approval = Approval(
        study=other.digest(), study_terms=terms, party=1, sealing_key=sealing_key("party 1").public
    )
    theirs = signed(approval, [signing_key("party 1")])
    with room.desk.store.writing() as transaction:
        transaction.put_document(
            StoredDocument(
                theirs.digest(), "approval/v1", theirs, study=terms, subject=other.digest(), party=1
            )
        )
    assert room.study(named(study))["last"] is None
    assert [key["kind"] for key in room.machine({})["keys"]] == ["identity", "mesh"]


def test_a_study_that_was_approved_is_not_compared_with_itself(office: Office, room: OperatorRoom) -> None:
    study = office.study("Shops")
    office.know(study)
    room.approve(named(study))
    own = Envelope.parse_json(_last_letter(room))
    terms = Study.parse_payload(study.payload).terms_digest()
    with room.desk.store.writing() as transaction:
        transaction.put_document(
            StoredDocument(own.digest(), "approval/v1", own, study=terms, subject=study.digest(), party=0)
        )
    assert room.study(named(study))["last"] is None


def test_a_document_that_is_no_study_has_no_sheet(office: Office, room: OperatorRoom) -> None:
    closing = signed(
        Closing(study_terms=bytes(32), steward="chamber", time="2026-06-01T00:00:00Z"),
        [signing_key("steward")],
    )
    with room.desk.store.writing() as transaction:
        transaction.put_document(StoredDocument(closing.digest(), "closing/v1", closing, study=bytes(32)))
    with pytest.raises(NotFound):
        room.study(named(closing))


def _last_letter(room: OperatorRoom) -> bytes:
    with room.desk.store.reading() as view:
        return view.outbox()[-1].body


def test_only_what_this_node_has_seen_is_signed(office: Office, room: OperatorRoom) -> None:
    unseen = office.study("Shops")
    for call in (room.study, room.approve):
        with pytest.raises(NotFound):
            call(named(unseen))
    with pytest.raises(NotFound):
        room.refuse({**named(unseen), "reason": "no"})
    for digest in ("", "Shops", "A" * 42, "é" * 43):
        with pytest.raises(CallerError, match="digest"):
            room.approve({"digest": digest})


def test_a_document_that_no_operator_signs_here_is_not_signed(office: Office, room: OperatorRoom) -> None:
    membership = signed(Study.parse_payload(office.study("Shops").payload), [signing_key("steward")])
    with room.desk.store.writing() as transaction:
        transaction.put_document(StoredDocument(membership.digest(), "membership/v1", membership))
    with pytest.raises(NotFound):
        room.approve(named(membership))


def test_a_closing_waits_while_the_study_is_open(office: Office, room: OperatorRoom) -> None:
    study = office.study("Shops")
    office.know(study)
    terms = Study.parse_payload(study.payload).terms_digest()
    closing = signed(
        Closing(study_terms=terms, steward="chamber", time="2026-06-01T00:00:00Z"), [signing_key("steward")]
    )
    with room.desk.store.writing() as transaction:
        transaction.put_document(StoredDocument(closing.digest(), "closing/v1", closing, study=terms))
    assert [one["kind"] for one in room.overview({})["waiting"]] == ["study"]  # not open: nothing to close
    room.approve(named(closing))
    assert "closing.signed" in events(room)


def test_the_node_is_shown_by_fingerprints_sizes_and_addresses(office: Office, room: OperatorRoom) -> None:
    found = room.machine({})
    assert [(peer["name"], peer["own"]) for peer in found["peers"]] == [
        ("Chamber", True),
        ("University", False),
        ("Municipality", False),
    ]
    assert found["disk"]["store"] > 0 < found["disk"]["free"] <= found["disk"]["total"]
    assert [key["kind"] for key in found["keys"]] == ["identity", "mesh"]
    assert all(len(key["fingerprint"]) == 29 for key in found["keys"])


def test_a_changed_log_does_not_verify(office: Office, room: OperatorRoom) -> None:
    for number in range(2):
        room.desk.log.append("node.started", {"number": number})
    assert room.verify_log({})["length"] == 2
    assert room.log({})["length"] == 2
    path = office.home.pinned_community().log_path
    path.write_bytes(path.read_bytes().replace(b'"number":0', b'"number":7'))
    with pytest.raises(LogDamaged):
        room.verify_log({})


def test_a_long_log_is_read_from_its_end_page_by_page(room: OperatorRoom) -> None:
    """Lines lie across the blocks that it is read in, and the last one is not finished."""
    room.desk.log.append_all([("node.started", {"padding": "a" * 30_000})] * 45)
    path = room.desk.place.log_path
    path.write_bytes(path.read_bytes() + b'{"number":46')
    found = room.log({})
    assert found["length"] == 45
    numbers = [entry["number"] for entry in found["entries"]]
    while numbers[-1] > 1:
        numbers += [entry["number"] for entry in room.log({"before": str(numbers[-1])})["entries"]]
    assert numbers == list(range(45, 0, -1))
    assert room.log({"before": "1"})["entries"] == []
    for words in ("the beginning", "\u00b2", "\u0663"):
        with pytest.raises(CallerError, match="expected a number"):
            room.log({"before": words})


def test_check_says_what_the_command_says(room: OperatorRoom) -> None:
    findings = {one["what"]["text"]: one["problem"] for one in room.check({})["findings"]}
    assert findings["directories"] is None
    assert findings["gateway"] is not None
