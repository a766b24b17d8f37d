"""Records: the members' shared indicators, by element, as a computation reads them.

One submission is a vector of L elements (encoding.py); n submissions make a matrix (L, n), each element's row
contiguous over the n records. A party maps its matrix from disk; the cleartext engine gets plain indicators.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from protocols import field as fp
from protocols import kernels
from protocols.encoding import FigureEncoding
from protocols.engine import Shared
from protocols.errors import OutOfRange


@dataclass(frozen=True, slots=True)
class FigureRecords:
    """One figure of all n records: presence (None where every record has one) and an indicator matrix a digit.

    `digits[d]` has shape (radix_d - 1, n): the last symbol's indicator is implied.
    """

    name: str
    encoding: FigureEncoding
    presence: Shared | None
    digits: tuple[Shared, ...]

    @property
    def count(self) -> int:
        return int(self.digits[0].values.shape[1])

    def symbol(self, digit: int, value: int) -> Shared:
        """The indicator (n,) that digit `digit` is `value`; for the last symbol presence less the others."""
        rows = self.digits[digit]
        if value < rows.values.shape[0]:
            return rows[value]
        others = Shared(kernels.column_sums(rows.values), rows.degree)
        return (-others).plus(1) if self.presence is None else self.presence - others


@dataclass(frozen=True, slots=True)
class Records:
    """The figures of all n records, in study order."""

    figures: Mapping[str, FigureRecords]
    count: int

    def __getitem__(self, figure: str) -> FigureRecords:
        return self.figures[figure]


def arrange(matrix: fp.FieldVector, figures: Sequence[tuple[str, FigureEncoding]]) -> Records:
    """Cut a matrix (L, n) of one party's shares into figures; no copy is made.

    Raises OutOfRange if L is not the length that the encodings ask for.
    """
    wanted = sum(encoding.element_count for _, encoding in figures)
    if matrix.ndim != 2 or matrix.shape[0] != wanted:
        raise OutOfRange(f"the columns have shape {matrix.shape}, the study's figures need {wanted} rows")
    arranged: dict[str, FigureRecords] = {}
    row = 0
    for name, encoding in figures:
        presence = None
        if encoding.blank_allowed:
            presence = Shared(matrix[row])
            row += 1
        digits = []
        for radix in encoding.radices:
            digits.append(Shared(matrix[row : row + radix - 1]))
            row += radix - 1
        arranged[name] = FigureRecords(name, encoding, presence, tuple(digits))
    return Records(arranged, int(matrix.shape[1]))


def everyone(records: Records) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """The public mask that selects every record."""
    return np.ones(records.count, dtype=np.uint8)
