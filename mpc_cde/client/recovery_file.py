"""A member's keys in one file under a passphrase, as the pages write and read it (pages/core/recovery.js)."""

from __future__ import annotations

import hashlib
import unicodedata

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mpc_cde.documents.canonical import canonical_bytes, encode_base64url
from mpc_cde.errors import CallerError
from mpc_cde.keys import SigningKey
from mpc_cde.sealing import SealingPrivateKey
from protocols.randomness import Randomness

ITERATIONS = 600_000
MIN_PASSPHRASE_CHARACTERS = 10
_SALT_BYTES = 16
_NONCE = bytes(12)  # the key comes from a fresh salt, so it locks one message only


def lock_keys(
    *,
    community: str,
    register_id: str,
    signing_key: SigningKey,
    sealing_key: SealingPrivateKey,
    passphrase: str,
    randomness: Randomness,
    iterations: int = ITERATIONS,
) -> bytes:
    """The file's bytes; `community` is the fingerprint. Raises CallerError for a passphrase that is too short."""
    if len(passphrase) < MIN_PASSPHRASE_CHARACTERS:
        raise CallerError(f"a passphrase has at least {MIN_PASSPHRASE_CHARACTERS} characters")
    salt = randomness.random_bytes(_SALT_BYTES)
    header: dict[str, object] = {
        "type": "member-keys/v1",
        "community": community,
        "register_id": register_id,
        "signing_key": encode_base64url(signing_key.public_bytes),
        "sealing_key": encode_base64url(sealing_key.public.key),
        "derivation": "pbkdf2-sha256",
        "iterations": iterations,
        "salt": encode_base64url(salt),
    }
    text = unicodedata.normalize("NFC", passphrase).encode("utf-8")
    key = hashlib.pbkdf2_hmac("sha256", text, salt, iterations, 32)
    secrets = signing_key.secret_bytes() + sealing_key.secret_bytes()
    locked = AESGCM(key).encrypt(_NONCE, secrets, canonical_bytes(header))
    return canonical_bytes({**header, "locked": encode_base64url(locked)})
