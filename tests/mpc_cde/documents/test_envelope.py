"""Signatures over exact bytes: what was not signed is not read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_cde.documents.canonical import canonical_bytes
from mpc_cde.documents.envelope import (
    MAX_SIGNATURES,
    Envelope,
    Signature,
    add_signature,
    has_signature,
    keyid_of,
    merge_signatures,
    open_envelope,
    pre_authentication_encoding,
    sign_document,
    verify_signature,
)
from mpc_cde.documents.registry import open_any
from mpc_cde.documents.submission import Submission
from mpc_cde.documents.withdrawal import Withdrawal
from mpc_cde.errors import BadDocument, BadSignature, CallerError, MpcCdeError
from tests.mpc_cde.documents.samples import every_document, signing_key, submission, withdrawal

KEY = signing_key("corner shop")
OTHER = signing_key("another shop")
ENVELOPE = sign_document(withdrawal(), KEY)
WIRE = ENVELOPE.to_json()


def altered(envelope: Envelope, **changes: object) -> Envelope:
    return envelope.model_copy(update=changes)


def test_pae_is_that_of_dsse_version_1() -> None:
    # The example of the DSSE protocol page.
    assert (
        pre_authentication_encoding("http://example.com/HelloWorld", b"hello world")
        == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


@pytest.mark.parametrize("name", sorted(every_document()))
def test_every_document_survives_the_wire(name: str) -> None:
    document = every_document()[name]
    received = Envelope.parse_json(sign_document(document, KEY).to_json())
    verify_signature(received, KEY.public_bytes)
    assert open_any(received) == document
    assert received.digest() == document.digest()


@given(st.binary(min_size=2, max_size=60), st.lists(st.binary(min_size=64, max_size=64), max_size=3))
def test_an_envelope_is_written_as_canonical_json(payload: bytes, signatures: list[bytes]) -> None:
    envelope = Envelope(
        payload_type="application/vnd.mpc-cde.log-checkpoint.v12+json",
        payload=payload,
        signatures=tuple(Signature(keyid=sig[:16], sig=sig) for sig in signatures),
    )
    assert envelope.to_json() == canonical_bytes(envelope.model_dump(mode="json", by_alias=True))
    assert Envelope.parse_json(envelope.to_json()) == envelope


def test_an_envelope_may_come_in_any_order_but_nothing_twice() -> None:
    fields = json.loads(WIRE)
    reordered = json.dumps(dict(reversed(fields.items())), indent=1).encode()
    assert Envelope.parse_json(reordered) == ENVELOPE
    with pytest.raises(BadDocument, match="not strict JSON"):
        Envelope.parse_json(WIRE[:-1] + b',"signatures":[]}')


@settings(max_examples=60)
@given(st.integers(0, len(WIRE) - 1), st.integers(1, 255))
def test_mutation_of_any_byte_of_an_envelope_is_refused_or_leaves_the_signed_bytes(
    position: int, change: int
) -> None:
    mutated = bytearray(WIRE)
    mutated[position] ^= change
    try:
        received = Envelope.parse_json(bytes(mutated))
        opened = open_envelope(received, Withdrawal, signed_by=[KEY.public_bytes])
    except MpcCdeError:
        return
    # Only the keyid, a hint, may differ.
    assert opened == withdrawal()
    assert received.payload == ENVELOPE.payload
    assert received.signatures[0].sig == ENVELOPE.signatures[0].sig


@settings(max_examples=60)
@given(st.integers(0, len(ENVELOPE.payload) - 1), st.integers(0, 7))
def test_mutation_of_any_bit_of_a_payload_breaks_its_signature(position: int, bit: int) -> None:
    payload = bytearray(ENVELOPE.payload)
    payload[position] ^= 1 << bit
    with pytest.raises(BadSignature):
        verify_signature(altered(ENVELOPE, payload=bytes(payload)), KEY.public_bytes)


def test_signature_by_another_key_is_refused_whatever_its_keyid_says() -> None:
    forged = sign_document(withdrawal(), OTHER)
    claimed = Signature(keyid=keyid_of(KEY.public_bytes), sig=forged.signatures[0].sig)
    with pytest.raises(BadSignature, match="the member"):
        verify_signature(altered(forged, signatures=(claimed,)), KEY.public_bytes, whom="the member")


def test_wrong_keyid_is_only_a_wrong_hint() -> None:
    mislabelled = Signature(keyid=keyid_of(OTHER.public_bytes), sig=ENVELOPE.signatures[0].sig)
    assert has_signature(altered(ENVELOPE, signatures=(mislabelled,)), KEY.public_bytes)


def test_unsigned_envelope_is_refused() -> None:
    with pytest.raises(BadSignature):
        open_envelope(altered(ENVELOPE, signatures=()), Withdrawal, signed_by=[KEY.public_bytes])


def test_signature_does_not_move_to_another_payload_type() -> None:
    moved = altered(ENVELOPE, payload_type=Submission.payload_type())
    with pytest.raises(BadSignature):
        verify_signature(moved, KEY.public_bytes)


def test_document_is_not_read_as_another_type() -> None:
    with pytest.raises(BadDocument):
        open_envelope(ENVELOPE, Submission)
    relabelled = altered(sign_document(submission(), KEY), payload_type=Withdrawal.payload_type())
    with pytest.raises(BadDocument):
        open_envelope(relabelled, Withdrawal)
    with pytest.raises(BadDocument):
        open_envelope(altered(ENVELOPE, payload_type=Submission.payload_type()), Withdrawal)


def test_document_too_large_to_be_read_is_not_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(withdrawal().payload_bytes())
    monkeypatch.setattr(Withdrawal, "max_payload_bytes", size)
    assert sign_document(withdrawal(), KEY) == ENVELOPE
    monkeypatch.setattr(Withdrawal, "max_payload_bytes", size - 1)
    with pytest.raises(CallerError, match=f"at most {size - 1} bytes, found {size}"):
        sign_document(withdrawal(), KEY)


def test_unknown_type_is_refused() -> None:
    with pytest.raises(BadDocument):
        open_any(altered(ENVELOPE, payload_type="application/vnd.mpc-cde.withdrawal.v2+json"))


def test_signed_bytes_that_are_not_canonical_are_refused() -> None:
    payload = ENVELOPE.payload.replace(b":1", b": 1")
    message = pre_authentication_encoding(ENVELOPE.payload_type, payload)
    loose = altered(
        ENVELOPE, payload=payload, signatures=(Signature(keyid=KEY.keyid, sig=KEY.sign(message)),)
    )
    verify_signature(loose, KEY.public_bytes)
    with pytest.raises(BadDocument):
        open_envelope(loose, Withdrawal)


def test_public_key_that_is_none_verifies_nothing() -> None:
    assert not has_signature(ENVELOPE, b"\xff" * 32)
    assert not has_signature(ENVELOPE, b"short")


def test_merging_keeps_each_signature_once_and_does_not_depend_on_order() -> None:
    second = sign_document(withdrawal(), OTHER)
    merged = merge_signatures(ENVELOPE, [second, ENVELOPE])
    assert merged == merge_signatures(second, [ENVELOPE])
    assert merged == add_signature(ENVELOPE, OTHER)
    assert len(merged.signatures) == 2
    assert merged.digest() == ENVELOPE.digest()


def test_signatures_over_another_payload_are_not_merged() -> None:
    with pytest.raises(BadDocument):
        merge_signatures(ENVELOPE, [sign_document(submission(), KEY)])


def test_flood_of_signatures_is_refused() -> None:
    flood = [
        altered(ENVELOPE, signatures=(Signature(keyid=KEY.keyid, sig=number.to_bytes(64, "big")),))
        for number in range(MAX_SIGNATURES)
    ]
    with pytest.raises(BadDocument):
        merge_signatures(ENVELOPE, flood)
    assert len(merge_signatures(ENVELOPE, flood[1:]).signatures) == MAX_SIGNATURES
    entry = WIRE[WIRE.index(b"[") + 1 : WIRE.index(b"]")]
    wide = WIRE.replace(entry, b",".join([entry] * (MAX_SIGNATURES + 1)))
    with pytest.raises(BadDocument):
        Envelope.parse_json(wide)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"null",
        WIRE.replace(b'"payload":', b'"payload":"AA","payload":'),
        WIRE.replace(b'"payloadType"', b'"payload_type_"'),
        WIRE[:-1] + b',"extra":1}',
        WIRE.replace(b"application/vnd.mpc-cde.", b"text/"),
        WIRE[:-2],
    ],
)
def test_malformed_envelope_is_refused(data: bytes) -> None:
    with pytest.raises(BadDocument):
        Envelope.parse_json(data)


def test_oversized_envelope_is_refused() -> None:
    with pytest.raises(BadDocument):
        Envelope.parse_json(WIRE, max_bytes=len(WIRE) - 1)
