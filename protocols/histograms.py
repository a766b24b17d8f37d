"""Histograms by walking down the digits of their edges, opened only if no bucket is small (protocol.md section 6).

An edge lies on a digit boundary at or above the publish step, so how many records lie below it is a sum of counts
along the edge's public path: of those that share its first d digits, those with a smaller digit d. Edges that
begin alike share selectors and counts.

The rule about buckets (each 0 or at least the minimum) is tested inside: for every count c the number
[c >= 1] - [c >= minimum] is 1 where the bucket is small; their sum is compared with zero and that one bit opened.
Counts of a histogram that fails stay shared. Of one figure and group a query releases one set of edges: with two,
the counts between an edge of the one and an edge of the other would fall out, so the later item is withheld.

Where cells are withheld to complement others, the whole less its published parts is a histogram like the others: if
a bucket of it is small, the whole is withheld. It is tested in the same way, where it is neither empty nor the whole.
Histograms of siblings that nobody asked for are worked out and tested with them, and stay shared.

What a party learns: whether every bucket passes, and every remainder; if so the counts. Cost: one product a record
for each inner node of the edges' tree below the first digit (below none, under a shared selector); two comparisons a
bucket and one more a histogram. Rounds: one a level with products, 3 for the masks, 5 + 5 for the bit, 1 to open; 3
and 5 + 5 more where remainders are tested.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from protocols import field as fp
from protocols import moments
from protocols.cells import WITHHELD_DISCLOSURE, Cell, Group
from protocols.engine import Engine, Shared, concatenate
from protocols.plans import plan_histogram
from protocols.withholding import TableGroup, arrange_table


@dataclass(slots=True)
class _Histogram:
    """One histogram under way: the paths of its edges, and how many lie below each as far as it is counted."""

    cell: Cell
    paths: tuple[tuple[int, ...], ...]
    below: list[Shared]
    nodes: dict[tuple[int, ...], Shared | None]

    @property
    def buckets(self) -> int:
        return len(self.paths) + 1


async def answer(engine: Engine, cells: Sequence[Cell]) -> None:
    """Set the values of open cells of `histogram@1`, or withhold them."""
    distinct: dict[tuple[str, Group], _Histogram] = {}
    for cell in cells:
        histogram = _prepare(cell)
        first = distinct.setdefault((cell.request.figure, cell.request.group), histogram)
        if first.paths != histogram.paths:
            cell.withheld = WITHHELD_DISCLOSURE
    histograms = list(distinct.values())
    await engine.prepare_comparisons(sum(2 * histogram.buckets + 1 for histogram in histograms))
    for digit in range(max(len(path) for histogram in histograms for path in histogram.paths)):
        await _descend(engine, [histogram for histogram in histograms if histogram.nodes], digit)
    counts = [_bucket_counts(histogram) for histogram in histograms]
    minimums = [histogram.cell.request.minimum for histogram in histograms]
    passing = await _buckets_pass(
        engine, counts, minimums, "histogram: every bucket is 0 or at least the minimum"
    )
    for whole in await _exposing(engine, histograms, counts, passing):
        passing[whole] = False
    asked = {(cell.request.figure, cell.request.group) for cell in cells if cell.is_asked}
    opens = [passes and _key(own) in asked for own, passes in zip(histograms, passing, strict=True)]
    found = await _reveal(engine, [own for own, yes in zip(counts, opens, strict=True) if yes])
    for histogram, yes in zip(histograms, opens, strict=True):
        values = found.pop(0) if yes else None
        for cell in cells:
            if (cell.request.figure, cell.request.group) == _key(histogram) and cell.is_open:
                _settle(cell, values)


def _key(histogram: _Histogram) -> tuple[str, Group]:
    return histogram.cell.request.figure, histogram.cell.request.group


def _settle(cell: Cell, counts: list[int] | None) -> None:
    if counts is None:
        cell.withheld = WITHHELD_DISCLOSURE
    else:
        cell.values = tuple(str(count) for count in [*counts, cell.number - sum(counts)])


def _prepare(cell: Cell) -> _Histogram:
    plan = plan_histogram(cell.figure.encoding, cell.request.parameters, cell.number)
    zero = Shared(np.zeros(1, dtype=np.uint64))
    return _Histogram(cell, plan.paths, [zero] * len(plan.paths), {(): cell.selector})


async def _descend(engine: Engine, histograms: Sequence[_Histogram], digit: int) -> None:
    """Count at this digit along every path that reaches it; then select the nodes of the next."""
    wanted: list[tuple[_Histogram, tuple[int, ...]]] = []
    products: list[Shared] = []
    for histogram in histograms:
        _count(engine, histogram, digit)
        ends = {path[: digit + 1] for path in histogram.paths if len(path) > digit + 1}
        parents, histogram.nodes = histogram.nodes, {}
        for node in sorted(ends):
            selector, indicator = parents[node[:-1]], histogram.cell.figure.symbol(digit, node[-1])
            if selector is None:
                histogram.nodes[node] = engine.select(indicator, histogram.cell.mask)
            else:
                wanted.append((histogram, node))
                products.append(engine.product(selector, indicator))
    if products:
        reshared = await engine.reshare(concatenate(products))
        offset = 0
        for histogram, node in wanted:
            count = histogram.cell.figure.count
            histogram.nodes[node] = reshared[offset : offset + count]
            offset += count


def _count(engine: Engine, histogram: _Histogram, digit: int) -> None:
    rows = histogram.cell.figure.digits[digit]
    for node, selector in histogram.nodes.items():
        own = [
            index
            for index, path in enumerate(histogram.paths)
            if path[:digit] == node and len(path) > digit and path[digit]
        ]
        if own:
            needed = max(histogram.paths[index][digit] for index in own)
            counts = moments.symbol_counts(engine, rows[:needed], histogram.cell.mask, selector)
            running = Shared(fp.cumulative(counts.values), counts.degree)
            for index in own:
                symbol = histogram.paths[index][digit]
                histogram.below[index] = histogram.below[index] + running[symbol - 1 : symbol]


def _bucket_counts(histogram: _Histogram) -> Shared:
    """Every bucket's count, the first bucket first: (buckets,)."""
    number = Shared(fp.from_ints([histogram.cell.number]))
    upper = concatenate([*histogram.below, number])
    lower = concatenate([Shared(np.zeros(1, dtype=np.uint64)), *histogram.below])
    return upper - lower


async def _buckets_pass(
    engine: Engine, counts: Sequence[Shared], minimums: Sequence[int], label: str
) -> list[bool]:
    """For each list of counts whether every one is 0 or at least its minimum: one opened bit each."""
    floors = [
        fp.from_ints([floor] * len(own))
        for own, minimum in zip(counts, minimums, strict=True)
        for floor in (1, minimum)
    ]
    twice = concatenate([own for own in counts for _ in (0, 1)])
    reached = await engine.at_least_zero(twice - Shared(np.concatenate(floors)))
    small: list[Shared] = []
    offset = 0
    for k in map(len, counts):
        some, enough = reached[offset : offset + k], reached[offset + k : offset + 2 * k]
        small.append((some - enough).reshape(-1, 1).sum())
        offset += 2 * k
    bits = await engine.reveal_at_least_zero(-concatenate(small), label)
    return [bool(bit) for bit in bits]


async def _exposing(
    engine: Engine, histograms: Sequence[_Histogram], counts: Sequence[Shared], passing: Sequence[bool]
) -> list[int]:
    """The wholes, by position, whose remainder beside their published parts has a small bucket."""
    wholes: list[int] = []
    remainders: list[Shared] = []
    minimums: list[int] = []
    for members in _tables(histograms):
        table = arrange_table([_group(histograms[i].cell) for i in members])
        if table is None or not passing[members[table.whole]]:
            continue
        step = table.steps({place for place in table.parts if not passing[members[place]]})[0]
        if not step.is_certain:
            remainder = counts[members[table.whole]]
            for place in step.published:
                remainder = remainder - counts[members[place]]
            wholes.append(members[table.whole])
            remainders.append(remainder)
            minimums.append(max(histograms[i].cell.request.minimum for i in members))
    if not wholes:
        return []
    passes = await _buckets_pass(engine, remainders, minimums, "histogram: remainders")
    return [whole for whole, safe in zip(wholes, passes, strict=True) if not safe]


def _tables(histograms: Sequence[_Histogram]) -> list[list[int]]:
    """Positions of the histograms of one figure with the same edges, where cells complement others."""
    tables: dict[tuple[str, tuple[tuple[int, ...], ...]], list[int]] = {}
    for position, histogram in enumerate(histograms):
        if histogram.cell.request.complementary:
            tables.setdefault((histogram.cell.request.figure, histogram.paths), []).append(position)
    return list(tables.values())


def _group(cell: Cell) -> TableGroup:
    return TableGroup(cell.mask, cell.request.category, cell.category_cells)


async def _reveal(engine: Engine, passing: Sequence[Shared]) -> list[list[int]]:
    """All counts but the last of each histogram, which follows from N; one round for all."""
    if not passing:
        return []
    opened = await engine.reveal(concatenate([counts[:-1] for counts in passing]), "histogram")
    found: list[list[int]] = []
    offset = 0
    for counts in passing:
        found.append([int(count) for count in opened[offset : offset + len(counts) - 1]])
        offset += len(counts) - 1
    return found
