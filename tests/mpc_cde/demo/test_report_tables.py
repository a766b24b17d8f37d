"""Tables of results for people: nothing cut, nothing left out, numbers of one column alike."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console
from rich.table import Table

from mpc_cde.demo.report_tables import all_tables, headline_tables
from mpc_cde.documents.query import GroupCell
from mpc_cde.documents.result import Cell
from mpc_cde.documents.study_terms import StudyTerms
from tests.mpc_cde.demo.paper_answers import paper_roster
from tests.mpc_cde.demo.test_shops_on_paper import ITEMS, MATERIAL, ROSTER

TERMS: StudyTerms = paper_roster(MATERIAL, count=1).terms


@pytest.fixture(scope="module")
def cells() -> tuple[Cell, ...]:
    return ROSTER.answer(ITEMS)[0]


def printed(tables: list[Table], width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    for table in tables:
        console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 120, 200])
def test_every_value_is_shown_and_nothing_is_cut(width: int, cells: tuple[Cell, ...]) -> None:
    text = printed(all_tables(TERMS, cells, width=width), width)
    assert "…" not in text
    shown = set(re.findall(r"-?[0-9][0-9,]*(?:\.[0-9]+)?", text))
    numbers = {number.replace(",", "") for number in shown}
    numbers |= {re.sub(r"\.?0+$", "", number) for number in numbers if "." in number}
    assert {value for cell in cells for value in cell.values or ()} <= numbers


def test_headlines_are_a_page_with_one_table_for_each_group_and_the_histogram(
    cells: tuple[Cell, ...],
) -> None:
    text = printed(headline_tables(TERMS, cells, width=120), 120)
    assert len(text.splitlines()) < 60
    for heading in (
        "by full-time staff",
        "by year of start",
        "by invested in, a secret answer",
        "below 9500",
    ):
        assert heading in text


def test_a_withheld_cell_says_why_once_and_shows_no_number() -> None:
    quartiles = {"quantiles": ("1/4", "1/2")}
    own = [
        Cell(
            function="percentiles@1",
            figures=("annual_sales",),
            group=group,
            parameters=quartiles,
            definition="d",
            **answer,
        )
        for group, answer in (
            (None, {"values": ("1000", "2000"), "contributors": 30}),
            (GroupCell(attribute="started", value="1940"), {"withheld": "disclosure"}),
        )
    ]
    last = printed(all_tables(TERMS, own, width=120), 120).splitlines()[-2]
    assert last.split() == ["1940", "·", "(disclosure)", "·"]


def test_numbers_of_a_column_have_the_same_places() -> None:
    groups = (None, *(GroupCell(attribute="started", value=value) for value in ("1940", "1941")))
    own = [
        Cell(
            function="mean@1",
            figures=("gross_margin",),
            group=group,
            parameters={"grid": "0.1"},
            values=(value,),
            contributors=30,
            definition="d",
        )
        for group, value in zip(groups, ("39", "-1234.5", "0.1"), strict=True)
    ]
    text = printed(all_tables(TERMS, own, width=120), 120)
    assert [line.split()[-1] for line in text.splitlines()[-4:-1]] == ["39.0", "-1,234.5", "0.1"]


def test_figures_without_groups_share_one_table() -> None:
    deciles = {"quantiles": ("1/2", "9/10")}
    own = [
        Cell(
            function="percentiles@1",
            figures=(name,),
            parameters=deciles,
            values=values,
            contributors=30,
            definition="d",
        )
        for name, values in (("annual_sales", ("1000", "25000")), ("gross_margin", ("39.5", "41")))
    ]
    text = printed(headline_tables(TERMS, own, width=120), 120)
    lines = [line.split() for line in text.splitlines()]
    assert ["Annual", "sales", "(guilders)", "30", "1,000", "25,000"] in lines
    assert ["Gross", "margin", "(percent)", "30", "39.5", "41"] in lines
