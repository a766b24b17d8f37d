"""Makes tests/vectors/documents.json: canonical bytes, digests, signatures, Merkle proofs, sealed envelopes.

`python -m tests.vectors.generate_documents` writes it; `--check` compares, with exit status 1 if they differ.
Sealing is randomised, so an envelope that stands in the file is kept as long as it opens. Byte strings are
base64url, or plain text where the field says `text`.
"""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

from mpc_cde.documents.canonical import canonical_bytes, decimal_text, decode_base64url, encode_base64url
from mpc_cde.documents.community import format_fingerprint
from mpc_cde.documents.envelope import keyid_of, pre_authentication_encoding, sign_document
from mpc_cde.documents.job_names import input_check_job_id, job_id
from mpc_cde.documents.merkle import MerkleTree, leaf_hash
from mpc_cde.documents.query import scheduled_query_digest
from mpc_cde.documents.suites import SUITES
from mpc_cde.errors import MpcCdeError
from mpc_cde.sealing import SealingContext, SealingPrivateKey, open_sealed, pack_seeds, seal
from tests.mpc_cde.documents.samples import (
    bytes_named,
    community,
    every_document,
    membership,
    roster_entries,
    signing_key,
    study,
    submission,
    withdrawal,
)
from tests.vectors.vector_file import write_or_check

FILE = Path(__file__).with_name("documents.json")
b64 = encode_base64url


def canonical_vectors() -> list[dict[str, Any]]:
    values: list[Any] = [
        {},
        {"b": [1, -1, 0], "a": {"true": True, "false": False, "null": None}},
        {"integers": [2**53 - 1, -(2**53) + 1]},
        {"text": "\u20ac$\u000f\nA'\u0042\u0022\u005c/ \u00f6 \u007f"},
        {"\U0001f600": "sorts before", "\ufb33": "sorts after, as UTF-16", "\u20ac": 1, "\r": 2, "1": 3},
    ]
    return [{"value": value, "text": canonical_bytes(value).decode()} for value in values]


def decimal_vectors() -> list[dict[str, str]]:
    texts = ("0", "-0", "0.00", "1.50", "100", "1E+3", "-12.3400", "0.0001", "123456789012345678901234.5")
    return [{"amount": text, "text": decimal_text(Decimal(text))} for text in texts]


def document_vectors() -> list[dict[str, Any]]:
    key = signing_key("vectors")
    vectors = []
    for document in every_document().values():
        envelope = sign_document(document, key)
        vectors.append(
            {
                "type": document.type,
                "payload_type": document.payload_type(),
                "payload": b64(document.payload_bytes()),
                "digest": b64(document.digest()),
                "sig": b64(envelope.signatures[0].sig),
            }
        )
    return vectors


def signing_vectors() -> dict[str, Any]:
    key = signing_key("vectors")
    document = withdrawal()
    envelope = sign_document(document, key)
    return {
        "secret": b64(key.secret_bytes()),
        "public": b64(key.public_bytes),
        "keyid": b64(keyid_of(key.public_bytes)),
        "pae": b64(pre_authentication_encoding(document.payload_type(), document.payload_bytes())),
        "envelope_text": envelope.to_json().decode(),
    }


def name_vectors() -> dict[str, Any]:
    digests = {name: bytes_named(name) for name in ("session", "query", "checked roster", "roster")}
    return {
        "study_payload": b64(study().payload_bytes()),
        "study_terms_digest": b64(study().terms_digest()),
        "consent_text": study().terms.consent,
        "consent_digest": b64(study().terms.consent_digest),
        "community_digest": b64(community().digest()),
        "fingerprint": community().fingerprint(),
        "fingerprint_shown": format_fingerprint(community().fingerprint()),
        "inputs": {name: b64(value) for name, value in digests.items()},
        "job_id": b64(
            job_id(
                session_id=digests["session"],
                query=digests["query"],
                checked_roster=digests["checked roster"],
                functions=("count@1", "percentiles@1"),
                attempt=2,
            )
        ),
        "input_check_job_id": b64(
            input_check_job_id(session_id=digests["session"], roster=digests["roster"], attempt=1)
        ),
        "scheduled_query": b64(scheduled_query_digest(study().terms_digest(), 3, digests["checked roster"])),
    }


def merkle_vectors() -> list[dict[str, Any]]:
    vectors = []
    for count in (0, 1, 2, 3, 5, 8, 13):
        entries = [entry.payload_bytes() for entry in roster_entries(count)]
        tree = MerkleTree(entries)
        vectors.append(
            {
                "entries": [b64(entry) for entry in entries],
                "leaves": [b64(leaf_hash(entry)) for entry in entries],
                "root": b64(tree.root),
                "proofs": [[b64(step) for step in tree.inclusion_proof(row)] for row in range(count)],
            }
        )
    return vectors


def sealing_vectors(kept: dict[str, str]) -> list[dict[str, Any]]:
    vectors = []
    for suite in SUITES:
        key = SealingPrivateKey(bytes_named("vector key"), suite=suite)
        context = SealingContext(study().terms_digest(), membership().member, 7, 1)
        plaintext = pack_seeds([bytes_named("seed one"), bytes_named("seed two")])
        vectors.append(
            {
                "suite": suite,
                "secret": b64(key.secret_bytes()),
                "public": b64(key.public.key),
                "kind": "submission",
                "study_terms": b64(context.study_terms),
                "member": b64(context.member),
                "sequence": context.sequence,
                "party": context.party,
                "info_text": context.info(suite).decode(),
                "plaintext": b64(plaintext),
                "sealed": kept_or_sealed(kept.get(suite), key, plaintext, context),
            }
        )
    return vectors


def kept_or_sealed(
    kept: str | None, key: SealingPrivateKey, plaintext: bytes, context: SealingContext
) -> str:
    try:
        if kept is not None and open_sealed(key, decode_base64url(kept), context) == plaintext:
            return kept
    except (MpcCdeError, ValueError):
        pass  # the format has changed: seal anew, and --check tells the difference
    return b64(seal(key.public, plaintext, context))


def failing_documents() -> list[dict[str, str]]:
    """Payloads that every reader must refuse, each with its type and the reason."""
    good = withdrawal().payload_bytes().decode()
    sent = submission().payload_bytes().decode()
    terms = b64(study().terms_digest())
    card = every_document()["party-card/v1"].payload_bytes().decode()
    proposed = study().payload_bytes().decode()
    kind = "withdrawal/v1"
    cases = [
        (kind, "white space", good.replace(":", ": ", 1)),
        (kind, "trailing line feed", good + "\n"),
        (
            kind,
            "keys out of order",
            '{"type":"withdrawal/v1",' + good[1:].replace(',"type":"withdrawal/v1"', ""),
        ),
        (kind, "duplicate key", good.replace('"sequence":1', '"sequence":1,"sequence":1')),
        (kind, "unknown field", good.replace('"sequence":1', '"sequence":1,"shoe":1')),
        (kind, "missing field", good.replace('"sequence":1,', "")),
        (kind, "another type", good.replace("withdrawal/v1", "withdrawal/v2")),
        (kind, "true for 1", good.replace('"sequence":1', '"sequence":true')),
        (kind, "text for a number", good.replace('"sequence":1', '"sequence":"1"')),
        (kind, "float", good.replace('"sequence":1', '"sequence":1.5')),
        (kind, "integer written as a float", good.replace('"sequence":1', '"sequence":1.0')),
        (kind, "exponent", good.replace('"sequence":1', '"sequence":1e3')),
        (kind, "NaN", good.replace('"sequence":1', '"sequence":NaN')),
        (kind, "zero", good.replace('"sequence":1', '"sequence":0')),
        (kind, "integer of 2^53", good.replace('"sequence":1', '"sequence":9007199254740992')),
        (kind, "padded base64url", good.replace(terms, terms + "=")),
        (kind, "base64 alphabet", good.replace(terms, "+" + terms[1:])),
        (kind, "spare bits set", good.replace(terms, terms[:-1] + _with_spare_bit(terms[-1]))),
        (kind, "short digest", good.replace(terms, terms[:-4])),
        (kind, "escaped letter", good.replace("withdrawal", "\\u0077ithdrawal")),
        (kind, "a list", f"[{good}]"),
        (kind, "nothing", ""),
        ("submission/v1", "default left out", sent.replace(',"waiver":false', "")),
        ("submission/v1", "false for null", sent.replace('"replaces":null', '"replaces":false')),
        ("party-card/v1", "leading space in a text", card.replace('"name":"', '"name":" ')),
        ("party-card/v1", "line feed in a short text", card.replace('"name":"', '"name":"a\\nb')),
        ("party-card/v1", "direction override", card.replace('"name":"', '"name":"\u202e')),
        ("party-card/v1", "not in normal form C", card.replace('"name":"', '"name":"e\u0301')),
        ("party-card/v1", "port beyond 65535", card.replace(":7800", ":78000")),
        (
            "study/v1",
            "a blank category of the same name",
            proposed.replace(
                '"blank_allowed":false,"categories":["food"', '"blank_allowed":true,"categories":["blank"'
            ),
        ),
        (
            "study/v1",
            "a grid among the parameters",
            proposed.replace('"parameters":{', '"parameters":{"grid":"1",', 1),
        ),
        (
            "study/v1",
            "radices that do not fit",
            proposed.replace('"publish_step":"1000"', '"publish_step":"999"'),
        ),
        (
            "study/v1",
            "a figure that nobody asks for",
            proposed.replace('"figures":["annual_sales"]', '"figures":["b"]'),
        ),
    ]
    return [{"type": name, "why": why, "text": text} for name, why, text in cases]


def _with_spare_bit(character: str) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return alphabet[alphabet.index(character) | 1]


def failing_scalars() -> dict[str, list[str]]:
    return {
        "decimal": [
            "-0",
            "0.0",
            "1.50",
            "01",
            "1.",
            ".5",
            "+1",
            "1e3",
            "1,5",
            "NaN",
            "Infinity",
            " 1",
            "1\n",
            "",
        ],
        "timestamp": [
            "2026-11-24T12:00:00",
            "2026-11-24T12:00:00+00:00",
            "2026-11-24T12:00:00.5Z",
            "2026-11-24 12:00:00Z",
            "2026-02-30T12:00:00Z",
            "2026-11-24T24:00:00Z",
            "2026-11-24T12:00:60Z",
            "2026-11-24t12:00:00z",
        ],
        "identifier": ["", "Sales", "1st", "_x", "a-b", "a b", "ä"],
        "function": ["count", "count@0", "count@", "Count@1", "count@1.0"],
        "base64url": ["A", "AA==", "AB", "A+", "AA\n", "é"],
    }


def build() -> dict[str, Any]:
    """Sealing draws randomness: what was sealed before is kept and opened again."""
    before = FILE.read_text("utf-8") if FILE.exists() else ""
    kept = {entry["suite"]: entry["sealed"] for entry in json.loads(before)["sealing"]} if before else {}
    return {
        "canonical": canonical_vectors(),
        "decimals": decimal_vectors(),
        "documents": document_vectors(),
        "signing": signing_vectors(),
        "names": name_vectors(),
        "merkle": merkle_vectors(),
        "sealing": sealing_vectors(kept),
        "failing_documents": failing_documents(),
        "failing_scalars": failing_scalars(),
    }


def main(check: bool) -> int:
    return write_or_check(FILE, build, check=check)


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
