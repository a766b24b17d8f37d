"""Sums of squares and of products of encoded numbers, by their digits (protocol.md section 6).

Squares do not fit the field, so u = sum_d w_d digit_d, and sum u v = sum_{d,e} w_d w_e T_de with the digit totals
T_de = <digit_d of u, digit_e of v>: small numbers, added in limbs by wide.py. Of one figure the diagonals are
linear, sum_i digit_d^2 = (r - 1)^2 N - sum_b ((r - 1)^2 - b^2) c_b, and the rest is symmetric.

Who counts is said by a public mask, or by a shared selector (selection.py) that already includes the mask. Digit
vectors carry their own figure's presence: a blank is 0 in each digit.

What a party learns here: nothing. Cost: digit vectors are local; under a shared selector one product a record and
digit of the first factor, one round; inner products are local.
"""

from __future__ import annotations

from math import prod

import numpy as np

from protocols import field as fp
from protocols import kernels, moments
from protocols.encoding import FigureEncoding
from protocols.engine import Engine, PublicMask, Shared, concatenate
from protocols.records import FigureRecords
from protocols.wide import WideTotal


def digit_vectors(figure: FigureRecords) -> Shared:
    """The digits of every record, 0 for a blank, most significant first: (D, n), degree t, local."""
    radices = figure.encoding.radices
    vectors = np.empty((len(radices), figure.count), dtype=np.uint64)
    for vector, radix, rows in zip(vectors, radices, figure.digits, strict=True):
        if figure.presence is None:
            vector[:] = radix - 1
        else:
            vector[:] = kernels.multiply_scalar(figure.presence.values, radix - 1)
        deficits = fp.from_ints(b - (radix - 1) for b in range(radix - 1))
        kernels.add_combination(vector, rows.values, deficits)
    return Shared(vectors)


async def select_digits(engine: Engine, digits: Shared, mask: PublicMask, selector: Shared | None) -> Shared:
    """`digits` (D, n) with those set to zero that do not count: degree t; one round where a secret says who."""
    if selector is None:
        return engine.select(digits, mask)
    repeated = Shared(np.broadcast_to(selector.values, digits.values.shape), selector.degree)
    return await engine.multiply(digits, repeated)


def square_total(
    engine: Engine,
    figure: FigureRecords,
    digits: Shared,
    selected: Shared,
    mask: PublicMask,
    selector: Shared | None,
    contributors: int,
) -> WideTotal:
    """sum u^2 over those that count; `selected` are the digits of `select_digits`, `contributors` N, open."""
    radices, weights = figure.encoding.radices, digit_weights(figure.encoding)
    factors: list[int] = []
    parts: list[Shared] = []
    for d, radix in enumerate(radices):
        counts = moments.symbol_counts(engine, figure.digits[d], mask, selector)
        deficits = fp.from_ints((radix - 1) ** 2 - b * b for b in range(radix - 1))
        below = counts.times(deficits).reshape(-1, 1).sum()
        factors.append(weights[d] ** 2)
        parts.append((-below).plus((radix - 1) ** 2 * contributors))
        if d + 1 < len(radices):
            factors += [2 * weights[d] * weight for weight in weights[d + 1 :]]
            parts.append(engine.inner_products(digits[d + 1 :], selected[d]))
    return WideTotal(
        tuple(factors), concatenate(parts), largest_product(figure.encoding, figure.encoding) * contributors
    )


def product_total(
    engine: Engine,
    first: FigureEncoding,
    selected: Shared,
    second: FigureEncoding,
    digits: Shared,
    contributors: int,
) -> WideTotal:
    """sum u v over those that count: `selected` digits of u (`first`) against all `digits` of v (`second`)."""
    factors: list[int] = []
    parts: list[Shared] = []
    for d, weight in enumerate(digit_weights(first)):
        factors += [weight * other for other in digit_weights(second)]
        parts.append(engine.inner_products(digits, selected[d]))
    return WideTotal(tuple(factors), concatenate(parts), largest_product(first, second) * contributors)


def digit_weights(encoding: FigureEncoding) -> list[int]:
    """w_d: u = sum_d w_d digit_d."""
    return [prod(encoding.radices[d + 1 :]) for d in range(len(encoding.radices))]


def largest_product(first: FigureEncoding, second: FigureEncoding) -> int:
    """The largest product of two digits of one record."""
    return (max(first.radices) - 1) * (max(second.radices) - 1)
