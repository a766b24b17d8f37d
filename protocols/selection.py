"""Who counts in a cell, where only a secret says so: members of a category, members that gave several figures.

A figure's indicators carry its own presence, so what is summed of figure i needs to be narrowed by the rest alone:
its selector is the indicator of the cell's category times the presences of the cell's other figures, within the
public mask. With one factor it is local, and None where the mask says it all. Cells of one group share theirs.

The members of a category are those whose symbol it is; None is the cell of those that left the category blank.

What a party learns: nothing. Cost: a product a record for each factor after the first, all cells in one round for
each number of factors (one, for two figures of a category).
"""

from __future__ import annotations

from collections.abc import Sequence

from protocols import moments
from protocols.cells import Cell, Group
from protocols.engine import Engine, PublicMask, Shared, concatenate
from protocols.errors import OutOfRange
from protocols.records import FigureRecords, Records

_Key = tuple[Group, tuple[str, ...]]
"""A group, and the figures that must be given."""


async def select_contributors(engine: Engine, records: Records, cells: Sequence[Cell]) -> None:
    """Set the selectors of every cell, one a figure."""
    masks: dict[_Key, PublicMask] = {}
    for cell in cells:
        for position in range(len(cell.figures)):
            masks.setdefault(_key(cell, position), cell.mask)
    bases: dict[Group, Shared | None] = {}
    for (group, _), mask in masks.items():
        if group not in bases:
            bases[group] = _base(engine, records, group, mask)
    made: dict[_Key, Shared | None] = {}
    waiting: dict[_Key, list[Shared]] = {}
    for key, mask in masks.items():
        group, given = key
        presences = [_presence(records[name]) for name in given]
        selector = bases[group]
        if selector is None and presences:
            selector = engine.select(presences.pop(0), mask)
        made[key] = selector
        if selector is not None and presences:
            waiting[key] = presences
    while waiting:
        products = [engine.product(_known(made[key]), factors.pop(0)) for key, factors in waiting.items()]
        for key, product in zip(waiting, await _reshare(engine, products), strict=True):
            made[key] = product
        waiting = {key: factors for key, factors in waiting.items() if factors}
    for cell in cells:
        cell.selectors = tuple(made[_key(cell, position)] for position in range(len(cell.figures)))


async def count_contributors(engine: Engine, cells: Sequence[Cell]) -> list[Shared | int]:
    """N of every cell: shared (1,) and of degree t, or plain where it is public anyway.

    An opened N of degree t is checked against all shares; inner products are reshared for that, in one round.
    """
    counts = [moments.count_present(engine, cell.figure, cell.mask, cell.selector) for cell in cells]
    shared = [count for count in counts if isinstance(count, Shared)]
    lowered = iter(await moments.at_degree_t(engine, shared))
    return [next(lowered) if isinstance(count, Shared) else count for count in counts]


def verify_category(records: Records, category: tuple[str, int | None]) -> None:
    """Raise OutOfRange unless the figure is a category that has this symbol, or may be blank."""
    name, symbol = category
    if name not in records.figures or records[name].encoding.kind != "category":
        raise OutOfRange(f"no category {name!r} in this study")
    encoding = records[name].encoding
    if symbol is None and not encoding.blank_allowed:
        raise OutOfRange(f"category {name!r} may not be blank, so it has no cell of blanks")
    if symbol is not None and not 0 <= symbol < encoding.size:
        raise OutOfRange(f"category {name!r} has symbols 0 to {encoding.size - 1}, not {symbol}")


def _key(cell: Cell, position: int) -> _Key:
    """Whom figure `position` of a cell is narrowed to: the others that may be blank must be given."""
    own = cell.figures[position]
    others = {figure.name for figure in cell.figures if figure.presence is not None} - {own.name}
    return cell.request.group, tuple(sorted(others))


def _base(engine: Engine, records: Records, group: Group, mask: PublicMask) -> Shared | None:
    category = group[1]
    if category is None:
        return None
    name, symbol = category
    figure = records[name]
    indicator = (-_presence(figure)).plus(1) if symbol is None else figure.symbol(0, symbol)
    return engine.select(indicator, mask)


async def _reshare(engine: Engine, products: Sequence[Shared]) -> list[Shared]:
    reshared = await engine.reshare(concatenate(products) if len(products) > 1 else products[0])
    count = len(products[0])
    return [reshared[k * count : (k + 1) * count] for k in range(len(products))]


def _presence(figure: FigureRecords) -> Shared:
    return _known(figure.presence)


def _known(value: Shared | None) -> Shared:
    if value is None:
        raise ValueError("a figure that may not be blank has no presence to multiply by")
    return value
