"""The published cells beside the plain ones: every value to the last digit, every N, every withheld cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mpc_cde.client.own_place import OwnPlace
from mpc_cde.demo.plain import PlainCell
from mpc_cde.demo.plain_facts import plain_item
from mpc_cde.demo.plain_functions import PlainItem
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
    """`compared` cells, those that differ, and by rule those that are withheld on both sides, in words.

    Which rule it was only the plain calculation says; a result says `minimum` or `disclosure`.
    """

    compared: int = 0
    withheld_by: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    differences: tuple[Difference, ...] = ()

    @property
    def withheld(self) -> int:
        """How many cells are withheld on both sides."""
        return sum(len(cells) for cells in self.withheld_by.values())

    @property
    def all_equal(self) -> bool:
        """Whether something was compared and nothing differs."""
        return self.compared > 0 and not self.differences

    def joined(self, other: Comparison) -> Comparison:
        """Both comparisons in one."""
        rules = [*self.withheld_by, *(rule for rule in other.withheld_by if rule not in self.withheld_by)]
        return Comparison(
            self.compared + other.compared,
            {rule: (*self.withheld_by.get(rule, ()), *other.withheld_by.get(rule, ())) for rule in rules},
            (*self.differences, *other.differences),
        )


def compare(expected: Sequence[PlainCell], published: Sequence[Cell]) -> Comparison:
    """Cell by cell, in order; a cell too many or too few is a difference too."""
    differences = []
    withheld: dict[str, tuple[str, ...]] = {}
    for position in range(max(len(expected), len(published))):
        plain = expected[position] if position < len(expected) else None
        cell = published[position] if position < len(published) else None
        name = describe_item(plain.item if plain is not None else plain_item(published[position]))
        wanted, found = _plain_text(plain), _published_text(cell, plain)
        if wanted != found:
            differences.append(Difference(name, wanted, found))
        elif plain is not None and plain.rule is not None:
            withheld[plain.rule] = (*withheld.get(plain.rule, ()), name)
    return Comparison(max(len(expected), len(published)), withheld, tuple(differences))


def item_of(cell: Cell) -> QueryItem:
    """What was asked for."""
    return QueryItem(
        function=cell.function, figures=cell.figures, group=cell.group, parameters=cell.parameters
    )


def opened_cell(place: OwnPlace) -> Cell:
    """The cell as its member reads it: with its place where the sealed shares stand."""
    if place.percent is None:
        return place.cell
    return place.cell.model_copy(update={"sealed": None, "values": (str(place.percent),)})


def describe_item(item: PlainItem) -> str:
    """ "percentiles@1 of annual_sales where full_timers_class is 1-2 (1/4, 1/2, 3/4)"."""
    group = "" if item.group is None else f" where {item.group[0]} is {item.group[1]}"
    quantiles = f" ({', '.join(str(quantile) for quantile in item.quantiles)})" if item.quantiles else ""
    return f"{item.function} of {' and '.join(item.figures)}{group}{quantiles}"


def _plain_text(cell: PlainCell | None) -> str:
    if cell is None:
        return "no cell"
    if cell.values is None:
        return f"withheld: {cell.withheld}"
    return _values_text([decimal_text(value) for value in cell.values], cell.contributors)


def _published_text(cell: Cell | None, plain: PlainCell | None) -> str:
    if cell is None:
        return "no cell"
    if plain is not None and plain_item(cell, row=plain.item.row) != plain.item:
        return f"another cell: {describe_item(plain_item(cell))}"
    if cell.withheld is not None:
        return f"withheld: {cell.withheld}"
    return _values_text(list(cell.values or ()), cell.contributors)


def _values_text(values: list[str], contributors: int | None) -> str:
    return f"{', '.join(values)} from {contributors} contributors"
