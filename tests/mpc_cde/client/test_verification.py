"""Nothing is shown before everything under it holds; whatever is altered is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_cde.client.export import export_result, fingerprint_inside, verify_export
from mpc_cde.client.verification import Evidence, NotCounted, verify_result
from mpc_cde.documents.canonical import canonical_bytes, decode_base64url, encode_base64url
from mpc_cde.documents.envelope import Envelope, add_signature
from mpc_cde.documents.receipt import Receipt
from mpc_cde.documents.result import Result
from mpc_cde.errors import BadDocument, BadProof, BadSignature, PeerError
from tests.mpc_cde.client.paper import PaperCommunity, signed, signing_key

PAPER = PaperCommunity()
EVIDENCE = PAPER.evidence(own=3)
EXPORT = export_result(verify_result(EVIDENCE, PAPER.fingerprint))


def refused(evidence: Evidence, said: str, error: type[PeerError] = PeerError) -> None:
    with pytest.raises(error, match=said):
        verify_result(evidence, PAPER.fingerprint)


def signed_result(**changes: Any) -> Envelope:
    """A result with other content, honestly signed by the session: caught by what it says alone."""
    result = PAPER.result()
    fields = {name: getattr(result, name) for name in type(result).model_fields} | changes
    return signed(Result(**fields), [PAPER.party_keys[j] for j in PAPER.session])


def with_cell(number: int, **changes: Any) -> Envelope:
    cells = list(PAPER.result().cells)
    cells[number] = cells[number].model_copy(update=changes)
    return signed_result(cells=tuple(cells))


@pytest.mark.parametrize(("m", "t"), [(3, 1), (4, 1), (5, 2)])
def test_honest_result_is_verified(m: int, t: int) -> None:
    paper = PaperCommunity(m=m, t=t)
    verified = verify_result(paper.evidence(own=5), paper.fingerprint)
    assert verified.cells[2].values == ("120", "450")
    assert verified.own_row == paper.proof(5).row
    assert verified.signers == tuple(f"Party {j}" for j in range(2 * t + 1))
    assert verify_export(export_result(verified), paper.fingerprint).result == verified.result


def test_result_without_a_member_needs_no_receipts() -> None:
    verified = verify_result(PAPER.evidence(), PAPER.fingerprint)
    assert verified.own_row is None
    assert b'"own":null' in export_result(verified)


def test_result_under_another_fingerprint_is_refused() -> None:
    with pytest.raises(BadDocument, match=r"community: .*fingerprint"):
        verify_result(EVIDENCE, "a" * 25)


@pytest.mark.parametrize(
    ("field", "keys", "said"),
    [
        ("study", [], "study: .*steward"),
        ("roster", PAPER.party_keys[:2], "roster: .*Party 2"),
        ("checked_roster", PAPER.party_keys[1:], "checked roster: .*Party 0"),
        ("result", PAPER.party_keys[:2], "result: .*Party 2"),
        ("asker", PAPER.party_keys[:2], "asker: .*Party 2"),
        ("query", [PAPER.steward_key], "query: .*researcher"),
    ],
)
def test_missing_signature_is_named(field: str, keys: list[Any], said: str) -> None:
    unsigned = getattr(EVIDENCE, field).model_copy(update={"signatures": ()})
    for key in keys:
        unsigned = add_signature(unsigned, key)
    refused(replace(EVIDENCE, **{field: unsigned}), said, BadSignature)


def test_study_that_one_party_did_not_approve_is_refused() -> None:
    refused(
        replace(EVIDENCE, approvals=EVIDENCE.approvals[:2]), "lacks the approval of Party 2", BadSignature
    )


def test_documents_of_another_study_or_roster_do_not_mix() -> None:
    other = PaperCommunity(members=11).evidence()
    refused(replace(EVIDENCE, roster=other.roster), "checked roster: it is about another roster")
    refused(replace(EVIDENCE, checked_roster=other.checked_roster), "checked roster: .*another roster")
    both = replace(EVIDENCE, roster=other.roster, checked_roster=other.checked_roster)
    refused(both, "result: it is about another checked roster")


@pytest.mark.parametrize(
    ("envelope", "said"),
    [
        (with_cell(0, contributors=4, values=("4",)), "cell 1: released with fewer contributors than the 5"),
        (with_cell(0, values=("13",)), "cell 1: a count is the number of contributors"),
        (with_cell(2, values=("450", "120")), "cell 3: percentiles ascend"),
        (with_cell(2, values=("121", "450")), "cell 3: a percentile is not on the published grid"),
        (with_cell(2, values=("120",)), "cell 3: expected 2 values, found 1"),
        (with_cell(1, function="mean@1"), "cell 2: it answers another question"),
        (signed_result(cells=PAPER.result().cells[:4]), "expected 5 cells, found 4"),
        (signed_result(engine="verified"), "it was not made by the passive engine"),
        (signed_result(query=None, scheduled_function=0), "it answers another query"),
        (signed_result(query=b"q" * 32), "it answers another query"),
    ],
)
def test_signed_result_that_breaks_its_study_is_refused(envelope: Envelope, said: str) -> None:
    refused(replace(EVIDENCE, result=envelope), f"result: {said}", BadDocument)


def test_gateway_cannot_drop_a_member_unnoticed() -> None:
    other = PaperCommunity(members=3)
    entries_without = PaperCommunity(members=12)
    assert EVIDENCE.own is not None
    late = replace(EVIDENCE.own, proof=entries_without.proof(4))
    refused(
        replace(EVIDENCE, own=late), "proof of the own row: the proof is about another submission", BadProof
    )
    forged = replace(EVIDENCE.own, proof=other.proof(1).model_copy(update={"entry": PAPER.entry(3)}))
    refused(replace(EVIDENCE, own=forged), "proof of the own row", BadProof)


def test_member_without_a_receipt_of_every_party_is_told() -> None:
    assert EVIDENCE.own is not None
    own = replace(EVIDENCE.own, receipts=EVIDENCE.own.receipts[:2])
    refused(replace(EVIDENCE, own=own), "no receipt of Party 2", BadProof)


def test_receipt_that_another_party_signed_is_refused() -> None:
    assert EVIDENCE.own is not None
    receipt = Receipt(
        study_terms=PAPER.study.terms_digest(),
        submission=PAPER.submission(3).digest(),
        party=2,
        verdict="accepted",
    )
    own = replace(EVIDENCE.own, receipts=(*EVIDENCE.own.receipts[:2], signed(receipt, PAPER.party_keys[:1])))
    refused(replace(EVIDENCE, own=own), "receipt: .*Party 2", BadSignature)


def test_removed_member_is_told_why() -> None:
    paper = PaperCommunity(removed=(3,))
    assert verify_result(paper.evidence(own=4), paper.fingerprint).own_row is not None
    with pytest.raises(NotCounted, match="removed by the input checks: malformed_encoding"):
        verify_result(paper.evidence(own=3), paper.fingerprint)


def test_export_of_evidence_with_superfluous_signatures_leaves_them_out() -> None:
    noisy = replace(EVIDENCE, result=add_signature(EVIDENCE.result, signing_key("stranger")))
    assert export_result(verify_result(noisy, PAPER.fingerprint)) == EXPORT


def test_export_names_its_community() -> None:
    assert fingerprint_inside(EXPORT) == PAPER.fingerprint


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from leaves(item, (*path, name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from leaves(item, (*path, number))
    else:
        yield path, value


def altered(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    copy = json.loads(json.dumps(value))
    place = copy
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = new
    return copy


LEAVES = list(leaves(json.loads(EXPORT)))


@pytest.mark.parametrize("path", [path for path, _ in LEAVES], ids=lambda path: ".".join(map(str, path)))
def test_every_altered_field_of_an_export_is_found(path: tuple[Any, ...]) -> None:
    document = json.loads(EXPORT)
    value = dict(LEAVES)[path]
    if isinstance(value, str):
        try:
            flipped = bytearray(decode_base64url(value))
            flipped[len(flipped) // 2] ^= 1
            new: Any = encode_base64url(bytes(flipped))
        except ValueError:
            new = value + "x"
    else:
        new = 7 if value is None else value + 1
    with pytest.raises(PeerError) as caught:
        verify_export(canonical_bytes(altered(document, path, new)), PAPER.fingerprint)
    assert str(caught.value)


@pytest.mark.parametrize(
    "path", [path for path, _ in LEAVES if path[-1] == "payload"], ids=lambda path: ".".join(map(str, path))
)
def test_every_field_inside_a_signed_document_is_protected(path: tuple[Any, ...]) -> None:
    document = json.loads(EXPORT)
    payload = json.loads(decode_base64url(dict(LEAVES)[path]))
    for inner, value in leaves(payload):
        if isinstance(value, str):
            new: Any = value[:-1] + ("A" if value[-1:] != "A" else "B")
        else:
            new = True if value is None else (not value if isinstance(value, bool) else value + 1)
        changed = encode_base64url(canonical_bytes(altered(payload, inner, new)))
        with pytest.raises(PeerError):
            verify_export(canonical_bytes(altered(document, path, changed)), PAPER.fingerprint)


@given(st.integers(min_value=0, max_value=len(EXPORT) - 1), st.integers(min_value=1, max_value=255))
def test_no_byte_of_an_export_can_be_changed(position: int, difference: int) -> None:
    data = bytearray(EXPORT)
    data[position] ^= difference
    with pytest.raises(PeerError):
        verify_export(bytes(data), PAPER.fingerprint)


@given(st.integers(min_value=0, max_value=len(EXPORT) - 1))
def test_no_cut_export_is_taken(length: int) -> None:
    with pytest.raises(PeerError):
        verify_export(EXPORT[:length], PAPER.fingerprint)


def test_signature_repeated_or_added_to_an_export_is_found() -> None:
    document = json.loads(EXPORT)
    signatures = document["roster"]["signatures"]
    extra = altered(document, ("roster", "signatures"), [*signatures, signatures[0]])
    with pytest.raises(BadDocument, match="roster: it holds signatures that nothing verifies"):
        verify_export(canonical_bytes(extra), PAPER.fingerprint)
    swapped = altered(document, ("approvals",), document["approvals"][::-1])
    with pytest.raises(BadDocument, match="approvals: "):
        verify_export(canonical_bytes(swapped), PAPER.fingerprint)
