"""Correlations of two figures over the members that gave both, exact, from five opened sums (protocol.md section 6).

Pearson's r = (N S_xy - S_x S_y) / sqrt((N S_xx - S_x^2) (N S_yy - S_y^2)), with S_x the sum of the encoded numbers u
of the first figure and so on: r does not change when a figure is shifted or scaled. The sums of products outgrow the
field and are opened by wide.py. Published is r rounded to the study's decimal places, ties up, by integers only.
Where one of the figures is the same for all, r is not defined and the cell is withheld.

What a party learns: N, S_x, S_y, S_xx, S_yy and S_xy over the members that gave both; the catalogue says so.
Cost: a product a record and limb of each figure where either may be blank or the group is secret, none otherwise;
K_x (K_x + 1) / 2 + K_y (K_y + 1) / 2 + K_x K_y inner products, K limbs a figure; three wide totals. Rounds, however
many cells: 1 for those products, then 10 (limbs - 1) + 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt

from protocols import moments
from protocols.cells import WITHHELD_DISCLOSURE, Cell, Group
from protocols.decimals import exact_text
from protocols.digit_products import limb_vectors, product_total, select_limbs, square_total
from protocols.effects import together
from protocols.engine import Engine, Shared
from protocols.limbs import plan_limbs
from protocols.parameters import parse_places
from protocols.wide import WideTotal, reveal_wide


@dataclass(frozen=True, slots=True)
class Sums:
    """N and the sums of u, v, u^2, v^2 and u v over one group; open."""

    contributors: int
    x: int
    y: int
    xx: int
    yy: int
    xy: int


async def answer(engine: Engine, cells: Sequence[Cell]) -> None:
    """Set the values of open cells of `correlation@1`; withhold them where r is not defined."""
    distinct: dict[tuple[tuple[str, ...], Group], Cell] = {}
    for cell in cells:
        distinct.setdefault((cell.request.figures, cell.request.group), cell)
    found = dict(zip(distinct, await _reveal_sums(engine, list(distinct.values())), strict=True))
    for cell in cells:
        places = parse_places(cell.request.parameters)
        rounded = rounded_correlation(found[cell.request.figures, cell.request.group], places)
        if rounded is None:
            cell.withheld = WITHHELD_DISCLOSURE
        else:
            cell.values = (exact_text(Fraction(rounded, 10**places)),)


async def _reveal_sums(engine: Engine, cells: Sequence[Cell]) -> list[Sums]:
    prepared: list[tuple[list[Shared], list[WideTotal]]] = await together(
        *(_shared_sums(engine, cell) for cell in cells)
    )
    first, second = await together(
        moments.reveal_totals(engine, [one for own, _ in prepared for one in own], "correlation: sums"),
        reveal_wide(engine, [one for _, own in prepared for one in own], "correlation: sums of products"),
    )
    return [
        Sums(cell.number, *first[2 * place : 2 * place + 2], *second[3 * place : 3 * place + 3])
        for place, cell in enumerate(cells)
    ]


async def _shared_sums(engine: Engine, cell: Cell) -> tuple[list[Shared], list[WideTotal]]:
    """S_x, S_y; S_xx, S_yy, S_xy: shared."""
    both = list(zip(cell.figures, cell.selectors, strict=True))
    totals = [moments.shared_total(engine, figure, cell.mask, selector) for figure, selector in both]
    plans = plan_limbs([figure.encoding for figure in cell.figures], cell.figure.count)
    limbs = [limb_vectors(figure, plan) for figure, plan in zip(cell.figures, plans, strict=True)]
    selected: list[Shared] = await together(
        *(
            select_limbs(engine, own, cell.mask, selector)
            for own, (_, selector) in zip(limbs, both, strict=True)
        )
    )
    squares = [
        square_total(engine, plan, own, chosen, cell.number)
        for plan, own, chosen in zip(plans, limbs, selected, strict=True)
    ]
    product = product_total(engine, plans[0], selected[0], plans[1], limbs[1], cell.number)
    return totals, [*squares, product]


def rounded_correlation(sums: Sums, places: int) -> int | None:
    """r times 10^places, rounded, ties up; None where r is not defined.

    With a the numerator and d the square of the denominator, it is the largest k with 2k - 1 <= y, where
    y = 2 10^places a / sqrt(d); so k = (floor(y) + 1) / 2, rounded down.
    """
    number = sums.contributors
    a = number * sums.xy - sums.x * sums.y
    d = (number * sums.xx - sums.x**2) * (number * sums.yy - sums.y**2)
    if d == 0:
        return None
    square = 4 * 10 ** (2 * places) * a * a  # y^2 = square / d
    floor = isqrt(square // d) if a >= 0 else -_ceiling_of_root(square, d)
    return (floor + 1) // 2


def _ceiling_of_root(numerator: int, denominator: int) -> int:
    """The smallest c with c^2 >= numerator / denominator."""
    return isqrt(-(-numerator // denominator) - 1) + 1
