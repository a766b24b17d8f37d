"""Which cells of a query are published, and which are withheld by which rule: before any value opens.

In phases, each for all cells together, so that rounds do not grow with cells:
    the minimum           one opened bit for each group of contributors, unless their number is public anyway;
    concentration         one opened bit for each figures, group and rules, of groups that reach the minimum;
    complementary         a table at a time, until no withheld cell falls out of its siblings (complementary.py);
    N                     opened where a cell is left;
    ranks                 in the clear, in query order: what an earlier item releases counts as released for a
                          later one. A percentile withheld here needs no complement: of its cell only N falls out
                          of the siblings, and that reaches the minimum.
N stays shared until it is sure to be published: the ranks that concentration looks at are shared too.

What a party learns, of siblings that nobody asked for too: of a cell that fails the minimum, that it does; else of
one that fails the rules about concentration, that it does; which cells complement them; of the others that were asked
for N. Results tell neither of the latter two from the other, nor from ranks.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from protocols import complementary, disclosure
from protocols.cells import WITHHELD_DISCLOSURE, WITHHELD_MINIMUM, Cell, Group, Numbers
from protocols.concentration import Holdings, all_of, as_shared, safe_bits
from protocols.engine import Engine
from protocols.ranks import ranks_are_safe
from protocols.selection import count_contributors


async def judge(engine: Engine, cells: Sequence[Cell], siblings: Sequence[Cell] = ()) -> None:
    """Set `withheld`, or N, of each cell; of `siblings`, which nobody asks for, N only where their values matter."""
    together = [*siblings, *cells]
    distinct = {cell.contributing: cell for cell in together}
    numbers = dict(zip(distinct, await count_contributors(engine, list(distinct.values())), strict=True))
    await _judge_minimum(engine, together, numbers)
    await _judge_concentration(engine, together, numbers)
    await complementary.withhold(engine, together, numbers)
    opening = [*cells, *(each for each in siblings if each.needs_siblings)]
    await _open_contributors(engine, opening, numbers)
    _judge_ranks(cells)


async def _judge_minimum(engine: Engine, cells: Sequence[Cell], numbers: Numbers) -> None:
    distinct = {cell.key: cell for cell in cells}
    enough = await disclosure.reach_minimum(
        engine,
        [numbers[cell.contributing] for cell in distinct.values()],
        [cell.request.minimum for cell in distinct.values()],
    )
    passing = dict(zip(distinct, enough, strict=True))
    for cell in cells:
        if not passing[cell.key]:
            cell.withheld = WITHHELD_MINIMUM


async def _judge_concentration(engine: Engine, cells: Sequence[Cell], numbers: Numbers) -> None:
    distinct = {(cell.contributing, cell.rules): cell for cell in cells if cell.is_open and cell.rules}
    holdings = [
        [
            Holdings(figure, cell.mask, selector, as_shared(numbers[cell.contributing]), rules)
            for figure, selector in zip(cell.figures, cell.selectors, strict=True)
        ]
        for (_, rules), cell in distinct.items()
    ]
    bits = iter(await safe_bits(engine, [each for own in holdings for each in own]))
    safe = await all_of(engine, [[bit for _ in own for bit in next(bits)] for own in holdings])
    opened = await disclosure.reveal_bits(engine, safe, "disclosure: concentration")
    passing = dict(zip(distinct, opened, strict=True))
    for cell in cells:
        if cell.is_open and not passing.get((cell.contributing, cell.rules), True):
            cell.withheld = WITHHELD_DISCLOSURE


async def _open_contributors(engine: Engine, cells: Sequence[Cell], numbers: Numbers) -> None:
    left = {cell.key: cell for cell in cells if cell.is_open}
    opened = await disclosure.reveal_contributors(
        engine, [numbers[cell.contributing] for cell in left.values()]
    )
    found = dict(zip(left, opened, strict=True))
    for cell in cells:
        if cell.is_open:
            cell.contributors = found[cell.key]


def _judge_ranks(cells: Sequence[Cell]) -> None:
    """Withhold percentiles that stand too close to an end or to each other, in query order."""
    released: dict[tuple[tuple[str, ...], Group], tuple[set[Fraction], set[Fraction]]] = {}
    for cell in cells:
        if not cell.quantiles or not cell.is_open:
            continue
        request = cell.request
        exact, linear = released.setdefault(cell.contributing, (set(), set()))
        exact |= set(request.released)
        linear |= set(request.released_linear)
        interpolated = request.function == "percentiles_linear@1"
        exact_asked = () if interpolated else cell.quantiles
        linear_asked = {*linear, *cell.quantiles} if interpolated else linear
        if ranks_are_safe(exact_asked, exact, cell.number, request.minimum, linear_asked):
            (linear if interpolated else exact).update(cell.quantiles)
        else:
            cell.withheld = WITHHELD_DISCLOSURE
