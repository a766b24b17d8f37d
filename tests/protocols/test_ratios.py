"""Ratios of totals against fractions, over members that gave both figures, and what they open."""

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
from protocols.plans import plan_ratio, verify_plan
from tests.protocols.engines import SETTINGS, SHARED_SETTINGS, Setting, setting_id
from tests.protocols.tables import GRIDS, Column, ask, columns, encodings, figures, number, opened, to_grid

every_engine = pytest.mark.parametrize("setting", SETTINGS, ids=setting_id)
BIT = "ratio: total below > 0"
NOT_NEGATIVE = tuple(grid for grid in GRIDS if not grid[0].startswith("-"))


def request(
    grid: str, maximum: str, group: str = "all", minimum: int = 3, names: tuple[str, str] = ("sales", "space")
) -> CellRequest:
    return CellRequest("ratio_of_totals@1", names, group, {"grid": grid, "maximum": maximum}, minimum)


def plain(table: dict[str, Column], asked: CellRequest, mask: Any = None) -> CellOutcome:
    pairs = figures(table, *asked.figures, mask=mask)
    if len(pairs) < asked.minimum:
        return CellOutcome(None, None, "minimum")
    above, below = (sum((pair[which] for pair in pairs), Fraction(0)) for which in (0, 1))
    if below <= 0:
        return CellOutcome(len(pairs), None, "disclosure")
    grid, maximum = Fraction(asked.parameters["grid"]), Fraction(asked.parameters["maximum"])
    value = min(max(to_grid(above / below, grid), Fraction(0)), maximum)
    return CellOutcome(len(pairs), (exact_text(value),), None)


@every_engine
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_a_ratio_is_that_of_the_totals_of_those_that_gave_both(setting: Setting, data: st.DataObject) -> None:
    count = data.draw(st.integers(3, 12))
    table = {
        name: data.draw(columns(data.draw(encodings(NOT_NEGATIVE)), count)) for name in ("sales", "space")
    }
    some = np.array(data.draw(st.lists(st.integers(0, 1), min_size=count, max_size=count)), dtype=np.uint8)
    masks = {"all": np.ones(count, dtype=np.uint8), "some": some}
    grid, maximum = data.draw(st.sampled_from([("0.01", "20"), ("0.5", "3"), ("1", "1"), ("0.25", "100")]))
    requests = [
        request(grid, maximum, "all"),
        request(grid, maximum, "some"),
        request(grid, maximum, names=("space", "sales")),
        request(grid, maximum, names=("sales", "sales")),
    ]
    found, ran = ask(setting, table, requests, masks)
    assert found == [plain(table, asked, masks[asked.mask_name]) for asked in requests]
    assert [entry for entry in opened(ran) if entry[0].startswith("ratio")] == simulated(
        table, requests, found
    )


def simulated(
    table: dict[str, Column], requests: list[CellRequest], outcomes: list[CellOutcome]
) -> list[tuple[str, list[int]]]:
    """What ratios open, written from the outcomes alone."""
    bits = [int(outcome.values is not None) for outcome in outcomes if outcome.contributors is not None]
    searches = []
    for asked, outcome in zip(requests, outcomes, strict=True):
        if outcome.values is not None:
            plan = plan_ratio([table[name][0] for name in asked.figures], asked.parameters, 1)
            k = int(Fraction(outcome.values[0]) / plan.grid)
            searches.append((Place(public_step(0), public_step(1), plan.count, 1), k))
    entries = [(BIT, bits)] if bits else []
    for step in range(max((place.digits for place, _ in searches), default=0)):
        own = [int(bit) for place, k in searches for bit in opened_bits(place, k, step)]
        entries += [(f"ratio: step {step}", own)] if own else []
    return entries


@every_engine
def test_a_total_of_nothing_has_no_ratio_and_does_not_stop_the_others(setting: Setting) -> None:
    table: dict[str, Column] = {
        "sales": (number((4, 16)), [7, 8, 9]),
        "space": (number((4, 16)), [0, 0, 0]),
    }
    asked = [request("0.1", "5"), request("0.1", "5", names=("space", "sales"))]
    outcomes, _ = ask(setting, table, asked)
    assert outcomes == [CellOutcome(3, None, "disclosure"), CellOutcome(3, ("0",), None)]


@every_engine
def test_a_negative_total_that_hostile_clients_can_reach_has_no_ratio(setting: Setting) -> None:
    table: dict[str, Column] = {
        "sales": (number((4, 16)), [7, 8, 9]),
        "space": (number((4, 16), published=1), [0, 1, 2]),  # half = 8: figures -8, -7, -6
    }
    assert ask(setting, table, [request("0.1", "5")])[0] == [CellOutcome(3, None, "disclosure")]


@every_engine
def test_a_member_that_gave_one_figure_only_counts_in_neither_total(setting: Setting) -> None:
    table: dict[str, Column] = {
        "sales": (number((4, 16), blank=True), [10, 10, 10, 50, None]),
        "space": (number((4, 16), blank=True), [5, 5, 5, None, 60]),
    }
    assert ask(setting, table, [request("0.1", "5")])[0] == [CellOutcome(3, ("2",), None)]
    assert ask(setting, table, [request("0.1", "5", minimum=4)])[0] == [CellOutcome(None, None, "minimum")]


@pytest.mark.parametrize("setting", SHARED_SETTINGS, ids=setting_id)
def test_rounds_do_not_grow_and_no_records_are_multiplied(setting: Setting) -> None:
    def ran(cells: int, members: int) -> Any:
        table: dict[str, Column] = {
            "sales": (number((4, 16), blank=True), [40] * members),
            "space": (number((4, 16), blank=True), [30] * members),
        }
        return ask(setting, table, [request("0.01", "10")] * cells)[1]

    # N: a resharing, 3 + 5, 1; masks 3; the bit 5; the search over 1001 points three digits of 5
    assert ran(1, 5).rounds == ran(4, 5).rounds == (1 + 8 + 1) + 3 + 5 + 3 * 5
    assert ran(1, 5).engines[0].counts.multiplications == ran(1, 50).engines[0].counts.multiplications


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"grid": "1"}, "takes grid, maximum"),
        ({"grid": "0.3", "maximum": "1"}, "no whole multiple of grid"),
        ({"grid": "0.5", "maximum": "0"}, "positive"),
        ({"grid": "x", "maximum": "1"}, "decimal text"),
    ],
)
def test_parameters_that_are_none_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(OutOfRange, match=message):
        check_parameters("ratio_of_totals@1", parameters)


def test_figures_that_do_not_fit_are_refused() -> None:
    parameters = {"grid": "0.01", "maximum": "100"}
    plain_number = number((4, 16))
    with pytest.raises(OutOfRange, match="may be negative"):
        verify_plan("ratio_of_totals@1", [plain_number, number((4, 16), grid=("-1", "1"))], parameters, 10)
    category = FigureEncoding.category(4, blank_allowed=False)
    with pytest.raises(OutOfRange, match="not of a category"):
        verify_plan("ratio_of_totals@1", [plain_number, category], parameters, 10)
    wide = number((32,) * 6)
    verify_plan("ratio_of_totals@1", [wide, wide], parameters, 1 << 15)
    with pytest.raises(OutOfRange, match="coarser grid"):
        verify_plan("ratio_of_totals@1", [wide, wide], parameters, 1 << 16)


def test_a_query_with_another_number_of_figures_is_refused() -> None:
    table: dict[str, Column] = {"sales": (number((4, 16)), [7, 8, 9])}
    asked = CellRequest("ratio_of_totals@1", ("sales",), "all", {"grid": "1", "maximum": "5"}, 3)
    with pytest.raises(OutOfRange, match="another number of figures"):
        ask(SETTINGS[0], table, [asked])
