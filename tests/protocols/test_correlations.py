"""Correlations against exact comparisons of squares, and what they open."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.catalog import FUNCTIONS, check_parameters
from protocols.cells import CellOutcome, CellRequest
from protocols.correlations import Sums, rounded_correlation
from protocols.decimals import exact_text
from protocols.encoding import FigureEncoding
from protocols.errors import OutOfRange
from protocols.limbs import Limbs, plan_limbs
from protocols.plans import verify_plan
from tests.protocols.engines import SETTINGS, SHARED_SETTINGS, Setting, setting_id
from tests.protocols.tables import Column, ask, columns, encodings, figures, number, opened, wide_openings

every_engine = pytest.mark.parametrize("setting", SETTINGS, ids=setting_id)
NAMES = ("sales", "space")


def request(
    places: int, group: str = "all", minimum: int = 3, category: tuple[str, int | None] | None = None
) -> CellRequest:
    return CellRequest("correlation@1", NAMES, group, {"places": places}, minimum, category=category)


def plain(table: dict[str, Column], asked: CellRequest, mask: Any) -> CellOutcome:
    pairs = figures(table, *asked.figures, mask=mask)
    number_of = len(pairs)
    if number_of < asked.minimum:
        return CellOutcome(None, None, "minimum")
    mean_x, mean_y = (sum((pair[which] for pair in pairs), Fraction(0)) / number_of for which in (0, 1))
    covariance = sum((x - mean_x) * (y - mean_y) for x, y in pairs)
    spread = sum((x - mean_x) ** 2 for x, _ in pairs) * sum((y - mean_y) ** 2 for _, y in pairs)
    if spread == 0:
        return CellOutcome(number_of, None, "disclosure")
    rounded = by_bisection(Fraction(covariance), Fraction(spread), asked.parameters["places"])
    return CellOutcome(number_of, (exact_text(Fraction(rounded, 10 ** asked.parameters["places"])),), None)


def by_bisection(a: Fraction, d: Fraction, places: int) -> int:
    """The largest k with (2k - 1) sqrt(d) <= 2 10^places a."""

    def reached(k: int) -> bool:
        left, right = 2 * k - 1, 2 * 10**places * a
        if left <= 0 <= right:
            return True
        if left > 0 > right:
            return False
        return left**2 * d <= right**2 if left > 0 else left**2 * d >= right**2

    low, high = -(10**places), 10**places + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if reached(middle) else (low, middle)
    return low


def limbs(first: Limbs, second: Limbs) -> int:
    """Of a sum of products, or of squares, whose terms off the diagonal count twice."""
    largest = max(
        w * v * (2 if first is second and i != j else 1)
        for i, w in enumerate(first.weights)
        for j, v in enumerate(second.weights)
    )
    return max(1, -(-largest.bit_length() // 16))


@every_engine
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_a_correlation_is_exact_over_those_that_gave_both(setting: Setting, data: st.DataObject) -> None:
    count = data.draw(st.integers(3, 12))
    table = {name: data.draw(columns(data.draw(encodings()), count)) for name in NAMES}
    some = np.array(data.draw(st.lists(st.integers(0, 1), min_size=count, max_size=count)), dtype=np.uint8)
    masks = {"all": np.ones(count, dtype=np.uint8), "some": some}
    places = data.draw(st.integers(1, 9))
    requests = [request(places, "all"), request(2, "some"), request(1, "all")]
    found, ran = ask(setting, table, requests, masks)
    assert found == [plain(table, asked, masks[asked.mask_name]) for asked in requests]

    # what is opened follows from the sums that the catalogue says are revealed; once a group
    firsts, products = [], []
    for group, outcome in zip(("all", "some"), found[:2], strict=True):
        if outcome.contributors is not None:
            rows = zip(table["sales"][1], table["space"][1], masks[group], strict=True)
            given_both = [(u, v) for u, v, on in rows if on and u is not None and v is not None]
            firsts += [sum(u for u, _ in given_both), sum(v for _, v in given_both)]
            x, y = plan_limbs([table[name][0] for name in NAMES], count)
            products += [
                (sum(u * u for u, _ in given_both), limbs(x, x)),
                (sum(v * v for _, v in given_both), limbs(y, y)),
                (sum(u * v for u, v in given_both), limbs(x, y)),
            ]
    expected = wide_openings("correlation: sums of products", products)
    if firsts:
        expected.append(("correlation: sums", firsts))
    assert sorted(expected) == sorted(entry for entry in opened(ran) if entry[0].startswith("correlation"))


@every_engine
def test_members_of_a_secret_category_that_gave_both_are_correlated(setting: Setting) -> None:
    table: dict[str, Column] = {
        "sales": (number((16, 16), blank=True), [10, 20, 31, 44, None, 200, 1, 7, 90]),
        "space": (number((4, 4, 4), blank=True), [1, 2, 3, 4, 5, None, 60, 50, 20]),
        "sector": (FigureEncoding.category(2, blank_allowed=True), [0, 0, 0, 0, 0, 0, 1, 1, None]),
    }
    outcomes, _ = ask(setting, table, [request(4, category=("sector", symbol)) for symbol in (0, 1, None)])
    inside = [own == 0 for own in table["sector"][1]]
    expected = plain(table, request(4), inside)
    assert expected.contributors == 4
    assert outcomes == [expected, *[CellOutcome(None, None, "minimum")] * 2]


@every_engine
def test_a_figure_that_is_the_same_for_all_has_no_correlation(setting: Setting) -> None:
    table: dict[str, Column] = {
        "sales": (number((4, 16)), [1, 2, 3, 4]),
        "space": (number((4, 16)), [7, 7, 7, 7]),
    }
    assert ask(setting, table, [request(2)])[0] == [CellOutcome(4, None, "disclosure")]


@pytest.mark.parametrize(("ys", "value"), [([10, 20, 30], "1"), ([30, 20, 10], "-1"), ([1, 2, 1], "0")])
def test_perfect_and_absent_correlations_are_exact(ys: list[int | None], value: str) -> None:
    table: dict[str, Column] = {"sales": (number((4, 16)), [1, 2, 3]), "space": (number((4, 16)), ys)}
    assert ask(SETTINGS[0], table, [request(9)])[0] == [CellOutcome(3, (value,), None)]


@given(
    pairs=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=2, max_size=8),
    places=st.integers(1, 3),
)
def test_ties_go_up_below_zero_too(pairs: list[tuple[int, int]], places: int) -> None:
    number_of = len(pairs)
    x, y, xx, yy, xy = (
        sum(term(u, v) for u, v in pairs)
        for term in (
            lambda u, v: u,
            lambda u, v: v,
            lambda u, v: u * u,
            lambda u, v: v * v,
            lambda u, v: u * v,
        )
    )
    a, d = number_of * xy - x * y, (number_of * xx - x * x) * (number_of * yy - y * y)
    found = rounded_correlation(Sums(number_of, x, y, xx, yy, xy), places)
    assert found == (None if d == 0 else by_bisection(Fraction(a), Fraction(d), places))


def test_a_tie_below_zero_goes_up() -> None:
    # x and y are 0 or 1, of 400 members: r = (n n11 - n1. n.1) / (n1. n0.) with n1. = n.1 = 200
    sums = Sums(contributors=400, x=200, y=200, xx=200, yy=200, xy=85)  # r = -0.15
    assert rounded_correlation(sums, 1) == -1
    assert rounded_correlation(Sums(400, 200, 200, 200, 200, 115), 1) == 2  # r = 0.15


@pytest.mark.parametrize("setting", SHARED_SETTINGS, ids=setting_id)
def test_rounds_do_not_grow_with_cells(setting: Setting) -> None:
    table: dict[str, Column] = {
        "sales": (number((16,) * 8, blank=True), [u * 178956970 for u in range(24)]),
        "space": (number((16,) * 4, blank=True), list(range(24))),
    }
    masks = {f"group {g}": np.array([i % 5 >= g for i in range(24)], dtype=np.uint8) for g in range(5)}

    def rounds(groups: int) -> int:
        asked = [request(3, f"group {g}") for g in range(groups)]
        return ask(setting, table, asked, masks)[1].rounds

    # N: a resharing, 3 + 5, 1; the limbs 1; totals of two, of which one has its carry taken off
    assert rounds(1) == rounds(4) == (1 + 8 + 1) + 1 + 10 + 1


@pytest.mark.parametrize("setting", SHARED_SETTINGS, ids=setting_id)
@pytest.mark.parametrize(("blank", "products"), [(False, 0), (True, 1 + 1)])
def test_limbs_are_multiplied_only_where_a_figure_may_be_blank(
    setting: Setting, blank: bool, products: int
) -> None:
    def multiplications(members: int) -> int:
        table: dict[str, Column] = {
            "sales": (number((4, 16), blank=blank), [k % 64 for k in range(members)]),
            "space": (number((4, 4, 4), blank=blank), [k % 7 for k in range(members)]),
        }
        return ask(setting, table, [request(3)])[1].engines[0].counts.multiplications

    assert multiplications(40) - multiplications(30) == 10 * products


def test_the_catalogue_says_which_sums_are_revealed() -> None:
    assert (
        "exact sums of each figure, of their squares and of their products"
        in FUNCTIONS["correlation@1"].reveals
    )


@pytest.mark.parametrize("places", [0, 10, True, "3", None])
def test_places_that_are_none_are_refused(places: Any) -> None:
    with pytest.raises(OutOfRange, match="from 1 to 9"):
        check_parameters("correlation@1", {"places": places})


def test_figures_that_do_not_fit_are_refused() -> None:
    fits = number((16,) * 8)
    verify_plan("correlation@1", [fits, fits], {"places": 3}, 1 << 20)
    category = FigureEncoding.category(3, blank_allowed=False)
    with pytest.raises(OutOfRange, match="not of a category"):
        verify_plan("correlation@1", [fits, category], {"places": 3}, 10)
    with pytest.raises(OutOfRange, match="may reach 2\\^60"):
        verify_plan("correlation@1", [fits, number((128,) * 8)], {"places": 3}, 1 << 24)
