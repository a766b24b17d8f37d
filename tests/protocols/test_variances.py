"""Variances and standard deviations against fractions, and what they open."""

from __future__ import annotations

from fractions import Fraction
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.catalog import FUNCTIONS, check_parameters
from protocols.cells import CellOutcome, CellRequest
from protocols.decimals import exact_text
from protocols.encoding import FigureEncoding
from protocols.errors import OutOfRange
from protocols.limbs import limbs_below, plan_limbs
from protocols.plans import verify_plan
from protocols.variances import nearest_point, nearest_point_of_root
from tests.protocols.engines import SETTINGS, SHARED_SETTINGS, Setting, setting_id
from tests.protocols.tables import (
    Column,
    ask,
    columns,
    encodings,
    figures,
    number,
    opened,
    to_grid,
    wide_openings,
)

every_engine = pytest.mark.parametrize("setting", SETTINGS, ids=setting_id)
BOTH = ("variance@1", "standard_deviation@1")


def request(function: str, grid: str, group: str = "all", minimum: int = 3) -> CellRequest:
    return CellRequest(function, ("figure",), group, {"grid": grid}, minimum)


def plain(column: Column, asked: CellRequest, mask: object) -> CellOutcome:
    chosen = [x for (x,) in figures({"figure": column}, "figure", mask=mask)]
    if len(chosen) < asked.minimum:
        return CellOutcome(None, None, "minimum")
    mean = sum(chosen) / len(chosen)
    variance = sum((x - mean) ** 2 for x in chosen) / len(chosen)
    grid = Fraction(asked.parameters["grid"])
    value = to_grid(variance, grid) if asked.function == "variance@1" else root_to_grid(variance, grid)
    return CellOutcome(len(chosen), (exact_text(value),), None)


def root_to_grid(value: Fraction, grid: Fraction) -> Fraction:
    """By bisection: the largest multiple of `grid` whose lower neighbour's middle lies at or below the root."""
    low, high = 0, 1
    while (2 * high - 1) ** 2 * grid**2 <= 4 * value:
        high *= 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if (2 * middle - 1) ** 2 * grid**2 <= 4 * value else (low, middle)
    return low * grid


def limbs(encoding: FigureEncoding, records: int) -> int:
    (plan,) = plan_limbs([encoding], records)
    largest = max(w * v * (1 if w == v else 2) for w in plan.weights for v in plan.weights)
    return max(1, -(-largest.bit_length() // 16))


@every_engine
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_variance_and_deviation_are_exact_on_their_grids(setting: Setting, data: st.DataObject) -> None:
    encoding = data.draw(encodings())
    count = data.draw(st.integers(3, 12))
    column = data.draw(columns(encoding, count))
    some = np.array(data.draw(st.lists(st.integers(0, 1), min_size=count, max_size=count)), dtype=np.uint8)
    masks = {"all": np.ones(count, dtype=np.uint8), "some": some}
    grid = data.draw(st.sampled_from(["1", "0.01", "0.5", "37"]))
    requests = [request(function, grid, group) for function in BOTH for group in ("all", "some")]
    found, ran = ask(setting, {"figure": column}, requests, masks)
    assert found == [plain(column, asked, masks[asked.mask_name]) for asked in requests]

    # what is opened follows from N, sum u and sum u^2, which the catalogue says are revealed; once a group
    sums = []
    for group, outcome in zip(("all", "some"), found[:2], strict=True):
        if outcome.values is not None:
            selected = [u for u, on in zip(column[1], masks[group], strict=True) if on and u is not None]
            sums.append((sum(selected), sum(u * u for u in selected)))
    expected = wide_openings(
        "variance: sum of squares", [(second, limbs(encoding, count)) for _, second in sums]
    )
    if sums:
        expected.insert(0, ("variance: sum", [first for first, _ in sums]))
    assert sorted(expected) == sorted(entry for entry in opened(ran) if entry[0].startswith("variance"))


@every_engine
@pytest.mark.parametrize("radices", [(32,) * 8, (16,) * 10, (2,) * 40, (128,) * 4])
def test_sums_of_squares_beyond_the_field_are_exact(setting: Setting, radices: tuple[int, ...]) -> None:
    encoding = number(radices)
    top = encoding.size - 1
    column = encoding, [0, 1, top, top - 1, top // 3]
    asked = [request(function, "0.001") for function in BOTH]
    assert ask(setting, {"figure": column}, asked)[0] == [plain(column, one, None) for one in asked]


@pytest.mark.parametrize(
    ("members", "sizes"), [(10, (2**20, 2**12)), (10**6, (2**16, 2**16)), (2**27, (2**8,) * 4)]
)
def test_limbs_are_as_long_as_the_members_allow(members: int, sizes: tuple[int, ...]) -> None:
    (plan,) = plan_limbs([number((16,) * 8)], members)
    assert plan.sizes == sizes
    assert plan.weights == tuple(prod(sizes[k + 1 :]) for k in range(len(sizes)))


@given(radices=st.lists(st.integers(2, 128), min_size=1, max_size=10), size=st.integers(1, 2**20))
def test_limbs_keep_every_digit_in_order(radices: list[int], size: int) -> None:
    plan = limbs_below(radices, size)
    assert [d for own in plan.digits for d in own] == list(range(len(radices)))
    assert all(one <= size or len(own) == 1 for one, own in zip(plan.sizes, plan.digits, strict=True))
    u = prod(radices) - 1
    assert sum(w * (one - 1) for w, one in zip(plan.weights, plan.sizes, strict=True)) == u


@every_engine
def test_equal_figures_have_no_variance(setting: Setting) -> None:
    column = number((16, 16), published=1), [77, 77, 77]
    outcomes, _ = ask(setting, {"figure": column}, [request(function, "0.1") for function in BOTH])
    assert [outcome.values for outcome in outcomes] == [("0",), ("0",)]


@pytest.mark.parametrize("setting", SHARED_SETTINGS, ids=setting_id)
def test_rounds_do_not_grow_with_cells(setting: Setting) -> None:
    column = number((16,) * 8), [u * 178956970 for u in range(24)]
    masks = {f"group {g}": np.array([i % 5 >= g for i in range(24)], dtype=np.uint8) for g in range(5)}

    def rounds(groups: int) -> int:
        asked = [request(function, "1", f"group {g}") for function in BOTH for g in range(groups)]
        return ask(setting, {"figure": column}, asked, masks)[1].rounds

    # weights up to 2^32 or less: of the limbs of the totals all but one have their carry taken off in 10 rounds
    assert rounds(1) == rounds(5) == 10 + 1


@given(
    value=st.fractions(min_value=0, max_value=10**12),
    grid=st.fractions(min_value=Fraction(1, 1000), max_value=1000).filter(lambda g: g > 0),
)
def test_rounding_is_that_of_exact_numbers(value: Fraction, grid: Fraction) -> None:
    assert nearest_point(value, grid) * grid == to_grid(value, grid)
    assert nearest_point_of_root(value, grid) * grid == root_to_grid(value, grid)
    assert nearest_point_of_root((3 * grid / 2) ** 2, grid) == 2  # the root lies in the middle: up


def test_the_catalogue_says_that_both_sums_are_revealed() -> None:
    for function in BOTH:
        assert "the sum of the figures and the sum of their squares" in FUNCTIONS[function].reveals


@pytest.mark.parametrize("function", BOTH)
def test_parameters_and_figures_that_do_not_fit_are_refused(function: str) -> None:
    with pytest.raises(OutOfRange, match="takes grid"):
        check_parameters(function, {})
    with pytest.raises(OutOfRange, match="not of a category"):
        verify_plan(function, [FigureEncoding.category(3, blank_allowed=False)], {"grid": "1"}, 10)
    with pytest.raises(OutOfRange, match="limb of the sum of squares may reach 2\\^60"):
        verify_plan(function, [number((128,) * 4)], {"grid": "1"}, 1 << 26)
    verify_plan(function, [number((32,) * 6)], {"grid": "1"}, 1 << 27)
