"""What `make demo` shows of the 400 shops, without its processes: every function, every rule, one job."""

from __future__ import annotations

import statistics
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from mpc_cde.client.release_rules import items_of
from mpc_cde.demo import plain_functions, plain_rules, plain_table
from mpc_cde.demo.comparison import Comparison, compare
from mpc_cde.demo.material import default_material
from mpc_cde.documents.query import QueryItem
from mpc_cde.documents.result import Cell
from mpc_cde.documents.study_terms import StudyTerms
from parties.study_limits import unsupported
from protocols.catalog import FUNCTIONS
from tests.mpc_cde.demo.paper_answers import paper_roster
from tests.protocols.engines import SHARED_SETTINGS

MATERIAL = default_material()
ROSTER = paper_roster(MATERIAL)
RULES = {"minimum", "ranks", "dominance", "p_percent", "complementary", "bucket"}


def asked_of(terms: StudyTerms) -> list[QueryItem]:
    return [item for f in terms.functions if f.audience != "self" for item in items_of(f, terms)]


ITEMS = asked_of(ROSTER.terms)


@pytest.fixture(scope="module")
def cells() -> tuple[Cell, ...]:
    """What the parties would publish."""
    return ROSTER.answer(ITEMS)[0]


def compared(cells: tuple[Cell, ...], *functions: str) -> Comparison:
    """With the plain calculation as it is now, for the cells of these functions."""
    chosen = [
        (item, cell)
        for item, cell in zip(ITEMS, cells, strict=True)
        if not functions or item.function in functions
    ]
    expected = MATERIAL.expected([item for item, _ in chosen], ROSTER.terms)
    return compare(expected, [cell for _, cell in chosen])


def test_every_cell_is_what_the_plain_calculation_says_and_every_rule_withholds_some(
    cells: tuple[Cell, ...],
) -> None:
    found = compared(cells)
    assert found.differences == ()
    assert found.compared >= 200
    assert set(found.withheld_by) == RULES
    assert {cell.function for cell in cells if cell.values} == set(FUNCTIONS) - {"own_rank@1"}


def test_own_places_are_those_of_the_plain_calculation(cells: tuple[Cell, ...]) -> None:
    """The smallest, the largest and one in between, after everything else was published."""
    sales = [member.figures["annual_sales"] for member in MATERIAL.members]
    ranked = sorted(range(len(sales)), key=lambda row: Decimal(str(sales[row])))
    earlier = MATERIAL.expected(ITEMS, ROSTER.terms)
    for row, place in ((ranked[0], "0"), (ranked[-1], "100"), (ranked[280], "65")):
        own = [
            item
            for function in ROSTER.terms.functions
            if function.function == "own_rank@1"
            for item in items_of(function, ROSTER.terms)
            if item.group is None or ROSTER.attributes[row].get(item.group.attribute) == item.group.value
        ]
        found, _ = ROSTER.answer(own, before=[cells], row=row)
        assert (
            compare(MATERIAL.expected(own, ROSTER.terms, row=row, earlier=earlier), found).differences == ()
        )
        assert (len(found), found[0].values) == (4, (place,))


def test_a_node_approves_the_study() -> None:
    assert unsupported(ROSTER.terms) == []


def test_one_job_of_all_cells_takes_the_rounds_of_one_cell_of_each_function() -> None:
    few = paper_roster(MATERIAL, count=60)
    one_each = list({item.function: item for item in reversed(ITEMS)}.values())
    rounds = [few.answer(items, setting=SHARED_SETTINGS[0])[1].rounds for items in (one_each, ITEMS)]
    assert (len(one_each), len(ITEMS)) == (10, 210)
    assert rounds[0] == rounds[1] > 0


# a plain calculation that is wrong is found ----------------------------------------------------------------

Patch = tuple[Any, str, Any]
"""A module or class of the plain calculation, what is replaced in it, and by what."""


def _of_functions(name: str, wrong: Callable[..., Any]) -> Patch:
    return plain_functions, "_FUNCTIONS", {**plain_functions._FUNCTIONS, name: wrong}


def _sample_variance(item: Any, table: Any, rows: Any) -> list[Fraction]:
    variance = statistics.variance(table.amounts(item.figures[0], rows))
    return [plain_table.to_grid(variance, Fraction(0), item.grid)]


def _ratio_upside_down(item: Any, table: Any, rows: Any) -> Any:
    turned = replace(item, figures=item.figures[::-1])
    return plain_functions._ratio_of_totals(turned, table, rows)


def _rounded_down(number: Fraction, minimum: Fraction, step: Fraction) -> Fraction:
    return minimum + step * ((number - minimum) // step)


def _next_bucket(edges: Any, number: Fraction) -> int:
    return min(bisect_right(edges, number) + 1, len(edges))


WRONG: dict[str, tuple[Patch, str]] = {
    "a count of all members": (
        _of_functions("count@1", lambda i, t, rows: [Fraction(len(t.everybody))]),
        "count@1",
    ),
    "a sum without one member": (
        _of_functions("sum@1", lambda i, t, rows: [sum(t.amounts(i.figures[0], rows)[1:])]),
        "sum@1",
    ),
    "a median for a mean": (
        _of_functions("mean@1", lambda i, t, rows: [statistics.median_low(t.amounts(i.figures[0], rows))]),
        "mean@1",
    ),
    "a sample variance": (_of_functions("variance@1", _sample_variance), "variance@1"),
    "a variance for a deviation": (
        _of_functions("standard_deviation@1", plain_functions._variance),
        "standard_deviation@1",
    ),
    "a ratio upside down": (_of_functions("ratio_of_totals@1", _ratio_upside_down), "ratio_of_totals@1"),
    "a correlation to fewer places": (
        _of_functions(
            "correlation@1",
            lambda i, t, rows: plain_functions._correlation(replace(i, places=1), t, rows),
        ),
        "correlation@1",
    ),
    "edges that belong below": ((plain_functions, "bisect_right", _next_bucket), "histogram@1"),
    "interpolated percentiles": ((plain_functions, "inverted_cdf", plain_functions.linear), "percentiles@1"),
    "percentiles that are figures": (
        (plain_functions, "linear", plain_functions.inverted_cdf),
        "percentiles_linear@1",
    ),
    "rounding down": ((plain_table, "to_grid", _rounded_down), "percentiles@1"),
    "no complement": ((plain_rules._Judge, "_leave_no_secret", lambda *_, **__: True), "sum@1"),
    "no rule about ranks": ((plain_rules, "ranks_are_far_apart", lambda *_: True), "percentiles@1"),
    "no rule about buckets": ((plain_rules, "_is_small", lambda *_: False), "histogram@1"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_plain_calculation_that_is_wrong_is_found(
    what: str, cells: tuple[Cell, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    (where, name, wrong), function = WRONG[what]
    assert compared(cells, function).differences == ()
    monkeypatch.setattr(where, name, wrong)
    assert compared(cells, function).differences


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("minimum", {"minimum_contributors_group": 5}),
        ("dominance", {"dominance": None}),
        ("p_percent", {"p_percent": None}),
        ("complementary", {"complementary": False}),
    ],
)
def test_a_rule_that_one_side_does_not_know_is_found(
    rule: str, change: dict[str, Any], cells: tuple[Cell, ...]
) -> None:
    """Each of them decides about some cell by itself."""
    material = replace(MATERIAL, p_percent=None) if rule == "p_percent" else MATERIAL
    disclosure = ROSTER.terms.disclosure.model_copy(update=change)
    terms = ROSTER.terms.model_copy(update={"disclosure": disclosure})
    sums = [(item, cell) for item, cell in zip(ITEMS, cells, strict=True) if item.function == "sum@1"]
    assert compared(cells, "sum@1").differences == ()
    expected = material.expected([item for item, _ in sums], terms)
    assert compare(expected, [cell for _, cell in sums]).differences
