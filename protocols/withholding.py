"""Complementary withholding: no withheld cell may fall out of its published siblings by subtraction.

A table is one whole and parts of it that do not overlap: all, and the groups of one partition. Whoever sees the
whole and some parts knows the remainder, the whole less these parts: it is a cell like the others, whether it
consists of withheld parts, of parts that nobody asked for, or of members in no part. So it must be empty, or pass the
rules. Where it does not, published parts join it one by one, the smallest first (by the public number of records;
then in the order of the table), until it passes. A remainder that is the whole itself passes, as the whole does.

What is withheld must not change from query to query: of two patterns of one table a withheld cell falls out. So every
query judges every group of its tables, whether it asks for it or not.

Pure: which groups form a table, and what is tried in which order. Who tests the remainders is judgement.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from protocols.errors import OutOfRange


@dataclass(frozen=True, slots=True)
class TableGroup:
    """One group of a table: its public mask (n,), narrowed by `category` (figure, symbol or None: blank) if any.

    `category_cells`: how many cells that category has, the blanks' included.
    """

    mask: NDArray[np.uint8]
    category: tuple[str, int | None] | None = None
    category_cells: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One attempt: `withheld` parts beside those that were, and the parts that stay `published`, by position.

    `is_certain`: the remainder passes whatever the figures are, being empty or the whole.
    """

    withheld: tuple[int, ...]
    published: tuple[int, ...]
    is_certain: bool


@dataclass(frozen=True, slots=True)
class Table:
    """`whole` and `parts` are positions in `groups`; parts ascend by size."""

    groups: tuple[TableGroup, ...]
    whole: int
    parts: tuple[int, ...]

    def steps(self, withheld: AbstractSet[int]) -> tuple[Step, ...]:
        """What is tried, in order, when the groups `withheld` are.

        Where the whole is among them, its number may still be known to everybody.
        """
        published = tuple(i for i in self.parts if i not in withheld)
        steps = []
        for count in range(len(published) + 1):
            left = published[count:]
            steps.append(Step(published[:count], left, not left or self._covers(left)))
            if steps[-1].is_certain:
                break
        return tuple(steps)

    def _covers(self, parts: Sequence[int]) -> bool:
        """Whether these parts leave nobody of the whole out, whatever the figures are."""
        covered = np.zeros(len(self.groups[self.whole].mask), dtype=np.int64)
        needed = np.ones_like(covered)
        for group in (self.groups[i] for i in parts):
            covered += group.mask
            if group.category is not None:
                needed[group.mask == 1] = group.category_cells
        return bool((covered >= needed)[self.groups[self.whole].mask == 1].all())


def arrange_table(groups: Sequence[TableGroup]) -> Table | None:
    """The table that `groups` form; None if nothing can be subtracted: no group contains another.

    Raises OutOfRange if they are not one whole and disjoint parts of it: from overlapping groups, or a partition of
    a partition, more falls out than withholding in one table prevents.
    """
    containing = [i for i, group in enumerate(groups) if all(_contains(group, other) for other in groups)]
    whole = containing[0] if containing and len(groups) > 1 else None
    parts = [i for i in range(len(groups)) if i != whole]
    for position, first in enumerate(parts):
        for second in parts[position + 1 :]:
            if not _are_disjoint(groups[first], groups[second]):
                raise OutOfRange(
                    "complementary withholding takes all members and the groups of one partition, not groups "
                    "that overlap"
                )
    if whole is None:
        return None
    ascending = sorted(parts, key=lambda i: (int(groups[i].mask.sum()), i))
    return Table(tuple(groups), whole, tuple(ascending))


def _contains(outer: TableGroup, inner: TableGroup) -> bool:
    rows = not (inner.mask & ~outer.mask & 1).any()
    return rows and outer.category in (None, inner.category)


def _are_disjoint(first: TableGroup, second: TableGroup) -> bool:
    if not (first.mask & second.mask).any():
        return True
    if first.category is None or second.category is None:
        return False
    return first.category[0] == second.category[0] and first.category[1] != second.category[1]
