"""Cells in words and as lines for spreadsheets: each value with its percentile or bucket."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from mpc_cde.documents.query import GroupCell
from mpc_cde.documents.result import Cell, Result
from mpc_cde.result_csv import COLUMNS, csv_of_result
from mpc_cde.result_words import (
    FUNCTION_WORDS,
    answer_words,
    figure_words,
    group_words,
    parameter_words,
    value_words,
)
from protocols.catalog import FUNCTIONS


def cell(function: str = "sum@1", **parts: Any) -> Cell:
    given = {"figures": ("sales",), "definition": "what it means", "contributors": 9} | parts
    if not {"values", "withheld", "sealed"} & set(given):
        given["values"] = ("7",)
    if "withheld" in given:
        given["contributors"] = None
    return Cell(function=function, **given)


QUARTILES = cell("percentiles@1", parameters={"quantiles": ("1/4", "1/3")}, values=("5", "6.5"))
HISTOGRAM = cell("histogram@1", parameters={"edges": ("10", "20.5")}, values=("3", "0", "6"))


def test_every_function_of_the_catalogue_has_words() -> None:
    assert set(FUNCTION_WORDS) == set(FUNCTIONS)


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (cell(), "7"),
        (QUARTILES, "25 %: 5  33.33 %: 6.5"),
        (HISTOGRAM, "below 10: 3  10 to below 20.5: 0  20.5 and more: 6"),
        (cell(withheld="minimum"), "withheld: too few contributors"),
        (cell(withheld="disclosure"), "withheld: disclosure"),
        (cell("own_rank@1", sealed=(b"x" * 48,) * 3), "sealed to one member"),
    ],
)
def test_an_answer_names_each_value(shown: Cell, words: str) -> None:
    assert answer_words(shown) == words


def test_values_that_fit_no_names_are_shown_without() -> None:
    assert value_words(cell(parameters={"edges": ("1",)}, values=("1", "2", "3"))) == ("", "", "")


def test_parameters_that_name_no_value_are_listed() -> None:
    ratio = cell("ratio_of_totals@1", figures=("a", "b"), parameters={"grid": "0.1", "maximum": "5"})
    assert (figure_words(ratio), parameter_words(ratio)) == ("a and b", "grid=0.1; maximum=5")
    assert parameter_words(HISTOGRAM) == ""
    assert group_words(cell(group=GroupCell(attribute="trade", value="blank"))) == "trade blank"


def test_a_spreadsheet_gets_one_line_a_value() -> None:
    cells = (
        QUARTILES,
        HISTOGRAM,
        cell("mean@1", parameters={"grid": "0.5"}),
        cell("histogram@1", parameters={"edges": ("10",)}, withheld="disclosure"),
        cell("own_rank@1", sealed=(b"x" * 48,) * 3),
    )
    result = Result(
        job=bytes(32),
        study_terms=bytes(32),
        checked_roster=bytes(32),
        query=bytes(32),
        cells=cells,
        engine="passive",
        parties=(0, 1, 2),
        time="2026-01-01T00:00:00Z",
    )
    lines = list(csv.reader(io.StringIO(csv_of_result(result).decode("utf-8"))))
    parameter, value, withheld = (COLUMNS.index(name) for name in ("parameter", "value", "withheld"))
    assert tuple(lines[0]) == COLUMNS
    assert [(line[parameter], line[value]) for line in lines[1:]] == [
        ("1/4", "5"),
        ("1/3", "6.5"),
        ("below 10", "3"),
        ("10 to below 20.5", "0"),
        ("20.5 and more", "6"),
        ("grid=0.5", "7"),
        ("edges=10", ""),
    ]
    assert lines[-1][withheld] == "disclosure"
    assert all(line[-1] == "what it means" for line in lines[1:])
