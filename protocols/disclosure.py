"""Disclosure control: what must hold before anything opens (protocol.md section 7, rules.md).

The minimum is checked inside, as one bit a cell; where it passes N opens and is published. The rules about ranks
are functions of the open N, so they are computed in the clear, by the same code at every party.

What a party learns of a cell that fails: that it fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np

from protocols.engine import Engine, Shared, concatenate


async def contributors(
    engine: Engine, presences: Sequence[Shared | int], minimums: Sequence[int]
) -> list[int | None]:
    """N of each cell, or None where it lies below the cell's minimum.

    `presences`: the shared number of contributors (1,), or a plain one where it is public anyway. Two openings
    for all cells together: the bits [N >= minimum], then N of those that pass. Rounds: 2 + 6 + 1.
    """
    found: list[int | None] = [
        presence if isinstance(presence, int) and presence >= minimum else None
        for presence, minimum in zip(presences, minimums, strict=True)
    ]
    secret = [index for index, presence in enumerate(presences) if isinstance(presence, Shared)]
    if not secret:
        return found
    counts = concatenate([_shared(presences[index]) for index in secret])
    floors = np.array([minimums[index] for index in secret], dtype=np.uint64)
    enough = await engine.reveal_at_least_zero(counts - Shared(floors), "disclosure: contributors >= minimum")
    passing = [position for position, passes in enumerate(enough) if passes]
    if passing:
        opened = await engine.reveal(
            concatenate([counts[position : position + 1] for position in passing]), "contributors"
        )
        for position, number in zip(passing, opened, strict=True):
            found[secret[position]] = int(number)
    return found


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


def _shared(presence: Shared | int) -> Shared:
    if isinstance(presence, int):
        raise TypeError("a public count needs no protocol")
    return presence
