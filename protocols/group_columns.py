"""The columns of one figure within a public group, as the secret walks read them.

Records outside the mask are left out before anything is multiplied, so they cost nothing.
"""

from __future__ import annotations

import numpy as np

from protocols.engine import Engine, PublicMask, Shared
from protocols.records import FigureRecords


class GroupColumns:
    """The indicators of `figure` for the n' records of `mask`; `depth` is the number of its digits."""

    def __init__(self, figure: FigureRecords, mask: PublicMask) -> None:
        self.figure = figure
        self.depth = len(figure.encoding.radices)
        self._rows = None if mask.all() else np.flatnonzero(mask)
        self._kept: tuple[int, Shared] | None = None

    def within(self, shared: Shared) -> Shared:
        """The group's entries of an array whose last axis is the records."""
        if self._rows is None:
            return shared
        return Shared(np.ascontiguousarray(shared.values[..., self._rows]), shared.degree)

    def digit(self, digit: int) -> Shared:
        """(r_d - 1, n'); the last one asked for is kept, since several walks ask for it in turn."""
        if self._kept is None or self._kept[0] != digit:
            self._kept = digit, self.within(self.figure.digits[digit])
        return self._kept[1]

    def counts(self, engine: Engine, digit: int, selector: Shared | None) -> Shared:
        """How many have each symbol but the last: (r_d - 1,), degree 2t where `selector` (n',) narrows them."""
        rows = self.digit(digit)
        if selector is not None:
            return engine.inner_products(rows, selector)
        return engine.selected_sums(rows, np.ones(rows.values.shape[1], dtype=np.uint8))

    def matching(self, engine: Engine, digit: int, symbol: Shared) -> Shared:
        """Who has the shared symbol, given by its r_d indicators: (n',), degree 2t, no communication.

        The last symbol's indicator is taken for 1 less the others: a blank seems to have it. That is free, and
        does no harm where the result selects what is counted: a blank is not counted, all its indicators being 0.
        """
        last = symbol[-1:]
        return engine.combination(self.digit(digit), symbol[:-1] - last) + last
