"""Counts and sums: linear in the indicators, so they cost no multiplication (protocol.md section 6).

What a party learns: the opened total, which is the answer. Cost: one opening for all cells together.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np

from protocols import field as fp
from protocols.decimals import exact_decimal
from protocols.encoding import FigureEncoding
from protocols.engine import Engine, PublicMask, Shared, concatenate, require_bounded
from protocols.records import FigureRecords


def count_present(engine: Engine, figure: FigureRecords, mask: PublicMask) -> Shared | int:
    """How many of the selected records gave the figure: shared (1,), or plain where none may be blank."""
    if figure.presence is None:
        return int(mask.sum())
    return engine.selected_sums(figure.presence.reshape(1, -1), mask)


def shared_total(engine: Engine, figure: FigureRecords, mask: PublicMask) -> Shared:
    """U, the sum of the encoded numbers u over the selected records: (1,), degree t, no communication.

    With counts c_b of the symbols but the last and N present, a digit adds
    w ((r - 1) N - sum_b (r - 1 - b) c_b), w the digit's weight.
    """
    require_bounded(int(mask.sum()) * figure.encoding.size)
    present = count_present(engine, figure, mask)
    number = _constant(present) if isinstance(present, int) else present
    weight = figure.encoding.size
    total = _constant(0)
    for radix, rows in zip(figure.encoding.radices, figure.digits, strict=True):
        weight //= radix
        counts = engine.selected_sums(rows, mask)
        deficits = np.arange(radix - 1, 0, -1, dtype=np.uint64)
        below = counts.times(deficits).reshape(-1, 1).sum()
        total = total + (number.times(radix - 1) - below).times(weight)
    return total


async def reveal_totals(engine: Engine, totals: list[Shared]) -> list[int]:
    """Open the totals U of cells that passed disclosure control: one round."""
    opened = await engine.reveal(concatenate(totals), "sum")
    return [int(value) for value in opened]


def sum_of(encoding: FigureEncoding, total: int, contributors: int) -> Decimal:
    """The sum of the figures: N minimum + step (U - half N)."""
    exact = contributors * Fraction(encoding.minimum) + Fraction(encoding.step) * (
        total - encoding.half * contributors
    )
    return exact_decimal(exact)


def _constant(value: int) -> Shared:
    return Shared(np.array([value % fp.P], dtype=np.uint64))
