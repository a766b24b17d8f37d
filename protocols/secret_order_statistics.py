"""Exact order statistics that stay shared: the secret form of the walk (protocol.md section 5).

As in order_statistics.py the parties count, digit by digit, how many records of the current prefix have a symbol
<= b, and compare the running counts P_b with the rank K. Here the bits g_b = [P_b >= K] stay shared; so do the
symbol sel_b = g_b - g_{b-1}, the rank left K - sum_b sel_b P_{b-1}, and the prefix: the selector is multiplied by
e = sum_b sel_b h[d][b]. All digits are walked, so the result is u itself, with its indicators.

Input: ranks, public or shared. A rank below 1 finds 0, and one above the number of records the largest possible u.
What a party learns: nothing. Every opening is a comparison's, under a uniform mask.

Cost for one rank over n records and D digits: 2 D - 3 products of n (2 D - 2 where the selector is secret), and
r_d - 1 comparisons a digit. Records outside a public mask cost nothing. Rounds, however many walks and ranks: 3 for
the masks, then 5 a digit (the counts are reshared meanwhile) and 2 for the selectors, of which the first digit
needs 1 under a public selector and the last none: 7 D, or 7 D + 1 where a selector is secret; 8 for one digit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from protocols import field as fp
from protocols.effects import together
from protocols.engine import Engine, PublicMask, Shared, concatenate, require_bounded
from protocols.errors import OutOfRange
from protocols.group_columns import GroupColumns
from protocols.moments import at_degree_t
from protocols.records import FigureRecords


@dataclass(frozen=True, slots=True)
class SecretWalk:
    """The order statistics of one figure at `ranks` (k,), from 1: the smallest u with so many records <= u.

    Over the records that the public `mask` selects, and the shared bits `selector` (n,) too if there are any.
    Shared ranks have degree t and lie, in public, between minus and plus 2^59.
    """

    figure: FigureRecords
    mask: PublicMask
    ranks: Shared
    selector: Shared | None = None

    def __post_init__(self) -> None:
        if self.ranks.values.ndim != 1 or not len(self.ranks) or self.ranks.degree != 1:
            raise OutOfRange("a secret walk looks for one or several ranks of degree t")
        if len(self.mask) != self.figure.count:
            raise OutOfRange("a mask has one entry for each record")
        require_bounded(2 * len(self.mask))

    @property
    def comparisons(self) -> int:
        return len(self.ranks) * sum(radix - 1 for radix in self.figure.encoding.radices)


@dataclass(frozen=True, slots=True)
class SharedStatistics:
    """What a walk found, all of degree t.

    `numbers` (k,): u at each rank. `indicators[d]` (k, r_d): which symbol digit d of it is, the last one included.
    """

    numbers: Shared
    indicators: tuple[Shared, ...]


def public_ranks(*ranks: int) -> Shared:
    """Ranks that everybody may know, as a sharing."""
    return Shared(fp.from_ints(ranks))


async def order_statistics(engine: Engine, walks: Sequence[SecretWalk]) -> list[SharedStatistics]:
    """What each walk finds, in their order."""
    await engine.prepare_comparisons(sum(walk.comparisons for walk in walks))
    strands = [_strands(engine, walk) for walk in walks]
    digit = 0
    while going_on := [strand for own in strands for strand in own if digit < strand.columns.depth]:
        await _find_symbols(engine, going_on, digit)
        await _select(engine, [strand for strand in going_on if digit + 1 < strand.columns.depth], digit)
        digit += 1
    return [_gather(own) for own in strands]


@dataclass(slots=True)
class _Strand:
    """One rank of a walk: what is left of it, who shares the prefix (None: all), the symbols (r_d,) found."""

    columns: GroupColumns
    left: Shared
    selector: Shared | None
    symbols: list[Shared] = field(default_factory=list)

    def running_counts(self, engine: Engine, digit: int) -> Shared:
        """P_b for every symbol but the last."""
        counts = self.columns.counts(engine, digit, self.selector)
        return Shared(fp.cumulative(counts.values), counts.degree)


def _strands(engine: Engine, walk: SecretWalk) -> list[_Strand]:
    columns = GroupColumns(walk.figure, walk.mask)
    selector = None if walk.selector is None else columns.within(walk.selector)
    return [_Strand(columns, walk.ranks[i : i + 1], selector) for i in range(len(walk.ranks))]


async def _find_symbols(engine: Engine, strands: Sequence[_Strand], digit: int) -> None:
    """The shared symbol of every strand at `digit`, and the rank left below it."""
    running = [strand.running_counts(engine, digit) for strand in strands]
    compared = [
        counts - Shared(np.repeat(strand.left.values, len(counts)), strand.left.degree)
        for strand, counts in zip(strands, running, strict=True)
    ]
    reached, counted = await together(
        engine.at_least_zero(concatenate(compared)), at_degree_t(engine, running)
    )
    offset = 0
    for strand, below in zip(strands, counted, strict=True):
        bits = reached[offset : offset + len(below)]
        offset += len(below)
        symbol = concatenate([bits, public_ranks(1)]) - concatenate([public_ranks(0), bits])
        strand.symbols.append(symbol)
        strand.left = strand.left - engine.inner_products(below.reshape(1, -1), symbol[1:])


async def _select(engine: Engine, strands: Sequence[_Strand], digit: int) -> None:
    """Narrow every strand to the records that have the symbol found: one resharing, or two after the first."""
    if not strands:
        return
    matching = await at_degree_t(
        engine, [strand.columns.matching(engine, digit, strand.symbols[digit]) for strand in strands]
    )
    narrowed = [strand for strand in strands if strand.selector is not None]
    products = [
        engine.product(strand.selector, matches)
        for strand, matches in zip(strands, matching, strict=True)
        if strand.selector is not None
    ]
    for strand, matches in zip(strands, matching, strict=True):
        strand.selector = matches
    if products:
        for strand, selector in zip(narrowed, await at_degree_t(engine, products), strict=True):
            strand.selector = selector


def _gather(strands: Sequence[_Strand]) -> SharedStatistics:
    encoding = strands[0].columns.figure.encoding
    weight, numbers = encoding.size, Shared(np.zeros(len(strands), dtype=np.uint64))
    indicators = []
    for digit, radix in enumerate(encoding.radices):
        weight //= radix
        symbols = Shared(np.stack([strand.symbols[digit].values for strand in strands], axis=1))
        values = np.arange(radix, dtype=np.uint64)[:, np.newaxis]
        numbers = numbers + symbols.times(values).sum().times(weight)
        indicators.append(Shared(symbols.values.T.copy()))
    return SharedStatistics(numbers, tuple(indicators))
