"""Whether a signed result answers what was asked, and keeps to the rules of its own study.

Parties that sign a result which their study forbids are caught here by anybody: a cell nobody asked for,
fewer contributors than the minimum, a number off the published grid, percentiles that descend.
"""

from __future__ import annotations

from fractions import Fraction

from mpc_cde.documents.figure import Figure
from mpc_cde.documents.query import GroupCell, Query, QueryItem, function_of
from mpc_cde.documents.result import Cell, Result
from mpc_cde.documents.study_terms import FunctionTerms, StudyTerms
from mpc_cde.errors import BadDocument


def verify_cells(result: Result, terms: StudyTerms, query: Query | None) -> None:
    """Returns if the cells are those asked for and each may be released. Raises BadDocument."""
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
        what = f"cell {number}"
        if (cell.function, cell.figures, cell.group, cell.parameters) != (
            item.function,
            item.figures,
            item.group,
            item.parameters,
        ):
            raise BadDocument(f"{what}: it answers another question than was asked")
        if function_of(item, terms) is None:
            raise BadDocument(f"{what}: the study has no such function")
        if cell.values is not None:
            _verify_values(cell, cell.values, terms, what)


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


def _verify_values(cell: Cell, values: tuple[str, ...], terms: StudyTerms, what: str) -> None:
    minimum = terms.disclosure.minimum_for(group=cell.group is not None)
    if cell.contributors is None or not minimum <= cell.contributors <= terms.roster_cap:
        raise BadDocument(f"{what}: released with fewer contributors than the {minimum} of the study")
    quantiles = cell.parameters.get("quantiles")
    if cell.function.startswith("percentiles@") and isinstance(quantiles, tuple):
        if len(values) != len(quantiles):
            raise BadDocument(f"{what}: expected {len(quantiles)} values, found {len(values)}")
        numbers = [Fraction(value) for value in values]
        if numbers != sorted(numbers):
            raise BadDocument(f"{what}: percentiles ascend")
        figure = terms.figure(cell.figures[0])
        if figure is not None and not all(_is_published(number, figure) for number in numbers):
            raise BadDocument(f"{what}: a percentile is not on the published grid")
    if cell.function.startswith("count@") and values != (str(cell.contributors),):
        raise BadDocument(f"{what}: a count is the number of contributors")


def _is_published(number: Fraction, figure: Figure) -> bool:
    if figure.minimum is None or figure.publish_step is None or figure.step is None:
        return True
    minimum, publish_step = Fraction(figure.minimum), Fraction(figure.publish_step)
    steps = (number - minimum) / publish_step
    return steps.denominator == 1 and 0 <= number - minimum <= Fraction(figure.step) * figure.capacity
