"""Ratios of two totals on their published grid, over the members that gave both figures (protocol.md section 6).

Totals are T = N minimum + step (U - half N), U over those that gave the other figure too. Each is a whole number S
of its own unit (the largest that divides minimum and step), so that the ratio in grid steps is S_x / (q S_y) with q
exact, q = a / b: the ratio lies at or above the middle before grid point k exactly when

    V = 2 b S_x + a S_y  >=  k W,    W = 2 a S_y.

Neither total is opened: W stays shared (locate.py). First one bit, [S_y > 0], without which there is no ratio.

What a party learns: that bit, and the published value. Cost: two inner products a symbol of each figure, no product
of records but the group's; rounds: 3 for the masks, 5 for the bit, 5 a base-16 digit of maximum / grid + 1.
"""

from __future__ import annotations

from collections.abc import Sequence

from protocols import moments
from protocols.cells import WITHHELD_DISCLOSURE, Cell
from protocols.engine import Engine, Shared, concatenate
from protocols.locate import Place, locate
from protocols.plans import RatioPlan, plan_ratio


async def answer(engine: Engine, cells: Sequence[Cell]) -> None:
    """Set the values of open cells of `ratio_of_totals@1`; without a positive total below, withhold them."""
    plans = [
        plan_ratio([figure.encoding for figure in cell.figures], cell.request.parameters, cell.number)
        for cell in cells
    ]
    belows, places = [], []
    for cell, plan in zip(cells, plans, strict=True):
        above, below = (shared_units(engine, cell, plan, which) for which in (0, 1))
        belows.append(below)
        places.append(place_ratio(plan, above, below, cell.number))
    await engine.prepare_comparisons(len(cells) + sum(place.comparisons for place in places))
    positive = await engine.reveal_at_least_zero(
        concatenate([below.plus(-1) for below in belows]), "ratio: total below > 0"
    )
    found = iter(
        await locate(engine, [place for place, yes in zip(places, positive, strict=True) if yes], "ratio")
    )
    for cell, plan, defined in zip(cells, plans, positive, strict=True):
        if defined:
            cell.values = (plan.published(next(found)),)
        else:
            cell.withheld = WITHHELD_DISCLOSURE


def shared_units(engine: Engine, cell: Cell, plan: RatioPlan, which: int) -> Shared:
    """S of figure `which`, in units of the plan: (1,)."""
    figure = cell.figures[which]
    total = moments.shared_total(engine, figure, cell.mask, cell.selectors[which])
    step, base = plan.in_units[which]
    return total.times(step).plus(cell.number * (base - step * figure.encoding.half))


def place_ratio(plan: RatioPlan, above: Shared, below: Shared, contributors: int) -> Place:
    """V and W of the formula above."""
    return Place(
        above.times(2 * plan.denominator) + below.times(plan.numerator),
        below.times(2 * plan.numerator),
        plan.count,
        plan.bound(contributors),
    )
