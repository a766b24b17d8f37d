"""Tables and templates are refused before any process starts, naming row, column and what was expected."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpc_cde.client.release_rules import items_of
from mpc_cde.demo.material import DATA, default_material, load_material
from mpc_cde.demo.options import parse_options
from mpc_cde.errors import CallerError

BAKERIES = DATA / "bakery_energy.toml"


def rewritten(tmp_path: Path, old: str, new: str) -> Path:
    text = (DATA / "bakery_energy.csv").read_text("utf-8")
    assert old in text
    path = tmp_path / "bakeries.csv"
    path.write_text(text.replace(old, new, 1))
    return path


def test_the_shops_fall_into_the_classes_that_are_promised() -> None:
    members = default_material().members
    classes = [member.attributes["full_timers_class"] for member in members]
    assert [classes.count(value) for value in dict.fromkeys(sorted(classes))] == [247, 91, 46, 16]
    assert len({member.register_id for member in members}) == 400


def test_the_plain_calculation_reads_the_file_by_itself() -> None:
    material = default_material()
    study = material.study(
        community=bytes(32), steward="s", opens="2026-01-01T00:00:00Z", closes="2026-01-02T00:00:00Z"
    )
    items = [
        item
        for function in study.terms.functions
        if function.function == "count@1"
        for item in items_of(function, study.terms)
    ]
    cells = material.expected(items, study.terms)
    assert cells[0].values == (400,)
    assert {cell.withheld for cell in cells} == {None, "minimum", "disclosure"}


def test_p_is_not_in_the_repr_of_a_study_that_keeps_it_unpublished() -> None:
    material = default_material()
    assert material.p_percent == 15
    assert "p_percent" not in repr(material)


def test_a_members_figures_stay_out_of_its_repr() -> None:
    assert "750000" not in repr(default_material().members[0])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("27604", "NaN", "row 2, column electricity"),
        ("27604", "27604.5", "nearest allowed value"),
        ("27604", "9999999", "from 0 to"),
        ("42.99", "", "row 2, column flour"),
        ("flour,", "meal,", "missing column flour"),
        ("B001,north", "B001,overseas", "row 2, column region: fits no class"),
    ],
)
def test_a_table_that_does_not_fit_names_the_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(CallerError, match=message):
        load_material(rewritten(tmp_path, old, new), BAKERIES)


def test_figures_without_a_study_are_refused() -> None:
    with pytest.raises(CallerError, match="come together"):
        parse_options(["--figures", "a.csv"])


@pytest.mark.parametrize(
    "arguments", [["--parties", "2"], ["--parties", "4", "--threshold", "2"], ["--threshold", "0"]]
)
def test_impossible_communities_are_refused(arguments: list[str]) -> None:
    with pytest.raises(CallerError, match="cannot be"):
        parse_options(arguments)


@pytest.mark.parametrize(
    "arguments", [["--p-percent", "15"], ["--figures", "a", "--study", "b", "--p-percent", "0"]]
)
def test_a_p_belongs_to_a_study_of_ones_own(arguments: list[str]) -> None:
    with pytest.raises(CallerError, match="from 1 to 100"):
        parse_options(arguments)


def test_the_threshold_follows_the_number_of_parties() -> None:
    assert parse_options(["--parties", "5"]).threshold == 2
    assert parse_options(["--parties", "4"]).threshold == 1
    assert parse_options([]).threshold == 1


def test_a_directory_that_is_there_is_not_written_into(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="is there already"):
        parse_options(["--keep", str(tmp_path)])
