"""Counts and sums: linear in the indicators, so they cost no multiplication (protocol.md section 6).

Who counts is said by a public mask, or by a shared selector (selection.py) that already includes the mask; then
counts are inner products, of degree 2t.

What a party learns: the opened total, which is the answer. Cost: one opening for all cells together.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import numpy as np

from protocols.decimals import exact_decimal
from protocols.encoding import FigureEncoding
from protocols.engine import Engine, PublicMask, Shared, concatenate, require_bounded
from protocols.errors import OutOfRange
from protocols.records import FigureRecords


def symbol_counts(engine: Engine, rows: Shared, mask: PublicMask, selector: Shared | None) -> Shared:
    """The sums of `rows` (k, n) over those that count, (k,): of indicators, how many have each symbol.

    Degree 2t under a shared selector.
    """
    return engine.selected_sums(rows, mask) if selector is None else engine.inner_products(rows, selector)


def count_present(
    engine: Engine, figure: FigureRecords, mask: PublicMask, selector: Shared | None = None
) -> Shared | int:
    """How many of the selected records gave the figure: shared (1,), or plain where none may be blank."""
    if figure.presence is not None:
        return symbol_counts(engine, figure.presence.reshape(1, -1), mask, selector)
    return int(mask.sum()) if selector is None else selector.reshape(-1, 1).sum()


def shared_total(
    engine: Engine, figure: FigureRecords, mask: PublicMask, selector: Shared | None = None
) -> Shared:
    """U, the sum of the encoded numbers u over the selected records, from their limbs: (1,), no communication.

    Degree 2t under a shared selector.
    """
    require_bounded(int(mask.sum()) * figure.encoding.size)
    if figure.limbs is None:
        raise OutOfRange("a category has no sum")
    weights = np.array(figure.limbs.weights, dtype=np.uint64)
    return symbol_counts(engine, figure.limb_rows, mask, selector).times(weights).reshape(-1, 1).sum()


async def reveal_totals(engine: Engine, totals: list[Shared], label: str = "sum") -> list[int]:
    """Open the totals U of cells that passed disclosure control: one round, two where some are of degree 2t."""
    opened = await engine.reveal(concatenate(await at_degree_t(engine, totals)), label)
    return [int(value) for value in opened]


async def at_degree_t(engine: Engine, values: Sequence[Shared]) -> list[Shared]:
    """Vectors of which those of degree 2t are reshared, in one round: openings of degree t are checked."""
    found = list(values)
    doubled = [index for index, value in enumerate(found) if value.degree == 2]
    if doubled:
        parts = [found[index] for index in doubled]
        reshared = await engine.reshare(concatenate(parts) if len(parts) > 1 else parts[0])
        offset = 0
        for index in doubled:
            end = offset + len(found[index])
            found[index], offset = reshared[offset:end], end
    return found


def sum_of(encoding: FigureEncoding, total: int, contributors: int) -> Decimal:
    """The sum of the figures: N minimum + step (U - half N)."""
    exact = contributors * Fraction(encoding.minimum) + Fraction(encoding.step) * (
        total - encoding.half * contributors
    )
    return exact_decimal(exact)
