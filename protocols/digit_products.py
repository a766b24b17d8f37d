"""Sums of squares and of products of encoded numbers, by their limbs (protocol.md section 6).

Squares do not fit the field, so u = sum_k w_k limb_k, a limb being some neighbouring digits read as one number, and
sum u v = sum_{k,l} w_k w_l T_kl with the totals T_kl = <limb_k of u, limb_l of v>: numbers below 2^60, added by
wide.py. Limbs are linear in the indicators and as large as their totals allow (`plan_limbs`): figures of 32 bits of
a million members have two, so three inner products make their sum of squares.

Who counts is said by a public mask, or by a shared selector (selection.py) that already includes the mask. Limbs
carry their own figure's presence: a blank is 0 in each.

What a party learns here: nothing. Cost: limbs are local; under a shared selector one product a record and limb of
the first factor, one round; inner products are local.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement, pairwise
from math import prod

import numpy as np

from protocols import kernels
from protocols.encoding import FigureEncoding
from protocols.engine import COMPARISON_BOUND, Engine, PublicMask, Shared, concatenate
from protocols.records import FigureRecords
from protocols.wide import WideTotal, wide_bound

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


def plan_limbs(encodings: Sequence[FigureEncoding], contributors: int) -> list[Limbs]:
    """The largest limbs with which the totals of every pair of these figures stay below 2^60."""
    for bits in range(_LIMB_BITS, 0, -1):
        found = [limbs_below(encoding.radices, 1 << bits) for encoding in encodings]
        pairs = combinations_with_replacement(found, 2)
        if all(
            wide_bound(_weights(x, y), _part_bound(x, y, contributors)) < COMPARISON_BOUND for x, y in pairs
        ):
            return found
    return [limbs_below(encoding.radices, 1) for encoding in encodings]  # wide.py refuses what is too much


def limb_vectors(engine: Engine, figure: FigureRecords, limbs: Limbs, mask: PublicMask) -> Shared:
    """The limbs of every record, 0 for a blank: (K, n), degree t, local."""
    vectors = np.empty((len(limbs.sizes), figure.count), dtype=np.uint64)
    for vector, digits, size in zip(vectors, limbs.digits, limbs.sizes, strict=True):
        if figure.presence is None:
            vector[:] = size - 1
        else:
            vector[:] = kernels.multiply_scalar(figure.presence.values, size - 1)
        weight = size
        for d in digits:
            radix = figure.encoding.radices[d]
            weight //= radix
            deficits = [weight * (radix - 1 - b) for b in range(radix - 1)]
            engine.subtract_weighted(Shared(vector), figure.digits[d], deficits, mask)
    return Shared(vectors)


async def select_limbs(engine: Engine, limbs: Shared, mask: PublicMask, selector: Shared | None) -> Shared:
    """`limbs` (K, n) with those set to zero that do not count: degree t; one round where a secret says who."""
    if selector is None:
        return engine.select(limbs, mask)
    repeated = Shared(np.broadcast_to(selector.values, limbs.values.shape), selector.degree)
    return await engine.multiply(limbs, repeated)


def square_total(
    engine: Engine, plan: Limbs, vectors: Shared, selected: Shared, contributors: int
) -> WideTotal:
    """sum u^2 over those that count; `selected` are the vectors of `select_limbs`, `contributors` N, open."""
    parts = [engine.inner_products(vectors[k:], selected[k]) for k in range(len(plan.sizes))]
    return WideTotal(_weights(plan, plan), concatenate(parts), _part_bound(plan, plan, contributors))


def product_total(
    engine: Engine, first: Limbs, selected: Shared, second: Limbs, vectors: Shared, contributors: int
) -> WideTotal:
    """sum u v over those that count: `selected` limbs of u (`first`) against all `vectors` of v (`second`)."""
    parts = [engine.inner_products(vectors, selected[k]) for k in range(len(first.sizes))]
    weights = tuple(w * v for w in first.weights for v in second.weights)
    return WideTotal(weights, concatenate(parts), _part_bound(first, second, contributors))


def _weights(first: Limbs, second: Limbs) -> tuple[int, ...]:
    """Of the products of limbs; of one figure's own, each pair once and with both its orders."""
    if first is not second:
        return tuple(w * v for w in first.weights for v in second.weights)
    own = first.weights
    return tuple(
        own[k] * v * (2 - (k == other)) for k in range(len(own)) for other, v in enumerate(own) if other >= k
    )


def _part_bound(first: Limbs, second: Limbs, contributors: int) -> int:
    return first.largest * second.largest * contributors
