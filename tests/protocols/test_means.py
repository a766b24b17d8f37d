"""Means on their grid against fractions, what they open, and what a study may not ask."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.catalog import check_parameters
from protocols.cells import CellOutcome, CellRequest
from protocols.decimals import exact_text
from protocols.encoding import FigureEncoding
from protocols.errors import OutOfRange
from protocols.locate import Place, opened_bits, public_step
from protocols.plans import MeanPlan, plan_mean, verify_plan
from tests.protocols.engines import SETTINGS, SHARED_SETTINGS, Setting, setting_id
from tests.protocols.tables import Column, ask, columns, encodings, figures, number, opened, to_grid

every_engine = pytest.mark.parametrize("setting", SETTINGS, ids=setting_id)


def mean_request(grid: Fraction, group: str = "all", minimum: int = 3) -> CellRequest:
    return CellRequest("mean@1", ("figure",), group, {"grid": exact_text(grid)}, minimum)


def plain_mean(column: Column, grid: Fraction, mask: Any, minimum: int) -> CellOutcome:
    chosen = [x for (x,) in figures({"figure": column}, "figure", mask=mask)]
    if len(chosen) < minimum:
        return CellOutcome(None, None, "minimum")
    low = column[0].minimum
    value = low + max(Fraction(0), to_grid(sum(chosen) / len(chosen) - low, grid))
    return CellOutcome(len(chosen), (exact_text(value),), None)


@every_engine
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_a_mean_is_the_exact_mean_rounded_to_its_grid(setting: Setting, data: st.DataObject) -> None:
    encoding = data.draw(encodings())
    count = data.draw(st.integers(3, 12))
    column = data.draw(columns(encoding, count))
    some = np.array(data.draw(st.lists(st.integers(0, 1), min_size=count, max_size=count)), dtype=np.uint8)
    masks = {"all": np.ones(count, dtype=np.uint8), "some": some}
    grids = [encoding.step * ratio for ratio in data.draw(st.lists(st.integers(1, 300), max_size=2))]
    requests = [mean_request(grid, group) for grid in [encoding.step, *grids] for group in ("all", "some")]
    found, ran = ask(setting, {"figure": column}, requests, masks)
    assert found == [
        plain_mean(column, Fraction(r.parameters["grid"]), masks[r.mask_name], 3) for r in requests
    ]
    answered = [(label, values) for label, values in opened(ran) if label.startswith("mean")]
    assert answered == simulated(encoding, requests, found)


def simulated(
    encoding: FigureEncoding, requests: list[CellRequest], outcomes: list[CellOutcome]
) -> list[tuple[str, list[int]]]:
    """What means open, written from the published values alone."""
    searches = []
    for request, outcome in zip(requests, outcomes, strict=True):
        if outcome.values is not None:
            plan = plan_mean(encoding, request.parameters, 1)
            k = int((Fraction(outcome.values[0]) - encoding.minimum) / plan.grid)
            searches.append((Place(public_step(0), public_step(1), plan.count, 1), k))
    steps = []
    for step in range(max((place.digits for place, _ in searches), default=0)):
        bits = [int(bit) for place, k in searches for bit in opened_bits(place, k, step)]
        if bits:
            steps.append((f"mean: step {step}", bits))
    return steps


@every_engine
def test_a_tie_goes_up_and_the_minimum_number_of_members_is_enough(setting: Setting) -> None:
    column = number((4, 16)), [1, 2, 1, 2]
    assert ask(setting, {"figure": column}, [mean_request(Fraction(1), minimum=4)])[0] == [
        CellOutcome(4, ("2",), None)
    ]
    assert ask(setting, {"figure": column}, [mean_request(Fraction(1), minimum=5)])[0] == [
        CellOutcome(None, None, "minimum")
    ]


@every_engine
def test_figures_below_the_minimum_that_a_hostile_client_can_reach_publish_the_minimum(
    setting: Setting,
) -> None:
    column = number((4, 16), published=1), [0, 0, 0]  # u < half = 8
    assert ask(setting, {"figure": column}, [mean_request(Fraction(1))])[0] == [CellOutcome(3, ("0",), None)]


@pytest.mark.parametrize("setting", SHARED_SETTINGS, ids=setting_id)
def test_rounds_do_not_grow_with_the_number_of_means(setting: Setting) -> None:
    column = number((16, 16, 10)), list(range(0, 2400, 100))

    def rounds(cells: int) -> int:
        return ask(setting, {"figure": column}, [mean_request(Fraction(1))] * cells)[1].rounds

    # masks 3; three base-16 digits of 2560 grid points, 5 rounds each
    assert rounds(1) == rounds(5) == 3 + 3 * 5


@pytest.mark.parametrize("setting", SHARED_SETTINGS, ids=setting_id)
def test_a_mean_multiplies_no_records(setting: Setting) -> None:
    def products(count: int) -> int:
        column = number((4, 16), blank=True), [5, 40, 63] * count
        return (
            ask(setting, {"figure": column}, [mean_request(Fraction(1))])[1].engines[0].counts.multiplications
        )

    assert products(2) == products(50)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "takes grid, found none"),
        ({"grid": "1", "places": 2}, "takes grid, found grid, places"),
        ({"grid": 1}, "decimal text"),
        ({"grid": "0"}, "positive"),
        ({"grid": "-5"}, "positive"),
        ({"grid": "1e3"}, "decimal text"),
        ({"grid": "1.50"}, "is written '1.5'"),
        ({"grid": "9" * 41}, "decimal text"),
        ({"grid": "NaN"}, "decimal text"),
    ],
)
def test_a_grid_that_is_none_is_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(OutOfRange, match=message):
        check_parameters("mean@1", parameters)


def test_a_grid_between_the_figures_steps_is_refused() -> None:
    with pytest.raises(OutOfRange, match="no whole multiple"):
        verify_plan("mean@1", [number((4, 16), grid=("0", "2"))], {"grid": "3"}, 10)


def test_a_roster_whose_total_could_reach_the_bound_is_refused_before_it_is_approved() -> None:
    encoding = number((128,) * 6)
    verify_plan("mean@1", [encoding], {"grid": "1"}, 1 << 15)
    with pytest.raises(OutOfRange, match="may reach 2\\^60"):
        verify_plan("mean@1", [encoding], {"grid": "1"}, 1 << 16)


def test_a_category_has_no_mean() -> None:
    with pytest.raises(OutOfRange, match="not of a category"):
        verify_plan("mean@1", [FigureEncoding.category(5, blank_allowed=True)], {"grid": "1"}, 10)


@every_engine
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_a_mean_beside_an_open_total_of_its_figure_and_group_opens_nothing(
    setting: Setting, data: st.DataObject
) -> None:
    encoding = data.draw(encodings())
    column = data.draw(columns(encoding, 8))
    masks = {"all": np.ones(8, dtype=np.uint8), "some": np.arange(8, dtype=np.uint8) % 2}
    grid = encoding.step * data.draw(st.integers(1, 300))
    other = data.draw(st.sampled_from(["sum@1", "variance@1", "standard_deviation@1"]))
    parameters = {} if other == "sum@1" else {"grid": "1"}
    total = CellRequest(other, ("figure",), "all", parameters, 3)
    found, ran = ask(setting, {"figure": column}, [mean_request(grid), total], masks)
    assert found[0] == plain_mean(column, grid, masks["all"], 3)
    assert not [label for label, _ in opened(ran) if label.startswith("mean")]
    beside = [mean_request(grid, "some"), total]
    found, ran = ask(setting, {"figure": column}, beside, masks)
    assert found[0] == plain_mean(column, grid, masks["some"], 3)
    searched = [label for label, _ in opened(ran) if label.startswith("mean")]
    assert bool(searched) == (found[0].values is not None and plan_of(encoding, grid).count > 1)


def plan_of(encoding: FigureEncoding, grid: Fraction) -> MeanPlan:
    return plan_mean(encoding, {"grid": exact_text(grid)}, 1)
