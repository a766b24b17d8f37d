"""What a posted document must be before it is kept: of a type that belongs here, signed by whom it needs.

Every signature that comes along must be good and of a key that may sign such a document; a document counts as
known once those it cannot do without have signed, and further signatures are merged as they arrive.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from mpc_cde.documents.canonical import timestamp_of
from mpc_cde.documents.envelope import Envelope, is_signed, keyid_of, pre_authentication_encoding
from mpc_cde.errors import BadSignature
from mpc_cde.gateway.communities import CommunityChain
from mpc_cde.gateway.store_view import KeptSignature, NewDocument, StoreView


@dataclass(frozen=True, slots=True)
class Context:
    """What a check may look at."""

    view: StoreView
    chain: CommunityChain
    now: datetime
    fingerprint: str | None = None
    pending_communities: int = 16

    @property
    def now_text(self) -> str:
        return timestamp_of(self.now)


@dataclass(frozen=True, slots=True)
class Rule:
    """What one document needs: keys that may sign it, and keys that must, by what to call them.

    `guard` looks for what it contradicts; it runs again inside the transaction that keeps the document.
    """

    type_name: str
    may_sign: Collection[bytes]
    must_sign: Collection[tuple[bytes, str]]
    study: bytes | None = None
    subject: bytes | None = None
    party: int | None = None
    reader_key: bytes | None = None
    register_id: bytes | None = None
    guard: Callable[[StoreView], None] | None = None


def admit(envelope: Envelope, rule: Rule, context: Context) -> NewDocument:
    """The document with its verified signatures. Raises BadSignature and what the guard raises."""
    signatures = match_signers(envelope, rule.may_sign)
    digest = envelope.digest()
    known = context.view.document(digest)
    held = frozenset[bytes]() if known is None else known.signers
    given = {signer for signer, _ in signatures}
    signers = given | held
    for key, whom in rule.must_sign:
        if key not in signers:
            raise BadSignature(f"expected a valid signature by {whom}", whom=whom)
    if known is None and rule.guard is not None:
        rule.guard(context.view)
    return NewDocument(
        type_name=rule.type_name,
        digest=digest,
        envelope=envelope,
        signatures=signatures,
        is_known=known is not None and given <= held,
        study=rule.study,
        subject=rule.subject,
        party=rule.party,
        reader_key=rule.reader_key,
        register_id=rule.register_id,
    )


def match_signers(envelope: Envelope, may_sign: Collection[bytes]) -> tuple[tuple[bytes, KeptSignature], ...]:
    """Each signature with the key that made it; at least one. Raises BadSignature for any that is not good.

    Only the keys that its hint names are tried: a wrong hint costs its sender a refusal, not us a search.
    """
    if not envelope.signatures:
        raise BadSignature("expected at least one signature, found none")
    by_hint: dict[bytes, list[bytes]] = {}
    for key in may_sign:
        by_hint.setdefault(keyid_of(key), []).append(key)
    message = pre_authentication_encoding(envelope.payload_type, envelope.payload)
    found: dict[bytes, KeptSignature] = {}
    for signature in envelope.signatures:
        candidates = by_hint.get(signature.keyid)
        if candidates is None:
            raise BadSignature("a signature is by a key that may not sign this document", whom="a signer")
        signer = next((key for key in candidates if is_signed(key, signature.sig, message)), None)
        if signer is None:
            raise BadSignature("a signature is not over this document", whom="a signer")
        found.setdefault(signer, KeptSignature(signature.keyid, signature.sig))
    return tuple(found.items())
