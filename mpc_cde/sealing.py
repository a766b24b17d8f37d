"""Sealing to one party's key: HPKE (RFC 9180, base mode) whose `info` says where the envelope belongs.

An envelope cannot be moved to another study, member, round or party, and parties that disagree about the
terms cannot decrypt. Base mode authenticates no sender: the member's signature over the digests does.
Default suite X-Wing (ML-KEM-768 + X25519, draft-connolly-cfrg-xwing-kem), since what is recorded today must
not open in ten years. A sealed envelope is the encapsulation followed by the ciphertext.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NoReturn, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from mpc_cde.documents.canonical import canonical_bytes, encode_base64url
from mpc_cde.documents.suites import ENCAPSULATION_LENGTHS, X25519, X_WING, PublicSealingKey, SuiteName
from mpc_cde.errors import CallerError, SealRefused
from protocols.randomness import Randomness

PROTOCOL_VERSION = "mpc-cde/v1"
SECRET_BYTES = 32
SEED_BYTES = 32
TAG_BYTES = 16
VERSION_HEADER = b"mpccde\x00\x01"
"""First 8 bytes of the plaintext of a submission's envelope."""
MAX_PLAINTEXT_BYTES = len(VERSION_HEADER) + 6435 * SEED_BYTES
"""C(15, 7) seeds: the most that one of 16 parties gets."""
_MLKEM_PUBLIC_BYTES = 1184

_SUITES: dict[str, hpke.Suite] = {
    X_WING: hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM),
    X25519: hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM),
}


class Context(Protocol):
    """Where an envelope belongs: all of it enters HPKE's `info`. `party` is who seals or is sealed to."""

    @property
    def party(self) -> int: ...

    @property
    def described(self) -> str:
        """In words, for whoever reads that it does not open."""
        ...

    def info(self, suite: SuiteName) -> bytes:
        """HPKE's `info`: canonical bytes, the same in browser and Python."""
        ...


@dataclass(frozen=True, slots=True)
class SealingContext:
    """A submission's envelope to one party. `study_terms` has 32 bytes, `member` 16; `party` is who is sealed to."""

    study_terms: bytes
    member: bytes
    sequence: int
    party: int

    @property
    def described(self) -> str:
        return f"the envelope to party {self.party}, sequence {self.sequence},"

    def info(self, suite: SuiteName) -> bytes:
        return canonical_bytes(
            {
                "protocol": PROTOCOL_VERSION,
                "suite": suite,
                "kind": "submission",
                "study_terms": encode_base64url(self.study_terms),
                "member": encode_base64url(self.member),
                "sequence": self.sequence,
                "party": self.party,
            }
        )


@dataclass(frozen=True, slots=True)
class ResultContext:
    """One party's share of a value that is for one member alone, sealed to the key in its membership.

    `job` (32 bytes) names session, query and checked roster, and so the study; `cell` is its number in the result,
    from 0; `party` is who seals.
    """

    job: bytes
    member: bytes
    party: int
    cell: int

    @property
    def described(self) -> str:
        return f"what party {self.party} sealed for cell {self.cell + 1}"

    def info(self, suite: SuiteName) -> bytes:
        return canonical_bytes(
            {
                "protocol": PROTOCOL_VERSION,
                "suite": suite,
                "kind": "result",
                "job": encode_base64url(self.job),
                "member": encode_base64url(self.member),
                "party": self.party,
                "cell": self.cell,
            }
        )


class SealingPrivateKey:
    """The private half of a sealing key: 32 secret bytes, never shown.

    For X-Wing they are the seed that SHAKE256 expands to the ML-KEM seed (64) and the X25519 key (32). The expanded
    key is large and made when something is opened: whoever holds the keys of very many opens little.
    """

    __slots__ = ("_key", "_secret", "public", "suite")

    def __init__(self, secret: bytes, *, suite: SuiteName = X_WING) -> None:
        if len(secret) != SECRET_BYTES:
            raise CallerError(f"a sealing key has {SECRET_BYTES} secret bytes")
        self._secret = bytes(secret)
        self.suite: SuiteName = suite
        self._key: hpke.MLKEM768X25519PrivateKey | X25519PrivateKey | None = None
        if suite == X_WING:
            lattice, curve = _expand(secret)
            raw = lattice.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()
        else:
            raw = X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
        self.public = PublicSealingKey(suite=suite, key=raw)

    @classmethod
    def generate(cls, randomness: Randomness, *, suite: SuiteName = X_WING) -> SealingPrivateKey:
        return cls(randomness.random_bytes(SECRET_BYTES), suite=suite)

    def secret_bytes(self) -> bytes:
        """The 32 secret bytes, for the key file alone."""
        return self._secret

    def open(self, sealed: bytes, info: bytes) -> bytes:
        """HPKE decryption; `open_sealed` is the door with a context. Raises InvalidTag, ValueError."""
        if self._key is None:
            x_wing = self.suite == X_WING
            self._key = (
                hpke.MLKEM768X25519PrivateKey(*_expand(self._secret))
                if x_wing
                else X25519PrivateKey.from_private_bytes(self._secret)
            )
        return _SUITES[self.suite].decrypt(sealed, self._key, info)

    def __repr__(self) -> str:
        return f"SealingPrivateKey(suite={self.suite!r}, secret=<redacted>)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is not pickled")


def _expand(secret: bytes) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
    expanded = hashlib.shake_256(secret).digest(96)
    return MLKEM768PrivateKey.from_seed_bytes(expanded[:64]), X25519PrivateKey.from_private_bytes(
        expanded[64:]
    )


def seal(public_key: PublicSealingKey, plaintext: bytes, context: Context) -> bytes:
    """Encapsulation and ciphertext, 16 bytes of tag included. Raises SealRefused for a false key."""
    info = context.info(public_key.suite)
    try:
        return _SUITES[public_key.suite].encrypt(plaintext, _loaded(public_key.suite, public_key.key), info)
    except ValueError:
        raise SealRefused(f"{context.described} cannot be sealed: that is no key of its suite") from None


@lru_cache(maxsize=64)
def _loaded(suite: SuiteName, key: bytes) -> hpke.MLKEM768X25519PublicKey | X25519PublicKey:
    """The key as the library wants it, which for a lattice is a third of the work. Raises ValueError."""
    if suite != X_WING:
        return X25519PublicKey.from_public_bytes(key)
    lattice = MLKEM768PublicKey.from_public_bytes(key[:_MLKEM_PUBLIC_BYTES])
    curve = X25519PublicKey.from_public_bytes(key[_MLKEM_PUBLIC_BYTES:])
    return hpke.MLKEM768X25519PublicKey(lattice, curve)


def open_sealed(private_key: SealingPrivateKey, sealed: bytes, context: Context) -> bytes:
    """The plaintext, if it was sealed to this key for exactly this context. Raises SealRefused, not why.

    Suite and kind enter `info` from the key and the context, so another suite cannot be slipped in.
    """
    overhead = ENCAPSULATION_LENGTHS[private_key.suite] + TAG_BYTES
    if overhead <= len(sealed) <= overhead + MAX_PLAINTEXT_BYTES:
        try:
            return private_key.open(sealed, context.info(private_key.suite))
        except (InvalidTag, ValueError):
            pass
    raise does_not_open(context)


def does_not_open(context: Context) -> SealRefused:
    """What `open_sealed` says then."""
    return SealRefused(f"{context.described} does not open")


def is_sealing_key(public_key: PublicSealingKey) -> bool:
    """Whether anything can be sealed to it: what stands in a document may be no key at all."""
    try:
        seal(public_key, b"", ResultContext(bytes(32), bytes(16), 0, 0))
    except SealRefused:
        return False
    return True


def pack_seeds(seeds: Sequence[bytes]) -> bytes:
    """Plaintext of a submission's envelope: version header, then seeds in the order of their subsets."""
    if not seeds or any(len(seed) != SEED_BYTES for seed in seeds):
        raise CallerError(f"expected seeds of {SEED_BYTES} bytes each")
    return VERSION_HEADER + b"".join(seeds)


def parse_seeds(plaintext: bytes, *, count: int) -> tuple[bytes, ...]:
    """The `count` seeds of a plaintext, 32 bytes each. Raises SealRefused for another version or length."""
    if plaintext[: len(VERSION_HEADER)] != VERSION_HEADER:
        raise SealRefused("the envelope's content is of a version that is not known here")
    if len(plaintext) != len(VERSION_HEADER) + count * SEED_BYTES:
        raise SealRefused(f"expected {count} seeds in the envelope, found another length")
    start = len(VERSION_HEADER)
    return tuple(plaintext[i : i + SEED_BYTES] for i in range(start, len(plaintext), SEED_BYTES))
