"""Seeds at rest: locked under a key that dies with the study's sealing key.

The store keeps a submission's seeds as AES-256-GCM under HKDF-SHA256(the study's sealing key), bound to the
study and the submission. Opening costs about a microsecond, where opening the member's envelope again would
cost sixty; and once the sealing key is destroyed neither the store, nor its backups, nor the gateway's
copies can be read.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mpc_cde.errors import StoreDamaged
from mpc_cde.sealing import SealingPrivateKey, pack_seeds, parse_seeds
from protocols.randomness import Randomness
from protocols.sharing import Seed

_TAG = b"mpc-cde/seed-vault/v1\x00"
_NONCE_BYTES = 12


class SeedVault:
    """Locks and opens the seeds of one study's submissions."""

    __slots__ = ("_cipher", "_study")

    def __init__(self, sealing_key: SealingPrivateKey, study_terms: bytes) -> None:
        derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=_TAG + study_terms)
        self._cipher = AESGCM(derived.derive(sealing_key.secret_bytes()))
        self._study = study_terms

    def lock(self, submission: bytes, seeds: Sequence[Seed], randomness: Randomness) -> bytes:
        """What the store keeps for the submission with this digest: nonce, then ciphertext with its tag."""
        packed = pack_seeds([seed.secret_bytes() for seed in seeds])
        nonce = randomness.random_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, packed, self._bound_to(submission))

    def open(self, submission: bytes, locked: bytes, *, count: int) -> tuple[Seed, ...]:
        """The `count` seeds, in the order of their subsets. Raises StoreDamaged."""
        nonce, ciphertext = locked[:_NONCE_BYTES], locked[_NONCE_BYTES:]
        try:
            packed = self._cipher.decrypt(nonce, ciphertext, self._bound_to(submission))
        except (InvalidTag, ValueError):
            raise StoreDamaged(
                "the kept seeds of a submission do not open: altered, or another study's"
            ) from None
        return tuple(Seed(secret) for secret in parse_seeds(packed, count=count))

    def _bound_to(self, submission: bytes) -> bytes:
        return self._study + submission

    def __repr__(self) -> str:
        return f"SeedVault(study={self._study.hex()[:8]}, key=<redacted>)"
