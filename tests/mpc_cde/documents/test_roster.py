"""Rosters: one for a set of entries, and a member can prove its own row and no other."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mpc_cde.documents.canonical import canonical_bytes
from mpc_cde.documents.checked_roster import MALFORMED_ENCODING
from mpc_cde.documents.roster import (
    RosterEntry,
    RosterProof,
    roster_of,
    roster_tree,
    sorted_entries,
    verify_member_row,
    verify_payloads,
)
from mpc_cde.errors import BadProof
from tests.mpc_cde.documents.samples import (
    bytes_named,
    checked_roster,
    roster_entries,
    study,
)

TERMS = study().terms_digest()
SHORT_TEXT = st.sampled_from(["a", "Zürich", 'say "no"', "back\\slash", "\U0001f600 shop", "tab-less"])


@settings(max_examples=25)
@given(st.permutations(roster_entries(6)))
def test_roster_does_not_depend_on_the_order_of_arrival(entries: list) -> None:  # type: ignore[type-arg]  # RosterEntry
    assert roster_of(TERMS, entries).payload_bytes() == roster_of(TERMS, roster_entries(6)).payload_bytes()


def proof_of(row: int, count: int = 6) -> RosterProof:
    entries = sorted_entries(roster_entries(count))
    return RosterProof(
        entry=entries[row], row=row, proof=roster_tree(roster_entries(count)).inclusion_proof(row)
    )


def test_member_finds_its_own_row() -> None:
    roster = roster_of(TERMS, roster_entries(6))
    for row in range(6):
        proof = RosterProof.parse_payload(proof_of(row).payload_bytes())
        verify_member_row(roster, proof, submission=proof.entry.submission)


def test_gateway_cannot_show_a_member_the_row_of_another() -> None:
    roster = roster_of(TERMS, roster_entries(6))
    with pytest.raises(BadProof, match="another submission"):
        verify_member_row(roster, proof_of(1), submission=proof_of(2).entry.submission)


def test_gateway_cannot_drop_a_member_unnoticed() -> None:
    mine = proof_of(2)
    shorter = roster_of(TERMS, [entry for entry in roster_entries(6) if entry != mine.entry])
    with pytest.raises(BadProof):
        verify_member_row(shorter, mine, submission=mine.entry.submission)


def test_entry_with_another_group_is_not_the_one_that_was_signed() -> None:
    roster = roster_of(TERMS, roster_entries(6))
    mine = proof_of(0)
    moved = mine.model_copy(
        update={"entry": mine.entry.model_copy(update={"groups": {"size_class": "huge"}})}
    )
    with pytest.raises(BadProof):
        verify_member_row(roster, moved, submission=mine.entry.submission)


def test_entries_are_checked_against_the_signed_root() -> None:
    roster = roster_of(TERMS, roster_entries(6))
    rows = sorted_entries(roster_entries(6))
    verify_payloads(roster, 6, (entry.payload_bytes() for entry in rows))
    for wrong in (rows[:5], rows[::-1], [*rows, roster_entries(7)[6]], [*rows[:5], roster_entries(7)[6]]):
        with pytest.raises(BadProof):
            verify_payloads(roster, len(wrong), (entry.payload_bytes() for entry in wrong))
    with pytest.raises(BadProof):
        verify_payloads(roster, 5, (entry.payload_bytes() for entry in rows))


def test_submission_is_not_counted_twice() -> None:
    with pytest.raises(ValueError, match="sorted"):
        roster_of(TERMS, [*roster_entries(3), roster_entries(3)[0]])


def test_counts_of_registrars_add_up() -> None:
    roster_of(TERMS, roster_entries(5), registrars={"notary": 1, "guild": 4})
    with pytest.raises(ValidationError):
        roster_of(TERMS, roster_entries(5), registrars={"guild": 4})


def test_empty_roster_is_a_roster() -> None:
    assert roster_of(TERMS, []).count == 0


def test_checked_roster_tells_a_member_why_it_was_removed() -> None:
    assert checked_roster().fault_of(bytes_named("submission 3")) == MALFORMED_ENCODING
    assert checked_roster().fault_of(bytes_named("submission 1")) is None


@given(
    st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True), SHORT_TEXT, max_size=3),
    st.none() | SHORT_TEXT,
)
def test_a_row_is_written_as_canonical_json(groups: dict[str, str], holding: str | None) -> None:
    row = RosterEntry(
        submission=bytes_named("submission"),
        membership=bytes_named("membership"),
        holding=holding,
        groups=groups,
    )
    assert row.payload_bytes() == canonical_bytes(row.model_dump(mode="json"))
