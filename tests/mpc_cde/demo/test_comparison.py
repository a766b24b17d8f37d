"""One altered digit, one cell too many or too few, one withheld otherwise: each ends the demo non-zero."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from fractions import Fraction

import pytest
from rich.console import Console

from mpc_cde.client.own_place import OwnPlace
from mpc_cde.demo.comparison import compare, opened_cell
from mpc_cde.demo.places import AskedPlaces
from mpc_cde.demo.plain import PlainCell
from mpc_cde.demo.plain_functions import PlainItem
from mpc_cde.demo.report import DemoReport, print_json, print_report
from mpc_cde.documents.disclosure_bundle import DisclosureBundle
from mpc_cde.documents.figure import Figure
from mpc_cde.documents.query import GroupCell
from mpc_cde.documents.result import Cell
from mpc_cde.documents.study_terms import FunctionTerms, GroupTerms, StudyTerms

MEDIAN = (Fraction(1, 2),)

EXPECTED = [
    PlainCell(PlainItem("sum@1", ("sales",)), (Fraction("1000000.5"),), 20, None),
    PlainCell(PlainItem("percentiles@1", ("sales",), None, MEDIAN), (Fraction(1200),), 20, None),
    PlainCell(PlainItem("sum@1", ("sales",), ("size", "small")), None, None, "minimum"),
]

PUBLISHED = [
    Cell(function="sum@1", figures=("sales",), values=("1000000.5",), contributors=20, definition="sum"),
    Cell(
        function="percentiles@1",
        figures=("sales",),
        parameters={"quantiles": ("1/2",)},
        values=("1200",),
        contributors=20,
        definition="median",
    ),
    Cell(
        function="sum@1",
        figures=("sales",),
        group=GroupCell(attribute="size", value="small"),
        withheld="minimum",
        definition="sum",
    ),
]


def altered(position: int, **changes: object) -> list[Cell]:
    cells = list(PUBLISHED)
    cells[position] = Cell.model_validate(cells[position].model_dump() | changes)
    return cells


def report_of(cells: list[Cell]) -> DemoReport:
    figure = Figure(
        name="sales",
        label="Sales",
        unit="guilders",
        minimum="0",
        step="0.5",
        radices=(32, 32),
        publish_step="16",
    )
    terms = StudyTerms(
        community=bytes(32),
        title="Shops",
        purpose="To know",
        consent="Yes",
        figures=(figure,),
        groups=(GroupTerms(attribute="size", label="Size", values=("small", "large")),),
        roster_cap=100,
        functions=(FunctionTerms(function="sum@1", figures=("sales",)),),
        disclosure=DisclosureBundle(),
    )
    seconds = {"start": 1.23456, "submit": 2.0}
    return DemoReport(terms, tuple(cells), compare(EXPECTED, cells), seconds, {"A": 12345, "B": 1})


def printed(cells: list[Cell]) -> str:
    console = Console(file=io.StringIO(), width=120)
    print_report(report_of(cells), console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_equal_cells_end_with_status_zero() -> None:
    report = report_of(PUBLISHED)
    assert report.exit_status == 0
    assert (report.comparison.compared, report.comparison.withheld) == (3, 1)
    assert list(report.comparison.withheld_by) == ["minimum"]
    assert "All 3 cells equal" in printed(PUBLISHED)


@pytest.mark.parametrize(
    "cells",
    [
        altered(0, values=("1000000.6",)),
        altered(1, values=("1201",)),
        altered(0, contributors=21),
        altered(0, values=None, contributors=None, withheld="minimum"),
        altered(2, withheld="disclosure"),
        altered(2, withheld=None, values=("7",), contributors=9),
        altered(1, parameters={"quantiles": ("1/4",)}),
        altered(2, group={"attribute": "size", "value": "large"}),
        PUBLISHED[:2],
        [*PUBLISHED, PUBLISHED[0]],
        [PUBLISHED[1], PUBLISHED[0], PUBLISHED[2]],
    ],
)
def test_any_other_cell_ends_with_status_one_and_is_shown(cells: list[Cell]) -> None:
    assert report_of(cells).exit_status == 1
    text = printed(cells)
    assert "DIFFERS" in text
    assert "differ from the plain calculation" in text


def test_nothing_compared_is_no_success() -> None:
    assert not compare([], []).all_equal


def test_json_is_one_document_with_the_promised_keys() -> None:
    console = Console(file=io.StringIO())
    print_json(report_of(PUBLISHED), console)
    assert isinstance(console.file, io.StringIO)
    document = json.loads(console.file.getvalue())
    promised = {"results", "compared", "withheld", "all_equal_to_plain", "seconds", "bytes_sent_per_party"}
    assert promised <= set(document)
    assert document["seconds"] == {"start": 1.235, "submit": 2.0}
    total, median, small = document["results"]
    assert total["values"] == ["1000000.5"]
    assert median["parameters"] == {"quantiles": ["1/2"]}
    assert small["withheld"] == "minimum"
    assert small["group"] == {"attribute": "size", "value": "small"}
    assert "values" not in small
    assert "withheld" not in total


def test_table_shows_figure_group_and_why_a_cell_is_withheld() -> None:
    text = printed(PUBLISHED)
    assert "Sales (guilders)" in text
    assert "1,000,000.5" in text
    assert "50 %" in text
    assert "(minimum)" in text


def test_definitions_stand_below_the_tables_of_everything() -> None:
    console = Console(file=io.StringIO(), width=120)
    print_report(report_of(PUBLISHED), console, everything=True)
    assert isinstance(console.file, io.StringIO)
    assert "percentiles: median" in console.file.getvalue()
    assert "percentiles: median" not in printed(PUBLISHED)


def test_each_rule_that_withholds_has_a_line_with_an_example() -> None:
    found = [line for line in printed(PUBLISHED).splitlines() if line.startswith("withheld:")]
    assert found == [
        "withheld:   1  fewer contributors than the minimum, such as sum@1 of sales where size is small"
    ]


def test_an_own_place_is_compared_and_told() -> None:
    sealed = Cell(
        function="own_rank@1",
        figures=("sales",),
        sealed=(b"x" * 48,) * 3,
        contributors=20,
        definition="place",
    )
    place = OwnPlace(sealed, 45)
    plain = PlainCell(PlainItem("own_rank@1", ("sales",), row=7), (Fraction(45),), 20, None)
    assert compare([plain], [opened_cell(place)]).differences == ()
    wrong = compare([plain], [opened_cell(OwnPlace(sealed, 50))])
    assert compare(EXPECTED, PUBLISHED).joined(wrong).compared == 4
    assert not compare(EXPECTED, PUBLISHED).joined(wrong).all_equal
    report = replace(report_of(PUBLISHED), places=(AskedPlaces(7, (place,)),))
    console = Console(file=io.StringIO(), width=120)
    print_report(report, console)
    assert isinstance(console.file, io.StringIO)
    assert "own place: member 8 alone reads: 45 % of all have less sales" in console.file.getvalue()
    (shown,) = report.as_json()["own_places"]
    assert (shown["member"], shown["percent_below"], shown["contributors"]) == (8, 45, 20)
    assert "45" not in repr(report.places)


def test_a_narrow_terminal_gets_more_tables_instead_of_cut_ones() -> None:
    quantiles = tuple(f"{n}/11" for n in range(1, 10))
    deciles = Cell(
        function="percentiles@1",
        figures=("sales",),
        parameters={"quantiles": quantiles},
        values=tuple(str(1_000_000 + n) for n in range(9)),
        contributors=200,
        definition="percentiles",
    )
    report = report_of([*PUBLISHED, deciles])
    console = Console(file=io.StringIO(), width=80)
    print_report(report, console, everything=True)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert all(f"1,000,00{n}" in text for n in range(9))
    assert "…" not in text
