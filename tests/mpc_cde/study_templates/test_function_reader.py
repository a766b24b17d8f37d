"""Functions of a template with their parameters; a mistake is answered with the key and what to write there."""

from __future__ import annotations

import pytest

from mpc_cde.documents.study_terms import FunctionTerms
from mpc_cde.study_templates import BadTemplate, parse_template, study_from_template

BEFORE = """
format = "mpc-cde study template 1"
title = "Sales"
purpose = "To know."

[disclosure]
dominance = { contributors = 1, percent = 60 }
complementary = true
minimum_contributors_negative = 20

[[figures]]
name = "sales"
minimum = 0
maximum = 1000
step = 0.5
publish_step = 10

[[figures]]
name = "hours"
minimum = 0
maximum = 100
step = 1
publish_step = 10

[[figures]]
name = "profit"
minimum = -100
maximum = 100
step = 1
publish_step = 10

[[figures]]
name = "trade"
kind = "category"
categories = ["bread", "cake"]

[[groups]]
attribute = "size"
column = "staff"
classes = [{ value = "small", below = 5 }, { value = "large", from = 5 }]

[[functions]]
"""

RATIO = 'function = "ratio_of_totals@1"\nfigures = ["sales", "hours"]\ngrid = 0.1\nmaximum = 50\n'
MEAN = 'function = "mean@1"\neach = ["sales"]\ngrid = 0.5\n'
HISTOGRAM = 'function = "histogram@1"\neach = ["sales"]\nedges = [95, 205]\n'
CORRELATION = 'function = "correlation@1"\nfigures = ["sales", "hours"]\nplaces = 3\n'
PLACE = 'function = "own_rank@1"\neach = ["sales"]\n'


def functions(text: str) -> tuple[FunctionTerms, ...]:
    """What stands in the study's terms."""
    times = {"opens": "2026-01-01T00:00:00Z", "closes": "2026-02-01T00:00:00Z"}
    template = parse_template(BEFORE + text)
    study = study_from_template(template, community=bytes(32), steward="steward", **times)
    return study.terms.functions


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        (MEAN, {"grid": "0.5"}),
        (RATIO, {"grid": "0.1", "maximum": "50"}),
        (HISTOGRAM, {"edges": ("95", "205")}),
        (CORRELATION, {"places": 3}),
        (MEAN.replace("mean", "variance"), {"grid": "0.5"}),
        (MEAN.replace("mean", "standard_deviation"), {"grid": "0.5"}),
        (
            'function = "percentiles_linear@1"\neach = ["sales"]\nquantiles = "median"',
            {"quantiles": ("1/2",)},
        ),
        (PLACE, {}),
    ],
)
def test_parameters_reach_the_terms_as_the_catalogue_takes_them(text: str, asked: dict[str, object]) -> None:
    (function,) = functions(text)
    assert function.asked_parameters == asked


def test_a_function_may_be_asked_by_a_secret_category() -> None:
    found = functions(MEAN + 'by = ["all", "trade"]\n')
    assert [function.by for function in found] == [None, "trade"]


def test_an_own_place_is_for_the_member_that_asks() -> None:
    assert [function.audience for function in functions(PLACE)] == ["self"]
    assert [function.audience for function in functions(MEAN)] == ["researchers"]


def test_rules_about_concentration_reach_the_terms() -> None:
    times = {"opens": "2026-01-01T00:00:00Z", "closes": "2026-02-01T00:00:00Z"}
    study = study_from_template(
        parse_template(BEFORE + MEAN), community=bytes(32), steward="s", p_percent=bytes(32), **times
    )
    bundle = study.terms.disclosure
    assert bundle.dominance is not None
    assert (bundle.dominance.contributors, bundle.dominance.percent) == (1, 60)
    assert bundle.p_percent == bytes(32)
    assert (bundle.complementary, bundle.minimum_contributors_negative) == (True, 20)


MISTAKES = [
    (MEAN.replace("grid = 0.5\n", ""), "grid", "nothing"),
    (MEAN.replace("0.5", "0.3"), "grid", "0.3"),
    (MEAN.replace("0.5", "0"), "grid", "0"),
    (MEAN + "places = 2\n", "places", "2"),
    (MEAN.replace("sales", "trade"), "each", 'the category "trade"'),
    (MEAN + 'by = ["trade", "size", "profit"]\n', "by", '"profit"'),
    (RATIO.replace("maximum = 50\n", ""), "maximum", "nothing"),
    (RATIO.replace("50", "50.05"), "maximum", "50.05"),
    (RATIO.replace("hours", "profit"), "figures", "a list of 2"),
    (RATIO.replace('"sales", "hours"', '"sales"'), "figures", "a list of 1"),
    (RATIO.replace("figures", "each"), "each", "a list of 2"),
    (HISTOGRAM.replace("95", "100"), "edges", "a list of 2"),
    (HISTOGRAM.replace("95, 205", "205, 95"), "edges", "a list of 2"),
    (HISTOGRAM.replace("[95, 205]", "95"), "edges", "95"),
    (CORRELATION.replace("3", "0"), "places", "0"),
    (CORRELATION.replace("3", '"3"'), "places", '"3"'),
    (PLACE + 'by = ["trade"]\n', "by", '"trade"'),
    (PLACE + 'audience = "public"\n', "audience", '"public"'),
    (MEAN + 'audience = "self"\n', "audience", '"self"'),
    ('function = "count@1"\neach = ["trade"]\nby = ["trade"]', "by", '"trade"'),
    ('function = "count@1"\neach = ["trade"]\nedges = [1]', "edges", "a list of 1"),
]


@pytest.mark.parametrize(("text", "key", "found"), MISTAKES)
def test_a_mistake_names_the_key_and_what_was_found(text: str, key: str, found: str) -> None:
    with pytest.raises(BadTemplate) as caught:
        parse_template(BEFORE + text)
    assert caught.value.key == f"functions[1].{key}"
    assert caught.value.found == found


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (HISTOGRAM.replace("95", "100"), "the nearest that does is 95"),
        (RATIO.replace("50", "50.05"), "no whole multiple of grid 0.1"),
        (MEAN.replace("0.5", "0.3"), "no whole multiple of the figure's step 0.5"),
        (RATIO.replace("figures", "each"), 'figures = ["sales", "hours"]'),
        (
            'function = "count@1"\nfigures = ["sales", "hours"]',
            'each = ["a", "b"] for a function of every one',
        ),
        (MEAN + "places = 2\n", "nothing here, as mean@1 takes grid"),
    ],
)
def test_a_mistake_is_answered_with_what_to_write(text: str, written: str) -> None:
    with pytest.raises(BadTemplate) as caught:
        parse_template(BEFORE + text)
    assert written in caught.value.expected


def test_a_p_that_is_not_to_be_published_does_not_stand_in_a_template() -> None:
    with pytest.raises(BadTemplate, match="unpublished") as caught:
        parse_template(BEFORE.replace("complementary = true", "p_percent = 10") + MEAN)
    assert caught.value.key == "disclosure.p_percent"
    assert "10" not in (caught.value.hint or "")


def test_dominance_of_more_contributors_than_are_looked_for_is_refused() -> None:
    with pytest.raises(BadTemplate) as caught:
        parse_template(BEFORE.replace("contributors = 1,", "contributors = 3,") + MEAN)
    assert caught.value.key == "disclosure.dominance.contributors"
