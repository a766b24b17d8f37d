"""Variances and standard deviations, exact, from two opened sums (protocol.md section 6).

The population variance is v = step^2 (N S_2 - S_1^2) / N^2 with S_1 = sum u and S_2 = sum u^2: what the figures are
shifted by falls out. S_2 outgrows the field and is opened by wide.py, digit by digit in base 2^16. Published is the
grid point nearest to v or to its square root, ties up, by integers only.

What a party learns: N, S_1 and S_2 (so the sum of the figures and of their squares); the catalogue says so.
Cost: K (K + 1) / 2 inner products a cell, of the figure's K limbs; for each limb of the total but the last a mask of
61 random bits and about 124 products; rounds: 1 under a shared selector, then 10 (limbs - 1) + 1, however many cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt

from protocols import moments
from protocols.cells import Cell, Group
from protocols.decimals import exact_text
from protocols.digit_products import limb_vectors, select_limbs, square_total
from protocols.effects import together
from protocols.engine import Engine, Shared
from protocols.limbs import plan_limbs
from protocols.parameters import parse_grid
from protocols.wide import WideTotal, reveal_wide


@dataclass(frozen=True, slots=True)
class Sums:
    """N, S_1 and S_2 of one figure over one group; open."""

    contributors: int
    first: int
    second: int


async def answer(engine: Engine, cells: Sequence[Cell]) -> None:
    """Set the values of open cells of `variance@1` and `standard_deviation@1`; one pair of sums a figure and
    group."""
    distinct: dict[tuple[str, Group], Cell] = {}
    for cell in cells:
        distinct.setdefault((cell.request.figure, cell.request.group), cell)
    found = dict(zip(distinct, await _reveal_sums(engine, list(distinct.values())), strict=True))
    for cell in cells:
        sums = found[cell.request.figure, cell.request.group]
        cell.total = sums.first
        variance = variance_of(cell.figure.encoding.step, sums)
        grid = parse_grid(cell.request.parameters)
        point = nearest_point if cell.request.function == "variance@1" else nearest_point_of_root
        cell.values = (exact_text(grid * point(variance, grid)),)


async def _reveal_sums(engine: Engine, cells: Sequence[Cell]) -> list[Sums]:
    prepared: list[tuple[Shared, WideTotal]] = await together(*(_shared_sums(engine, cell) for cell in cells))
    first, second = await together(
        _reveal_first(engine, [total for total, _ in prepared]),
        reveal_wide(engine, [total for _, total in prepared], "variance: sum of squares"),
    )
    return [Sums(cell.number, one, two) for cell, one, two in zip(cells, first, second, strict=True)]


async def _shared_sums(engine: Engine, cell: Cell) -> tuple[Shared, WideTotal]:
    (plan,) = plan_limbs([cell.figure.encoding], cell.figure.count)
    limbs = limb_vectors(cell.figure, plan)
    selected = await select_limbs(engine, limbs, cell.mask, cell.selector)
    return (
        moments.shared_total(engine, cell.figure, cell.mask, cell.selector),
        square_total(engine, plan, limbs, selected, cell.number),
    )


async def _reveal_first(engine: Engine, totals: list[Shared]) -> list[int]:
    return await moments.reveal_totals(engine, totals, "variance: sum")


def variance_of(step: Fraction, sums: Sums) -> Fraction:
    """v, exactly."""
    number = sums.contributors
    return step * step * Fraction(number * sums.second - sums.first**2, number * number)


def nearest_point(value: Fraction, grid: Fraction) -> int:
    """The k whose grid k is nearest to `value`, ties up."""
    doubled = 2 * value / grid
    return (doubled.numerator + doubled.denominator) // (2 * doubled.denominator)


def nearest_point_of_root(value: Fraction, grid: Fraction) -> int:
    """The k whose grid k is nearest to the root of `value` >= 0, ties up: the largest with
    (2k - 1)^2 grid^2 <= 4 value."""
    return (isqrt(int(4 * value / (grid * grid))) + 1) // 2
