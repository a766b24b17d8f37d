"""How a member shares its figures: fresh seeds for every t-subset, and one correction for all parties.

For every t-subset T of the m parties a seed s_T goes to the m - t parties outside T; the correction is
c = v - sum_T Expand(s_T). Party j's share is c + sum over T without j of f_T(x_j) Expand(s_T), f_T of
degree t with f_T(0) = 1 and zeros at the points of T: every accepted sharing has degree t by construction,
since all parties check their seeds against one signed list of hashes.

What t parties and the gateway learn: nothing. The correction is no secret, but the seed of the subset that
those t parties form went to the others only, and masks all of it. So seeds are never used for a second
correction. Cost: L elements for all parties together, C(m - 1, t) seeds a party (2 at m = 3, 6 at m = 5).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from itertools import combinations
from typing import NoReturn

import numpy as np

from protocols import field as fp
from protocols.errors import OutOfRange
from protocols.keystream import expand_seed
from protocols.randomness import Randomness

SEED_BYTES = 32
SEED_TAG = b"mpc-cde/seed/v1\x00"


class Seed:
    """32 secret bytes that expand to a keystream; never printed."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        if len(secret) != SEED_BYTES:
            raise OutOfRange(f"a seed has {SEED_BYTES} bytes, not {len(secret)}")
        self._secret = bytes(secret)

    def secret_bytes(self) -> bytes:
        """The bytes, for sealing and for expansion."""
        return self._secret

    def expand(self, count: int) -> fp.FieldVector:
        """The seed's mask: shape (count,)."""
        return expand_seed(self._secret, count)

    def hash(self) -> bytes:
        """SHA-256("mpc-cde/seed/v1" || 0x00 || s): what the signed submission lists."""
        return hashlib.sha256(SEED_TAG + self._secret).digest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Seed) and hmac.compare_digest(self._secret, other._secret)

    __hash__ = None  # type: ignore[assignment]  # a secret is no key of a table

    def __repr__(self) -> str:
        return "Seed(<redacted>)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a seed is not pickled")


def subsets(m: int, t: int) -> tuple[tuple[int, ...], ...]:
    """All t-subsets of party indices 0 .. m-1, ascending lists in lexicographic order."""
    verify_threshold(m, t)
    return tuple(combinations(range(m), t))


def subsets_of_party(m: int, t: int, party: int) -> tuple[tuple[int, ...], ...]:
    """The subsets whose seed `party` gets: those without it, in order."""
    return tuple(subset for subset in subsets(m, t) if party not in subset)


def verify_threshold(m: int, t: int) -> None:
    """Raises OutOfRange unless 1 <= t and 2t + 1 <= m."""
    if t < 1 or 2 * t + 1 > m:
        raise OutOfRange(f"threshold {t} does not fit {m} parties: 1 <= t and 2 t + 1 <= m")


@dataclass(frozen=True, slots=True)
class SharedVector:
    """One vector as shared: the seed of every subset, in order, and the correction (L,)."""

    parties: int
    threshold: int
    seeds: tuple[Seed, ...] = field(repr=False)
    correction: fp.FieldVector = field(repr=False)

    def seeds_for_party(self, party: int) -> tuple[Seed, ...]:
        """What is sealed to `party`: the seeds of the subsets without it, in order."""
        everything = zip(subsets(self.parties, self.threshold), self.seeds, strict=True)
        return tuple(seed for subset, seed in everything if party not in subset)

    def seed_hashes(self) -> tuple[bytes, ...]:
        """What the signed submission lists, in the order of the subsets."""
        return tuple(seed.hash() for seed in self.seeds)


def share_vector(vector: fp.FieldVector, m: int, t: int, randomness: Randomness) -> SharedVector:
    """Share a vector (L,) among m parties with threshold t, with fresh seeds.

    Raises OutOfRange for a threshold that does not fit and for a vector that is not canonical.
    """
    if vector.dtype != np.uint64 or vector.ndim != 1 or bool((vector >= fp.P).any()):
        raise OutOfRange("expected a vector of field elements, uint64 below p")
    seeds = tuple(Seed(randomness.random_bytes(SEED_BYTES)) for _ in subsets(m, t))
    correction = vector
    for seed in seeds:
        correction = fp.subtract(correction, seed.expand(len(vector)))
    return SharedVector(m, t, seeds, correction)
