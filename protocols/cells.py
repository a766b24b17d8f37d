"""Cells: what one item of a query asks for one group, on its way to an outcome.

A query's cells go through the phases of `computations.answer_query`; each family of functions answers its own cells
in one coroutine, and all families run side by side, so that rounds are those of the longest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from protocols.catalog import specification
from protocols.concentration_rules import ConcentrationRules
from protocols.engine import PublicMask, Shared
from protocols.records import FigureRecords, Records

WITHHELD_MINIMUM = "minimum"
WITHHELD_DISCLOSURE = "disclosure"

Group = tuple[str, tuple[str, int | None] | None]
"""A public mask's name, and a secret category within it: its figure and symbol (None: blank), if any."""


@dataclass(frozen=True, slots=True)
class CellRequest:
    """One cell of a query: a function of its figures over one group.

    `mask_name` names a public mask of the records; `minimum` the contributors that the study demands there;
    `released` the quantiles of these figures and this group that were released before, `released_linear` those
    released as linear percentiles. `category` narrows the group by a secret category: its figure and the symbol's
    number, None for the members that left it blank.

    `dominance` (n, k) and `p_percent` are rules about concentration (concentration_rules.py), for amounts that are
    not negative. With `complementary` the cells of the figures `table` (by default its own) are one table
    (withholding.py): their contributors are the same wherever one of its figures is given. `row` is the record that
    asks for its own place, in own_rank@1.
    """

    function: str
    figures: tuple[str, ...]
    mask_name: str
    parameters: Mapping[str, Any]
    minimum: int
    released: tuple[Fraction, ...] = ()
    released_linear: tuple[Fraction, ...] = ()
    category: tuple[str, int | None] | None = None
    dominance: tuple[int, int] | None = None
    p_percent: int | None = field(default=None, repr=False)
    complementary: bool = False
    table: tuple[str, ...] = ()
    row: int | None = None

    @property
    def figure(self) -> str:
        """The figure of a function of one figure."""
        return self.figures[0]

    @property
    def group(self) -> Group:
        """Whom the cell is about: the public mask's name, and the secret category if there is one."""
        return self.mask_name, self.category


@dataclass(frozen=True, slots=True)
class CellOutcome:
    """`values` as exact decimal text, or `withheld` by which rule; `contributors` only where the minimum holds.

    `own_share` (1,): this party's share of a value that is for one member alone, to be sealed to it.
    """

    contributors: int | None
    values: tuple[str, ...] | None
    withheld: str | None
    own_share: Shared | None = field(default=None, repr=False, compare=False)


@dataclass(slots=True)
class Cell:
    """A cell under way. `contributors` is N once it is open; a withheld cell opens nothing more.

    `selectors[i]` says in secret who counts when figure i is summed (selection.py); None: the mask alone does.
    `category_cells`: how many cells the category of its group has, the blanks' included; 0 if there is none. One
    that nobody asked for is judged with its siblings, and never answered. `total`: U, where its function opened it.
    """

    request: CellRequest
    mask: PublicMask
    figures: tuple[FigureRecords, ...]
    quantiles: tuple[Fraction, ...] = ()
    contributors: int | None = None
    values: tuple[str, ...] | None = None
    withheld: str | None = None
    selectors: tuple[Shared | None, ...] = field(default=(), repr=False)
    category_cells: int = 0
    own_share: Shared | None = field(default=None, repr=False)
    is_asked: bool = True
    total: int | None = None

    @property
    def figure(self) -> FigureRecords:
        return self.figures[0]

    @property
    def selector(self) -> Shared | None:
        """Who counts, where a secret says so, for the only (or first) figure; None: the mask alone says it."""
        return self.selectors[0] if self.selectors else None

    @property
    def row(self) -> int:
        """The record that asks, which there must be."""
        if self.request.row is None:
            raise ValueError("no record asks for its own place")
        return self.request.row

    @property
    def needs_siblings(self) -> bool:
        """Whether its function has a rule of its own about its siblings, for which their values are worked out."""
        return specification(self.request.function).needs_siblings

    @property
    def is_open(self) -> bool:
        """Whether nothing has withheld it."""
        return self.withheld is None

    @property
    def table(self) -> tuple[str, ...]:
        """Cells with one table are withheld to complement each other."""
        return self.request.table or self.request.figures

    @property
    def contributing(self) -> tuple[tuple[str, ...], Group]:
        """Cells with the same figures and group have the same contributors."""
        return self.request.figures, self.request.group

    @property
    def rules(self) -> ConcentrationRules:
        """About concentration: none for a count, which is no amount."""
        if not specification(self.request.function).of_amounts:
            return ConcentrationRules()
        return ConcentrationRules(self.request.dominance, self.request.p_percent)

    @property
    def key(self) -> tuple[tuple[str, ...], Group, int]:
        """Cells with one key have the same contributors and the same minimum."""
        return self.request.figures, self.request.group, self.request.minimum

    @property
    def number(self) -> int:
        """N, which must be open."""
        if self.contributors is None:
            raise ValueError("the contributors of a withheld cell are not known")
        return self.contributors

    def outcome(self) -> CellOutcome:
        return CellOutcome(self.contributors, self.values, self.withheld, self.own_share)


Numbers = Mapping[tuple[tuple[str, ...], Group], Shared | int]
"""N by figures and group: shared (1,) and of degree t, or plain where it is public anyway."""


def figures_of(request: CellRequest, records: Records) -> tuple[FigureRecords, ...]:
    return tuple(records[name] for name in request.figures)
