"""Which cells of a study stand in relation: what one figure's whole and its groups come to, and what links figures.

Figures that one function takes together, or that a formula adds up, are of one table: from a ratio and one total the
other total falls out. Its cells are withheld together (protocols/withholding.py), every query judges all of it, and
that holds only where its contributors are the same whichever of its figures is asked for. Pure: of the terms alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mpc_cde.documents.query import GroupCell
from mpc_cde.documents.study_terms import FunctionTerms, StudyTerms
from protocols import catalog

LINEAR = frozenset({"sum", "difference"})
"""Operations whose totals follow from the totals of the operands."""


@dataclass(frozen=True, slots=True)
class ReleaseTable:
    """Figures in relation, in study order, and the functions over them.

    `counts_everybody`: the contributors of its groups together are the rows of the roster, whose number everybody
    reads: some function in groups takes figures that every member gave.
    """

    figures: tuple[str, ...]
    functions: tuple[FunctionTerms, ...]
    counts_everybody: bool = False

    @property
    def partitions(self) -> tuple[str, ...]:
        """The groups by which its cells are formed: at most one where nodes approve the study."""
        return tuple(dict.fromkeys(f.by for f in self.functions if f.by is not None))

    @property
    def is_subtractable(self) -> bool:
        """Whether the whole and parts of it are released: what is not shown falls out of what is.

        The number of the whole always is where `counts_everybody`, and every cell tells its contributors.
        """
        has_whole = self.counts_everybody or any(f.by is None for f in self.functions)
        return bool(self.partitions) and has_whole

    def groups(self, terms: StudyTerms) -> tuple[GroupCell | None, ...]:
        """The whole, then its parts in the order of the terms."""
        parts = [
            GroupCell(attribute=by, value=value) for by in self.partitions for value in terms.values_of(by)
        ]
        return (None, *parts)

    @property
    def combinations(self) -> tuple[tuple[str, ...], ...]:
        """The figures that functions take, each once."""
        return tuple(dict.fromkeys(function.figures for function in self.functions))

    def judged_by(self, figures: tuple[str, ...]) -> FunctionTerms:
        """A function of these figures by which a cell is judged: of amounts if any is, since rules concern those."""
        own = [function for function in self.functions if function.figures == figures]
        amounts = [f for f in own if catalog.specification(f.function).of_amounts]
        if not amounts:
            return own[0]
        # A sum needs no parameters and no record that asks; the rules about concentration are the same for all.
        return amounts[0] if len(figures) > 1 else FunctionTerms(function="sum@1", figures=figures)


def tables_of(terms: StudyTerms) -> tuple[ReleaseTable, ...]:
    """Every figure that a function takes is in exactly one."""
    linked: list[set[str]] = []
    for together in _links(terms):
        touching = [known for known in linked if known & together]
        linked = [known for known in linked if not known & together]
        linked.append(together.union(*touching))
    names = [figure.name for figure in terms.figures]
    tables = [
        ReleaseTable(
            tuple(name for name in names if name in known),
            own := tuple(function for function in terms.functions if function.figures[0] in known),
            any(f.by is not None and not may_be_blank(terms, f.figures) for f in own),
        )
        for known in linked
    ]
    return tuple(table for table in tables if table.functions)


def may_be_blank(terms: StudyTerms, figures: tuple[str, ...]) -> frozenset[str]:
    """Who contributes is a function of these: members that gave all of them."""
    return frozenset(name for name in figures if (f := terms.figure(name)) is not None and f.blank_allowed)


def table_of(terms: StudyTerms, figure: str) -> ReleaseTable:
    """The table of a figure that some function takes."""
    return next(table for table in tables_of(terms) if figure in table.figures)


def _links(terms: StudyTerms) -> Iterable[set[str]]:
    """Figures of one function, and a figure with those it is added up of, where functions take all of them."""
    taken = {name for function in terms.functions for name in function.figures}
    for function in terms.functions:
        yield set(function.figures)
    for figure in terms.figures:
        if figure.derived is not None and figure.derived.operation in LINEAR:
            related = {figure.name, *figure.derived.operands}
            if related <= taken:
                yield related
