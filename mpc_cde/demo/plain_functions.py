"""What each function answers, for somebody who may read every figure: exact fractions, from the definitions alone.

`None` is the answer of a function that is not defined for these figures: a ratio to nothing, a correlation with a
figure that is the same for all.
"""

from __future__ import annotations

import statistics
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, sqrt

import numpy as np

from mpc_cde.demo.plain_table import HALF, PlainGroup, PlainTable, Rows, to_grid

NOTHING = Fraction(0)
PLACE_PERCENT = 5


@dataclass(frozen=True, slots=True)
class PlainItem:
    """One cell that is asked for: `group` is None for all members, `row` who asks for its own place."""

    function: str
    figures: tuple[str, ...]
    group: PlainGroup | None = None
    quantiles: tuple[Fraction, ...] = ()
    grid: Fraction = Fraction(1)
    maximum: Fraction = Fraction(1)
    edges: tuple[Fraction, ...] = ()
    places: int = 0
    row: int | None = None

    @property
    def of_amounts(self) -> bool:
        """Whether rules about large contributions concern it: they do all but counts."""
        return self.function != "count@1"


Answer = Sequence[Fraction] | None


def answer(item: PlainItem, table: PlainTable, rows: Rows) -> Answer:
    """The values of the item over the contributors `rows`, as they are published."""
    return _FUNCTIONS[item.function](item, table, rows)


def inverted_cdf(ordered: Sequence[Fraction], quantile: Fraction) -> Fraction:
    """The smallest figure with at least quantile * N figures at or below it."""
    found = np.array(ordered, dtype=object)[
        ceil(quantile * len(ordered)) - 1
    ]  # objects: exact, however large
    if quantile == HALF and found != statistics.median_low(ordered):
        raise ArithmeticError("two definitions of the median disagree")
    return Fraction(found)


def linear(ordered: Sequence[Fraction], quantile: Fraction) -> Fraction:
    """Type 7: the point (N - 1) q of the line through the figures at 0, 1, ..., N - 1."""
    place = quantile * (len(ordered) - 1)
    below, above = ordered[floor(place)], ordered[ceil(place)]
    return below + (above - below) * (place - floor(place))


def nearest_point(grid: Fraction, reaches: Callable[[Fraction], bool], guess: int) -> Fraction:
    """The nearest multiple of the grid, ties up, to a number that is known by what it `reaches`.

    Multiple k is nearest where the number reaches the middle before it and not the one behind it.
    """
    k = guess
    while reaches(grid * (k + HALF)):
        k += 1
    while not reaches(grid * (k - HALF)):
        k -= 1
    return grid * k


def own_place(own: Fraction | None, others: Sequence[Fraction]) -> Fraction:
    """The percentage of the others that lie below, rounded down to a multiple of 5; 0 for a blank."""
    smaller = 0 if own is None else sum(other < own for other in others)
    return Fraction(PLACE_PERCENT * floor(Fraction(100, PLACE_PERCENT) * Fraction(smaller, len(others))))


def bucket_counts(item: PlainItem, table: PlainTable, rows: Rows) -> list[int]:
    """How many of `rows` lie below the first edge, from each edge to the next, and from the last edge on."""
    figure = table.figures[item.figures[0]]
    counts = [0] * (len(item.edges) + 1)
    for number in table.amounts(figure.name, rows):
        counts[bisect_right(item.edges, figure.published(number))] += 1
    return counts


def _count(item: PlainItem, table: PlainTable, rows: Rows) -> Answer:
    return [Fraction(len(rows))]


def _sum(item: PlainItem, table: PlainTable, rows: Rows) -> Answer:
    return [sum(table.amounts(item.figures[0], rows), NOTHING)]


def _mean(item: PlainItem, table: PlainTable, rows: Rows) -> Answer:
    mean = statistics.mean(table.amounts(item.figures[0], rows))
    return [to_grid(mean, table.figures[item.figures[0]].minimum, item.grid)]


def _variance(item: PlainItem, table: PlainTable, rows: Rows) -> Answer:
    return [to_grid(statistics.pvariance(table.amounts(item.figures[0], rows)), NOTHING, item.grid)]


def _standard_deviation(item: PlainItem, table: PlainTable, rows: Rows) -> Answer:
    variance = statistics.pvariance(table.amounts(item.figures[0], rows))
    return [
        nearest_point(
            item.grid,
            lambda number: number <= 0 or number * number <= variance,
            int(sqrt(variance) / float(item.grid)),
        )
    ]


def _ratio_of_totals(item: PlainItem, table: PlainTable, rows: Rows) -> Answer:
    above, below = (sum(table.amounts(name, rows), NOTHING) for name in item.figures)
    if below <= 0:
        return None
    return [min(to_grid(above / below, NOTHING, item.grid), item.maximum)]


def _correlation(item: PlainItem, table: PlainTable, rows: Rows) -> Answer:
    pairs = [tuple(table.exact(name, row) for name in item.figures) for row in sorted(rows)]
    first, second = (statistics.mean(column) for column in zip(*pairs, strict=True))
    together = sum(((x - first) * (y - second) for x, y in pairs), NOTHING)
    apart = sum(((x - first) ** 2 for x, _ in pairs), NOTHING) * sum(
        ((y - second) ** 2 for _, y in pairs), NOTHING
    )
    if not apart:
        return None
    grid = Fraction(1, 10**item.places)
    guess = floor(float(together) / sqrt(apart) / float(grid))
    return [
        nearest_point(grid, lambda number: number * abs(number) * apart <= together * abs(together), guess)
    ]


def _histogram(item: PlainItem, table: PlainTable, rows: Rows) -> Answer:
    return [Fraction(count) for count in bucket_counts(item, table, rows)]


def _percentiles(item: PlainItem, table: PlainTable, rows: Rows) -> Answer:
    figure = table.figures[item.figures[0]]
    published = [figure.published(number) for number in table.amounts(figure.name, rows)]
    return [inverted_cdf(published, quantile) for quantile in item.quantiles]


def _percentiles_linear(item: PlainItem, table: PlainTable, rows: Rows) -> Answer:
    figure = table.figures[item.figures[0]]
    ordered = table.amounts(figure.name, rows)
    return [figure.published(linear(ordered, quantile)) for quantile in item.quantiles]


def _own_rank(item: PlainItem, table: PlainTable, rows: Rows) -> Answer:
    if item.row is None:
        raise ValueError("nobody asks for its own place")
    name = item.figures[0]
    if item.row not in rows:  # it left the figure blank
        return [own_place(None, table.amounts(name, rows))]
    return [own_place(table.exact(name, item.row), table.amounts(name, rows - {item.row}))]


_FUNCTIONS: Mapping[str, Callable[[PlainItem, PlainTable, Rows], Answer]] = {
    "count@1": _count,
    "sum@1": _sum,
    "mean@1": _mean,
    "variance@1": _variance,
    "standard_deviation@1": _standard_deviation,
    "ratio_of_totals@1": _ratio_of_totals,
    "correlation@1": _correlation,
    "histogram@1": _histogram,
    "percentiles@1": _percentiles,
    "percentiles_linear@1": _percentiles_linear,
    "own_rank@1": _own_rank,
}
