"""Which cells of a query are published, and which are withheld by which rule: before any value opens.

In phases, each for all cells together, so that rounds do not grow with cells: the minimum; N of the cells that pass;
the rules about ranks, in query order: what an earlier item releases counts as released for a later one.

What a party learns: of a cell that fails the minimum, that it does; of the others N.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from protocols import disclosure
from protocols.cells import WITHHELD_DISCLOSURE, WITHHELD_MINIMUM, Cell, Group
from protocols.engine import Engine
from protocols.selection import count_contributors


async def judge(engine: Engine, cells: Sequence[Cell]) -> None:
    """Set `withheld`, or N, of each cell."""
    await _find_contributors(engine, cells)
    _judge_ranks(cells)


async def _find_contributors(engine: Engine, cells: Sequence[Cell]) -> None:
    """One bit, then N, for each distinct set of figures, group and minimum."""
    distinct = list({cell.key: cell for cell in cells}.values())
    presences = await count_contributors(engine, distinct)
    numbers = await disclosure.contributors(engine, presences, [cell.request.minimum for cell in distinct])
    found = {cell.key: number for cell, number in zip(distinct, numbers, strict=True)}
    for cell in cells:
        cell.contributors = found[cell.key]
        if cell.contributors is None:
            cell.withheld = WITHHELD_MINIMUM


def _judge_ranks(cells: Sequence[Cell]) -> None:
    """Withhold percentiles that stand too close to an end or to each other, in query order."""
    released: dict[tuple[tuple[str, ...], Group], tuple[set[Fraction], set[Fraction]]] = {}
    for cell in cells:
        if not cell.quantiles or not cell.is_open:
            continue
        request = cell.request
        exact, linear = released.setdefault((request.figures, request.group), (set(), set()))
        exact |= set(request.released)
        linear |= set(request.released_linear)
        interpolated = request.function == "percentiles_linear@1"
        exact_asked = () if interpolated else cell.quantiles
        linear_asked = {*linear, *cell.quantiles} if interpolated else linear
        if disclosure.ranks_are_safe(exact_asked, exact, cell.number, request.minimum, linear_asked):
            (linear if interpolated else exact).update(cell.quantiles)
        else:
            cell.withheld = WITHHELD_DISCLOSURE
