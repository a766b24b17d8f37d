"""Limbs: neighbouring digits of an encoded number read as one, as large as sums of their products allow.

u = sum_k w_k limb_k, each limb linear in the indicators. Squares of u do not fit the field; products of two limbs,
summed over all records, stay below 2^60, and wide.py adds them. Figures of 32 bits of a million members have two
limbs of 16 bits.

What a party learns: nothing; all of it is local. Cost: none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement, pairwise
from math import prod

import numpy as np

from protocols import field as fp
from protocols import kernels
from protocols.encoding import FigureEncoding
from protocols.engine import COMPARISON_BOUND
from protocols.wide import wide_bound

_LIMB_BITS = 20
"""The longest limb: its kernel takes weights below 2^28, of at most 127 symbols."""


@dataclass(frozen=True, slots=True)
class Limbs:
    """u = sum_k weights[k] limb_k, most significant first, limb_k in 0 .. sizes[k] - 1.

    `digits[k]`: the positions of the digits that limb k consists of.
    """

    digits: tuple[range, ...]
    sizes: tuple[int, ...]
    weights: tuple[int, ...]

    @property
    def largest(self) -> int:
        return max(self.sizes) - 1


def limbs_below(radices: Sequence[int], size: int) -> Limbs:
    """Limbs of as many digits as have no more than `size` values together, or of one that has more."""
    ends, reached = [0], 1
    for place, radix in enumerate(radices):
        if place > ends[-1] and reached * radix > size:
            ends.append(place)
            reached = 1
        reached *= radix
    ends.append(len(radices))
    digits = tuple(range(start, end) for start, end in pairwise(ends))
    sizes = tuple(prod(radices[d] for d in own) for own in digits)
    return Limbs(digits, sizes, tuple(prod(sizes[k + 1 :]) for k in range(len(sizes))))


def plan_limbs(encodings: Sequence[FigureEncoding], records: int) -> list[Limbs]:
    """The largest limbs with which the totals of every pair of these figures stay below 2^60.

    The same for whoever contributes among the `records`, so that their rows can be made ahead (derived_rows.py).
    """
    for bits in range(_LIMB_BITS, 0, -1):
        found = [limbs_below(encoding.radices, 1 << bits) for encoding in encodings]
        pairs = combinations_with_replacement(found, 2)
        if all(
            wide_bound(product_weights(x, y), product_bound(x, y, records)) < COMPARISON_BOUND
            for x, y in pairs
        ):
            return found
    return [limbs_below(encoding.radices, 1) for encoding in encodings]  # wide.py refuses what is too much


def product_weights(first: Limbs, second: Limbs) -> tuple[int, ...]:
    """Of the products of limbs; of one figure's own, each pair once and with both its orders."""
    if first is not second:
        return tuple(w * v for w in first.weights for v in second.weights)
    own = first.weights
    return tuple(
        own[k] * v * (2 - (k == other)) for k in range(len(own)) for other, v in enumerate(own) if other >= k
    )


def product_bound(first: Limbs, second: Limbs, contributors: int) -> int:
    """What no sum of products of their limbs exceeds."""
    return first.largest * second.largest * contributors


def limb_rows(
    plan: Limbs,
    encoding: FigureEncoding,
    presence: fp.FieldVector | None,
    digits: Sequence[fp.FieldVector],
) -> fp.FieldVector:
    """The limbs of every record, 0 for a blank: (K, n), from its indicators; shares of degree t stay so."""
    rows = np.empty((len(plan.sizes), digits[0].shape[1]), dtype=np.uint64)
    for row, own, size in zip(rows, plan.digits, plan.sizes, strict=True):
        row[:] = size - 1 if presence is None else kernels.multiply_scalar(presence, size - 1)
        weight = size
        for d in own:
            radix = encoding.radices[d]
            weight //= radix
            kernels.subtract_weighted(row, digits[d], [weight * (radix - 1 - b) for b in range(radix - 1)])
    return rows
