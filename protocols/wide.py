"""Totals that outgrow the field, opened exactly and nothing but them (protocol.md section 6).

A wide total is sum_i c_i T_i with public weights c_i of any size and shared T_i, each with a small public bound.
Weights are written in limbs of LIMB bits: c_i = sum_j c_ij 2^(LIMB j). Then G_j = sum_i c_ij T_i stays below 2^60,
and the total is sum_j 2^(LIMB j) G_j. From the lowest limb up, the low bits of G_j plus the carry are opened; the
carry stays shared. What is opened are the digits of the total in base 2^LIMB.

The low bits of a shared X < 2^60 come from a uniform 61-bit mask r whose bits are shared: c = X + r mod p is opened,
X = c - r + p [c < r], and with b = [c < r], c' = c + p b:
    X mod 2^LIMB = c' mod 2^LIMB - r mod 2^LIMB + 2^LIMB [c' mod 2^LIMB < r mod 2^LIMB].

What a party learns: the total. Cost for k totals: for each limb k masks of 61 bits, about 60 + 4 LIMB products a
total, 10 rounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from protocols import field as fp
from protocols.comparison import BITS
from protocols.engine import Engine, Shared, concatenate, require_bounded
from protocols.errors import PeerDeviation

LIMB = 16
_MODULUS = 1 << LIMB


@dataclass(frozen=True, slots=True)
class WideTotal:
    """sum_i weights[i] parts[i]: public weights >= 0, shared parts (len(weights),) in 0 .. part_bound."""

    weights: tuple[int, ...]
    parts: Shared
    part_bound: int

    @property
    def limbs(self) -> int:
        """How many limbs the weights have; the total has a few more bits, which the last opening shows whole."""
        return max(1, -(-max(self.weights).bit_length() // LIMB))

    @property
    def bound(self) -> int:
        """What any G_j with its carry stays below."""
        return wide_bound(self.weights, self.part_bound)

    def limb(self, position: int) -> Shared:
        """G_j, shared (1,)."""
        shift = LIMB * position
        factors = fp.from_ints(weight >> shift & (_MODULUS - 1) for weight in self.weights)
        return self.parts.times(factors).reshape(-1, 1).sum()


def wide_bound(weights: Sequence[int], part_bound: int) -> int:
    """Twice the largest sum of a limb of all weights, times the parts' bound: a carry is smaller than that."""
    limbs = range(0, max(1, max(weights).bit_length()), LIMB)
    return (
        2 * part_bound * max(sum(weight >> shift & (_MODULUS - 1) for weight in weights) for shift in limbs)
    )


async def reveal_wide(engine: Engine, totals: Sequence[WideTotal], label: str) -> list[int]:
    """Open wide totals exactly, all together; rounds are those of the longest."""
    for total in totals:
        require_bounded(total.bound)
    found = [0] * len(totals)
    carries = [Shared(np.zeros(1, dtype=np.uint64))] * len(totals)
    for position in range(max((total.limbs for total in totals), default=0)):
        going_on = [i for i, total in enumerate(totals) if position < total.limbs]
        for i in going_on:
            carries[i] = totals[i].limb(position) + carries[i]
        going_on = [i for i in going_on if position < totals[i].limbs - 1]
        if going_on:
            values = concatenate([carries[i] for i in going_on])
            low = await _low_limbs(engine, values)
            opened = await engine.reveal(low, f"{label}: limb {position}")
            if (opened >= _MODULUS).any():
                raise PeerDeviation("an opened limb is too large: some party deviated")
            carry = (values - Shared(opened)).times(fp.inverse(_MODULUS))
            for place, i in enumerate(going_on):
                found[i] += int(opened[place]) << LIMB * position
                carries[i] = carry[place : place + 1]
    if totals:
        tops = await engine.reveal(concatenate(carries), f"{label}: top")
        for i, value in enumerate(tops):
            found[i] += int(value) << LIMB * (totals[i].limbs - 1)
    return found


async def _low_limbs(engine: Engine, values: Shared) -> Shared:
    """X mod 2^LIMB of each X (k,), 0 <= X < 2^60: degree t."""
    count = len(values)
    r = (await engine.random_bits(BITS * count)).reshape(BITS, count)
    weights = np.array([1 << i for i in range(BITS)], dtype=np.uint64)[:, np.newaxis]
    mask = Shared(fp.total(fp.multiply(r.values, weights)))
    c = await engine.open(values + mask, "wide: X + r")
    wrapped = c + np.uint64(fp.P)  # below 2^62: plain integers
    low_c, low_wrapped = c % np.uint64(_MODULUS), wrapped % np.uint64(_MODULUS)
    low_r = r[:LIMB]
    is_wrapped, borrow, borrow_wrapped = await _below(engine, [(c, r), (low_c, low_r), (low_wrapped, low_r)])
    chosen = await engine.multiply(is_wrapped, borrow_wrapped - borrow)
    borrowed = (borrow + chosen).times(_MODULUS)
    low = is_wrapped.times(fp.subtract(low_wrapped, low_c)).plus(low_c)
    return low - Shared(fp.total(fp.multiply(low_r.values, weights[:LIMB]))) + borrowed


async def _below(engine: Engine, pairs: Sequence[tuple[fp.FieldVector, Shared]]) -> list[Shared]:
    """The bits [c < r] for public c (k,) and shared bits of r (bits, k), lowest first; all pairs side by side."""
    trees = [_leaves(c, r) for c, r in pairs]
    while any(lt.values.shape[0] > 1 for lt, _ in trees):
        left, right, shapes = [], [], []
        for lt, eq in trees:
            half = lt.values.shape[0] // 2
            left += [eq[0 : 2 * half : 2].reshape(-1), eq[0 : 2 * half : 2].reshape(-1)]
            right += [lt[1 : 2 * half : 2].reshape(-1), eq[1 : 2 * half : 2].reshape(-1)]
            shapes.append(half)
        products = await engine.multiply(concatenate(left), concatenate(right))
        offset, following = 0, []
        for (lt, eq), half in zip(trees, shapes, strict=True):
            count = lt.values.shape[1]
            lower = products[offset : offset + half * count].reshape(half, count)
            both = products[offset + half * count : offset + 2 * half * count].reshape(half, count)
            offset += 2 * half * count
            new_lt, new_eq = lt[0 : 2 * half : 2] + lower, both
            if lt.values.shape[0] % 2:
                new_lt, new_eq = concatenate([new_lt, lt[-1:]]), concatenate([new_eq, eq[-1:]])
            following.append((new_lt, new_eq))
        trees = following
    return [lt[0] for lt, _ in trees]


def _leaves(c: fp.FieldVector, r: Shared) -> tuple[Shared, Shared]:
    """(lt, eq) of every bit, most significant first."""
    bits = r.values.shape[0]
    public = (c[np.newaxis, :] >> np.arange(bits, dtype=np.uint64)[:, np.newaxis]) & np.uint64(1)
    public = public[::-1]
    shared = Shared(r.values[::-1])
    zero_where_one = np.uint64(1) - public
    lt = shared.times(zero_where_one)
    sign = fp.subtract(fp.add(public, public), np.ones_like(public))
    return lt, shared.times(sign).plus(zero_where_one)
