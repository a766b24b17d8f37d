"""Documents are strict: every field written out, nothing coerced, nothing unknown, digests by meaning."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from mpc_cde.documents.base import Document, Part
from mpc_cde.documents.canonical import canonical_bytes, parse_canonical
from mpc_cde.documents.checked_roster import CheckedRoster
from mpc_cde.documents.community import (
    Community,
    format_fingerprint,
    parse_fingerprint,
)
from mpc_cde.documents.envelope import Envelope, sign_document
from mpc_cde.documents.membership import Membership
from mpc_cde.documents.party_card import PartyCard
from mpc_cde.documents.receipt import Receipt
from mpc_cde.documents.registry import DOCUMENT_CLASSES, document_class_of
from mpc_cde.documents.researcher import Researcher
from mpc_cde.documents.result import Cell, Result
from mpc_cde.documents.revocation import Revocation
from mpc_cde.documents.roster_lines import MAX_LINES
from mpc_cde.documents.roster_list import RosterList
from mpc_cde.documents.submission import Submission
from mpc_cde.documents.suites import X25519, PublicSealingKey
from mpc_cde.errors import BadDocument
from tests.mpc_cde.documents.samples import (
    LATER,
    NOON,
    bytes_named,
    checked_roster,
    community,
    every_document,
    membership,
    party_card,
    researcher,
    result,
    revocation,
    role,
    sealing_key,
    signing_key,
    submission,
)

SAMPLES = every_document()


def rebuilt(part: Part, **changes: Any) -> Part:
    """The same part with some fields changed, validated anew."""
    fields = {name: getattr(part, name) for name in type(part).model_fields}
    return type(part)(**{**fields, **changes})


OF_ONE_PARTY = ("name", "identity_key", "mesh_address", "mesh_certificate")
OF_LISTS = ("withdrawals", "revocations", "memberships")
TWO_ENVELOPES = tuple(
    sorted(
        (sign_document(submission(number), signing_key("corner shop")) for number in (1, 2)),
        key=Envelope.digest,
    )
)


def like_first(field: str) -> Part:
    """The card of the third party, with this of the first."""
    return rebuilt(party_card(2), **{field: getattr(party_card(0), field)})


def test_every_registered_document_has_a_sample_and_a_type_of_its_own() -> None:
    names = [document_class.type_name() for document_class in DOCUMENT_CLASSES]
    assert set(names) == set(SAMPLES)
    assert len(set(names)) == len(names)
    for name in names:
        assert document_class_of(name) is document_class_of(document_class_of(name).payload_type())


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_payload_is_canonical_and_comes_back_equal(name: str) -> None:
    document = SAMPLES[name]
    payload = document.payload_bytes()
    assert parse_canonical(payload)["type"] == name
    back = type(document).parse_payload(payload)
    assert back == document
    assert hash(back) == hash(document)
    assert back.digest() == document.digest()


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_missing_or_unknown_field_is_refused(name: str) -> None:
    document = SAMPLES[name]
    fields = parse_canonical(document.payload_bytes())
    for left_out in fields:
        shorter = {key: value for key, value in fields.items() if key != left_out}
        with pytest.raises(BadDocument):
            type(document).parse_payload(canonical_bytes(shorter))
    with pytest.raises(BadDocument):
        type(document).parse_payload(canonical_bytes({**fields, "unknown": None}))


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_document_is_frozen(name: str) -> None:
    with pytest.raises(ValidationError):
        SAMPLES[name].type = "other/v1"


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_document_of_one_type_is_not_read_as_another(name: str) -> None:
    for other in DOCUMENT_CLASSES:
        if other.type_name() != name:
            with pytest.raises(BadDocument):
                other.parse_payload(SAMPLES[name].payload_bytes())


def test_no_document_holds_a_float() -> None:
    def schema_types(node: Any) -> set[str]:
        if isinstance(node, dict):
            found = {node["type"]} if isinstance(node.get("type"), str) else set()
            return found.union(*[schema_types(value) for value in node.values()])
        if isinstance(node, list):
            return set().union(*[schema_types(value) for value in node])
        return set()

    for document_class in DOCUMENT_CLASSES:
        assert "number" not in schema_types(document_class.model_json_schema(mode="serialization"))


def test_refusal_names_the_field_and_not_its_value() -> None:
    payload = submission().payload_bytes().replace(b'"sequence":1', b'"sequence":"secret-figure"')
    with pytest.raises(BadDocument) as refusal:
        Submission.parse_payload(payload)
    assert "sequence" in str(refusal.value)
    assert "secret-figure" not in str(refusal.value)


def test_oversized_payload_is_refused() -> None:
    document = SAMPLES["complaint/v1"]
    fields = parse_canonical(document.payload_bytes())
    with pytest.raises(BadDocument, match="bytes"):
        type(document).parse_payload(canonical_bytes({**fields, "found": "x" * Document.max_payload_bytes}))


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        (community(), {"threshold": 2}),
        (community(), {"threshold": 0}),
        (community(), {"cards": community().cards[:2]}),
        (community(), {"cards": (party_card(0), party_card(1), party_card(1))}),
        *((community(), {"cards": (*community().cards[:2], like_first(field))}) for field in OF_ONE_PARTY),
        (community(4), {"threshold": 2}),
        (community(), {"previous": bytes(32)}),
        (community(), {"version": 2}),
        (community(), {"registrars": ()}),
        (community(), {"registrars": community().registrars * 2}),
        (community(), {"registrars": (role("guild"), rebuilt(role("notary"), name="guild"))}),
        (community(), {"registrars": (role("guild"), rebuilt(role("guild"), name="notary"))}),
        (community(), {"stewards": (role("bureau"), rebuilt(role("guild"), name="bureau"))}),
        (community(), {"stewards": (role("bureau"), rebuilt(role("bureau"), name="guild"))}),
        (community(), {"suites": community().suites * 2}),
        (community(), {"suites": ()}),
        (community(), {"suites": ("rot13",)}),
        (party_card(0), {"mesh_address": "party0.example"}),
        (party_card(0), {"mesh_address": "party0.example:0"}),
        (party_card(0), {"mesh_address": "party0.example:65536"}),
        (party_card(0), {"mesh_address": 7800}),
        (party_card(0), {"mesh_address": "user@party0.example:7800"}),
        (party_card(0), {"mesh_certificate": bytes(100)}),
        (party_card(0), {"pages_origin": "http://party0.example"}),
        (party_card(0), {"pages_origin": "https://party0.example/path"}),
        (party_card(0), {"identity_key": bytes(31)}),
        (membership(), {"valid_until": membership().valid_from}),
        (membership(), {"attributes": {"Sector": "clothing"}}),
        (membership(), {"sole_trader": 0}),
        (membership(), {"valid_from": "0026-11-24T12:00:00Z"}),
        (researcher(), {"valid_until": researcher().valid_from}),
        (researcher(), {"valid_from": LATER, "valid_until": NOON}),
        (researcher(), {"functions": researcher().functions * 2}),
        (researcher(), {"studies": (bytes(32), bytes(32))}),
        (revocation(), {"subject": bytes(32)}),
        (revocation(), {"kind": "party"}),
        (submission(), {"sequence": 1001}),
        (submission(), {"sequence": 2**53}),
        (submission(), {"seed_hashes": submission().seed_hashes[:2]}),
        (submission(), {"seed_hashes": (bytes(32),) * 3}),
        (submission(), {"envelopes": (*submission().envelopes, bytes(32))}),
        (submission(), {"envelopes": list(submission().envelopes)}),
        (checked_roster(), {"parties": (0, 2, 1)}),
        (checked_roster(), {"parties": (0, 1, 1)}),
        (checked_roster(), {"parties": (0, 1, 2, 3)}),
        (checked_roster(), {"removed": checked_roster().removed * 2}),
        (result(), {"query": None}),
        (result(), {"scheduled_function": 0}),
        (result(), {"parties": (2, 1, 0)}),
        (result(), {"cells": ()}),
        (result(), {"log_heads": result().log_heads[::-1]}),
        (result(), {"log_heads": result().log_heads[:1] * 2}),
        (result().cells[0], {"values": None}),
        (result().cells[0], {"withheld": "minimum"}),
        (result().cells[0], {"values": ("1.50",)}),
        (result().cells[1], {"contributors": 4}),
        (result().cells[1], {"withheld": "because"}),
        (SAMPLES["receipt/v1"], {"verdict": "accepted"}),
        (SAMPLES["receipt/v1"], {"reason": None}),
        (SAMPLES["receipt/v1"], {"party": 16}),
        (SAMPLES["roster-list/v1"], {"parts": (bytes(32),) * 255}),
        (SAMPLES["roster-list/v1"], {"count": MAX_LINES + 1}),
        *((SAMPLES["roster-list/v1"], {field: TWO_ENVELOPES[::-1]}) for field in OF_LISTS),
        *((SAMPLES["roster-list/v1"], {field: TWO_ENVELOPES[:1] * 2}) for field in OF_LISTS),
        (SAMPLES["roster/v1"], {"registrars": SAMPLES["roster/v1"].registrars[::-1]}),
        (sealing_key("a").public, {"suite": X25519}),
    ],
)
def test_value_out_of_bounds_is_refused(part: Part, changes: dict[str, Any]) -> None:
    assert rebuilt(part) == part
    with pytest.raises(ValidationError):
        rebuilt(part, **changes)


def test_values_at_their_bounds_are_taken() -> None:
    assert isinstance(first := rebuilt(submission(), sequence=1000), Submission)
    assert first.replaces is None
    assert isinstance(card := rebuilt(party_card(0), mesh_address="party0.example:65535"), PartyCard)
    assert card.mesh_port == 65535
    for field in OF_LISTS:
        assert getattr(rebuilt(SAMPLES["roster-list/v1"], **{field: TWO_ENVELOPES}), field) == TWO_ENVELOPES


def test_later_submission_may_have_any_sequence_and_names_what_it_replaces() -> None:
    later = rebuilt(submission(), sequence=5000, replaces=submission().digest())
    assert isinstance(later, Submission)
    assert later.fits(parties=3, threshold=1)
    for parties, threshold in ((5, 2), (4, 1), (3, 3), (4, 3)):
        assert not later.fits(parties=parties, threshold=threshold)


@pytest.mark.parametrize(("m", "t", "subsets"), [(3, 1, 3), (4, 1, 4), (5, 2, 10), (16, 7, 11440)])
def test_submission_has_one_seed_for_each_subset(m: int, t: int, subsets: int) -> None:
    names = [bytes_named(f"seed {index}") for index in range(subsets)]
    built = rebuilt(
        submission(), seed_hashes=tuple(names), envelopes=tuple(names[:m] if m <= subsets else ())
    )
    assert isinstance(built, Submission)
    assert built.fits(parties=m, threshold=t)
    assert built.fits(parties=subsets, threshold=1) == (subsets == m), "as many seeds, for other parties"
    assert Submission.parse_payload(built.payload_bytes()) == built


def test_fingerprint_is_what_a_person_can_read_out_and_type() -> None:
    fingerprint = community().fingerprint()
    shown = format_fingerprint(fingerprint)
    assert len(fingerprint) == 25
    assert [len(group) for group in shown.split("-")] == [5] * 5
    assert parse_fingerprint(f"  {shown.upper()} ") == fingerprint
    assert parse_fingerprint(shown.replace("-", " ")) == fingerprint
    for wrong in ("", shown[:-1], shown + "a", shown.replace(shown[0], "1"), "ſ" * 25):
        with pytest.raises(ValueError):
            parse_fingerprint(wrong)


def test_fingerprint_changes_with_every_field() -> None:
    renamed = rebuilt(community(), name="Retailers of Uptown")
    assert isinstance(renamed, Community)
    assert renamed.fingerprint() != community().fingerprint()


def test_party_is_found_by_its_identity_key_only() -> None:
    built = community(5, 2)
    assert [built.party_index(card.identity_key) for card in built.cards] == [0, 1, 2, 3, 4]
    assert built.party_index(bytes(32)) is None
    assert built.session_size == 5
    with pytest.raises(IndexError):
        built.party_key(-1)


def test_certificate_is_pinned_by_its_key() -> None:
    cards = [party_card(index) for index in range(3)]
    assert len({card.mesh_spki_sha256() for card in cards}) == 3
    assert (cards[0].mesh_host, cards[0].mesh_port) == ("party0.example", 7800)
    local = rebuilt(cards[0], mesh_address="[::1]:7800", pages_origin="http://[::1]:7802")
    assert isinstance(local, PartyCard)
    assert local.mesh_host == "::1"


@pytest.mark.parametrize("built", [membership(), researcher()])
def test_validity_excludes_its_end(built: Membership | Researcher) -> None:
    assert built.is_valid_at(built.valid_from)
    assert built.is_valid_at("2027-11-24T11:59:59Z")
    assert not built.is_valid_at(built.valid_until)
    assert not built.is_valid_at("2026-11-24T11:59:59Z")


def test_researcher_asks_what_it_may_of_the_studies_that_it_may() -> None:
    everywhere = researcher()
    assert everywhere.may_ask("sum@1", bytes(32))
    assert not everywhere.may_ask("variance@1", bytes(32))
    assert isinstance(one := rebuilt(everywhere, studies=(bytes(32),)), Researcher)
    assert one.may_ask("sum@1", bytes(32))
    assert not one.may_ask("sum@1", bytes([1] * 32))
    assert not one.may_ask("variance@1", bytes(32))


def test_document_class_without_a_type_of_its_own_has_no_name() -> None:
    with pytest.raises(TypeError, match="sets no type"):
        Document.type_name()


def test_cell_may_be_sealed_to_one_member_instead_of_published() -> None:
    cell = rebuilt(result().cells[0], values=None, sealed=(bytes(64),) * 3)
    assert isinstance(cell, Cell)
    scheduled = rebuilt(result(), query=None, scheduled_function=2)
    assert isinstance(scheduled, Result)


def test_accepted_receipt_needs_no_reason() -> None:
    receipt = rebuilt(SAMPLES["receipt/v1"], verdict="accepted", reason=None, explanation=None)
    assert isinstance(receipt, Receipt)
    assert receipt.accepted


def test_x25519_key_is_a_registered_suite() -> None:
    assert PublicSealingKey(suite=X25519, key=bytes(32)).suite == X25519
    assert isinstance(SAMPLES["checked-roster/v1"], CheckedRoster)
    assert isinstance(SAMPLES["roster-list/v1"], RosterList)
    assert isinstance(SAMPLES["revocation/v1"], Revocation)
