"""Comparison [a < 0] with a perfect mask, for |a| < 2^60 (protocol.md section 3).

With x = 2a mod p, a is negative exactly when x is odd (p is odd). Let r be 61 random bits; c = x + r mod p is
uniform and opened. x + r wraps around p exactly when c < r, so

    [a < 0] = c_0 xor r_0 xor [c < r].

[c < r] is a comparison of a public and a shared number: a tree over the bits, most significant first, of pairs
(lt, eq), combined as (lt_hi + eq_hi lt_lo, eq_hi eq_lo). The last xor costs nothing: with u = c_0 xor r_0 (linear
in r_0) and w = 1 - 2u,  u xor v = u + w v;  the tree gets one more leaf in front, (0, w), and returns w [c < r].

62 leaves make six levels. The first level's products are of neighbouring mask bits and are made with the mask,
so that level is local. Rounds: open c, four resharings, then one resharing, or the opening itself. Every mask
serves once. Each party learns c, which is uniform (up to 2^-61), and nothing else.

MPyC's own comparison is not used: it opens a product of degree 2t without a sharing of zero, whose factors
give the compared number away (tests/protocols/test_comparison_attack.py runs that attack against this one).
"""

from __future__ import annotations

import numpy as np

from protocols import field as fp
from protocols.engine import ComparisonMasks, Engine, Shared, concatenate

BITS = 61


async def make_masks(engine: Engine, count: int) -> ComparisonMasks:
    """Masks for `count` comparisons in two rounds: the bits, then the products of neighbouring leaves."""
    bits = (await engine.random_bits(BITS * count)).reshape(BITS, count)
    # leaves, most significant first: the one in front (decided by bit 0), then bits 60, 59, ..., 0
    order = [0, *range(BITS - 1, -1, -1)]
    high = Shared(bits.values[order[0::2]])
    low = Shared(bits.values[order[1::2]])
    products = await engine.multiply(high.reshape(-1), low.reshape(-1))
    return ComparisonMasks(bits, products.reshape(len(order) // 2, count))


async def negative_before_last_product(engine: Engine, values: Shared, masks: ComparisonMasks) -> Shared:
    """The bits [values < 0] as degree-2t values: five rounds, to be reshared or opened next.

    `values` (k,) of degree t or 2t, each |value| < 2^60; `masks` fresh ones for k comparisons.
    """
    count = len(values)
    bits = masks.bits
    weights = np.array([1 << i for i in range(BITS)], dtype=np.uint64)
    mask = Shared(fp.total(fp.multiply(bits.values, weights[:, np.newaxis])))
    opened = await engine.open(values.times(2) + mask, "comparison: 2a + r")

    c = (opened[np.newaxis, :] >> np.arange(BITS, dtype=np.uint64)[:, np.newaxis]) & np.uint64(1)
    u = bits[0] + bits[0].times(_scaled(c[0], -2))
    u = u.plus(c[0])

    lt, eq = _first_level(bits, masks.pair_products, c)
    while lt.values.shape[0] > 2:
        lt, eq = await _combine(engine, lt, eq, count)
    last = engine.product(eq[0], lt[1])
    engine.counts.comparisons += count
    return u + lt[0] + last


def _scaled(public_bits: fp.FieldVector, factor: int) -> fp.FieldVector:
    return fp.multiply(public_bits, np.array(factor % fp.P, dtype=np.uint64))


def _first_level(bits: Shared, products: Shared, c: fp.FieldVector) -> tuple[Shared, Shared]:
    """31 nodes from 62 leaves, locally: every product of two leaves is affine in r_hi, r_lo and r_hi r_lo.

    A leaf is lt = l r, eq = e + f r with public l, e, f (k,): bit i has l = 1 - c_i, e = 1 - c_i,
    f = 2 c_i - 1; the leaf in front has l = 0 and eq = w = 1 - 2 (c_0 + r_0 - 2 c_0 r_0).
    """
    one = np.uint64(1)
    down = np.arange(BITS - 1, -1, -1)
    zero_row = np.zeros_like(c[:1])
    l_ = np.concatenate([zero_row, one - c[down]])
    e = np.concatenate([fp.add(np.full_like(c[:1], 1), _scaled(c[:1], -2)), one - c[down]])
    f = np.concatenate(
        [
            fp.add(np.full_like(c[:1], fp.P - 2), _scaled(c[:1], 4)),
            fp.add(_scaled(c[down], 2), np.full_like(c[down], fp.P - 1)),
        ]
    )
    order = [0, *down.tolist()]
    r_hi, r_lo = Shared(bits.values[order[0::2]]), Shared(bits.values[order[1::2]])
    l_hi, e_hi, f_hi = l_[0::2], e[0::2], f[0::2]
    l_lo, e_lo, f_lo = l_[1::2], e[1::2], f[1::2]
    lt = r_hi.times(l_hi) + r_lo.times(fp.multiply(e_hi, l_lo)) + products.times(fp.multiply(f_hi, l_lo))
    eq = (
        (r_lo.times(fp.multiply(e_hi, f_lo)) + r_hi.times(fp.multiply(f_hi, e_lo)))
        + products.times(fp.multiply(f_hi, f_lo))
    ).plus(fp.multiply(e_hi, e_lo))
    return lt, eq


async def _combine(engine: Engine, lt: Shared, eq: Shared, count: int) -> tuple[Shared, Shared]:
    """One level of the tree, most significant first; an odd last node moves up as it is."""
    pairs = lt.values.shape[0] // 2
    lt_hi, lt_lo = lt[0 : 2 * pairs : 2], lt[1 : 2 * pairs : 2]
    eq_hi, eq_lo = eq[0 : 2 * pairs : 2], eq[1 : 2 * pairs : 2]
    odd = lt.values.shape[0] % 2
    needed = pairs if odd else pairs - 1  # the least significant node's eq is never asked for
    left = concatenate([eq_hi.reshape(-1), eq_hi[:needed].reshape(-1)])
    right = concatenate([lt_lo.reshape(-1), eq_lo[:needed].reshape(-1)])
    products = await engine.multiply(left, right)
    new_lt = lt_hi + products[: pairs * count].reshape(pairs, count)
    new_eq = products[pairs * count :].reshape(needed, count)
    if odd:
        return concatenate([new_lt, lt[-1:]]), concatenate([new_eq, eq[-1:]])
    filler = Shared(np.zeros((1, count), dtype=np.uint64))
    return new_lt, concatenate([new_eq, filler])
