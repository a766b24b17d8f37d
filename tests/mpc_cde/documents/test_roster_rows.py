"""Rows of a roster as arrays say what the entries say, and take few bytes each."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_cde import body_parts
from mpc_cde.body_parts import SHORTEST_ENTRY_BYTES, entries_content, parse_entries
from mpc_cde.documents.canonical import canonical_bytes
from mpc_cde.documents.merkle import MerkleTree, merkle_root
from mpc_cde.documents.roster import RosterEntry, roster_document, roster_of, sorted_entries
from mpc_cde.documents.roster_rows import RosterRows
from mpc_cde.errors import BadDocument
from tests.mpc_cde.documents.samples import bytes_named, roster_entries, study

TERMS = study().terms_digest()
SHORT_TEXT = st.sampled_from(["a", "Zürich", 'say "no"', "back\\slash", '"submission":"' + "A" * 43 + '"}'])
ENTRY = st.builds(
    RosterEntry,
    submission=st.binary(min_size=32, max_size=32),
    membership=st.binary(max_size=32).map(lambda data: data.ljust(32, b"\x00")),
    holding=st.none() | SHORT_TEXT,
    groups=st.dictionaries(st.sampled_from(["size", "sector"]), SHORT_TEXT),
)
ENTRIES = st.lists(ENTRY, max_size=6, unique_by=lambda entry: entry.submission)


@given(ENTRIES)
def test_rows_say_what_their_entries_say(entries: list[RosterEntry]) -> None:
    ordered = sorted_entries(entries)
    rows = RosterRows.pack(ordered)
    assert tuple(rows) == ordered
    assert tuple(RosterRows.parse(rows.payloads())) == ordered
    assert list(rows.payloads()) == [entry.payload_bytes() for entry in ordered]
    assert [rows.row_of(entry.submission) for entry in ordered] == list(range(len(ordered)))
    assert rows.row_of(b"\xff" * 32) is None
    assert roster_document(TERMS, len(rows), rows.payloads()) == roster_of(TERMS, entries)
    assert tuple(rows[1:]) == ordered[1:]
    for value in ("a", "Zürich"):
        expected = [entry.groups.get("size") == value for entry in ordered]
        assert list(rows.are_of("size", value)) == expected


def test_rows_are_equal_if_all_that_they_hold_is() -> None:
    first, *others = roster_entries(3)
    rows = RosterRows.pack([first, *others])
    assert rows == RosterRows.parse(rows.payloads())
    assert rows != RosterRows.pack(others)
    assert rows != RosterRows.pack([first.model_copy(update={"holding": None}), *others])
    assert rows != [first, *others]


def test_a_row_that_begins_like_another_and_ends_otherwise_is_refused() -> None:
    """How rows begin is parsed once; each one's own digests are looked at all the same."""
    same = [entry.model_copy(update={"holding": None, "groups": {}}) for entry in roster_entries(2)]
    first, second = RosterRows.pack(same).payloads()
    for other in (second[:-1] + b" ", second.replace(b'"submission"', b'"submissioN"'), second[:-2] + b"!}"):
        with pytest.raises(BadDocument, match=r"not an entry|that is none"):
            RosterRows.parse([first, other])


@given(ENTRIES)
def test_what_is_posted_with_a_roster_comes_back(entries: list[RosterEntry]) -> None:
    rows = RosterRows.pack(sorted_entries(entries))
    content = entries_content(rows)
    whole = {"type": "roster-entries/v1", "entries": [entry.model_dump(mode="json") for entry in rows]}
    assert content == canonical_bytes(whole)
    assert tuple(parse_entries(content)) == tuple(rows)


def not_canonical(before: bytes) -> bytes:
    """The last digest of this name as base64url that another text says shorter."""
    place = CONTENT.rindex(before) + len(before) + 42
    last = CONTENT[place : place + 1]
    return CONTENT[:place] + bytes([last[0] + 1]) + CONTENT[place + 1 :]


CONTENT = entries_content(RosterRows.pack(roster_entries(2)))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        CONTENT[:-1],
        CONTENT.replace(b"},{", b"}, {"),
        CONTENT.replace(b"},{", b"}{"),
        CONTENT.replace(b"},{", b"},null,{"),
        CONTENT.replace(b"}],", b"},],"),
        CONTENT.replace(b"[{", b"[null,{"),
        CONTENT.replace(b'"groups"', b'"groups":{},"groups"', 1),
        CONTENT[:-29] + CONTENT[-29:].replace(b"}", b" }", 1),
        not_canonical(b'"submission":"'),
        not_canonical(b'"membership":"'),
    ],
)
def test_what_is_no_list_of_entries_is_refused(content: bytes) -> None:
    assert len(parse_entries(CONTENT)) == 2
    with pytest.raises(BadDocument):
        parse_entries(content)


def test_entries_longer_than_a_body_are_neither_written_nor_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_parts, "MAX_ENTRIES_BYTES", len(CONTENT))
    assert entries_content(RosterRows.pack(roster_entries(2))) == CONTENT
    assert entries_content(RosterRows.pack(roster_entries(3))) is None
    longer = CONTENT.replace(b'"groups":{', b'"groups":{' + b" " * 10, 1)
    with pytest.raises(BadDocument, match="at most"):
        parse_entries(longer)


def test_entries_of_which_there_are_too_many_are_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """The part of them that fits would be held for nothing, beside everything else that a roster takes."""
    shortest = RosterEntry(submission=bytes(32), membership=bytes(32))
    assert len(shortest.payload_bytes()) == SHORTEST_ENTRY_BYTES
    rows = RosterRows.pack(roster_entries(3))
    monkeypatch.setattr(body_parts, "MAX_ENTRIES_BYTES", 3 * SHORTEST_ENTRY_BYTES - 1)
    monkeypatch.setattr(RosterRows, "payloads", lambda _: pytest.fail("an entry was written"))
    assert entries_content(rows) is None


def entry(number: int) -> RosterEntry:
    named = bytes_named(f"submission {number}")
    return RosterEntry(
        submission=named, membership=named, groups={"size": "small" if number % 2 else "large"}
    )


def bytes_held(count: int) -> int:
    """What rows and the tree of so many entries hold."""
    tracemalloc.start()
    try:
        rows = RosterRows.pack(entry(number) for number in range(count))
        tree = MerkleTree(rows.payloads())
        held, _ = tracemalloc.get_traced_memory()
        assert tree.root == merkle_root(rows.payloads())
    finally:
        tracemalloc.stop()
    return held


def test_a_row_and_its_place_in_the_tree_take_few_bytes() -> None:
    each = (bytes_held(3000) - bytes_held(1000)) / 2000
    assert each < 160, "68 for the row, 64 for the tree"
