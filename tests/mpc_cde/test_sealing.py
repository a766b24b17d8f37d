"""Sealed envelopes open in one place only; compared with HPKE written out from RFC 9180 and the draft."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mpc_cde.documents.suites import ENCAPSULATION_LENGTHS, SUITES, X25519, X_WING, PublicSealingKey
from mpc_cde.errors import CallerError, SealRefused
from mpc_cde.sealing import (
    MAX_PLAINTEXT_BYTES,
    ResultContext,
    SealingContext,
    SealingPrivateKey,
    is_sealing_key,
    open_sealed,
    pack_seeds,
    parse_seeds,
    seal,
)

SEEDS = [bytes([number]) * 32 for number in (1, 2, 4)]
PLAINTEXT = pack_seeds(SEEDS)
CONTEXT = SealingContext(study_terms=b"\x11" * 32, member=b"\x22" * 16, sequence=7, party=1)


def key(suite: Any = X_WING, number: int = 1) -> SealingPrivateKey:
    return SealingPrivateKey(bytes([number]) * 32, suite=suite)


def labeled_extract(suite_id: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite_id + label + ikm, "sha256")


def labeled_expand(suite_id: bytes, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
    labeled = length.to_bytes(2, "big") + b"HPKE-v1" + suite_id + label + info
    output, block = b"", b""
    while len(output) < length:
        block = hmac.digest(prk, block + labeled + bytes([len(output) // 32 + 1]), "sha256")
        output += block
    return output[:length]


def plain_hpke_open(suite: str, secret: bytes, sealed: bytes, info: bytes) -> bytes:
    """RFC 9180, 5.1 and 4.1 (base mode, HKDF-SHA256, AES-256-GCM), sequence number 0, no associated data."""
    length = ENCAPSULATION_LENGTHS[suite]
    encapsulated, ciphertext = sealed[:length], sealed[length:]
    if suite == X_WING:
        kem_id = b"\x64\x7a"
        expanded = hashlib.shake_256(secret).digest(96)
        curve = X25519PrivateKey.from_private_bytes(expanded[64:])
        lattice_secret = MLKEM768PrivateKey.from_seed_bytes(expanded[:64]).decapsulate(encapsulated[:1088])
        curve_secret = curve.exchange(X25519PublicKey.from_public_bytes(encapsulated[1088:]))
        own = curve.public_key().public_bytes_raw()
        label = b"\\.//^\\"
        shared = hashlib.sha3_256(lattice_secret + curve_secret + encapsulated[1088:] + own + label).digest()
    else:
        kem_id = b"\x00\x20"
        curve = X25519PrivateKey.from_private_bytes(secret)
        agreed = curve.exchange(X25519PublicKey.from_public_bytes(encapsulated))
        kem = b"KEM" + kem_id
        prk = labeled_extract(kem, b"", b"eae_prk", agreed)
        both = encapsulated + curve.public_key().public_bytes_raw()
        shared = labeled_expand(kem, prk, b"shared_secret", both, 32)
    suite_id = b"HPKE" + kem_id + b"\x00\x01" + b"\x00\x02"
    schedule = (
        b"\x00"
        + labeled_extract(suite_id, b"", b"psk_id_hash", b"")
        + labeled_extract(suite_id, b"", b"info_hash", info)
    )
    secret_key = labeled_extract(suite_id, shared, b"secret", b"")
    encryption_key = labeled_expand(suite_id, secret_key, b"key", schedule, 32)
    nonce = labeled_expand(suite_id, secret_key, b"base_nonce", schedule, 12)
    return AESGCM(encryption_key).decrypt(nonce, ciphertext, b"")


@pytest.mark.parametrize("suite", SUITES)
def test_sealed_envelope_opens_with_hpke_written_out(suite: Any) -> None:
    sealed = seal(key(suite).public, PLAINTEXT, CONTEXT)
    assert plain_hpke_open(suite, bytes([1]) * 32, sealed, CONTEXT.info(suite)) == PLAINTEXT
    assert open_sealed(key(suite), sealed, CONTEXT) == PLAINTEXT
    assert len(sealed) == ENCAPSULATION_LENGTHS[suite] + len(PLAINTEXT) + 16


def test_x_wing_key_is_that_of_the_draft() -> None:
    # draft-connolly-cfrg-xwing-kem, first test vector: seed, and both ends of the public key.
    seed = bytes.fromhex("7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26")
    public = SealingPrivateKey(seed).public.key.hex()
    assert public.startswith("e2236b35a8c24b39b10aa1323a96a919a2ced88400633a7b07131713fc14b2b5")
    assert public.endswith("859edb06eff389b27dce59844570216223593d4ba32d9abac8cd049040ef6534")


@pytest.mark.parametrize("suite", SUITES)
def test_sealing_twice_shows_nothing_in_common(suite: Any) -> None:
    first, second = (seal(key(suite).public, PLAINTEXT, CONTEXT) for _ in range(2))
    assert first != second
    assert first[:32] != second[:32]
    assert first[-32:] != second[-32:]


OWN_PLACE = ResultContext(b"\x11" * 32, b"\x22" * 16, 1, 2)


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize(
    "moved",
    [
        replace(OWN_PLACE, job=b"\x12" * 32),
        replace(OWN_PLACE, member=b"\x23" * 16),
        replace(OWN_PLACE, party=0),
        replace(OWN_PLACE, cell=1),
        SealingContext(b"\x11" * 32, b"\x22" * 16, 2, 1),
    ],
    ids=["of another job", "of another member", "of another party", "of another cell", "as a submission"],
)
def test_moved_share_of_a_result_does_not_open(suite: Any, moved: Any) -> None:
    sealed = seal(key(suite).public, bytes(8), OWN_PLACE)
    assert open_sealed(key(suite), sealed, OWN_PLACE) == bytes(8)
    with pytest.raises(SealRefused):
        open_sealed(key(suite), sealed, moved)


@pytest.mark.parametrize("suite", SUITES)
def test_what_is_no_key_is_told_before_anything_is_sealed(suite: Any) -> None:
    public = key(suite).public
    assert is_sealing_key(public)
    assert not is_sealing_key(public.model_copy(update={"key": b"\xff" * (len(public.key) - 32) + bytes(32)}))


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize(
    "moved",
    [
        {"study_terms": b"\x12" * 32},
        {"member": b"\x23" * 16},
        {"sequence": 8},
        {"party": 0},
    ],
    ids=[
        "to another study",
        "to another member",
        "replayed in another round",
        "to another party",
    ],
)
def test_moved_envelope_does_not_open(suite: Any, moved: dict[str, Any]) -> None:
    sealed = seal(key(suite).public, PLAINTEXT, CONTEXT)
    with pytest.raises(SealRefused):
        open_sealed(key(suite), sealed, replace(CONTEXT, **moved))


@pytest.mark.parametrize("suite", SUITES)
def test_envelope_to_one_party_does_not_open_at_another(suite: Any) -> None:
    sealed = seal(key(suite).public, PLAINTEXT, CONTEXT)
    with pytest.raises(SealRefused):
        open_sealed(key(suite, 2), sealed, CONTEXT)


def test_envelope_of_another_suite_does_not_open() -> None:
    for suite, other in ((X_WING, X25519), (X25519, X_WING)):
        with pytest.raises(SealRefused):
            open_sealed(key(other), seal(key(suite).public, PLAINTEXT, CONTEXT), CONTEXT)


def test_weaker_half_of_a_hybrid_key_cannot_be_sealed_to_unnoticed() -> None:
    # The gateway serves the X25519 half of an X-Wing key as if the party had approved with that suite.
    half = PublicSealingKey(suite=X25519, key=key().public.key[1184:])
    with pytest.raises(SealRefused):
        open_sealed(key(), seal(half, PLAINTEXT, CONTEXT), CONTEXT)


@pytest.mark.parametrize("suite", SUITES)
def test_truncated_or_extended_envelope_is_refused(suite: Any) -> None:
    sealed = seal(key(suite).public, PLAINTEXT, CONTEXT)
    length = ENCAPSULATION_LENGTHS[suite]
    for wrong in (
        b"",
        sealed[:1],
        sealed[:length],
        sealed[: length + 15],
        sealed[:-1],
        sealed[1:],
        sealed + b"\0",
        sealed + bytes(MAX_PLAINTEXT_BYTES),
    ):
        with pytest.raises(SealRefused):
            open_sealed(key(suite), wrong, CONTEXT)


@pytest.mark.parametrize("suite", SUITES)
def test_altered_envelope_is_refused_wherever_it_was_altered(suite: Any) -> None:
    sealed = seal(key(suite).public, PLAINTEXT, CONTEXT)
    for position in (0, 31, ENCAPSULATION_LENGTHS[suite] - 1, ENCAPSULATION_LENGTHS[suite], len(sealed) - 1):
        altered = bytearray(sealed)
        altered[position] ^= 1
        with pytest.raises(SealRefused):
            open_sealed(key(suite), bytes(altered), CONTEXT)


def test_all_zero_encapsulation_is_refused() -> None:
    for suite in SUITES:
        with pytest.raises(SealRefused):
            open_sealed(key(suite), bytes(ENCAPSULATION_LENGTHS[suite] + 88), CONTEXT)


def test_public_key_that_is_none_is_refused() -> None:
    for suite, raw in ((X25519, bytes(32)), (X_WING, b"\xff" * 1216)):
        with pytest.raises(SealRefused):
            seal(PublicSealingKey(suite=suite, key=raw), PLAINTEXT, CONTEXT)


def test_seeds_come_back_in_order() -> None:
    assert parse_seeds(PLAINTEXT, count=3) == tuple(SEEDS)


@pytest.mark.parametrize(
    "plaintext", [b"", PLAINTEXT[:8], PLAINTEXT[:-1], PLAINTEXT + b"\0", b"mpccde\x00\x02" + PLAINTEXT[8:]]
)
def test_content_of_another_length_or_version_is_refused(plaintext: bytes) -> None:
    with pytest.raises(SealRefused):
        parse_seeds(plaintext, count=3)


def test_wrong_number_of_seeds_is_refused() -> None:
    for count in (0, 2, 4):
        with pytest.raises(SealRefused):
            parse_seeds(PLAINTEXT, count=count)
    for wrong in ([], [bytes(31)], [bytes(32), bytes(33)]):
        with pytest.raises(CallerError):
            pack_seeds(wrong)


def test_secret_of_another_length_is_refused() -> None:
    with pytest.raises(CallerError):
        SealingPrivateKey(bytes(31))
