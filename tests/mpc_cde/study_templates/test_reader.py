"""Templates as people write them: what is read, and what each mistake is answered with."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_cde.errors import CallerError
from mpc_cde.study_templates import BadTemplate, StudyTemplate, parse_template, read_template

SMALL = """
format = "mpc-cde study template 1"
title = "Sales"
purpose = "To know."

[[figures]]
name = "sales"
minimum = 0
maximum = 1000
step = 0.5
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
function = "percentiles@1"
each = ["sales"]
by = ["all", "size", "trade"]
quantiles = "quartiles"
"""


def changed(old: str, new: str) -> str:
    assert old in SMALL
    return SMALL.replace(old, new, 1)


def test_a_small_template_is_read_with_its_defaults() -> None:
    template = parse_template(SMALL)
    sales = template.figures[0]
    assert (sales.label, sales.unit, sales.step, sales.blank_allowed) == ("sales", "", Fraction(1, 2), True)
    assert sales.maximum is not None
    assert sales.maximum >= 1000
    assert template.figures[1].radices == (2,)
    assert [function.by for function in template.functions] == [None, "size", "trade"]
    assert template.functions[0].parameters == {"quantiles": ("1/4", "1/2", "3/4")}
    assert template.disclosure["minimum_contributors"] == 5
    assert template.disclosure["minimum_contributors_group"] == 8
    assert (template.engine, template.retention_days) == ("passive", 365)
    assert template.consent


def test_decimals_are_exact_and_never_floats() -> None:
    assert parse_template(changed("step = 0.5", "step = 0.0001")).figures[0].step == Fraction(1, 10_000)
    assert parse_template(changed("step = 0.5", 'step = "0.1"')).figures[0].step == Fraction(1, 10)


def test_a_registrar_computes_attributes_from_a_column_that_is_not_submitted() -> None:
    template = parse_template(SMALL)
    assert template.columns == ("sales", "trade", "staff")
    assert template.missing_columns(["sales", "trade"]) == ("staff",)
    assert template.attributes_of({"staff": "4.9999"}) == {"size": "small"}
    assert template.attributes_of({"staff": "5"}) == {"size": "large"}
    assert template.attributes_of({"staff": " "}) == {}
    assert template.attributes_of({}) == {}
    for cell in ("many", "1e3", "NaN", "4,5"):
        with pytest.raises(CallerError, match="expected a number"):
            template.attributes_of({"staff": cell})


def test_classes_by_text_hold_only_that_text() -> None:
    text = changed(
        '{ value = "small", below = 5 }, { value = "large", from = 5 }', '{ value = "North", equals = "n" }'
    )
    group = parse_template(text).groups[0]
    assert (group.value_of("n"), group.value_of("N"), group.value_of("")) == ("North", None, None)


def test_explicit_radices_are_taken_as_they_stand() -> None:
    template = parse_template(changed("maximum = 1000", "radices = [7, 9, 5, 4]"))
    assert template.figures[0].radices == (7, 9, 5, 4)
    assert template.figures[0].maximum == (7 * 9 * 20 - 1 - 10) * Fraction(1, 2)


MISTAKES = [
    ('format = "mpc-cde study template 1"', 'format = "2"', "format", '"2"'),
    ('title = "Sales"', "", "title", "nothing"),
    ('title = "Sales"', "title = 7", "title", "7"),
    ('title = "Sales"', 'title = "Sales"\ntitel = "x"', "titel", "titel"),
    ('title = "Sales"', 'title = "Sales"\nroster_cap = 1', "roster_cap", "1"),
    ('title = "Sales"', 'title = "Sales"\nroster_cap = true', "roster_cap", "true"),
    ('title = "Sales"', 'title = "Sales"\nengine = "fast"', "engine", '"fast"'),
    ('name = "sales"', 'name = "Sales 2"', "figures[1].name", '"Sales 2"'),
    ('name = "trade"', 'name = "sales"', "figures", '"sales" twice'),
    ("minimum = 0", 'minimum = "0,5"', "figures[1].minimum", '"0,5"'),
    ("minimum = 0", "minimum = nan", "figures[1].minimum", "NaN"),
    ("minimum = 0", "minimum = inf", "figures[1].minimum", "Infinity"),
    ("minimum = 0", "minimum = 1e99", "figures[1].minimum", "1E+99"),
    ("maximum = 1000", "maximum = -1", "figures[1].maximum", "-1"),
    ("maximum = 1000", "", "figures[1].maximum", "nothing"),
    ("maximum = 1000", "maximum = 1000\nradices = [2]", "figures[1].maximum", "1000"),
    ("maximum = 1000", "radices = [7, 9]", "figures[1].radices", "a list of 2"),
    ("maximum = 1000", "radices = [7, 1]", "figures[1].radices[2]", "1"),
    ("maximum = 1000", "radices = [20]", "figures[1].radices", "a list of 1"),
    ("step = 0.5", "step = 0", "figures[1].step", "0"),
    ("step = 0.5", "step = 3", "figures[1].publish_step", "10"),
    ("step = 0.5", "step = 10", "figures[1].publish_step", "10"),
    ("publish_step = 10", "publish_step = 10\nrounds = 1", "figures[1].rounds", "1"),
    ("publish_step = 10", "publish_step = 10\nsoft_max = 1", "figures[1].soft_max", "soft_max"),
    ('categories = ["bread", "cake"]', 'categories = ["bread"]', "figures[2].categories", "a list of 1"),
    ('attribute = "size"', 'attribute = "all"', "groups[1].attribute", '"all"'),
    ('attribute = "size"', 'attribute = "sales"', "groups", '"sales" twice'),
    ('{ value = "large", from = 5 }', '{ value = "large" }', "groups[1].classes[2].equals", "nothing"),
    ('{ value = "large", from = 5 }', '{ value = "small", from = 5 }', "groups[1].classes", '"small" twice'),
    ("from = 5", "from = 4", "groups[1].classes", '"small" and "large" with numbers in common'),
    ("from = 5", "from = 5, below = 5", "groups[1].classes[2].below", "5"),
    ("from = 5", 'equals = "x"', "groups[1].classes", "both"),
    ('function = "percentiles@1"', 'function = "mode@1"', "functions[1].function", '"mode@1"'),
    ('each = ["sales"]', 'each = ["profit"]', "functions[1].each", '"profit"'),
    ('each = ["sales"]', 'each = ["trade"]', "functions[1].each", 'the category "trade"'),
    ('each = ["sales"]', "", "functions[1].figures", "nothing"),
    ('each = ["sales"]', 'each = "sales"', "functions[1].each", '"sales"'),
    ('"all", "size", "trade"', '"sales"', "functions[1].by", '"sales"'),
    ('quantiles = "quartiles"', 'quantiles = ["2/4"]', "functions[1].quantiles", "a list of 1"),
    ('quantiles = "quartiles"', 'quantiles = "thirds"', "functions[1].quantiles", '"thirds"'),
    ('quantiles = "quartiles"', "", "functions[1].quantiles", "nothing"),
    ('"percentiles@1"', '"sum@1"', "functions[1].quantiles", '"quartiles"'),
]


@pytest.mark.parametrize(("old", "new", "key", "found"), MISTAKES)
def test_a_mistake_is_answered_with_key_expected_and_found(old: str, new: str, key: str, found: str) -> None:
    with pytest.raises(BadTemplate) as caught:
        parse_template(changed(old, new))
    assert caught.value.key == key
    assert caught.value.found == found
    assert str(caught.value).startswith(f"{key}: expected {caught.value.expected}")


def test_a_misspelt_key_is_answered_with_the_one_that_was_meant() -> None:
    with pytest.raises(BadTemplate) as caught:
        parse_template(changed("publish_step = 10", "publish_step = 10\nsoft_maximun = 1"))
    assert caught.value.hint == "Did you mean soft_maximum?"


def test_disclosure_rules_may_be_stricter_and_group_rules_no_looser() -> None:
    strict = SMALL + "\n[disclosure]\nminimum_contributors = 12\n"
    assert parse_template(strict).disclosure["minimum_contributors_group"] == 12
    with pytest.raises(BadTemplate, match="minimum_contributors_group"):
        parse_template(strict + "minimum_contributors_group = 8\n")


def test_exact_figures_need_the_bundle_that_allows_them() -> None:
    exact = changed("publish_step = 10", "publish_step = 0.5")
    with pytest.raises(BadTemplate, match="allow_exact"):
        parse_template(exact)
    assert parse_template(exact + "\n[disclosure]\nallow_exact = true\n").figures[0].publish_step == Fraction(
        1, 2
    )


def test_a_file_that_is_missing_not_toml_or_not_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="cannot read"):
        read_template(tmp_path / "none.toml")
    path = tmp_path / "wrong.toml"
    path.write_text("title = ", "utf-8")
    with pytest.raises(CallerError, match=r"wrong\.toml: not TOML"):
        read_template(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(CallerError, match="not UTF-8"):
        read_template(path)
    path.write_text(changed("step = 0.5", "step = 0"), "utf-8")
    with pytest.raises(BadTemplate, match=r"wrong\.toml: figures\[1\]\.step: expected"):
        read_template(path)


@pytest.mark.parametrize("value", ["9" * 5000, "1e" + "9" * 30, "[" * 5000 + "]" * 5000])
def test_a_number_or_nesting_without_bounds_is_refused_and_does_not_crash(value: str) -> None:
    with pytest.raises(CallerError, match="not TOML"):
        parse_template(changed("minimum = 0", f"minimum = {value}"))


@given(st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=5) | st.booleans(), max_size=3))
def test_any_figure_table_gives_a_template_or_a_bad_template(extra: dict[str, object]) -> None:
    lines = "".join(f"{_quoted(key)} = {_toml(value)}\n" for key, value in extra.items())
    text = changed("[[groups]]", lines + "[[groups]]")
    with suppress(CallerError):
        assert isinstance(parse_template(text), StudyTemplate)


def _quoted(text: str) -> str:
    return '"' + "".join(f"\\U{ord(c):08x}" if not 0xD800 <= ord(c) < 0xE000 else "x" for c in text) + '"'


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return _quoted(value) if isinstance(value, str) else str(value)
