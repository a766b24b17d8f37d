"""Means on their published grid: only the grid point is opened (protocol.md section 6).

With g steps of the figure to the grid, U the sum of the encoded numbers and N open, the mean lies at or above the
middle before grid point k exactly when

    V = 2 (U - half N) + g N  >=  k W,    W = 2 g N;

so the largest such k is the mean rounded to the grid, ties up, and `minimum + grid k` is published. Below the
minimum (where a hostile client can bring it by less than half a publish step) the minimum is published.

Where the same query opens U anyway, for a sum, a variance or a standard deviation of the same figure and group, k
follows from that and nothing more is opened.

What a party learns: the published value. Cost: no product of records; a search of 15 comparisons a base-16 digit
of the number of grid points, all means of a query side by side: 3 + 5 rounds a digit.
"""

from __future__ import annotations

from collections.abc import Sequence

from protocols import moments
from protocols.cells import Cell
from protocols.engine import Engine, Shared
from protocols.locate import Place, locate, public_step
from protocols.plans import MeanPlan, plan_mean


async def answer(engine: Engine, cells: Sequence[Cell]) -> None:
    """Set the values of open cells of `mean@1`."""
    plans = [plan_mean(cell.figure.encoding, cell.request.parameters, cell.number) for cell in cells]
    places = [
        place_mean(plan, moments.shared_total(engine, cell.figure, cell.mask, cell.selector), cell.number)
        for cell, plan in zip(cells, plans, strict=True)
    ]
    for cell, plan, k in zip(cells, plans, await locate(engine, places, "mean"), strict=True):
        cell.values = (plan.published(k),)


def answer_from_total(cell: Cell, total: int) -> None:
    """Set the value of a cell whose U is open: the same k, without a search."""
    plan = plan_mean(cell.figure.encoding, cell.request.parameters, cell.number)
    k = (2 * total + _shift(plan, cell.number)) // (2 * plan.ratio * cell.number)
    cell.values = (plan.published(min(max(k, 0), plan.count - 1)),)


def place_mean(plan: MeanPlan, total: Shared, contributors: int) -> Place:
    """V and W of the formula above; `total` is U (1,)."""
    return Place(
        total.times(2).plus(_shift(plan, contributors)),
        public_step(2 * plan.ratio * contributors),
        plan.count,
        plan.bound(contributors),
    )


def _shift(plan: MeanPlan, contributors: int) -> int:
    """V - 2 U."""
    return plan.ratio * contributors - 2 * plan.encoding.half * contributors
