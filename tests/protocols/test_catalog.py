"""Parameters of functions: one way to write each, and everything else refused with what was expected."""

from __future__ import annotations

from fractions import Fraction

import pytest

from protocols.catalog import MAX_QUANTILES, check_parameters, parse_quantiles, specification
from protocols.decimals import exact_text
from protocols.errors import OutOfRange


def test_quantiles_are_read_as_fractions() -> None:
    texts = ["1/10", "1/4", "1/2", "999/1000"]
    assert parse_quantiles({"quantiles": texts}) == tuple(Fraction(text) for text in texts)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({}, "percentiles take"),
        ({"quantiles": []}, "percentiles take"),
        ({"quantiles": "1/2"}, "percentiles take"),
        ({"quantiles": {"1/2": 1}}, "percentiles take"),
        ({"quantiles": ["1/2"], "grid": "1"}, "percentiles take"),
        ({"quantiles": [f"{n}/1000" for n in range(1, 1 + 3 * MAX_QUANTILES, 2)]}, "at most 100 quantiles"),
        ({"quantiles": ["12"]}, "a fraction such as"),
        ({"quantiles": ["x/2"]}, "a fraction such as"),
        ({"quantiles": ["1/x"]}, "a fraction such as"),
        ({"quantiles": ["-1/2"]}, "a fraction such as"),
        ({"quantiles": ["/2"]}, "a fraction such as"),
        ({"quantiles": ["1/"]}, "a fraction such as"),
        ({"quantiles": ["\N{ARABIC-INDIC DIGIT ONE}/2"]}, "a fraction such as"),
        ({"quantiles": ["1/\N{ARABIC-INDIC DIGIT TWO}"]}, "a fraction such as"),
        ({"quantiles": ["\N{SUPERSCRIPT ONE}/2"]}, "a fraction such as"),
        ({"quantiles": ["00001/2"]}, "between 0 and 1"),
        ({"quantiles": ["1/00002"]}, "between 0 and 1"),
        ({"quantiles": ["1/1"]}, "between 0 and 1"),
        ({"quantiles": ["0/1"]}, "between 0 and 1"),
        ({"quantiles": ["1/1001"]}, "between 0 and 1"),
        ({"quantiles": ["2/4"]}, "lowest terms"),
        ({"quantiles": ["01/2"]}, "lowest terms"),
        ({"quantiles": ["1/2", "1/4"]}, "ascend"),
        ({"quantiles": ["1/2", "1/2"]}, "ascend"),
    ],
)
def test_quantiles_of_another_form_are_refused(parameters: dict[str, object], said: str) -> None:
    with pytest.raises(OutOfRange, match=said):
        parse_quantiles(parameters)


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        ("sum@1", {"grid": "1"}),
        ("mean@1", {}),
        ("mean@1", {"grid": "1", "places": 2}),
        ("mean@1", {"grid": "01"}),
        ("percentiles@1", {"quantiles": ["2/4"]}),
        ("sum@2", {}),
    ],
)
def test_parameters_that_a_function_does_not_take_are_refused(
    function: str, parameters: dict[str, object]
) -> None:
    with pytest.raises(OutOfRange):
        check_parameters(function, parameters)


def test_an_unknown_function_is_told_the_known_ones() -> None:
    with pytest.raises(OutOfRange, match=r"known: correlation@1, count@1"):
        specification("median@1")


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_an_amount_that_is_not_finite_has_no_text(text: str) -> None:
    from decimal import Decimal

    with pytest.raises(OutOfRange, match="finite"):
        exact_text(Decimal(text))
