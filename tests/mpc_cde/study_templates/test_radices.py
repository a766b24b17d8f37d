"""Chosen radices: their laws over any wished range, and what is refused."""

from __future__ import annotations

from fractions import Fraction
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_cde.study_templates import NoRadices, choose_radices
from protocols.decimals import exact_text
from protocols.encoding import FigureEncoding

STEPS = st.sampled_from([Fraction(1), Fraction(1, 10000), Fraction(1, 4), Fraction(5)])
EVEN_RATIOS = st.sampled_from([2, 4, 10, 20, 50, 62, 100, 500, 1000, 10_000, 100_000])


@given(
    minimum=st.integers(-10_000, 10_000),
    spread=st.integers(1, 10**12),
    step=STEPS,
    ratio=EVEN_RATIOS,
)
def test_radices_reach_the_wished_maximum_and_end_on_the_publish_step(
    minimum: int, spread: int, step: Fraction, ratio: int
) -> None:
    low = minimum * step
    high = low + spread * step
    radices = choose_radices(low, high, step, ratio * step, allow_exact=False)
    assert all(2 <= radix <= 32 for radix in radices)
    largest = low + step * (prod(radices) - 1 - ratio // 2)
    assert largest >= high
    needed = -(-(spread + ratio // 2 + 1) // ratio)
    assert prod(radices) <= ratio * max(2, needed, 1.12 * needed), "at or just above"
    encoding = FigureEncoding.create(
        minimum=exact_text(low),
        step=exact_text(step),
        publish_step=exact_text(ratio * step),
        radices=radices,
        allow_exact=False,
        blank_allowed=True,
    )
    assert prod(radices[encoding.published_digits :]) == ratio
    assert encoding.maximum == largest


@given(spread=st.integers(1, 10**9))
def test_exact_figures_have_no_unpublished_digits(spread: int) -> None:
    radices = choose_radices(Fraction(0), Fraction(spread), Fraction(1), Fraction(1), allow_exact=True)
    assert prod(radices) - 1 >= spread


def test_digits_are_few_and_alike() -> None:
    radices = choose_radices(Fraction(0), Fraction(10**7), Fraction(1), Fraction(1000), allow_exact=False)
    assert radices[-3:] == (10, 10, 10)
    assert len(radices) == 7
    assert choose_radices(Fraction(0), Fraction(1), Fraction(1), Fraction(2), allow_exact=False) == (2, 2)


def test_a_wished_maximum_off_the_grid_is_reached_by_the_next_grid_point() -> None:
    radices = choose_radices(Fraction(0), Fraction(39, 2), Fraction(1), Fraction(2), allow_exact=False)
    assert prod(radices) - 1 - 1 >= 20


@pytest.mark.parametrize(
    ("minimum", "maximum", "step", "publish_step", "message"),
    [
        ("0", "10", "0", "2", "step must be positive"),
        ("0", "10", "-1", "2", "step must be positive"),
        ("10", "10", "1", "2", "maximum must lie above"),
        ("0", "10", "1", "3/2", "whole number of steps"),
        ("0", "10", "1", "0", "whole number of steps"),
        ("0", "10", "1", "1", "allow_exact"),
        ("0", "10", "1", "5", "even number of steps"),
        ("0", "1000", "1", "74", "prime factor above 32"),
        ("0", "1" + "0" * 20, "1", "2", "too many steps"),
    ],
)
def test_a_range_or_grid_without_radices_says_what_to_change(
    minimum: str, maximum: str, step: str, publish_step: str, message: str
) -> None:
    with pytest.raises(NoRadices, match=message):
        choose_radices(Fraction(minimum), Fraction(maximum), Fraction(step), Fraction(publish_step), False)
