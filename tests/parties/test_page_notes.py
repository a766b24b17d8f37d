"""Of a long page the log says all that it says of a short one, in fewer entries."""

from __future__ import annotations

import pytest

from mpc_cde.documents.canonical import MAX_INTEGER, encode_base64url
from mpc_cde.node_log import MAX_LINE_BYTES, line_of, unsigned_entry
from parties.page_notes import MANY, MOST_IN_AN_ENTRY, Note, together


def kept(number: int, kind: str = "receipt/v1") -> Note:
    return "document.kept", {"type": kind, "digest": f"d{number}", "number": number}


def accepted(number: int, study: str = "s") -> Note:
    return "submission.accepted", {"submission": f"d{number}", "study": study, "sequence": number}


def test_a_short_page_has_an_entry_for_each_thing() -> None:
    notes = [*map(kept, range(MANY - 1)), *map(accepted, range(MANY - 1))]
    assert together(notes) == notes


def test_many_of_a_kind_share_an_entry_at_the_place_of_the_first() -> None:
    refused: Note = ("submission.refused", {"reason": "roster_full"})
    notes = [kept(0, "study/v1"), refused]
    notes += [note for number in range(MANY) for note in (accepted(number), kept(number), refused)]
    assert together(notes) == [
        notes[0],
        refused,
        ("submission.accepted", {"study": "s", "submissions": [[f"d{n}", n] for n in range(MANY)]}),
        ("document.kept", {"type": "receipt/v1", "documents": [[f"d{n}", n] for n in range(MANY)]}),
        *[refused] * MANY,
    ]


def test_studies_and_types_do_not_share_an_entry() -> None:
    notes = [accepted(n, study) for n in range(MANY) for study in "ab"]
    assert [details["study"] for _, details in together(notes)] == ["a", "b"]


def test_an_entry_ends_where_the_next_begins() -> None:
    entries = together([kept(number) for number in range(2 * MOST_IN_AN_ENTRY + 1)])
    lists = [details["documents"] for _, details in entries]
    assert [len(listed) for listed in lists] == [MOST_IN_AN_ENTRY, MOST_IN_AN_ENTRY, 1]
    assert [number for listed in lists for _, number in listed] == list(range(2 * MOST_IN_AN_ENTRY + 1))


@pytest.mark.parametrize("event", ["document.kept", "submission.accepted"])
def test_the_longest_entry_fits_in_a_line_of_the_log(event: str) -> None:
    digest = encode_base64url(bytes(32))
    details = {"type": "x" * 80, "digest": digest, "study": digest, "submission": digest}
    [(_, folded)] = together(
        [(event, details | {"number": MAX_INTEGER, "sequence": MAX_INTEGER})] * MOST_IN_AN_ENTRY
    )
    time = "2026-11-24T10:00:00Z"
    assert (
        len(line_of(unsigned_entry(MAX_INTEGER, time, event, folded, bytes(32)), time, bytes(64)))
        < MAX_LINE_BYTES
    )
