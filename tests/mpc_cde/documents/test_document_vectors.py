"""The vectors that other readers (the browser) follow, read without the code that made them where possible."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import TypeAdapter, ValidationError

from mpc_cde.documents.canonical import (
    DecimalString,
    FunctionName,
    Identifier,
    Timestamp,
    canonical_bytes,
    decimal_text,
    decode_base64url,
)
from mpc_cde.documents.envelope import Envelope, verify_signature
from mpc_cde.documents.merkle import verify_inclusion
from mpc_cde.documents.registry import document_class_of
from mpc_cde.errors import BadDocument
from mpc_cde.sealing import SealingContext, SealingPrivateKey, open_sealed
from tests.vectors.generate_documents import main

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "documents.json").read_text("utf-8")
)
raw = decode_base64url


def test_file_is_what_the_generator_makes() -> None:
    assert main(check=True) == 0


def test_canonical_values() -> None:
    for vector in VECTORS["canonical"]:
        assert canonical_bytes(vector["value"]).decode() == vector["text"]
    for vector in VECTORS["decimals"]:
        assert decimal_text(Decimal(vector["amount"])) == vector["text"]


@pytest.mark.parametrize("vector", VECTORS["documents"], ids=lambda vector: vector["type"])
def test_document(vector: dict[str, str]) -> None:
    payload = raw(vector["payload"])
    assert hashlib.sha256(payload).digest() == raw(vector["digest"])
    kind = vector["payload_type"].encode()
    pae = b" ".join([b"DSSEv1", str(len(kind)).encode(), kind, str(len(payload)).encode(), payload])
    public = raw(VECTORS["signing"]["public"])
    Ed25519PublicKey.from_public_bytes(public).verify(raw(vector["sig"]), pae)
    assert document_class_of(vector["type"]).parse_payload(payload).payload_bytes() == payload


def test_envelope() -> None:
    signing = VECTORS["signing"]
    envelope = Envelope.parse_json(signing["envelope_text"].encode())
    verify_signature(envelope, raw(signing["public"]))
    assert envelope.signatures[0].keyid == raw(signing["keyid"])
    assert set(json.loads(signing["envelope_text"])) == {"payloadType", "payload", "signatures"}


def test_terms_digest_is_that_of_the_terms_inside_the_study() -> None:
    names = VECTORS["names"]
    terms = json.loads(raw(names["study_payload"]))["terms"]
    assert hashlib.sha256(canonical_bytes(terms)).digest() == raw(names["study_terms_digest"])
    assert hashlib.sha256(names["consent_text"].encode()).digest() == raw(names["consent_digest"])


def test_merkle_trees() -> None:
    for vector in VECTORS["merkle"]:
        entries = [raw(entry) for entry in vector["entries"]]
        for row, proof in enumerate(vector["proofs"]):
            verify_inclusion(
                entries[row],
                index=row,
                count=len(entries),
                proof=[raw(step) for step in proof],
                root=raw(vector["root"]),
            )


@pytest.mark.parametrize("vector", VECTORS["sealing"], ids=lambda vector: vector["suite"])
def test_sealed_envelope(vector: dict[str, Any]) -> None:
    key = SealingPrivateKey(raw(vector["secret"]), suite=vector["suite"])
    assert key.public.key == raw(vector["public"])
    context = SealingContext(
        raw(vector["study_terms"]), raw(vector["member"]), vector["sequence"], vector["party"]
    )
    assert vector["kind"] == "submission"
    assert context.info(vector["suite"]).decode() == vector["info_text"]
    assert open_sealed(key, raw(vector["sealed"]), context) == raw(vector["plaintext"])


@pytest.mark.parametrize("vector", VECTORS["failing_documents"], ids=lambda vector: vector["why"])
def test_failing_document_is_refused(vector: dict[str, str]) -> None:
    with pytest.raises(BadDocument):
        document_class_of(vector["type"]).parse_payload(vector["text"].encode())


def test_failing_documents_differ_from_good_ones_in_what_they_say() -> None:
    good = {raw(vector["payload"]) for vector in VECTORS["documents"]}
    texts = [vector["text"].encode() for vector in VECTORS["failing_documents"]]
    assert not good & set(texts)
    assert len(set(texts)) == len(texts)


def test_failing_scalars_are_refused() -> None:
    kinds: dict[str, Any] = {
        "decimal": DecimalString,
        "timestamp": Timestamp,
        "identifier": Identifier,
        "function": FunctionName,
    }
    for name, kind in kinds.items():
        for text in VECTORS["failing_scalars"][name]:
            with pytest.raises(ValidationError):
                TypeAdapter(kind).validate_python(text, strict=True)
    for text in VECTORS["failing_scalars"]["base64url"]:
        with pytest.raises(ValueError):
            decode_base64url(text)
