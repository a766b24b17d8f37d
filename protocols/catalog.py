"""The functions that a study may name: specifications only, no code that computes.

`name@version` fixes parameters, definition and what is revealed for ever; a change of any is a new version.
Everybody reads this page: clients to explain, nodes to refuse what they cannot enforce, docs to generate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Any

from protocols.errors import OutOfRange
from protocols.parameters import parse_edges, parse_grid, parse_maximum, parse_places

MAX_QUANTILES = 100
MAX_DENOMINATOR = 1000
OWN_RANK_PERCENT = 5
"""A member's own place is a multiple of it."""


@dataclass(frozen=True, slots=True)
class FunctionSpecification:
    """One approved question: what it takes, what it means, what it reveals beside its values, what it costs.

    `of_amounts`: rules about concentration concern it, as they do all but counts. `needs_siblings`: it has a rule of
    its own about what falls out of siblings, so theirs are worked out too, and not opened.
    """

    name: str
    figures: int
    parameters: tuple[str, ...]
    definition: str
    reveals: str
    cost: str
    of_amounts: bool = True
    needs_siblings: bool = False


_SPECIFICATIONS = (
    FunctionSpecification(
        name="count@1",
        figures=1,
        parameters=(),
        definition="number of contributors that gave the figure",
        reveals="the number of contributors N, if it reaches the minimum; else that it does not",
        cost="one comparison where the figure may be blank, one opening",
        of_amounts=False,
    ),
    FunctionSpecification(
        name="sum@1",
        figures=1,
        parameters=(),
        definition="sum of the figures of all contributors, exact on the figure's grid",
        reveals="the sum and N",
        cost="one opening; no multiplication",
    ),
    FunctionSpecification(
        name="mean@1",
        figures=1,
        parameters=("grid",),
        definition="arithmetic mean of the figures of all contributors, rounded to the grid counted from the "
        "figure's minimum, ties up; never below the minimum",
        reveals="the mean as published and N; not the sum",
        cost="15 comparisons for each base-16 digit of the number of grid points; no multiplication of records",
    ),
    FunctionSpecification(
        name="variance@1",
        figures=1,
        parameters=("grid",),
        definition="population variance (divided by N) of the figures of all contributors, rounded to the grid, "
        "ties up; the grid is in squares of the figure's unit",
        reveals="N, the sum of the figures and the sum of their squares, both exact",
        cost="one inner product for each pair of digits; an opening of the sums in limbs of 16 bits",
    ),
    FunctionSpecification(
        name="standard_deviation@1",
        figures=1,
        parameters=("grid",),
        definition="square root of the population variance (divided by N) of the figures of all contributors, "
        "rounded to the grid, ties up",
        reveals="N, the sum of the figures and the sum of their squares, both exact",
        cost="that of the variance; asked together they are computed once",
    ),
    FunctionSpecification(
        name="ratio_of_totals@1",
        figures=2,
        parameters=("grid", "maximum"),
        definition="total of the first figure divided by the total of the second, both over the contributors that "
        "gave both figures, rounded to the grid, ties up; a ratio at or above the maximum is published as the "
        "maximum",
        reveals="the ratio as published, N, and whether the second total is positive; neither total",
        cost="15 comparisons for each base-16 digit of the number of grid points; no multiplication of records",
    ),
    FunctionSpecification(
        name="correlation@1",
        figures=2,
        parameters=("places",),
        definition="Pearson's correlation of the two figures over the contributors that gave both, rounded to so "
        "many decimal places, ties up; withheld where one of the figures is the same for all",
        reveals="N, and over the contributors that gave both the exact sums of each figure, of their squares and of "
        "their products",
        cost="one multiplication a record and digit where a figure may be blank; one inner product for each pair of "
        "digits; an opening of the sums in limbs of 16 bits",
    ),
    FunctionSpecification(
        name="histogram@1",
        figures=1,
        parameters=("edges",),
        definition="number of contributors in each bucket: below the first edge, from each edge (included) to the "
        "next (excluded), and from the last edge on; counted are the figures rounded to the publish step, and "
        "edges lie halfway between two published values (on one, where exact figures are published)",
        reveals="N, whether every bucket holds nobody or at least the minimum, and if so the counts",
        cost="one multiplication a record for each distinct beginning of an edge's digits after the first; two "
        "comparisons a bucket",
        needs_siblings=True,
    ),
    FunctionSpecification(
        name="percentiles@1",
        figures=1,
        parameters=("quantiles",),
        definition="inverted_cdf of the figures rounded to the publish step, ties up: the smallest published "
        "value with at least q N figures at or below it",
        reveals="the percentiles as published and N; nothing below the publish step",
        cost="about one multiplication a record and digit for each distinct prefix of an answer",
    ),
    FunctionSpecification(
        name="percentiles_linear@1",
        figures=1,
        parameters=("quantiles",),
        definition="linear (type 7) percentiles of the exact figures, at (N - 1) q between two neighbours, rounded "
        "to the publish step, ties up",
        reveals="the percentiles as published and N; neither neighbour, nothing below the publish step",
        cost="about four multiplications a record and digit for each percentile: four times percentiles@1",
    ),
    FunctionSpecification(
        name="own_rank@1",
        figures=1,
        parameters=(),
        definition="the percentage of the other contributors whose figure is smaller than the asking member's own, "
        "rounded down to a multiple of 5; 0 for a member that left the figure blank",
        reveals="N; the place itself to the asking member alone",
        cost="about two multiplications a record and digit",
    ),
)

FUNCTIONS: Mapping[str, FunctionSpecification] = MappingProxyType({s.name: s for s in _SPECIFICATIONS})


def specification(function: str) -> FunctionSpecification:
    """The specification of `name@version`; raises OutOfRange naming the known functions."""
    try:
        return FUNCTIONS[function]
    except KeyError:
        raise OutOfRange(f"unknown function {function!r}; known: {', '.join(sorted(FUNCTIONS))}") from None


def parse_quantiles(parameters: Mapping[str, Any]) -> tuple[Fraction, ...]:
    """{"quantiles": ["1/4", "1/2", ...]}: between 0 and 1, ascending, in lowest terms."""
    texts = parameters.get("quantiles")
    if set(parameters) != {"quantiles"} or not isinstance(texts, list | tuple) or not texts:
        raise OutOfRange('percentiles take {"quantiles": ["1/4", "1/2", ...]}')
    if len(texts) > MAX_QUANTILES:
        raise OutOfRange(f"at most {MAX_QUANTILES} quantiles in one item, not {len(texts)}")
    quantiles = []
    for text in texts:
        numerator, _, denominator = str(text).partition("/")
        if not (
            numerator.isascii() and numerator.isdigit() and denominator.isascii() and denominator.isdigit()
        ):
            raise OutOfRange(f"a quantile is a fraction such as '1/4', not {text!r}")
        if (
            len(numerator) > 4
            or len(denominator) > 4
            or not 0 < int(numerator) < int(denominator) <= MAX_DENOMINATOR
        ):
            raise OutOfRange(
                f"a quantile lies between 0 and 1, its denominator at most {MAX_DENOMINATOR}: {text!r}"
            )
        quantile = Fraction(int(numerator), int(denominator))
        if f"{quantile.numerator}/{quantile.denominator}" != text:
            raise OutOfRange(f"a quantile is written in lowest terms: {quantile}, not {text!r}")
        quantiles.append(quantile)
    if quantiles != sorted(set(quantiles)):
        raise OutOfRange("quantiles ascend and do not repeat")
    return tuple(quantiles)


PARSERS: Mapping[str, Callable[[Mapping[str, Any]], object]] = MappingProxyType(
    {
        "grid": parse_grid,
        "maximum": parse_maximum,
        "places": parse_places,
        "edges": parse_edges,
        "quantiles": parse_quantiles,
    }
)
"""What each parameter of a function is; the first line of a parser's docstring shows how it is written."""


def check_parameters(function: str, parameters: Mapping[str, Any]) -> None:
    """Raise OutOfRange unless `parameters` are what `function` takes."""
    known = specification(function)
    if set(parameters) != set(known.parameters):
        takes = ", ".join(sorted(known.parameters)) or "no parameters"
        raise OutOfRange(f"{function} takes {takes}, found {', '.join(sorted(parameters)) or 'none'}")
    for name in known.parameters:
        PARSERS[name](parameters)
