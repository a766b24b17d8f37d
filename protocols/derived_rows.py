"""What a party derives from its shares once, when a roster freezes, so that every query reads less of them.

All of it is linear in the shares, so it is local, opens nothing, and is itself a sharing of degree t.

Running counts, two to a number. A walk (order_statistics.py) counts for each symbol b of a digit the records with a
symbol <= b: an inner product with H_b = h_0 + ... + h_b. Two such counts fit one element: with k = r - 1 symbols that
are counted and `half` = ceil(k / 2),

    W_b = H_b + 2^31 H_(b + half)          b = 0 .. half - 1, where H_(b + half) = 0 if there is no such symbol.

From an inner product or a sum over W_b, which is P_b + 2^31 P_(b + half), both counts are had at the scale 2^31, each
with a remainder that is not negative and small:

    2^31 W = 2^31 P_b + 2 P_(b + half)     since 2^62 = 2 mod p;       W = 2^31 P_(b + half) + P_b.

So half of the elements are read. Whatever subtracts scaled counts from scaled ranks and compares the difference with
zero finds what the exact numbers give, while all remainders together stay below 2^31 (`require_scale`).

Last symbols. Members submit no indicator of a digit's last symbol: it is presence less the others, r - 1 rows to read
where a walk has one to read for every other symbol. It is kept for each digit that a selector is made of.

Limbs (limbs.py): the two or three numbers that sums and sums of squares consist of.

What a party learns: nothing. Cost: for 32 bits in radix 16 73 elements a record beside 120.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from protocols import field as fp
from protocols import kernels
from protocols.encoding import FigureEncoding
from protocols.engine import COMPARISON_BOUND, Shared, concatenate
from protocols.errors import OutOfRange
from protocols.limbs import Limbs, limb_rows, plan_limbs

LAYOUT = 2
"""Counted up when rows are derived otherwise: rows on disk of another layout are made again."""

SCALE = 1 << 31


@dataclass(frozen=True, slots=True)
class DerivedLayout:
    """The rows of one figure among all derived rows.

    Of each walked digit its running counts; of each but the last its last symbol; then the limbs.
    """

    counted: tuple[int, ...]
    limbs: Limbs | None

    @property
    def last_symbols(self) -> int:
        return max(len(self.counted) - 1, 0)

    @property
    def row_count(self) -> int:
        return sum(self.counted) + self.last_symbols + (0 if self.limbs is None else len(self.limbs.sizes))


def derived_layout(encoding: FigureEncoding, records: int) -> DerivedLayout:
    """A category is neither walked nor summed: it has no derived rows."""
    if encoding.kind == "category":
        return DerivedLayout((), None)
    (limbs,) = plan_limbs([encoding], records)
    walked = encoding.radices[: encoding.published_digits]
    return DerivedLayout(tuple(radix // 2 for radix in walked), limbs)


def derived_row_count(encodings: Sequence[FigureEncoding], records: int) -> int:
    """How many rows are derived from the columns of a study with so many records."""
    return sum(derived_layout(encoding, records).row_count for encoding in encodings)


def derive_rows(
    matrix: fp.FieldVector, encodings: Sequence[FigureEncoding], records: int
) -> Iterator[fp.FieldVector]:
    """For each figure in turn its derived rows (M, k), from the shares (L, k) of some of the `records`."""
    start = 0
    for encoding in encodings:
        layout, place = derived_layout(encoding, records), encoding.layout(start)
        start = place.end
        presence = None if place.presence is None else matrix[place.presence]
        digits = [
            matrix[first : first + radix - 1]
            for first, radix in zip(place.digits, encoding.radices, strict=True)
        ]
        parts = [running_rows(rows) for rows in digits[: len(layout.counted)]]
        parts += [last_symbol(rows, presence)[np.newaxis] for rows in digits[: layout.last_symbols]]
        if layout.limbs is not None:
            parts.append(limb_rows(layout.limbs, encoding, presence, digits))
        yield np.concatenate(parts) if parts else np.empty((0, matrix.shape[1]), dtype=np.uint64)


def running_rows(rows: fp.FieldVector) -> fp.FieldVector:
    """The W_b of a digit: (ceil(k / 2), n) from the indicators (k, n)."""
    running = np.empty_like(rows)
    running[0] = rows[0]
    for b in range(1, len(rows)):
        running[b] = kernels.add(running[b - 1], rows[b])
    half = (len(rows) + 1) // 2
    for b in range(half, len(rows)):
        kernels.axpy(running[b - half], SCALE, running[b])
    return running[:half]


def last_symbol(rows: fp.FieldVector, presence: fp.FieldVector | None) -> fp.FieldVector:
    """The indicator (n,) of a digit's last symbol, from the others' (k, n) and presence (n,), or None for 1."""
    others = kernels.column_sums(rows)
    return kernels.subtract(np.ones_like(others) if presence is None else presence, others)


def scaled_counts(pairs: Shared, count: int) -> Shared:
    """2^31 P_b, with its remainder, for b = 0 .. count - 1, from what was summed over the W_b: (count,)."""
    return concatenate([pairs.times(SCALE), pairs[: count - len(pairs)]])


def require_scale(contributors: int, digits: int) -> None:
    """Refuse a walk whose remainders could reach 2^31, or its differences 2^60.

    A digit brings a remainder of at most two counts, and the rank keeps those of the digits before.
    """
    if 2 * contributors * (digits + 1) >= SCALE or SCALE * (contributors + 1) >= COMPARISON_BOUND:
        raise OutOfRange(f"a walk over {contributors} contributors: its counts no longer fit two to a number")
