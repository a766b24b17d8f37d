"""Only signatures that hold, and only by keys that matter, come into the store."""

from __future__ import annotations

from collections.abc import Iterable

from mpc_cde.documents.community import Community
from mpc_cde.documents.envelope import (
    Envelope,
    Signature,
    is_signed,
    keyid_of,
    pre_authentication_encoding,
)
from mpc_cde.errors import BadSignature


def community_keys(community: Community) -> tuple[bytes, ...]:
    """Identity keys of the parties, then keys of registrars and stewards; each once."""
    keys = [card.identity_key for card in community.cards]
    keys += [role.key for role in (*community.registrars, *community.stewards)]
    return tuple(dict.fromkeys(keys))


def party_keys(community: Community) -> tuple[bytes, ...]:
    """Identity keys of the parties, by index."""
    return tuple(card.identity_key for card in community.cards)


def keep_valid_signatures(envelope: Envelope, keys: Iterable[bytes]) -> Envelope:
    """The same payload with one valid signature of each of these keys that signed, and no others.

    Anybody can make many signatures with one key; more than one would push the others out of the envelope.
    Raises BadSignature if none is left, so that what comes into the store was signed by somebody known.
    """
    by_hint = {keyid_of(key): key for key in keys}
    message = pre_authentication_encoding(envelope.payload_type, envelope.payload)
    kept: dict[bytes, Signature] = {}
    for signature in envelope.signatures:
        key = by_hint.get(signature.keyid)
        if key is not None and signature.keyid not in kept and is_signed(key, signature.sig, message):
            kept[signature.keyid] = signature
    if not kept:
        raise BadSignature(f"{envelope.payload_type}: no valid signature by anybody known here")
    return envelope.model_copy(update={"signatures": tuple(kept[keyid] for keyid in sorted(kept))})
