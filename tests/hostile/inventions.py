"""Documents that a gateway makes up: plausible in every field, signed with a key of its own under others' names."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from mpc_cde.documents.approval import Approval
from mpc_cde.documents.canonical import canonical_bytes, encode_base64url
from mpc_cde.documents.envelope import Envelope, Signature, keyid_of, pre_authentication_encoding
from mpc_cde.feed_format import FeedFrame
from tests.hostile.town import TownCommunity
from tests.mpc_cde.client.paper import sealing_key, secret, signing_key

GATEWAYS_KEY = signing_key("the gateway's own")


def signed_as(payload_type: str, payload: bytes, keys: Iterable[bytes]) -> Envelope:
    """Signatures by the gateway under the hints of these keys."""
    message = pre_authentication_encoding(payload_type, payload)
    made = GATEWAYS_KEY.sign(message)
    signatures = tuple(Signature(keyid=keyid_of(key), sig=made) for key in keys)
    return Envelope(payload_type=payload_type, payload=payload, signatures=signatures)


def invented_approval(paper: TownCommunity, party: int) -> Envelope:
    """An approval in a party's name, with a sealing key that the gateway can open."""
    document = Approval(
        study=paper.study.digest(),
        study_terms=paper.terms_digest,
        party=party,
        sealing_key=sealing_key("the gateway's own").public,
    )
    keys = [paper.party_keys[party].public_bytes]
    return signed_as(document.payload_type(), document.payload_bytes(), keys)


def _text(label: str) -> str:
    return encode_base64url(secret(label))


CHANGES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "membership/v1": lambda d: d | {"signing_key": encode_base64url(GATEWAYS_KEY.public_bytes)},
    "revocation/v1": lambda d: d | {"reason": "The gateway wishes it."},
    "researcher/v1": lambda d: d | {"signing_key": encode_base64url(GATEWAYS_KEY.public_bytes)},
    "study/v1": lambda d: d | {"presentation": d["presentation"] | {"closes": "2026-06-02T00:00:00Z"}},
    "amendment/v1": lambda d: d | {"presentation": d["presentation"] | {"closes": "2029-01-01T00:00:00Z"}},
    "approval/v1": lambda d: (
        d | {"sealing_key": sealing_key("the gateway's own").public.model_dump(mode="json")}
    ),
    "submission/v1": lambda d: d | {"correction": _text("invented")},
    "withdrawal/v1": lambda d: d | {"sequence": d["sequence"] + 1},
    "receipt/v1": lambda d: (
        d | {"verdict": "refused", "reason": "study_closed", "explanation": "The gateway says so."}
    ),
    "withdrawal-receipt/v1": lambda d: d | {"withdrawal": _text("invented")},
    "closing/v1": lambda d: d | {"time": "2026-06-01T12:00:01Z"},
    "roster/v1": lambda d: d | {"merkle_root": _text("invented")},
    "checked-roster/v1": lambda d: (
        d | {"removed": [{"fault": "malformed_encoding", "submission": _text("x")}]}
    ),
    "query/v1": lambda d: d | {"nonce": encode_base64url(secret("nonce")[:16])},
    "decision/v1": lambda d: (
        d | {"answer": "no", "rule": "budget_spent", "explanation": "The gateway says so."}
    ),
    "result/v1": lambda d: d | {"job": _text("invented")},
}


def inventions(frame: FeedFrame) -> list[FeedFrame]:
    """A document like this one that says something else, in the names of those who signed it."""
    changed = CHANGES[frame.type_name](json.loads(frame.envelope.payload))
    payload = canonical_bytes(changed)
    message = pre_authentication_encoding(frame.envelope.payload_type, payload)
    made = GATEWAYS_KEY.sign(message)
    forged = tuple(Signature(keyid=s.keyid, sig=made) for s in frame.envelope.signatures)
    own = Signature(keyid=keyid_of(GATEWAYS_KEY.public_bytes), sig=made)
    envelope = frame.envelope.model_copy(update={"payload": payload, "signatures": (*forged, own)})
    return [FeedFrame(frame.number, frame.type_name, envelope, frame.parts)]
