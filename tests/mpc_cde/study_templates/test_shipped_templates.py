"""The templates that travel with the package: their tables fit, and they make studies that stand."""

from __future__ import annotations

import csv
from collections import Counter
from fractions import Fraction
from importlib.resources import as_file, files
from pathlib import Path

import pytest

from mpc_cde.study_templates import (
    BadTemplate,
    StudyTemplate,
    parse_template,
    read_template,
    study_from_template,
)
from protocols.catalog import FUNCTIONS

DATA = files("mpc_cde.demo") / "data"
SHIPPED = ["clothing_stores", "bakery_energy"]
OPENS, CLOSES = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"


def load(name: str) -> tuple[StudyTemplate, list[dict[str, str]]]:
    with as_file(DATA / f"{name}.toml") as path:
        template = read_template(path)
    rows = list(csv.DictReader((DATA / f"{name}.csv").read_text("utf-8").splitlines()))
    return template, rows


@pytest.mark.parametrize("name", SHIPPED)
def test_every_cell_lies_on_the_grid_and_in_the_range_of_its_template(name: str) -> None:
    template, rows = load(name)
    assert template.missing_columns(list(rows[0])) == ()
    for figure in template.figures:
        if figure.categories:
            assert {row[figure.name] for row in rows} <= {*figure.categories, ""}
        if figure.categories or figure.derived:
            continue
        cells = [Fraction(row[figure.name]) for row in rows if row[figure.name]]
        assert figure.blank_allowed or len(cells) == len(rows)
        assert figure.minimum is not None
        assert figure.step is not None
        assert figure.maximum is not None
        assert all(figure.minimum <= cell <= figure.maximum for cell in cells)
        assert all((cell - figure.minimum) % figure.step == 0 for cell in cells)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_template_makes_a_study_whose_public_bounds_hold(name: str) -> None:
    template, rows = load(name)
    study = study_from_template(template, community=b"c" * 32, steward="chamber", opens=OPENS, closes=CLOSES)
    terms = study.terms
    assert len(rows) <= terms.roster_cap
    assert max(terms.compared_bounds().values()) < 1 << 60
    assert all(terms.roster_cap * (figure.capacity + 1) < 1 << 60 for figure in terms.figures)
    for figure, wished in zip(terms.figures, template.figures, strict=True):
        assert wished.categories or figure.largest == wished.maximum
    assert len(terms.functions) == len(template.functions)
    assert terms.functions[0].by is None
    again = study_from_template(template, community=b"c" * 32, steward="chamber", opens=OPENS, closes=CLOSES)
    assert again.payload_bytes() == study.payload_bytes()


def test_the_shops_fall_into_four_classes_of_full_time_staff() -> None:
    template, rows = load("clothing_stores")
    classes = Counter(template.attributes_of(row)["full_timers_class"] for row in rows)
    assert [classes[one.value] for one in template.groups[0].classes] == [247, 91, 46, 16]
    assert "full_timers" not in {figure.name for figure in template.figures}


def test_the_shops_study_asks_every_function_there_is() -> None:
    template, _ = load("clothing_stores")
    assert {function.function for function in template.functions} == set(FUNCTIONS)
    assert {function.by for function in template.functions} == {
        None,
        "full_timers_class",
        "started",
        "invested_in",
    }


def test_the_bakeries_have_blanks_negative_figures_and_a_region_too_small_to_show() -> None:
    template, rows = load("bakery_energy")
    assert any(not row["gas"] for row in rows)
    assert any(row["energy_cost_change"].startswith("-") for row in rows)
    regions = Counter(template.attributes_of(row)["region"] for row in rows)
    assert 0 < regions["Islands"] < template.disclosure["minimum_contributors_group"]


def test_dates_that_make_no_study_are_a_bad_template_and_no_traceback() -> None:
    template, _ = load("clothing_stores")
    with pytest.raises(BadTemplate, match="closes must come after opens"):
        study_from_template(template, community=b"c" * 32, steward="chamber", opens=CLOSES, closes=OPENS)


def test_the_example_in_the_documentation_is_a_template_and_says_true_radices() -> None:
    page = (Path(__file__).parents[3] / "docs" / "study-templates.md").read_text("utf-8")
    template = parse_template(page.split("```toml\n")[1].split("```")[0])
    sales = template.figures[0]
    first, last = sales.radices[:-3], sales.radices[-3:]
    assert f"{', '.join(map(str, first))} and {', '.join(map(str, last))}" in page
    assert f"{int(sales.maximum or 0):,}" in page
    study_from_template(template, community=b"c" * 32, steward="chamber", opens=OPENS, closes=CLOSES)
