"""The published cells beside the plain ones: every value to the last digit, every N, every withheld cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from mpc_cde.demo.plain import PlainCell, PlainItem
from mpc_cde.documents.canonical import decimal_text
from mpc_cde.documents.query import QueryItem
from mpc_cde.documents.result import Cell


@dataclass(frozen=True, slots=True)
class Difference:
    """One cell that is not what the plain calculation says, both in words."""

    cell: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """`compared` cells of which `withheld` are withheld on both sides, and all that differ."""

    compared: int
    withheld: int
    differences: tuple[Difference, ...]

    @property
    def all_equal(self) -> bool:
        """Whether something was compared and nothing differs."""
        return self.compared > 0 and not self.differences


def plain_item(item: QueryItem | Cell) -> PlainItem:
    """An item of a query, or a cell of a result, in the terms of the plain calculation."""
    quantiles = item.parameters.get("quantiles", ())
    if not isinstance(quantiles, tuple):
        raise TypeError("quantiles are a tuple of fractions")
    group = None if item.group is None else (item.group.attribute, item.group.value)
    return PlainItem(item.function, item.figures[0], group, tuple(Fraction(text) for text in quantiles))


def compare(expected: Sequence[PlainCell], published: Sequence[Cell]) -> Comparison:
    """Cell by cell, in order; a cell too many or too few is a difference too."""
    differences = []
    withheld = 0
    for position in range(max(len(expected), len(published))):
        plain = expected[position] if position < len(expected) else None
        cell = published[position] if position < len(published) else None
        name = describe_item(plain.item if plain is not None else plain_item(published[position]))
        wanted, found = _plain_text(plain), _published_text(cell, plain)
        if wanted != found:
            differences.append(Difference(name, wanted, found))
        elif plain is not None and plain.withheld is not None:
            withheld += 1
    return Comparison(max(len(expected), len(published)), withheld, tuple(differences))


def describe_item(item: PlainItem) -> str:
    """ "percentiles@1 of annual_sales where full_timers_class is 1-2 (1/4, 1/2, 3/4)"."""
    group = "" if item.group is None else f" where {item.group[0]} is {item.group[1]}"
    quantiles = f" ({', '.join(str(quantile) for quantile in item.quantiles)})" if item.quantiles else ""
    return f"{item.function} of {item.figure}{group}{quantiles}"


def _plain_text(cell: PlainCell | None) -> str:
    if cell is None:
        return "no cell"
    if cell.values is None:
        return f"withheld: {cell.withheld}"
    return _values_text([decimal_text(value) for value in cell.values], cell.contributors)


def _published_text(cell: Cell | None, plain: PlainCell | None) -> str:
    if cell is None:
        return "no cell"
    if plain is not None and plain_item(cell) != plain.item:
        return f"another cell: {describe_item(plain_item(cell))}"
    if cell.withheld is not None:
        return f"withheld: {cell.withheld}"
    return _values_text(list(cell.values or ()), cell.contributors)


def _values_text(values: list[str], contributors: int | None) -> str:
    return f"{', '.join(values)} from {contributors} contributors"
