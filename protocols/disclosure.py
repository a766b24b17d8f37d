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
from protocols.errors import PeerDeviation


async def reach_minimum(
    engine: Engine, numbers: Sequence[Shared | int], minimums: Sequence[int]
) -> list[bool]:
    """For each group [N >= minimum]: in the clear where N is public, else one opened bit. Rounds: 2 + 6."""
    found = [
        isinstance(number, int) and number >= minimum
        for number, minimum in zip(numbers, minimums, strict=True)
    ]
    secret = [index for index, number in enumerate(numbers) if isinstance(number, Shared)]
    if secret:
        counts = concatenate([_shared(numbers[index]) for index in secret])
        floors = np.array([minimums[index] for index in secret], dtype=np.uint64)
        enough = await engine.reveal_at_least_zero(
            counts - Shared(floors), "disclosure: contributors >= minimum"
        )
        for index, passes in zip(secret, enough, strict=True):
            found[index] = bool(passes)
    return found


async def reveal_contributors(engine: Engine, numbers: Sequence[Shared | int]) -> list[int]:
    """N of each group that is published, opened where it is not public anyway: one round."""
    secret = [number for number in numbers if isinstance(number, Shared)]
    opened = iter(await engine.reveal(concatenate(secret), "contributors") if secret else ())
    return [number if isinstance(number, int) else int(next(opened)) for number in numbers]


async def reveal_bits(engine: Engine, bits: Sequence[Shared], label: str) -> list[bool]:
    """Open shared verdicts (1,), in one round. Raises PeerDeviation if one is no bit."""
    if not bits:
        return []
    opened = await engine.reveal(concatenate(bits), label)
    if (opened > 1).any():
        raise PeerDeviation(f"an opened verdict is not a bit ({label}): some party deviated")
    return [bool(bit) for bit in opened]


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
