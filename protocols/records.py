"""Records: the members' shared indicators, by element, as a computation reads them.

One submission is a vector of L elements (encoding.py); n submissions make a matrix (L, n), each element's row
contiguous over the n records. Below them may stand the rows that derived_rows.py makes of them. A party maps its
matrix from disk; the cleartext engine gets plain indicators.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from protocols import field as fp
from protocols.derived_rows import derive_rows, derived_layout, derived_row_count, last_symbol
from protocols.encoding import FigureEncoding
from protocols.engine import Shared
from protocols.errors import OutOfRange
from protocols.limbs import Limbs


@dataclass(frozen=True, slots=True)
class FigureRecords:
    """One figure of all n records: presence (None where every record has one) and an indicator matrix a digit.

    `digits[d]` has shape (radix_d - 1, n): the last symbol's indicator is implied. Derived: `running[d]`, of each
    digit that is walked, (radix_d // 2, n); `last_symbols[d]` (n,) of each of these but the last; and `limb_rows`
    (K, n) of the plan `limbs`; none of a category.
    """

    name: str
    encoding: FigureEncoding
    presence: Shared | None
    digits: tuple[Shared, ...]
    running: tuple[Shared, ...]
    last_symbols: tuple[Shared, ...]
    limbs: Limbs | None
    limb_rows: Shared

    @property
    def count(self) -> int:
        return int(self.digits[0].values.shape[1])

    def symbol(self, digit: int, value: int) -> Shared:
        """The indicator (n,) that digit `digit` is `value`."""
        rows = self.digits[digit]
        if value < rows.values.shape[0]:
            return rows[value]
        return self.last_symbols[digit] if digit < len(self.last_symbols) else self.implied_symbol(digit)

    def implied_symbol(self, digit: int) -> Shared:
        """The indicator (n,) of a digit's last symbol, from what the members submitted and from nothing derived."""
        rows = self.digits[digit]
        presence = None if self.presence is None else self.presence.values
        return Shared(last_symbol(rows.values, presence), rows.degree)


@dataclass(frozen=True, slots=True)
class Records:
    """The figures of all n records, in study order."""

    figures: Mapping[str, FigureRecords]
    count: int

    def __getitem__(self, figure: str) -> FigureRecords:
        return self.figures[figure]


def arrange(matrix: fp.FieldVector, figures: Sequence[tuple[str, FigureEncoding]]) -> Records:
    """Cut a matrix (L, n) of one party's shares, or (L + M, n) with its derived rows, into figures.

    What is there is not copied; derived rows that are not there are made. Raises OutOfRange for another number of
    rows.
    """
    encodings = [encoding for _, encoding in figures]
    length = sum(encoding.element_count for encoding in encodings)
    if matrix.ndim != 2:
        raise OutOfRange(f"the columns have shape {matrix.shape}, they have rows and records")
    rows, count = matrix.shape
    wanted = length + derived_row_count(encodings, count)
    if rows not in (length, wanted):
        raise OutOfRange(
            f"the columns have {rows} rows, the study's figures need {length}, or {wanted} in all"
        )
    made = rows == wanted
    derived = _in_turn(matrix[length:], encodings) if made else derive_rows(matrix, encodings, count)
    arranged: dict[str, FigureRecords] = {}
    start = 0
    for (name, encoding), own in zip(figures, derived, strict=True):
        place = encoding.layout(start)
        start = place.end
        presence = None if place.presence is None else Shared(matrix[place.presence])
        digits = tuple(
            Shared(matrix[first : first + radix - 1])
            for first, radix in zip(place.digits, encoding.radices, strict=True)
        )
        layout = derived_layout(encoding, count)
        running, row = [], 0
        for counted in layout.counted:
            running.append(Shared(own[row : row + counted]))
            row += counted
        limbs = row + layout.last_symbols
        last_symbols = tuple(Shared(one) for one in own[row:limbs])
        arranged[name] = FigureRecords(
            name, encoding, presence, digits, tuple(running), last_symbols, layout.limbs, Shared(own[limbs:])
        )
    return Records(arranged, count)


def _in_turn(rows: fp.FieldVector, encodings: Sequence[FigureEncoding]) -> Iterator[fp.FieldVector]:
    """Each figure's own among the derived rows."""
    start = 0
    for encoding in encodings:
        end = start + derived_layout(encoding, rows.shape[1]).row_count
        yield rows[start:end]
        start = end


def everyone(records: Records) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """The public mask that selects every record."""
    return np.ones(records.count, dtype=np.uint8)
