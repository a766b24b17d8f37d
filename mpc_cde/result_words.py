"""Cells of a result in words: what each value is called, in tables of people and of spreadsheets."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line shows its help without loading documents
    from mpc_cde.documents.result import Cell
    from mpc_cde.documents.study_terms import StudyTerms

FUNCTION_WORDS = {
    "count@1": "number",
    "sum@1": "sum",
    "mean@1": "mean",
    "variance@1": "variance",
    "standard_deviation@1": "standard deviation",
    "ratio_of_totals@1": "ratio of totals",
    "correlation@1": "correlation",
    "histogram@1": "histogram",
    "percentiles@1": "percentiles",
    "percentiles_linear@1": "percentiles, linear",
    "own_rank@1": "own place",
}
EVERYBODY = "all members"
WITHHELD_WORDS = {"minimum": "withheld: too few contributors", "disclosure": "withheld: disclosure"}


def function_words(function: str) -> str:
    """ "standard deviation" for standard_deviation@1; an unknown one by its own name."""
    return FUNCTION_WORDS.get(function, function)


def figure_words(cell: Cell, terms: StudyTerms | None = None) -> str:
    """Its figures by label and unit where the terms are there, else by name."""
    return " and ".join(_figure(name, terms) for name in cell.figures)


def group_words(cell: Cell) -> str:
    """ "all members", or "size small"."""
    return EVERYBODY if cell.group is None else f"{cell.group.attribute} {cell.group.value}"


def value_words(cell: Cell) -> tuple[str, ...]:
    """A name for each value that the cell has or would have: its percentile, its bucket; empty for the only one."""
    quantiles, edges = (_texts(cell, name) for name in ("quantiles", "edges"))
    names: tuple[str, ...] = ("",)
    if quantiles:
        names = tuple(f"{float(100 * Fraction(quantile)):.4g} %" for quantile in quantiles)
    elif edges:
        between = [f"{low} to below {high}" for low, high in pairwise(edges)]
        names = (f"below {edges[0]}", *between, f"{edges[-1]} and more")
    count = len(names) if cell.values is None else len(cell.values)
    return names if len(names) == count else ("",) * count


def parameter_words(cell: Cell) -> str:
    """Every parameter that names no value: "grid=0.1; maximum=50"."""
    named = {name: value for name, value in cell.parameters.items() if name not in ("quantiles", "edges")}
    return "; ".join(f"{name}={value}" for name, value in sorted(named.items()))


def answer_words(cell: Cell) -> str:
    """The values with their names, or why there are none to see."""
    if cell.values is not None:
        names = value_words(cell)
        return "  ".join(
            f"{name}: {value}" if name else value for name, value in zip(names, cell.values, strict=True)
        )
    return WITHHELD_WORDS[cell.withheld] if cell.withheld else "sealed to one member"


def _figure(name: str, terms: StudyTerms | None) -> str:
    figure = None if terms is None else terms.figure(name)
    if figure is None:
        return name
    return f"{figure.label} ({figure.unit})" if figure.unit else figure.label


def _texts(cell: Cell, name: str) -> tuple[str, ...]:
    value = cell.parameters.get(name, ())
    return value if isinstance(value, tuple) else ()
