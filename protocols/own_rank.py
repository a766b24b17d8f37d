"""A member's own place: the share of the other contributors that lie below it, told to nobody else.

Of the other N - 1 contributors of a group let L be those with a smaller figure. The member gets, in percent,
    5 k,   k the largest with  20 L >= k (N - 1),   k = 0 .. 20:
at least 5 k percent of the others lie below. Equal figures are not below; a member that left the figure blank gets 0.

L is counted along the member's own digits: sum_d <s_d, [digit d is smaller]>, s_d who shares the member's first d
digits. With the member's indicators o_b the smaller ones number sum_b (o_{b+1} + ...) <s_d, h[d][b]>.

What a party learns: nothing beside N; it keeps a share of 5 k, to be sealed to the member. The member, given all
shares, learns 5 k: the sharing is fresh, so it says nothing else.
Cost for a group of n records and D digits: 2 D - 3 products of n, and 20 comparisons. Rounds, however many members
ask: 1 for who has the member's digit, D - 2 for who shares its first ones, 1 for the counts, then 3 + 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from protocols import field as fp
from protocols.catalog import OWN_RANK_PERCENT
from protocols.cells import Cell, CellRequest
from protocols.engine import Engine, PublicMask, Shared, concatenate, require_bounded
from protocols.errors import OutOfRange
from protocols.group_columns import GroupColumns
from protocols.moments import at_degree_t
from protocols.plans import require_number
from protocols.records import FigureRecords

STEPS = 100 // OWN_RANK_PERCENT


@dataclass(frozen=True, slots=True)
class OwnPlace:
    """The record `row` asks for its place among the `contributors` (N, open by now) of a public group."""

    figure: FigureRecords
    mask: PublicMask
    row: int
    contributors: int

    def __post_init__(self) -> None:
        _verify_row(self.mask, self.row)
        if self.contributors < 2:
            raise OutOfRange("an own place needs another contributor")
        require_bounded(STEPS * (self.contributors + 1))

    def symbol(self, digit: int) -> Shared:
        """The member's own indicators (r_d,), the last one included."""
        rows = self.figure.digits[digit][:, self.row]
        others = rows.reshape(-1, 1).sum()
        presence = self.figure.presence
        last = (-others).plus(1) if presence is None else presence[self.row : self.row + 1] - others
        return concatenate([rows, last])

    def above(self, digit: int) -> Shared:
        """(r_d - 1,): for each symbol but the last, whether the member's own is larger."""
        own = self.symbol(digit)
        return Shared(fp.cumulative(own.values[::-1])[::-1][1:].copy(), own.degree)


def verify_request(request: CellRequest, figure: FigureRecords, mask: PublicMask) -> None:
    """Raise OutOfRange unless it asks, of a number, for the place of a record of the public group."""
    require_number("own_rank@1", figure.encoding)
    if request.category is not None:
        raise OutOfRange("own_rank@1 places a record within a public group, not within a secret category")
    if request.minimum < 2:
        raise OutOfRange("own_rank@1 needs a minimum of 2 contributors or more")
    if request.row is None:
        raise OutOfRange("own_rank@1 needs the record that asks")
    _verify_row(mask, request.row)


def _verify_row(mask: PublicMask, row: int) -> None:
    if not 0 <= row < len(mask) or not mask[row]:
        raise OutOfRange("own_rank@1 places a record of the group that it is asked for")


async def answer(engine: Engine, cells: Sequence[Cell]) -> None:
    """Set the own shares of open cells of `own_rank@1`; no value is public."""
    places = [OwnPlace(cell.figure, cell.mask, cell.row, cell.number) for cell in cells]
    for cell, share in zip(cells, await own_places(engine, places), strict=True):
        cell.values, cell.own_share = (), share


async def own_places(engine: Engine, places: Sequence[OwnPlace]) -> list[Shared]:
    """For each its 5 k, shared (1,), of degree t."""
    smaller = await _count_smaller(engine, places)
    compared = [
        below.times(STEPS) - Shared(fp.from_ints(k * (place.contributors - 1) for k in range(1, STEPS + 1)))
        for place, below in zip(places, smaller, strict=True)
    ]
    reached = (await engine.at_least_zero(concatenate(compared))).reshape(len(places), STEPS)
    return [reached[i].reshape(-1, 1).sum().times(OWN_RANK_PERCENT) for i in range(len(places))]


async def _count_smaller(engine: Engine, places: Sequence[OwnPlace]) -> list[Shared]:
    """L of each, (1,) of degree 2t (t for a single digit)."""
    columns = [GroupColumns(place.figure, place.mask) for place in places]
    matching = iter(
        await at_degree_t(
            engine,
            [
                own.matching(engine, digit, place.symbol(digit))
                for own, place in zip(columns, places, strict=True)
                for digit in range(own.depth - 1)
            ],
        )
    )
    having = [[next(matching) for _ in range(own.depth - 1)] for own in columns]
    sharing: list[list[Shared | None]] = [[None, *own[:1]] for own in having]
    for digit in range(1, max(own.depth for own in columns) - 1):
        going_on = [i for i, own in enumerate(columns) if digit < own.depth - 1]
        products = [engine.product(_known(sharing[i][digit]), having[i][digit]) for i in going_on]
        for i, product in zip(going_on, await at_degree_t(engine, products), strict=True):
            sharing[i].append(product)
    counts = iter(
        await at_degree_t(
            engine,
            [
                own.counts(engine, digit, sharing[i][digit])
                for i, own in enumerate(columns)
                for digit in range(own.depth)
            ],
        )
    )
    found = []
    for own, place in zip(columns, places, strict=True):
        smaller = [
            engine.inner_products(next(counts).reshape(1, -1), place.above(d)) for d in range(own.depth)
        ]
        found.append(concatenate(smaller).reshape(-1, 1).sum())
    return found


def _known(selector: Shared | None) -> Shared:
    if selector is None:
        raise ValueError("below the first digit somebody shares the prefix")
    return selector
