"""Exact order statistics by walking down the digits of the answer (protocol.md section 5).

For each digit the parties count, by inner products with a selector, how many records of the current prefix have a
symbol <= 0, <= 1, ...; compare these running counts P_b with the rank K; open the comparisons; and so learn the next
digit of the answer: the first b with P_b >= K. Then K loses what lies below, and the selector is multiplied by the
indicators of that digit. About one secure multiplication per record and digit.

K is ceil(q N) at first, which is public as N is open. Counts come two to a number (derived_rows.py), so counts and
ranks are held at the scale 2^31, with remainders below it: the difference compared is 2^31 (P_b - K) + remainder.

What a party learns: the digits of the published answer, and nothing else. Each opened bit is a function of the
answer's prefix, so somebody who knows the answer could have written them (`opened_bits`). Counts stay shared.

Many percentiles walk as a tree: those with equal prefixes share selector and counts. All comparisons of a level,
whatever the figure, group and percentile, are one batch.

Rounds: 3 to make the comparison masks, then per digit 5 (open the masked numbers, 3 for the comparison tree, open
the bits) and 1 to update the selectors from the second digit on, never after the last.
Elements sent per record: D - 2 products at t = 1 for D walked digits, for each distinct prefix; D - 1 for a group
that a shared selector makes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from math import prod

import numpy as np

from protocols import field as fp
from protocols.derived_rows import SCALE, require_scale, scaled_counts
from protocols.engine import Engine, PublicMask, Shared, concatenate
from protocols.errors import OutOfRange, PeerDeviation
from protocols.ranks import rank
from protocols.records import FigureRecords


@dataclass(frozen=True, slots=True)
class Walk:
    """The percentiles of one figure over the records that a public mask selects.

    `contributors`: N, how many of them gave the figure; open by now. `quantiles`: exact, 0 < q <= 1. `selector`
    narrows the group in secret, within the mask (selection.py); then the first product comes one digit earlier.
    """

    figure: FigureRecords
    mask: PublicMask
    contributors: int
    quantiles: tuple[Fraction, ...]
    selector: Shared | None = None

    def __post_init__(self) -> None:
        if self.contributors < 1:
            raise OutOfRange("a percentile needs at least one contributor")
        if not self.quantiles or any(not 0 < q <= 1 for q in self.quantiles):
            raise OutOfRange("quantiles are exact fractions q with 0 < q <= 1")
        if self.figure.encoding.kind == "category":
            raise OutOfRange("a category has no order, so no percentiles")
        require_scale(self.contributors, len(self.radices))

    @property
    def radices(self) -> tuple[int, ...]:
        """The radices of the walked digits: those at or above the publish step."""
        return self.figure.encoding.radices[: self.figure.encoding.published_digits]

    @property
    def comparisons(self) -> int:
        return len(self.quantiles) * sum(radix - 1 for radix in self.radices)


@dataclass(slots=True)
class _Node:
    """The percentiles of a walk that agree so far; `selector` is None while it is the public mask."""

    walk: Walk
    answers: list[_Answer]
    selector: Shared | None


@dataclass(slots=True)
class _Answer:
    """One percentile on its way: the rank left, 2^31 K less a remainder, a shared number, and the prefix found."""

    rank: Shared
    prefix: int = 0


async def percentiles(engine: Engine, walks: Sequence[Walk]) -> list[tuple[int, ...]]:
    """For each walk the prefix of every percentile, in the order of its quantiles.

    The published value is `encoding.published_value(prefix)`; the definition is numpy's `inverted_cdf`: the
    smallest value v with at least q N records <= v.
    """
    await engine.prepare_comparisons(sum(walk.comparisons for walk in walks))
    answers = [
        [_Answer(_constant(SCALE * rank(q, walk.contributors))) for q in walk.quantiles] for walk in walks
    ]
    nodes = [_Node(walk, list(own), walk.selector) for walk, own in zip(walks, answers, strict=True)]
    digit = 0
    while nodes:
        nodes = await _descend(engine, nodes, digit)
        digit += 1
    return [tuple(answer.prefix for answer in own) for own in answers]


async def _descend(engine: Engine, nodes: list[_Node], digit: int) -> list[_Node]:
    """Find the next digit of every answer in `nodes`; returns the nodes that have digits left."""
    running = _running_counts(engine, nodes, digit)
    compared = concatenate(
        [
            below - _repeat(answer.rank, len(below))
            for node, below in zip(nodes, running, strict=True)
            for answer in node.answers
        ]
    )
    opened = await engine.reveal_at_least_zero(compared, f"percentiles: digit {digit}")

    children: list[tuple[_Node, int, list[_Answer]]] = []
    offset = 0
    for node, below in zip(nodes, running, strict=True):
        by_symbol: dict[int, list[_Answer]] = {}
        for answer in node.answers:
            reached = opened[offset : offset + len(below)]
            offset += len(below)
            if (reached[:-1] & ~reached[1:]).any():
                raise PeerDeviation("running counts that fall were opened: some party deviated")
            symbol = len(below) - int(reached.sum())
            if symbol:
                answer.rank = answer.rank - below[symbol - 1 : symbol]
            answer.prefix = answer.prefix * (len(below) + 1) + symbol
            by_symbol.setdefault(symbol, []).append(answer)
        if digit + 1 < len(node.walk.radices):
            children += [(node, symbol, group) for symbol, group in sorted(by_symbol.items())]
    return await _select(engine, children, digit)


def _running_counts(engine: Engine, nodes: list[_Node], digit: int) -> list[Shared]:
    """Of each node 2^31 P_b, with its remainder, for every symbol but the last: how many records have a symbol <= b.

    Nodes of one walk read its columns together.
    """
    found: list[Shared] = []
    for walk, own in _by_walk(nodes):
        rows = walk.figure.running[digit]
        selectors = [node.selector for node in own if node.selector is not None]
        if selectors:  # before the first digit is known none is there, later all are
            sums = engine.inner_product_table(rows, selectors)
            pairs = [Shared(row, sums.degree) for row in sums.values]
        else:
            pairs = [engine.selected_sums(rows, walk.mask)] * len(own)
        found += [scaled_counts(pair, walk.radices[digit] - 1) for pair in pairs]
    return found


def _by_walk(nodes: list[_Node]) -> list[tuple[Walk, list[_Node]]]:
    """Neighbouring nodes of the same walk together, in their order."""
    return [
        (own[0].walk, own) for own in (list(group) for _, group in groupby(nodes, lambda node: id(node.walk)))
    ]


async def _select(
    engine: Engine, children: list[tuple[_Node, int, list[_Answer]]], digit: int
) -> list[_Node]:
    """The children's selectors: local below a public selector, else one resharing for all of them."""
    selected: list[_Node] = []
    pairs: list[tuple[Shared, Shared]] = []
    for node, symbol, answers in children:
        indicator = node.walk.figure.symbol(digit, symbol)
        if node.selector is None:
            selected.append(_Node(node.walk, answers, engine.select(indicator, node.walk.mask)))
        else:
            pairs.append((node.selector, indicator))
            selected.append(_Node(node.walk, answers, None))
    if pairs:
        products = iter(await engine.multiply_pairs(pairs))
        for child in selected:
            if child.selector is None:
                child.selector = next(products)
    return selected


def opened_bits(walk: Walk, prefixes: Sequence[int], digit: int) -> list[bool]:
    """What a walk opens at `digit`, computed from its answer alone: the simulator of the secrecy argument."""
    bits: list[bool] = []
    below = prod(walk.radices[digit + 1 :])
    for prefix in prefixes:
        symbol = prefix // below % walk.radices[digit]
        bits += [b >= symbol for b in range(walk.radices[digit] - 1)]
    return bits


def _constant(value: int) -> Shared:
    return Shared(np.array([value % fp.P], dtype=np.uint64))


def _repeat(value: Shared, count: int) -> Shared:
    return Shared(np.repeat(value.values, count), value.degree)
