"""What is kept was signed by somebody known, once by each, whatever else hangs on it."""

from __future__ import annotations

import pytest

from mpc_cde.documents.envelope import sign_document
from mpc_cde.errors import BadSignature
from parties.signature_filter import keep_valid_signatures, party_keys
from tests.mpc_cde.client.paper import PaperCommunity, signed, signing_key

PAPER = PaperCommunity()
KEYS = party_keys(PAPER.community)


def test_signatures_of_strangers_are_dropped() -> None:
    envelope = signed(PAPER.roster(), [signing_key("stranger"), *PAPER.party_keys])
    kept = keep_valid_signatures(envelope, KEYS)
    assert len(kept.signatures) == len(KEYS)


def test_what_only_strangers_signed_is_refused() -> None:
    with pytest.raises(BadSignature, match="by anybody known here"):
        keep_valid_signatures(sign_document(PAPER.roster(), signing_key("stranger")), KEYS)


def test_a_signature_on_something_else_counts_for_nothing() -> None:
    moved = sign_document(PAPER.checked_roster(), PAPER.party_keys[0]).signatures
    envelope = sign_document(PAPER.roster(), PAPER.party_keys[1])
    both = envelope.model_copy(update={"signatures": (*moved, *envelope.signatures)})
    assert keep_valid_signatures(both, KEYS).signatures == envelope.signatures
    with pytest.raises(BadSignature):
        keep_valid_signatures(envelope.model_copy(update={"signatures": moved}), KEYS)
