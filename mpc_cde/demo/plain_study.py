"""What a study answers, as far as the rules need to know: which figures are related, and by which groups.

Part of the plain calculation: written from the definitions, with nothing that the product computes with.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mpc_cde.demo.plain_table import PlainFigure

COUNT = "count@1"


@dataclass(frozen=True, slots=True)
class PlainFunction:
    """One function of a study, for all members or for each group of the attribute or category `by`."""

    function: str
    figures: tuple[str, ...]
    by: str | None = None

    @property
    def of_amounts(self) -> bool:
        """Whether rules about large contributions concern it: they do all but counts."""
        return self.function != COUNT


@dataclass(slots=True)
class Relation:
    """Figures that functions take together, or that a sum or difference links with its terms.

    `combinations` are the figures of its functions, each with whether one of them is of amounts.
    """

    figures: set[str]
    combinations: dict[tuple[str, ...], bool] = field(default_factory=dict)
    attribute: str | None = None
    has_whole: bool = False
    in_groups: set[tuple[str, ...]] = field(default_factory=set)

    def take(self, function: PlainFunction) -> None:
        """One more function of these figures. Raises ValueError for a second partition of them."""
        known = self.combinations.get(function.figures, False)
        self.combinations[function.figures] = known or function.of_amounts
        if function.by is None:
            self.has_whole = True
            return
        self.in_groups.add(function.figures)
        if self.attribute not in (None, function.by):
            raise ValueError(f"groups by {self.attribute} and by {function.by} of the same figures overlap")
        self.attribute = function.by


def relations(study: Sequence[PlainFunction], figures: Iterable[PlainFigure]) -> list[Relation]:
    """Every figure that a function takes is in exactly one."""
    linked = [set(function.figures) for function in study]
    for figure in figures:
        if figure.formula is not None and figure.formula.operation in ("sum", "difference"):
            linked.append({figure.name, *figure.formula.operands})
    apart: list[set[str]] = []
    for together in linked:
        touched = [known for known in apart if known & together]
        apart = [known for known in apart if not known & together] + [together.union(*touched)]
    found = [Relation(known) for known in apart]
    for function in study:
        next(each for each in found if function.figures[0] in each.figures).take(function)
    return [each for each in found if each.combinations]
