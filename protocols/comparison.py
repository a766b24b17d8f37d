"""Comparison [a < 0] with a perfect mask, for |a| < 2^60 (protocol.md section 3).

With x = 2a mod p, a is negative exactly when x is odd (p is odd). Let r be 61 random bits; c = x + r mod p is
uniform and opened. x + r wraps around p exactly when c < r, so

    [a < 0] = c_0 xor r_0 xor [c < r].

[c < r] is a comparison of a public and a shared number: a tree of pairs (lt, eq), most significant first, combined
as (lt_hi + eq_hi lt_lo, eq_hi eq_lo). The last xor costs nothing: with u = c_0 xor r_0 (linear in r_0) and
w = 1 - 2u,  u xor v = u + w v;  the tree gets one more leaf in front, (0, w), and returns w [c < r].

Its leaves are digits of four bits. With the mask the indicators of each digit of r are made, [digit = v] for 16 v,
so against the public digit of c both eq = [digit = c] and lt = [digit > c] are local sums of them. Bit 60 and the
leaf in front are one: lt = w [c_60 < r_60] and eq = w [c_60 = r_60] are affine in r_0, r_60 and their product. That
leaves 16 nodes, so four levels, the last of them for whoever asked. (Digits of two bits are 31 nodes and one round
more; of eight bits 8 nodes, one round less and some 2,000 products.)

Rounds: open c, three resharings, then one resharing, or the opening itself. Every mask serves once. Each party learns
c, which is uniform (up to 2^-61), and nothing else.

MPyC's own comparison is not used: it opens a product of degree 2t without a sharing of zero, whose factors
give the compared number away (tests/protocols/test_comparison_attack.py runs that attack against this one).
"""

from __future__ import annotations

import numpy as np

from protocols import field as fp
from protocols import kernels
from protocols.engine import ComparisonMasks, Engine, Shared, concatenate

BITS = 61
_DIGITS = 15  # of four bits, below bit 60
_VALUES = 16


async def make_masks(engine: Engine, count: int) -> ComparisonMasks:
    """Masks for `count` comparisons in three rounds: the bits, products of two bits, products of two pairs.

    For two bits (h, l) the indicators of 1, 2, 3 are l - hl, h - hl, hl; for two pairs, of those the products.
    """
    bits = (await engine.random_bits(BITS * count)).reshape(BITS, count)
    high = Shared(np.concatenate([bits.values[60:], bits.values[59::-2]]))
    low = Shared(np.concatenate([bits.values[:1], bits.values[58::-2]]))
    products = (await engine.multiply(high.reshape(-1), low.reshape(-1))).reshape(1 + 2 * _DIGITS, count)
    high, low, both = high[1:], low[1:], products[1:]
    pairs = np.stack([(low - both).values, (high - both).values, both.values])  # by value 1 .. 3
    left, right = pairs[:, 0::2], pairs[:, 1::2]
    shape = (3, 3, _DIGITS, count)
    joint = await engine.multiply(
        Shared(np.broadcast_to(left[:, np.newaxis], shape)).reshape(-1),
        Shared(np.broadcast_to(right, shape)).reshape(-1),
    )
    weights = np.array([1 << i for i in range(BITS)], dtype=np.uint64)[:, np.newaxis]
    number = Shared(fp.total(fp.multiply(bits.values, weights)))
    indicators = _indicators(left, right, joint.values.reshape(shape))
    bit_0, bit_60, top = (Shared(part.values.copy()) for part in (bits[0], bits[60], products[0]))  # no views
    return ComparisonMasks(number, bit_0, bit_60, top, Shared(indicators))


def _indicators(left: fp.FieldVector, right: fp.FieldVector, joint: fp.FieldVector) -> fp.FieldVector:
    """[digit = 4 a + b] (16, digits, k) from [a = 1 .. 3], [b = 1 .. 3] and their products (3, 3, digits, k)."""
    found = np.empty((4, 4, *left.shape[1:]), dtype=np.uint64)
    found[1:, 1:] = joint
    found[1:, 0] = fp.subtract(left, fp.total(joint.swapaxes(0, 1)))
    found[0, 1:] = fp.subtract(right, fp.total(joint))
    flat = found.reshape(_VALUES, *left.shape[1:])
    flat[0] = fp.subtract(np.ones_like(flat[0]), fp.total(flat[1:]))
    return flat


async def negative_before_last_product(engine: Engine, values: Shared, masks: ComparisonMasks) -> Shared:
    """The bits [values < 0] as degree-2t values: four rounds, to be reshared or opened next.

    `values` (k,) of degree t or 2t, each |value| < 2^60; `masks` fresh ones for k comparisons.
    """
    count = len(values)
    c = await engine.open(values.times(2) + masks.number, "comparison: 2a + r")
    parts = (masks.bit_0, masks.bit_60, masks.top_product, masks.indicators)
    u, lt, eq = (Shared(part) for part in kernels.comparison_leaves(c, *(part.values for part in parts)))
    while len(lt) > 2:  # 16, 8, 4
        lt, eq = await _combine(engine, lt, eq, count)
    last = engine.product(eq[0], lt[1])
    engine.counts.comparisons += count
    return u + lt[0] + last


async def _combine(engine: Engine, lt: Shared, eq: Shared, count: int) -> tuple[Shared, Shared]:
    """One level of the tree, of an even number of nodes; the least significant node's eq is never asked for."""
    pairs = len(lt) // 2
    eq_hi = eq[0::2]
    left = concatenate([eq_hi.reshape(-1), eq_hi[:-1].reshape(-1)])
    right = concatenate([lt[1::2].reshape(-1), eq[1:-1:2].reshape(-1)])
    products = await engine.multiply(left, right)
    below, both = products[: pairs * count], products[pairs * count :]
    filler = Shared(np.zeros((1, count), dtype=np.uint64))
    return lt[0::2] + below.reshape(pairs, count), concatenate([both.reshape(pairs - 1, count), filler])
