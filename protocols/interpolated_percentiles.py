"""Percentiles between two neighbours: numpy's `linear`, type 7 (protocol.md section 5).

With h = num (N - 1), the lower neighbour has rank floor(h / den) + 1, the upper one the next, and with f = h mod den
    y = (den - f) u_lower + f u_upper,    the percentile being  minimum + step (y / den - half).
Both neighbours are found in secret form and y is placed on the published grid by an opened search. y itself is never
opened: where its two neighbours are close they would fall out of it. Rounded to the publish step, ties up, is
    k = floor(y / (den G)),  G = publish_step / step    (half is G / 2; for G = 1, floor((2 y + den) / (2 den))).

What a party learns: the published percentiles, whose digits in base 16 the opened bits are.
Cost: two walks in secret form for each percentile (one where f = 0, none for a rank walked anyway), then 15
comparisons for each base-16 digit of the number of published values. Rounds, however many percentiles: those of the
secret form, 7 D, then 3 + 5 for each such digit.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import prod

from protocols.encoding import FigureEncoding
from protocols.engine import Engine, Shared
from protocols.locate import Place, locate, public_step
from protocols.order_statistics import Walk
from protocols.ranks import neighbours
from protocols.secret_order_statistics import SecretWalk, SharedStatistics, order_statistics, public_ranks

LABEL = "percentiles_linear"


async def percentiles(engine: Engine, walks: Sequence[Walk]) -> list[tuple[int, ...]]:
    """For each walk the k of every percentile, in the order of its quantiles.

    The published value is `encoding.published_value(k)`.
    """
    ranks = [walked_ranks(walk) for walk in walks]
    found = await order_statistics(
        engine,
        [
            SecretWalk(walk.figure, walk.mask, public_ranks(*own), walk.selector)
            for walk, own in zip(walks, ranks, strict=True)
        ],
    )
    places = [
        _place(walk, quantile, own, statistics)
        for walk, own, statistics in zip(walks, ranks, found, strict=True)
        for quantile in walk.quantiles
    ]
    located = iter(await locate(engine, places, LABEL))
    return [tuple(next(located) for _ in walk.quantiles) for walk in walks]


def walked_ranks(walk: Walk) -> list[int]:
    """The ranks, from 1, of all neighbours that the walk's percentiles lie between."""
    return sorted({rank for q in walk.quantiles for rank in neighbours(q, walk.contributors)})


def published_values(encoding: FigureEncoding) -> int:
    """How many values may be published: k lies below."""
    return prod(encoding.radices[: encoding.published_digits])


def _place(walk: Walk, quantile: Fraction, ranks: Sequence[int], found: SharedStatistics) -> Place:
    encoding, den = walk.figure.encoding, quantile.denominator
    fraction = quantile.numerator * (walk.contributors - 1) % den
    low, high = (_number(found, ranks, rank) for rank in neighbours(quantile, walk.contributors))
    y = low.times(den - fraction) + high.times(fraction)
    count = published_values(encoding)
    if encoding.half == 0:
        return Place(y.times(2).plus(den), public_step(2 * den), count, 2 * den * (encoding.size + 1))
    return Place(y, public_step(2 * den * encoding.half), count, den * encoding.size)


def _number(found: SharedStatistics, ranks: Sequence[int], rank: int) -> Shared:
    position = ranks.index(rank)
    return found.numbers[position : position + 1]
