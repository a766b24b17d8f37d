"""What the plain calculation is told of a study: its figures, classes, functions and rules as facts of its own.

The only place that knows both sides; nothing is computed here.
"""

from __future__ import annotations

from fractions import Fraction

from mpc_cde.demo.plain_functions import PlainItem
from mpc_cde.demo.plain_rules import PlainRules
from mpc_cde.demo.plain_study import PlainFunction
from mpc_cde.demo.plain_table import PlainClass, PlainFigure, PlainFormula
from mpc_cde.documents.figure import Figure
from mpc_cde.documents.query import QueryItem
from mpc_cde.documents.result import Cell
from mpc_cde.documents.study_terms import StudyTerms
from mpc_cde.study_templates import StudyTemplate


def plain_item(item: QueryItem | Cell, *, row: int | None = None) -> PlainItem:
    """An item of a query, or a cell of a result, in the terms of the plain calculation; `row` is who asks."""
    given = item.parameters
    return PlainItem(
        item.function,
        item.figures,
        None if item.group is None else (item.group.attribute, item.group.value),
        quantiles=_fractions(given.get("quantiles", ())),
        grid=_fraction(given.get("grid", "1")),
        maximum=_fraction(given.get("maximum", "1")),
        edges=_fractions(given.get("edges", ())),
        places=int(_fraction(given.get("places", 0))),
        row=row,
    )


def plain_figures(terms: StudyTerms) -> list[PlainFigure]:
    return [_plain_figure(figure) for figure in terms.figures]


def plain_classes(template: StudyTemplate) -> list[PlainClass]:
    """The rules by which the registrar certifies."""
    return [
        PlainClass(group.attribute, one.value, group.column, one.lower, one.upper, one.equals)
        for group in template.groups
        for one in group.classes
    ]


def plain_study(terms: StudyTerms) -> list[PlainFunction]:
    return [PlainFunction(function.function, function.figures, function.by) for function in terms.functions]


def plain_rules(terms: StudyTerms, p_percent: int | None) -> PlainRules:
    """The study's bundle; the terms only commit to the p of its p% rule."""
    bundle = terms.disclosure
    dominance = bundle.dominance
    return PlainRules(
        bundle.minimum_contributors,
        bundle.minimum_contributors_group,
        bundle.minimum_contributors_negative or 0,
        None if dominance is None else (dominance.contributors, dominance.percent),
        p_percent,
        bundle.complementary,
    )


def _plain_figure(figure: Figure) -> PlainFigure:
    if figure.minimum is None or figure.step is None or figure.publish_step is None:
        return PlainFigure(figure.name, categories=figure.categories, blank_allowed=figure.blank_allowed)
    formula = figure.derived
    return PlainFigure(
        figure.name,
        Fraction(figure.minimum),
        Fraction(figure.step),
        Fraction(figure.publish_step),
        None
        if formula is None
        else PlainFormula(formula.operation, formula.operands, Fraction(formula.scale)),
    )


def _fraction(value: object) -> Fraction:
    if not isinstance(value, str | int):
        raise TypeError(f"an amount is text or a whole number, not {type(value).__name__}")
    return Fraction(value)


def _fractions(values: object) -> tuple[Fraction, ...]:
    if not isinstance(values, tuple):
        raise TypeError(f"quantiles and edges are tuples, not {type(values).__name__}")
    return tuple(_fraction(value) for value in values)
