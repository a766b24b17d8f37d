"""Lines of a roster list: in order, in parts, and only what a party can have accepted."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_cde.documents.canonical import MAX_INTEGER
from mpc_cde.documents.roster_lines import (
    LINE,
    LINE_BYTES,
    PARTS,
    ListedSubmission,
    RosterLines,
    digests_of,
    is_among,
    pack_line,
    parse_part,
    whole,
)
from mpc_cde.errors import BadDocument

ENDS_IN_ZEROS = st.builds(
    lambda data, size: data.ljust(size, b"\x00")[:size], st.binary(max_size=32), st.just(32)
)
LISTED = st.builds(
    ListedSubmission,
    ENDS_IN_ZEROS,
    st.binary(max_size=16).map(lambda data: data.ljust(16, b"\x00")),
    st.integers(1, MAX_INTEGER),
    ENDS_IN_ZEROS,
)
LISTS = st.lists(LISTED, max_size=12, unique_by=lambda entry: entry.submission)


def listed(first: int, sequence: int = 1) -> ListedSubmission:
    return ListedSubmission(bytes([first]) * 32, b"m" * 16, sequence, b"c" * 32)


@settings(max_examples=40)
@given(LISTS)
def test_what_is_packed_comes_back_sorted_with_all_its_zeros(entries: list[ListedSubmission]) -> None:
    lines = RosterLines.pack(reversed(entries))
    assert list(lines) == sorted(entries, key=lambda entry: entry.submission)
    assert [whole(digest) for digest in lines.submissions] == sorted(entry.submission for entry in entries)


@settings(max_examples=20)
@given(LISTS)
def test_parts_are_the_lines_by_their_first_byte_and_nothing_is_in_two(
    entries: list[ListedSubmission],
) -> None:
    lines = RosterLines.pack(entries)
    parts = [lines.part(prefix) for prefix in range(PARTS)]
    assert sum(len(part) for part in parts) == len(entries)
    for prefix, part in enumerate(parts):
        assert all(whole(line["submission"])[0] == prefix for line in part)
        assert (parse_part(part.tobytes(), prefix) == part).all()
    assert lines.part_digests() == tuple(hashlib.sha256(part.tobytes()).digest() for part in parts)


def test_one_submission_more_changes_one_part() -> None:
    some = [listed(first) for first in range(0, 250, 5)]
    before, after = RosterLines.pack(some), RosterLines.pack([*some, listed(7)])
    changed = [p for p in range(PARTS) if before.part_digests()[p] != after.part_digests()[p]]
    assert changed == [7]
    assert before.with_parts({7: after.part(7)}).lines.tobytes() == after.lines.tobytes()
    assert before.with_parts({}) is before


def test_two_accounts_of_one_submission_are_no_list() -> None:
    with pytest.raises(ValueError, match="without repetition"):
        RosterLines.pack([listed(1), replace(listed(1), sequence=2)])


@pytest.mark.parametrize(
    ("submission", "membership", "member"),
    [(31, 33, 16), (31, 32, 17), (33, 32, 15), (32, 31, 17), (32, 33, 15), (32, 32, 15), (32, 32, 17)],
)
def test_fields_of_another_size_do_not_make_a_line(submission: int, membership: int, member: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        pack_line(b"s" * submission, b"c" * membership, b"m" * member, 1)


LINES = RosterLines.pack([listed(7), replace(listed(7), submission=b"\x07" + b"z" * 31)]).lines.tobytes()
FIRST, SECOND = LINES[:LINE_BYTES], LINES[LINE_BYTES:]


@pytest.mark.parametrize(
    "data",
    [
        SECOND + FIRST,
        FIRST + FIRST,
        LINES[:-1],
        RosterLines.pack([listed(8)]).lines.tobytes(),
        FIRST[:-8] + bytes(8),
        FIRST[:-8] + b"\xff" * 8,
        FIRST[:-8] + (MAX_INTEGER + 1).to_bytes(8, "big"),
    ],
    ids=["unsorted", "twice", "broken off", "of another part", "sequence 0", "below 0", "beyond 2^53"],
)
def test_a_part_that_no_honest_party_shows_is_refused(data: bytes) -> None:
    assert len(parse_part(LINES, 7)) == 2
    with pytest.raises(BadDocument):
        parse_part(data, 7)


@given(st.lists(ENDS_IN_ZEROS, max_size=8), st.lists(ENDS_IN_ZEROS, max_size=8))
def test_who_is_among_others_is_found_by_all_bytes(wanted: list[bytes], others: list[bytes]) -> None:
    found = is_among(digests_of(wanted), np.unique(digests_of(others)))
    assert list(found) == [digest in others for digest in wanted]


def test_a_line_takes_88_bytes() -> None:
    assert LINE.itemsize == LINE_BYTES == 88
