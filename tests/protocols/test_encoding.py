"""Figures to digits and back, against exact fractions; what does not fit is refused with the nearest value."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import prod
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.decimals import exact_decimal, exact_text
from protocols.encoding import FigureEncoding, encode_submission
from protocols.errors import EncodingError, OutOfRange

EXAMPLE: dict[str, Any] = {
    "minimum": "0",
    "step": "1",
    "publish_step": "1",
    "radices": (4, 16),
    "allow_exact": True,
    "blank_allowed": True,
}
decimals = st.decimals(-(10**9), 10**9, places=4, allow_nan=False, allow_infinity=False)


@st.composite
def encodings(draw: st.DrawFn) -> FigureEncoding:
    radices = draw(st.lists(st.integers(2, 128), min_size=1, max_size=6))
    step = Fraction(draw(st.integers(1, 1000)), 10 ** draw(st.integers(0, 4)))
    kept = [k for k in range(1, len(radices) + 1) if k == len(radices) or prod(radices[k:]) % 2 == 0]
    ratio = prod(radices[draw(st.sampled_from(kept)) :])
    return FigureEncoding.create(
        minimum=str(draw(decimals)),
        step=exact_text(step),
        publish_step=exact_text(step * ratio),
        radices=radices,
        allow_exact=ratio == 1,
        blank_allowed=draw(st.booleans()),
    )


def test_the_example_of_the_protocol() -> None:
    encoding = FigureEncoding.create(**EXAMPLE)
    assert encoding.digits(41) == (2, 9)
    indicators = encoding.indicators(encoding.encode(Decimal(41)))
    assert indicators == [1, 0, 0, 1, *(int(symbol == 9) for symbol in range(15))]
    assert encoding.indicators(encoding.encode(None)) == [0] * 19
    assert encoding.element_count == 19


@settings(max_examples=100, deadline=None)
@given(encoding=encodings(), data=st.data())
def test_a_figure_on_the_grid_is_encoded_and_decoded_exactly(
    encoding: FigureEncoding, data: st.DataObject
) -> None:
    steps = data.draw(st.integers(0, encoding.size - 1 - encoding.half))
    figure = encoding.minimum + steps * encoding.step
    for exact in (figure, exact_decimal(figure)):
        u = encoding.encode(exact)
        assert u == steps + encoding.half
    assert encoding.decode(steps + encoding.half) == figure
    assert encoding.minimum <= figure <= encoding.maximum


@settings(max_examples=100, deadline=None)
@given(encoding=encodings(), data=st.data())
def test_leading_digits_are_the_figure_rounded_to_the_publish_step_ties_up(
    encoding: FigureEncoding, data: st.DataObject
) -> None:
    steps = data.draw(st.integers(0, encoding.size - 1 - encoding.half))
    figure = encoding.minimum + steps * encoding.step
    digits = encoding.digits(encoding.encode(figure) or 0)
    prefix = 0
    for digit, radix in zip(digits[: encoding.published_digits], encoding.radices, strict=False):
        prefix = prefix * radix + digit
    grid = (figure - encoding.minimum) / encoding.publish_step
    rounded = (grid + Fraction(1, 2)).__floor__()
    assert encoding.published_value(prefix) == encoding.minimum + rounded * encoding.publish_step


@settings(max_examples=60, deadline=None)
@given(encoding=encodings(), data=st.data())
def test_indicators_hold_one_symbol_a_digit_and_lie_where_the_layout_says(
    encoding: FigureEncoding, data: st.DataObject
) -> None:
    u = data.draw(st.integers(0, encoding.size - 1))
    start = data.draw(st.integers(0, 5))
    vector = [9] * start + encoding.indicators(u)
    layout = encoding.layout(start)
    assert layout.end == len(vector) == start + encoding.element_count
    if encoding.blank_allowed:
        assert layout.presence == start
        assert vector[start] == 1
        assert encoding.indicators(None) == [0] * encoding.element_count
    else:
        assert layout.presence is None
        with pytest.raises(OutOfRange):
            encoding.indicators(None)
    number = 0
    for first, radix in zip(layout.digits, encoding.radices, strict=True):
        shared = vector[first : first + radix - 1]
        full = [*shared, 1 - sum(shared)]
        assert sorted(full) == [0] * (radix - 1) + [1]
        number = number * radix + full.index(1)
    assert number == u


def test_no_encoding_is_out_of_range() -> None:
    encoding = FigureEncoding.create(**EXAMPLE)
    for u in (-1, encoding.size):
        with pytest.raises(OutOfRange):
            encoding.digits(u)


@settings(max_examples=100, deadline=None)
@given(encoding=encodings(), figure=decimals)
def test_a_figure_off_the_grid_is_refused_with_the_nearest_allowed_one(
    encoding: FigureEncoding, figure: Decimal
) -> None:
    value = Fraction(figure)
    try:
        encoding.encode(figure)
    except EncodingError as error:
        nearest = Fraction(error.nearest or "")
        distance = abs(nearest - value)
        assert encoding.encode(nearest) is not None
        for neighbour in (nearest - encoding.step, nearest + encoding.step):
            if encoding.minimum <= neighbour <= encoding.maximum:
                assert abs(neighbour - value) > distance or (
                    abs(neighbour - value) == distance and neighbour < nearest
                )
    else:
        assert (value - encoding.minimum) % encoding.step == 0


@pytest.mark.parametrize(("figure", "nearest"), [("64", "63"), ("-1", "0"), ("1e40", "63"), ("-1e40", "0")])
def test_out_of_range_names_the_range(figure: str, nearest: str) -> None:
    with pytest.raises(EncodingError, match="from 0 to 63") as caught:
        FigureEncoding.create(**EXAMPLE).encode(Decimal(figure))
    assert caught.value.nearest == nearest


@pytest.mark.parametrize("figure", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_refused(figure: str) -> None:
    with pytest.raises(EncodingError):
        FigureEncoding.create(**EXAMPLE).encode(Decimal(figure))


@pytest.mark.parametrize("figure", ["1e999999999", "-1e999999999", "1e-999999999", "0e-999999999"])
def test_an_exponent_bomb_is_refused_before_it_is_written_out(figure: str) -> None:
    with pytest.raises(EncodingError):
        FigureEncoding.create(**EXAMPLE).encode(Decimal(figure))


@pytest.mark.parametrize("figure", [4.0, True, "4", b"4"])
def test_what_is_not_an_exact_number_is_refused(figure: Any) -> None:
    with pytest.raises(EncodingError):
        FigureEncoding.create(**EXAMPLE).encode(figure)


def test_a_blank_is_refused_where_none_is_allowed() -> None:
    with pytest.raises(EncodingError):
        FigureEncoding.create(**EXAMPLE | {"blank_allowed": False}).encode(None)


@pytest.mark.parametrize(
    "change",
    [
        {"radices": ()},
        {"radices": (1, 16)},
        {"radices": (129,)},
        {"radices": (128,) * 9},
        {"step": "0"},
        {"step": "-1"},
        {"publish_step": "0"},
        {"publish_step": "8"},  # not a product of the last radices
        {"publish_step": "64"},  # nothing would be published
        {"allow_exact": False},
        {"radices": (4, 3), "publish_step": "3"},  # odd: half a step does not lie on the grid
        {"minimum": "abc"},
        {"minimum": "1/3"},
        {"minimum": "NaN"},
        {"step": "1e999999999"},
    ],
)
def test_parameters_that_do_not_fit_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(OutOfRange):
        FigureEncoding.create(**EXAMPLE | change)


def test_a_category_is_one_digit_without_order() -> None:
    encoding = FigureEncoding.category(4, blank_allowed=False)
    assert [encoding.indicators(encoding.encode(Decimal(symbol))) for symbol in (0, 2, 3)] == [
        [1, 0, 0],
        [0, 0, 1],
        [0, 0, 0],
    ]
    assert encoding.kind == "category"
    assert encoding.published_digits == 1
    with pytest.raises(EncodingError):
        encoding.encode(Decimal(4))
    with pytest.raises(OutOfRange):
        encoding.published_value(1)


def test_a_submission_is_the_figures_in_study_order() -> None:
    number = FigureEncoding.create(**EXAMPLE)
    category = FigureEncoding.category(3, blank_allowed=True)
    vector = encode_submission([number, category, number], [Decimal(41), Decimal(1), None])
    assert vector.tolist() == [*number.indicators(41), 1, 0, 1, *number.indicators(None)]
    for figures in ([Decimal(41)], [Decimal(41)] * 4):
        with pytest.raises(OutOfRange):
            encode_submission([number, category, number], figures)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(0), "0"),
        (Fraction(-1, 2), "-0.5"),
        (Fraction(1, 10**7), "0.0000001"),
        (Fraction(10**30), "1" + "0" * 30),
        (Fraction(1, 8), "0.125"),
        (Fraction(7, 250), "0.028"),
        (Decimal("-0.00"), "0"),
        (Decimal("1.50"), "1.5"),
    ],
)
def test_exact_text_has_no_exponent_and_no_trailing_zeros(value: Fraction | Decimal, text: str) -> None:
    assert exact_text(value) == text


def test_a_number_without_end_has_no_exact_text() -> None:
    with pytest.raises(OutOfRange):
        exact_text(Fraction(1, 3))


@given(value=decimals)
def test_exact_text_is_exact(value: Decimal) -> None:
    assert Fraction(exact_text(value)) == Fraction(value)
