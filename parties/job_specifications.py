"""From agreed inputs to the public part of a job: the same bytes at every party of the session.

Masks select rows of the roster by certified values; a row that the input checks removed is in none of them. What
could be set against the cells of a query (its siblings) is in the job whether it is asked for or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mpc_cde.documents.query import GroupCell, Query, QueryItem
from mpc_cde.documents.roster_lines import digests_of, is_among
from mpc_cde.documents.roster_rows import RosterRows
from mpc_cde.documents.study_terms import FunctionTerms, StudyTerms
from parties.release_ledger import Released
from parties.release_tables import ReleaseTable, tables_of
from parties.worker_pipe import JobAsker, JobCategory, JobCell, JobMask, JobSpecification
from protocols import catalog

EVERYBODY = "all"


def check_specification(
    job_id: bytes, roster: bytes, terms: StudyTerms, entries: RosterRows
) -> JobSpecification:
    """Input checks over every figure and row."""
    return JobSpecification(
        job_id=job_id, kind="check_inputs", roster=roster, figures=terms.figures, records=len(entries)
    )


def query_specification(
    job_id: bytes,
    roster: bytes,
    terms: StudyTerms,
    entries: RosterRows,
    removed: frozenset[bytes],
    query: Query,
    released: Sequence[Released],
    p_percent: int | None = None,
    asker: JobAsker | None = None,
) -> JobSpecification:
    """The cells of a query, in its order; `released[i]` is what item i must keep clear of.

    `p_percent` is what the study's commitment stands for, None if it has none; `asker` the member that asks for its
    own place, if one does.
    """
    cells = _Cells(terms, p_percent)
    asked = tuple(cells.cell(item, released=own) for item, own in zip(query.items, released, strict=True))
    siblings = tuple(cells.siblings(query.items))
    groups = {mask_name(terms, group): group for group in cells.groups}
    return JobSpecification(
        job_id=job_id,
        kind="answer_query",
        roster=roster,
        figures=terms.figures,
        records=len(entries),
        masks=tuple(_mask(name, terms, groups[name], entries, removed) for name in sorted(groups)),
        cells=asked,
        siblings=siblings,
        asker=asker,
    )


@dataclass(slots=True)
class _Cells:
    """Makes the cells of one job; `groups` are those that they speak of."""

    terms: StudyTerms
    p_percent: int | None
    groups: dict[GroupCell | None, None]
    _tables: tuple[ReleaseTable, ...]

    def __init__(self, terms: StudyTerms, p_percent: int | None) -> None:
        self.terms = terms
        self.p_percent = p_percent
        self.groups = {}
        self._tables = tables_of(terms)

    def cell(self, item: QueryItem, *, released: Released | None = None) -> JobCell:
        """The item with every rule of the study that holds for it."""
        bundle = self.terms.disclosure
        table = self._table(item.figures)
        ruled = (
            not self.terms.may_be_negative(item.figures) and catalog.specification(item.function).of_amounts
        )
        dominance = bundle.dominance if ruled else None
        before = released or Released()
        self.groups[item.group] = None
        return JobCell(
            function=item.function,
            figures=item.figures,
            mask=mask_name(self.terms, item.group),
            parameters=item.parameters,
            minimum=self.terms.minimum_for(item.figures, group=item.group is not None),
            released=before.quantiles,
            released_linear=before.linear,
            category=_category(self.terms, item.group),
            dominance=None if dominance is None else (dominance.contributors, dominance.percent),
            p_percent=self.p_percent if ruled else None,
            complementary=self._complements(table),
            table=table.figures,
        )

    def siblings(self, items: Sequence[QueryItem]) -> Iterable[JobCell]:
        """Every cell of the tables that `items` are of, and the histograms beside the histograms among them."""
        asked = {name for item in items for name in item.figures}
        drawn = {
            (item.function, item.figures)
            for item in items
            if catalog.specification(item.function).needs_siblings
        }
        for table in self._tables:
            if not self._complements(table) or not asked & set(table.figures):
                continue
            for figures in table.combinations:
                for group in table.groups(self.terms):
                    yield self._sibling(table.judged_by(figures), group)
            for function in table.functions:
                if (function.function, function.figures) in drawn:
                    for group in table.groups(self.terms):
                        if (None if group is None else group.attribute) == function.by:
                            yield self._sibling(function, group)

    def _sibling(self, function: FunctionTerms, group: GroupCell | None) -> JobCell:
        item = QueryItem(
            function=function.function,
            figures=function.figures,
            group=group,
            parameters=function.asked_parameters,
        )
        return self.cell(item)

    def _complements(self, table: ReleaseTable) -> bool:
        return self.terms.disclosure.complementary and table.is_subtractable

    def _table(self, figures: tuple[str, ...]) -> ReleaseTable:
        return next(table for table in self._tables if figures[0] in table.figures)


def mask_name(terms: StudyTerms, group: GroupCell | None) -> str:
    """What a group's mask is called in a job; the members of a secret category are among everybody."""
    if group is None or terms.group(group.attribute) is None:
        return EVERYBODY
    return f"{group.attribute}={group.value}"


def _category(terms: StudyTerms, group: GroupCell | None) -> JobCategory | None:
    """Its symbol, if the group is a secret category; blanks have none."""
    figure = None if group is None else terms.figure(group.attribute)
    if group is None or figure is None:
        return None
    symbol = figure.categories.index(group.value) if group.value in figure.categories else None
    return JobCategory(figure=figure.name, symbol=symbol)


def _mask(
    name: str,
    terms: StudyTerms,
    group: GroupCell | None,
    entries: RosterRows,
    removed: frozenset[bytes],
) -> JobMask:
    certified = None if group is None or terms.group(group.attribute) is None else group
    selected = ~is_among(entries.submissions, digests_of(sorted(removed)))
    if certified is not None:
        selected &= entries.are_of(certified.attribute, certified.value)
    return JobMask(name=name, bits=np.packbits(selected, bitorder="little").tobytes())
