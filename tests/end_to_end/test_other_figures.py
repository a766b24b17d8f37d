"""The demo on other figures and in other communities: every value equals the plain calculation."""

from __future__ import annotations

from typing import Any

import pytest

from tests.end_to_end.conftest import LONG
from tests.end_to_end.productions import Production, Stage
from tests.end_to_end.tables import LARGEST


def cells_of(production: Production, figure: str, function: str, group: str | None = None) -> dict[str, Any]:
    """The first cell of a figure and function, over all members or in a group."""
    for cell in production.document["results"]:
        found = None if cell["group"] is None else cell["group"]["value"]
        if (cell["figures"], cell["function"], found) == ([figure], function, group):
            return dict(cell)
    raise LookupError(f"no {function} of {figure} for {group}")


HARD_CASES = ["rebuilt", pytest.param("hard_cases_of_five", marks=pytest.mark.long)]


@pytest.fixture(params=["bakeries", *HARD_CASES])
def production(request: pytest.FixtureRequest) -> Production:
    found: Production = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=HARD_CASES)
def hard_cases(request: pytest.FixtureRequest) -> Production:
    found: Production = request.getfixturevalue(request.param)
    return found


def test_every_value_equals_the_plain_calculation(production: Production) -> None:
    assert production.ended_well, production.told()
    assert production.document["all_equal_to_plain"] is True
    assert production.document["differences"] == []
    assert production.document["compared"] == len(production.document["results"])
    assert production.left == {}


@pytest.mark.long
@pytest.mark.parametrize("long_production", LONG, indirect=True)
def test_every_value_equals_the_plain_calculation_in_other_communities(long_production: Production) -> None:
    assert long_production.status == 0, long_production.told()
    assert long_production.document["all_equal_to_plain"] is True
    assert long_production.left == {}


@pytest.mark.parametrize(
    ("name", "computing", "idle"),
    [("bakeries", 5, 0), pytest.param("long_hard_cases_of_four", 3, 1, marks=pytest.mark.long)],
)
def test_exactly_2t_plus_1_parties_compute(stage: Stage, name: str, computing: int, idle: int) -> None:
    production = stage.see(name)
    sent = list(production.document["bytes_sent_per_party"].values())
    assert len(sent) == computing + idle
    assert len([count for count in sent if count]) == computing


def test_bakeries_have_blanks_negatives_and_a_region_too_small(bakeries: Production) -> None:
    assert cells_of(bakeries, "gas", "count@1")["values"] == ["50"]
    assert cells_of(bakeries, "electricity", "count@1", "Islands")["withheld"] == "minimum"
    change = cells_of(bakeries, "energy_cost_change", "percentiles@1")
    assert len(change["values"]) == 1
    assert bakeries.document["withheld"] >= 1


def test_minimum_of_contributors_is_met_exactly_or_the_cell_says_minimum(hard_cases: Production) -> None:
    assert cells_of(hard_cases, "six", "count@1")["values"] == ["6"]
    assert cells_of(hard_cases, "five", "sum@1")["values"] == [str(sum(100 + n for n in range(25, 30)))]
    for figure in ("four", "blank"):
        for function in ("count@1", "sum@1", "percentiles@1"):
            assert cells_of(hard_cases, figure, function)["withheld"] == "minimum"
    for group, shown in (("nine", True), ("eight", True), ("seven", False), ("six", False)):
        assert ("withheld" in cells_of(hard_cases, "ties", "sum@1", group)) is not shown


def test_median_needs_the_minimum_on_both_sides(hard_cases: Production) -> None:
    for figure in ("six", "five", "ten"):
        assert cells_of(hard_cases, figure, "percentiles@1")["withheld"] == "disclosure"
    assert cells_of(hard_cases, "eleven", "percentiles@1")["values"] == ["190"]  # 185, ties up
    assert cells_of(hard_cases, "twelve", "percentiles@1")["values"] == ["190"]


def test_withheld_cells_say_nothing_of_who_is_behind_them(hard_cases: Production) -> None:
    withheld = [cell for cell in hard_cases.document["results"] if "withheld" in cell]
    assert withheld
    assert all(cell["contributors"] is None and "values" not in cell for cell in withheld)


def test_ends_of_the_range_and_equal_figures_come_out_exactly(hard_cases: Production) -> None:
    assert cells_of(hard_cases, "ends", "sum@1")["values"] == [str(15 * LARGEST)]
    assert cells_of(hard_cases, "ends", "percentiles@1")["values"] == ["0"]
    assert cells_of(hard_cases, "equal", "percentiles@1")["values"] == ["780"]
