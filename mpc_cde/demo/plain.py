"""The plain calculation: what the answers must be, for somebody who may read every figure.

Written from the definitions alone and from nothing that the product computes with: it uses only csv,
fractions, statistics and numpy, so that an error in the product cannot be repeated here. Everything is exact.

plain_table       figures on their grid, who gave them, who belongs to which group
plain_functions   what each function answers
plain_study       which figures are related by the study's functions
plain_rules       which cells are withheld, and by which rule
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from mpc_cde.demo.plain_functions import PlainItem, answer
from mpc_cde.demo.plain_rules import MINIMUM, PlainRules, verdicts
from mpc_cde.demo.plain_study import PlainFunction
from mpc_cde.demo.plain_table import PlainClass, PlainFigure, PlainTable

PUBLISHED_WORDS = {None: None, MINIMUM: "minimum"}
"""What a result says of a withheld cell; any other rule is `disclosure`."""


@dataclass(frozen=True, slots=True)
class PlainCell:
    """What the product must publish: exact values and N, or by which rule the cell is withheld."""

    item: PlainItem
    values: tuple[Fraction, ...] | None
    contributors: int | None
    rule: str | None

    @property
    def withheld(self) -> str | None:
        """The word that is published in the place of the values."""
        return PUBLISHED_WORDS.get(self.rule, "disclosure")


def calculate(
    rows: Sequence[Mapping[str, str]],
    figures: Iterable[PlainFigure],
    classes: Iterable[PlainClass],
    study: Sequence[PlainFunction],
    items: Iterable[PlainItem],
    rules: PlainRules,
    earlier: Iterable[PlainCell] = (),
) -> list[PlainCell]:
    """The expected cell of each item, in order; `earlier` are those of queries answered before, in theirs."""
    table = PlainTable(rows, figures, classes)
    asked = list(items)
    before = [cell.item for cell in earlier if cell.rule is None]
    found = verdicts(table, study, asked, rules, before)
    return [_cell(item, table, rule) for item, rule in zip(asked, found, strict=True)]


def _cell(item: PlainItem, table: PlainTable, rule: str | None) -> PlainCell:
    if rule is not None:
        return PlainCell(item, None, None, rule)
    rows = table.contributors(item.figures, table.members(item.group))
    return PlainCell(item, tuple(answer(item, table, rows) or ()), len(rows), None)
