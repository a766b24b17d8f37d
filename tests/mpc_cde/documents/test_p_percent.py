"""The commitment to an unpublished p: one form, nothing printed, no two contents alike."""

from __future__ import annotations

import hashlib

import pytest
from pydantic import ValidationError

from mpc_cde.documents.p_percent import PPercent
from mpc_cde.errors import BadDocument
from protocols.randomness import ScriptedRandomness


def test_commitment_is_what_the_terms_document_says() -> None:
    secret = PPercent(p=15, salt=bytes(range(32)))
    payload = b'{"p":15,"salt":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8","type":"p-percent/v1"}'
    assert secret.payload_bytes() == payload
    assert secret.commitment() == hashlib.sha256(b"mpc-cde/p-percent/v1\x00" + payload).digest()


def test_commitments_of_one_p_cannot_be_told_from_those_of_another_by_trying_them_out() -> None:
    randomness = ScriptedRandomness(b"salt")
    known = {PPercent(p=p, salt=bytes(32)).commitment() for p in range(1, 101)}
    made = [PPercent.choose(20, randomness).commitment() for _ in range(5)]
    assert len(known) == 100
    assert len(set(made)) == 5
    assert not known & set(made)


def test_neither_p_nor_salt_is_printed() -> None:
    secret = PPercent(p=77, salt=b"\xaa" * 32)
    for shown in (repr(secret), str(secret)):
        assert "77" not in shown
        assert "xaa" not in shown
    with pytest.raises(BadDocument) as caught:
        PPercent.parse_payload(secret.payload_bytes().replace(b"77", b"777"))
    assert "777" not in str(caught.value)


@pytest.mark.parametrize("p", [0, 101, -1])
def test_p_is_a_per_cent(p: int) -> None:
    with pytest.raises(ValidationError):
        PPercent(p=p, salt=bytes(32))
