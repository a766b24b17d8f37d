"""Ranks of percentiles, and how far apart those of one figure and group must stand (protocol.md section 7).

Functions of the open N, computed in the clear: by every party before it opens, and by anybody who reads a result.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise


def rank(quantile: Fraction, number: int) -> int:
    """k = ceil(q N): the rank of the order statistic, from 1."""
    return -(-quantile.numerator * number // quantile.denominator)


def neighbours(quantile: Fraction, number: int) -> tuple[int, int]:
    """The ranks that the linear percentile lies between, floor(q (N - 1)) + 1 and the next.

    Twice the same where the percentile is one contributor's figure.
    """
    whole, rest = divmod(quantile.numerator * (number - 1), quantile.denominator)
    return whole + 1, whole + 1 + (rest > 0)


def ranks_are_safe(
    quantiles: Iterable[Fraction],
    released: Iterable[Fraction],
    number: int,
    minimum: int,
    linear: Iterable[Fraction] = (),
) -> bool:
    """Whether every rank has `minimum` contributors on each side and between it and its neighbours.

    Taken over the union of the quantiles asked for and those already `released` of this figure and group;
    `linear` are those of percentiles_linear@1, asked for or released, which take one or two ranks each. Two
    different quantiles at one rank are refused: nobody lies between them.
    """
    exact = ((q, (rank(q, number), rank(q, number))) for q in (*quantiles, *released))
    spans = sorted({*exact, *((q, neighbours(q, number)) for q in linear)}, key=lambda found: found[1])
    if not spans:
        return True
    if spans[0][1][0] - 1 < minimum or any(number - high < minimum for _, (_, high) in spans):
        return False
    return all(upper - lower - 1 >= minimum for (_, (_, lower)), (_, (upper, _)) in pairwise(spans))
