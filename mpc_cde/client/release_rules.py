"""Whether a signed result answers what was asked, and keeps to the rules of its own study.

Parties that sign a result which their study forbids are caught here by anybody: a cell nobody asked for, fewer
contributors than the minimum, percentiles too close, groups whose remainder is too small, a value that the function
cannot have (released_values.py).
"""

from __future__ import annotations

from fractions import Fraction

from mpc_cde.client.released_values import verify_values
from mpc_cde.documents.query import GroupCell, Query, QueryItem, function_of
from mpc_cde.documents.result import Cell, Result
from mpc_cde.documents.study_terms import FunctionTerms, StudyTerms
from mpc_cde.errors import BadDocument
from protocols.catalog import parse_quantiles, specification
from protocols.ranks import ranks_are_safe


def verify_cells(result: Result, terms: StudyTerms, query: Query | None, *, rows: int) -> None:
    """Returns if the cells are those asked for and each may be released. Raises BadDocument.

    `rows`: how many submissions there are in the checked roster.
    """
    if query is not None:
        items = list(query.items)
    else:
        index = result.scheduled_function
        if index is None or index >= len(terms.functions) or not terms.functions[index].scheduled:
            raise BadDocument("it names no scheduled function of the study")
        items = items_of(terms.functions[index], terms)
    if len(items) != len(result.cells):
        raise BadDocument(f"expected {len(items)} cells, found {len(result.cells)}")
    for number, (cell, item) in enumerate(zip(result.cells, items, strict=True), start=1):
        try:
            _verify_cell(cell, item, terms, sealed_by=len(result.parties), rows=rows)
        except BadDocument as error:
            raise BadDocument(f"cell {number}: {error}") from None
    _verify_contributors(result, terms)
    _verify_percentiles(result, terms)


def items_of(function: FunctionTerms, terms: StudyTerms) -> list[QueryItem]:
    """Every cell of one function: one for all members, or one for each value of its group, in order.

    A group by a category that may be blank has the cell of the blanks too, last.
    """
    return [
        QueryItem(
            function=function.function,
            figures=function.figures,
            group=cell,
            parameters=function.asked_parameters,
        )
        for cell in _groups_of(function, terms)
    ]


def _groups_of(function: FunctionTerms, terms: StudyTerms) -> list[GroupCell | None]:
    by = function.by
    return [None] if by is None else [GroupCell(attribute=by, value=value) for value in terms.values_of(by)]


def _verify_cell(cell: Cell, item: QueryItem, terms: StudyTerms, *, sealed_by: int, rows: int) -> None:
    if (cell.function, cell.figures, cell.group, cell.parameters) != (
        item.function,
        item.figures,
        item.group,
        item.parameters,
    ):
        raise BadDocument("it answers another question than was asked")
    function = function_of(item, terms)
    if function is None:
        raise BadDocument("the study has no such function")
    if cell.definition != specification(cell.function).definition:
        raise BadDocument("its definition is not the catalogue's")
    if cell.withheld is not None:
        return
    minimum = terms.minimum_for(cell.figures, group=cell.group is not None)
    if cell.contributors is None or not minimum <= cell.contributors <= rows:
        raise BadDocument(
            f"released with fewer contributors than the {minimum} of the study, or more than {rows} rows"
        )
    if (cell.sealed is not None) != (function.audience == "self"):
        raise BadDocument("sealed is what is for the asker alone, and nothing else")
    if cell.sealed is not None and len(cell.sealed) != sealed_by:
        raise BadDocument(f"expected a sealed share of each of {sealed_by} parties, found {len(cell.sealed)}")
    if cell.values is not None:
        verify_values(cell, cell.values, cell.contributors, minimum, terms)


def _verify_contributors(result: Result, terms: StudyTerms) -> None:
    """Cells of the same figures and group have the same contributors; groups leave nobody, or enough, of all."""
    known: dict[tuple[str, ...], dict[GroupCell | None, int]] = {}
    for cell in result.cells:
        if cell.contributors is not None:
            groups = known.setdefault(cell.figures, {})
            if groups.setdefault(cell.group, cell.contributors) != cell.contributors:
                raise BadDocument(f"two cells of {', '.join(cell.figures)} have other contributors")
    for figures, groups in known.items():
        whole = groups.pop(None, None)
        if whole is None or not groups:
            continue
        left = whole - sum(groups.values())
        least = terms.minimum_for(figures, group=True)
        if left < 0 or (terms.disclosure.complementary and 0 < left < least):
            raise BadDocument(
                f"{', '.join(figures)}: groups leave {left} contributors of all, fewer than {least}"
            )


def _verify_percentiles(result: Result, terms: StudyTerms) -> None:
    """Enough contributors on each side of every percentile, and between those of one figure and group."""
    found: dict[tuple[tuple[str, ...], GroupCell | None], dict[str, set[Fraction]]] = {}
    numbers = {}
    for cell in result.cells:
        if cell.values is not None and "quantiles" in cell.parameters and cell.contributors is not None:
            key = cell.figures, cell.group
            numbers[key] = cell.contributors
            found.setdefault(key, {}).setdefault(cell.function, set()).update(
                parse_quantiles(cell.parameters)
            )
    for (figures, group), own in found.items():
        minimum = terms.minimum_for(figures, group=group is not None)
        exact, linear = own.get("percentiles@1", set()), own.get("percentiles_linear@1", set())
        if not ranks_are_safe(exact, (), numbers[figures, group], minimum, linear):
            raise BadDocument(
                f"{', '.join(figures)}: percentiles with fewer than {minimum} contributors between"
            )
