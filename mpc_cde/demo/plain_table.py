"""What the open table says: figures on their grid, who gave them, who belongs to which group.

Part of the plain calculation: written from the definitions, with nothing that the product computes with.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import floor, prod

HALF = Fraction(1, 2)

PlainGroup = tuple[str, str]
"""An attribute and its value; or a category figure and one category, "blank" for those that left it blank."""

BLANK = "blank"

Rows = frozenset[int]
"""Members, by their number in the table."""


@dataclass(frozen=True, slots=True)
class PlainFormula:
    """sum or product of all operands, difference a - b, ratio a / b, growth (a - b) / b; times `scale`."""

    operation: str
    operands: tuple[str, ...]
    scale: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True)
class PlainFigure:
    """A number on its grid; or, without a step, one of some categories."""

    name: str
    minimum: Fraction = Fraction(0)
    step: Fraction | None = None
    publish_step: Fraction | None = None
    formula: PlainFormula | None = None
    categories: tuple[str, ...] = ()
    blank_allowed: bool = True

    def given_in(self, row: Mapping[str, str]) -> bool:
        """Whether the member of this row gave the figure: no blank among the cells that it comes from."""
        cells = (self.name,) if self.formula is None else self.formula.operands
        return all(row[cell] for cell in cells)

    def exact(self, row: Mapping[str, str]) -> Fraction:
        """The member's figure on the grid."""
        if self.step is None:
            raise ValueError(f"{self.name}: only numbers have amounts")
        value = Fraction(row[self.name]) if self.formula is None else derived(self.formula, row)
        return to_grid(value, self.minimum, self.step)

    def published(self, number: Fraction) -> Fraction:
        """The published form of a number: the nearest minimum + k publish_step, of two the higher."""
        return to_grid(number, self.minimum, self.publish_step or Fraction(1))


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


class PlainTable:
    """The rows of everybody, with the study's figures and classes."""

    def __init__(
        self,
        rows: Sequence[Mapping[str, str]],
        figures: Iterable[PlainFigure],
        classes: Iterable[PlainClass],
    ) -> None:
        self._rows = rows
        self.figures = {figure.name: figure for figure in figures}
        self._classes: dict[PlainGroup, PlainClass] = {(one.attribute, one.value): one for one in classes}
        self.everybody: Rows = frozenset(range(len(rows)))
        self.members = cache(self._members)
        self.exact = cache(self._exact)

    def _members(self, group: PlainGroup | None) -> Rows:
        """Who belongs to the group; everybody for None."""
        if group is None:
            return self.everybody
        attribute, value = group
        if attribute in self.figures:
            wanted = "" if value == BLANK and self.figures[attribute].blank_allowed else value
            return frozenset(n for n, row in enumerate(self._rows) if row[attribute] == wanted)
        one = self._classes[group]
        return frozenset(n for n, row in enumerate(self._rows) if one.holds(row[one.column]))

    def _exact(self, name: str, row: int) -> Fraction:
        return self.figures[name].exact(self._rows[row])

    def groups_of(self, attribute: str) -> list[PlainGroup]:
        """The groups of an attribute or category, in the order of the study; that of the blanks last."""
        if attribute not in self.figures:
            return [group for group in self._classes if group[0] == attribute]
        figure = self.figures[attribute]
        blanks = [(attribute, BLANK)] if figure.blank_allowed else []
        return [*((attribute, category) for category in figure.categories), *blanks]

    def may_be_negative(self, figures: Iterable[str]) -> bool:
        """Whether one of the figures may lie below zero."""
        return any(self.figures[name].minimum < 0 for name in figures)

    def contributors(self, figures: Iterable[str], rows: Rows) -> Rows:
        """Those of `rows` that gave all the figures."""
        wanted = [self.figures[name] for name in figures]
        return frozenset(n for n in rows if all(figure.given_in(self._rows[n]) for figure in wanted))

    def amounts(self, name: str, rows: Iterable[int]) -> list[Fraction]:
        """The exact figures of these members, ascending."""
        return sorted(self.exact(name, row) for row in rows)

    def visible_size(self, group: PlainGroup | None) -> int:
        """How large the group looks to whoever sees no figure: a secret category may hold everybody."""
        return len(self.everybody if self.is_secret(group) else self.members(group))

    def is_secret(self, group: PlainGroup | None) -> bool:
        """Whether only the members' own figures say who is in it."""
        return group is not None and group[0] in self.figures

    def leave_nobody_out(self, groups: Sequence[PlainGroup]) -> bool:
        """Whether everybody belongs to one of these groups of one partition, as whoever sees no figure can tell."""
        if any(self.is_secret(group) for group in groups):
            return set(groups) == set(self.groups_of(groups[0][0]))
        return not self.everybody.difference(*(self.members(group) for group in groups))


def read_rows(path: str) -> list[dict[str, str]]:
    """The rows of a CSV file as text; comma, semicolon or tab, whichever the heading holds most of."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        heading = file.readline()
        delimiter = max(",;\t", key=heading.count)
        file.seek(0)
        rows = csv.DictReader(file, delimiter=delimiter)
        cells = [{key.strip(): (cell or "").strip() for key, cell in row.items() if key} for row in rows]
    return [row for row in cells if any(row.values())]


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
