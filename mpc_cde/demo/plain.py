"""The plain calculation: what the answers must be, for somebody who may read every figure.

Written from the definitions alone and from nothing that the product computes with: it uses only csv,
fractions, statistics and numpy, so that an error in the product cannot be repeated here. Everything is exact.

Definitions. A figure x lies on the grid minimum + k step (rounded to it, ties up, where the study rounds).
Its published form is minimum + k publish_step, nearest, ties up. A percentile q of N figures is the published
form of the figure of rank ceil(q N) (`inverted_cdf`). A cell is withheld as "minimum" if fewer than the
minimum contribute, and percentiles as "disclosure" if any rank has fewer than the minimum on one of its sides
or between it and its neighbour, taken together with the percentiles of the same figure and group released
before.
"""

from __future__ import annotations

import csv
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor, prod

import numpy as np

HALF = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class PlainFormula:
    """sum or product of all operands, difference a - b, ratio a / b, growth (a - b) / b; times `scale`."""

    operation: str
    operands: tuple[str, ...]
    scale: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True)
class PlainFigure:
    """A number on its grid; or, without a step, a category of which only contributors are counted."""

    name: str
    minimum: Fraction = Fraction(0)
    step: Fraction | None = None
    publish_step: Fraction | None = None
    formula: PlainFormula | None = None

    def given_in(self, row: Mapping[str, str]) -> bool:
        """Whether the member of this row gave the figure: no blank among the cells that it comes from."""
        cells = (self.name,) if self.formula is None else self.formula.operands
        return all(row[cell] for cell in cells)

    def exact(self, row: Mapping[str, str]) -> Fraction:
        """The member's figure on the grid."""
        if self.step is None:
            raise ValueError(f"{self.name}: only numbers have sums and percentiles")
        if self.formula is None:
            return to_grid(Fraction(row[self.name]), self.minimum, self.step)
        return to_grid(derived(self.formula, row), self.minimum, self.step)


@dataclass(frozen=True, slots=True)
class PlainClass:
    """Members whose `column` lies in [lower, upper), or reads `text`; they form the group `value`."""

    attribute: str
    value: str
    column: str
    lower: Fraction | None = None
    upper: Fraction | None = None
    text: str | None = None

    def holds(self, cell: str) -> bool:
        """Whether a member with this cell belongs to the class; a blank belongs to none."""
        if not cell or self.text is not None:
            return bool(cell) and cell == self.text
        number = Fraction(cell)
        return (self.lower is None or number >= self.lower) and (self.upper is None or number < self.upper)


@dataclass(frozen=True, slots=True)
class PlainItem:
    """One cell that is asked for: `group` is (attribute, value) or None for all members."""

    function: str
    figure: str
    group: tuple[str, str] | None = None
    quantiles: tuple[Fraction, ...] = ()


@dataclass(frozen=True, slots=True)
class PlainCell:
    """What the product must publish: exact values and N, or the rule that withholds the cell."""

    item: PlainItem
    values: tuple[Fraction, ...] | None
    contributors: int | None
    withheld: str | None


@dataclass(frozen=True, slots=True)
class PlainRules:
    """Least number of contributors of a cell over all members, and over a group."""

    minimum: int
    minimum_group: int

    def least(self, group: tuple[str, str] | None) -> int:
        return self.minimum if group is None else self.minimum_group


def read_rows(path: str) -> list[dict[str, str]]:
    """The rows of a CSV file as text; comma, semicolon or tab, whichever the heading holds most of."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        heading = file.readline()
        delimiter = max(",;\t", key=heading.count)
        file.seek(0)
        rows = csv.DictReader(file, delimiter=delimiter)
        cells = [{key.strip(): (cell or "").strip() for key, cell in row.items() if key} for row in rows]
    return [row for row in cells if any(row.values())]


def calculate(
    rows: Sequence[Mapping[str, str]],
    figures: Iterable[PlainFigure],
    classes: Iterable[PlainClass],
    items: Iterable[PlainItem],
    rules: PlainRules,
) -> list[PlainCell]:
    """The expected cell of each item, in order; items are judged in that order."""
    by_name = {figure.name: figure for figure in figures}
    by_group = {(a_class.attribute, a_class.value): a_class for a_class in classes}
    released: dict[tuple[str, tuple[str, str] | None], set[Fraction]] = {}
    cells = []
    for item in items:
        figure = by_name[item.figure]
        members = rows
        if item.group is not None:
            a_class = by_group[item.group]
            members = [row for row in rows if a_class.holds(row[a_class.column])]
        given = [row for row in members if figure.given_in(row)]
        least = rules.least(item.group)
        if len(given) < least:
            cells.append(PlainCell(item, None, None, "minimum"))
            continue
        before = released.setdefault((item.figure, item.group), set())
        if item.quantiles and not ranks_are_far_apart(before | set(item.quantiles), len(given), least):
            cells.append(PlainCell(item, None, None, "disclosure"))
            continue
        before |= set(item.quantiles)
        cells.append(PlainCell(item, tuple(_values(item, figure, given)), len(given), None))
    return cells


def ranks_are_far_apart(quantiles: Iterable[Fraction], number: int, least: int) -> bool:
    """Whether `least` of the `number` figures lie below, above and between the ranks of the quantiles."""
    ranks = sorted(ceil(quantile * number) for quantile in quantiles)
    fences = [0, *ranks, number + 1]
    return all(upper - lower - 1 >= least for lower, upper in pairwise(fences))


def inverted_cdf(figures: Sequence[Fraction], quantile: Fraction) -> Fraction:
    """The smallest figure with at least quantile * N figures at or below it."""
    ordered = np.sort(np.array(figures, dtype=object), kind="stable")  # objects: exact, however large
    found = ordered[ceil(quantile * len(figures)) - 1]
    if quantile == HALF and found != statistics.median_low(figures):
        raise ArithmeticError("two definitions of the median disagree")
    return Fraction(found)


def to_grid(number: Fraction, minimum: Fraction, step: Fraction) -> Fraction:
    """The nearest minimum + k step; of two the higher."""
    return minimum + step * floor((number - minimum) / step + HALF)


def derived(formula: PlainFormula, row: Mapping[str, str]) -> Fraction:
    """The value of a formula from the cells of one row, exactly."""
    numbers = [Fraction(row[cell]) for cell in formula.operands]
    first, second = numbers[0], numbers[1]
    results = {
        "sum": lambda: sum(numbers, Fraction(0)),
        "product": lambda: prod(numbers, start=Fraction(1)),
        "difference": lambda: first - second,
        "ratio": lambda: first / second,
        "growth": lambda: first / second - 1,
    }
    return formula.scale * results[formula.operation]()


def _values(item: PlainItem, figure: PlainFigure, given: Sequence[Mapping[str, str]]) -> Iterator[Fraction]:
    if item.function == "count@1":
        yield Fraction(len(given))
    elif item.function == "sum@1":
        yield sum((figure.exact(row) for row in given), Fraction(0))
    elif item.function == "percentiles@1":
        publish_step = figure.publish_step or Fraction(1)
        rounded = [to_grid(figure.exact(row), figure.minimum, publish_step) for row in given]
        for quantile in item.quantiles:
            yield inverted_cdf(rounded, quantile)
    else:
        raise ValueError(f"the plain calculation knows no {item.function}")
