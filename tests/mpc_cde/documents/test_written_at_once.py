"""What is written field by field for speed is what the general encoder writes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mpc_cde.documents.base import Document
from mpc_cde.documents.canonical import MAX_INTEGER, canonical_bytes, encode_base64url
from mpc_cde.documents.receipt import Receipt
from mpc_cde.documents.submission import Submission
from mpc_cde.node_log import LogEntry, LogHead, digest_of_entry, parse_entry

digests = st.binary(min_size=32, max_size=32)
three = st.lists(digests, min_size=3, max_size=3, unique=True).map(tuple)


@given(
    submission=st.builds(
        Submission,
        study_terms=digests,
        member=st.binary(min_size=16, max_size=16),
        sequence=st.integers(1, 1000) | st.just(MAX_INTEGER),
        replaces=digests,
        seed_hashes=three,
        correction=digests,
        envelopes=three,
        consent=digests,
        waiver=st.booleans(),
    ),
    is_first=st.booleans(),
)
def test_submission_has_its_canonical_bytes(submission: Submission, is_first: bool) -> None:
    if is_first:
        submission = submission.model_copy(update={"replaces": None, "sequence": 7})
    assert submission.payload_bytes() == Document.payload_bytes(submission)
    assert Submission.parse_payload(submission.payload_bytes()) == submission


@given(
    study=digests,
    submission=digests,
    party=st.integers(0, 15),
    reason=st.none() | st.just("roster_full"),
)
def test_receipt_has_its_canonical_bytes(
    study: bytes, submission: bytes, party: int, reason: str | None
) -> None:
    receipt = Receipt(
        study_terms=study,
        submission=submission,
        party=party,
        verdict="accepted" if reason is None else "refused",
        reason=reason,
        explanation=None if reason is None else "It is full – “sorry”.",
    )
    assert receipt.payload_bytes() == Document.payload_bytes(receipt)
    assert Receipt.parse_payload(receipt.payload_bytes()) == receipt


@given(
    details=st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers(0, 9), max_size=3),
    event=st.text(max_size=9),
    time=st.text(max_size=9),
)
def test_line_of_the_log_has_its_canonical_bytes(details: dict[str, str], event: str, time: str) -> None:
    digest = digest_of_entry(1, time, event, details, bytes(32))
    entry = LogEntry(1, time, event, details, bytes(32), bytes(64))
    body = {"details": details, "event": event, "number": 1, "time": time}
    body |= {"previous": encode_base64url(bytes(32)), "signature": encode_base64url(bytes(64))}
    assert entry.line() == canonical_bytes(body) + b"\n"
    assert parse_entry(entry.line()[:-1], LogHead(0, bytes(32))).digest() == digest
