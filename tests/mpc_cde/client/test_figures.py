"""Figures from a table: what is taken, what is refused, and how it is said."""

from __future__ import annotations

import contextlib
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_cde.client.derived import derive
from mpc_cde.client.figures import (
    CheckedFigures,
    FigureColumn,
    FiguresRefused,
    check_figures,
    choose_row,
)
from mpc_cde.client.tables import parse_csv_table, parse_json_table
from mpc_cde.documents.figure import Formula
from mpc_cde.errors import BadFigure, CallerError

SALES = FigureColumn(name="sales", minimum=Fraction(0), maximum=Fraction(9_999_999), step=Fraction(1))
MARGIN = FigureColumn(
    name="margin",
    minimum=Fraction(-50),
    maximum=Fraction(100),
    step=Fraction(1, 2),
    blank_allowed=True,
)
AREA = FigureColumn(
    name="area", minimum=Fraction(10), maximum=Fraction(1000), step=Fraction(1, 10), rounds=True
)
SECTOR = FigureColumn(name="sector", categories=("retail", "wholesale"))
COLUMNS = (SALES, MARGIN)


def check_csv(text: str | bytes, columns: tuple[FigureColumn, ...] = COLUMNS) -> CheckedFigures:
    data = text.encode() if isinstance(text, str) else text
    return check_figures(parse_csv_table(data), columns)


def only_fault(text: str, columns: tuple[FigureColumn, ...] = COLUMNS) -> BadFigure:
    with pytest.raises(FiguresRefused) as caught:
        check_csv(text, columns)
    assert caught.value.count == 1
    return caught.value.faults[0]


def test_plain_table_is_read() -> None:
    checked = check_csv("sales,margin\n100,2.5\n7,\n")
    assert [dict(row.values) for row in checked.rows] == [
        {"sales": Decimal(100), "margin": Decimal("2.5")},
        {"sales": Decimal(7), "margin": None},
    ]
    assert [row.row for row in checked.rows] == [2, 3]
    assert checked.warnings == ()


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbfsales,margin\r\n100,2.5\r\n",
        b"sales;margin\n100;2.5\n",
        b"sales\tmargin\n100\t2.5\n",
        b'"sales","margin"\n"100","2.5"\n\n\n',
        b" sales , margin ,,\n 100 , 2.5 ,,\n",
        "sales,margin\n100,2.5\n".encode("utf-16"),
    ],
)
def test_what_spreadsheets_write_is_recognised(data: bytes) -> None:
    assert dict(check_csv(data).rows[0].values) == {"sales": Decimal(100), "margin": Decimal("2.5")}


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("abc", "a plain number such as 1234.56, found 'abc'"),
        ("nan", "a plain number"),
        ("NaN", "a plain number"),
        ("inf", "a plain number"),
        ("-Infinity", "a plain number"),
        ("0x10", "a plain number"),
        ("1_000", "a plain number"),
        ("٣", "a plain number"),
        ("12 EUR", "a plain number"),
        ("1e40", "without an exponent"),
        ("1" + 40 * "0", "at most 40 characters, found 41 characters"),
        ("1" + 30 * "0", "a number from 0 to 9999999"),
        ("-1", "a number from 0 to 9999999, found '-1'"),
        ('"1234,56"', "a decimal point: write 1234.56, not 1234,56"),
        ('"1,234,567"', "without separators between thousands"),
        ('"1.234,56"', "without separators between thousands"),
        ("1 234", "without separators between thousands"),
        ("", "found a blank"),
        ("100.5", "a number in steps of 1, found '100.5'; the nearest allowed value is 101"),
    ],
)
def test_cell_that_is_no_figure_is_refused_with_its_place(cell: str, said: str) -> None:
    fault = only_fault(f"sales,margin\n1,1\n{cell},1\n")
    assert (fault.row, fault.column) == (3, "sales")
    assert said in str(fault)
    assert str(fault).startswith("row 3, column sales: expected ")


def test_off_the_grid_names_the_nearest_value_and_the_study_may_round() -> None:
    assert only_fault("sales,margin\n1,2.6\n").nearest == "2.5"
    assert only_fault("sales,margin\n1,2.75\n").nearest == "3"
    values = check_csv("area\n12.34\n12.35\n9.95\n", (AREA,)).rows
    assert [row.values["area"] for row in values] == [Decimal("12.3"), Decimal("12.4"), Decimal(10)]
    assert "from 10 to 1000" in str(only_fault("area\n9.94\n", (AREA,)))


def test_categories_are_exact() -> None:
    assert check_csv("sector\nretail\n", (SECTOR,)).rows[0].values["sector"] == "retail"
    fault = only_fault("sector\nRetail\n", (SECTOR,))
    assert fault.nearest == "retail"
    assert "one of retail, wholesale, found 'Retail'" in str(fault)


PER_HOUR = FigureColumn(
    name="sales_per_hour",
    minimum=Fraction(0),
    maximum=Fraction(1000),
    step=Fraction(1, 10),
    formula=Formula(operation="ratio", operands=("sales", "hours")),
)


def test_derived_figure_is_computed_from_own_cells_and_rounded() -> None:
    row = check_csv("sales,hours\n100,3\n", (PER_HOUR,)).rows[0]
    assert dict(row.values) == {"sales_per_hour": Decimal("33.3")}
    assert "division by zero" in str(only_fault("sales,hours\n100,0\n", (PER_HOUR,)))
    assert "a blank among them" in str(only_fault("sales,hours\n100,\n", (PER_HOUR,)))
    assert "found a value outside" in str(only_fault("sales,hours\n100000,1\n", (PER_HOUR,)))
    with pytest.raises(CallerError, match="missing column hours"):
        check_csv("sales\n1\n", (PER_HOUR,))


@pytest.mark.parametrize(
    ("operation", "value"),
    [("sum", 8), ("product", 12), ("difference", 4), ("ratio", 3), ("growth", 2)],
)
def test_formulas(operation: str, value: int) -> None:
    formula = Formula.model_validate({"operation": operation, "operands": ("a", "b"), "scale": "10"})
    assert derive(formula, [Fraction(6), Fraction(2)]) == 10 * value
    assert derive(formula, [Fraction(6), None]) is None


def test_missing_column_is_named_with_what_was_found() -> None:
    with pytest.raises(CallerError, match="row 1: missing column margin; found sales, profit"):
        check_csv("sales,profit\n1,2\n")


def test_doubled_column_is_refused() -> None:
    with pytest.raises(CallerError, match="column sales is there more than once"):
        check_csv("sales,margin,sales\n1,2,3\n")


def test_extra_column_is_a_warning() -> None:
    checked = check_csv("owner,sales,margin\nAnna,1,2\n")
    assert checked.warnings == ("not asked for by the study, not sent: owner",)


def test_table_without_rows_or_without_anything_is_refused() -> None:
    with pytest.raises(CallerError, match="no row of figures"):
        check_csv("sales,margin\n\n")
    with pytest.raises(CallerError, match="missing column sales, margin; found nothing"):
        check_csv("")


def test_decimal_comma_that_splits_a_cell_is_explained() -> None:
    assert "write 1234.56, not 1234,56" in str(only_fault("sales,margin\n1234,56,1\n"))


def test_all_faults_are_found_and_twenty_are_shown() -> None:
    with pytest.raises(FiguresRefused) as caught:
        check_csv("sales,margin\n" + "x,y\n" * 15)
    assert caught.value.count == 30
    assert len(caught.value.faults) == 20
    assert "and 10 more" in str(caught.value)
    assert "nothing was sent" in str(caught.value)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"sales\n\x00\n", "not text"),
        (b"sales,margin\n\xff\xff,1\n", "row 2: the file is not UTF-8 text"),
        (b'sales,margin\n"1,2\n', "not CSV"),
    ],
)
def test_file_that_is_no_table_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(CallerError, match=said):
        check_csv(data)


def test_json_numbers_keep_their_digits() -> None:
    table = parse_json_table(b'[{"sales": 100, "margin": 2.50}, {"sales": "7", "margin": null}]')
    assert [dict(row.values) for row in check_figures(table, COLUMNS).rows] == [
        {"sales": Decimal(100), "margin": Decimal("2.5")},
        {"sales": Decimal(7), "margin": None},
    ]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"[1, 2]", "list of objects"),
        (b"{", "line 1: not JSON"),
        (b"[" * 100_000, "nested too deeply|not JSON"),
        (b'{"sales": 1, "sales": 2, "margin": 1}', "more than once"),
        (b'{"sales": 1}', "missing column margin"),
        (
            b'{"sales": true, "margin": 1}',
            "row 1, column sales: expected a number or text, found true or false",
        ),
        (b'{"sales": [1], "margin": 1}', "found a list or an object"),
        (b'{"sales": NaN, "margin": 1}', "a plain number"),
        (b'{"sales": 1e40, "margin": 1}', "without an exponent"),
    ],
)
def test_json_that_is_no_figures_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(CallerError, match=said):
        check_figures(parse_json_table(data), COLUMNS)


def test_one_row_is_chosen_by_its_spreadsheet_number() -> None:
    table = parse_csv_table(b"sales,margin\n1,1\n2,2\n")
    assert choose_row(table, number=3).rows[0].cells["sales"] == "2"
    with pytest.raises(CallerError, match="holds 2 rows"):
        choose_row(table, number=None)
    with pytest.raises(CallerError, match="no figures in row 1; it has rows 2 to 3"):
        choose_row(table, number=1)


@pytest.mark.parametrize("signature", [b"PK\x03\x04", b"\xd0\xcf\x11\xe0"])
def test_workbook_is_called_one(signature: bytes) -> None:
    with pytest.raises(CallerError, match="a workbook, not CSV"):
        parse_csv_table(signature + bytes(200))


@pytest.mark.parametrize("number", [None, 2])
def test_file_without_figures_has_no_row_to_choose(number: int | None) -> None:
    with pytest.raises(CallerError, match="holds no row of figures below its heading"):
        choose_row(parse_csv_table(b"sales\n\n"), number=number)


def test_single_figure_is_left_blank_in_quotes_and_an_empty_line_is_no_row() -> None:
    table = choose_row(parse_csv_table(b'margin\n""\n\n'), number=None)
    checked = check_figures(table, (MARGIN,))
    assert checked.rows[0].values == {"margin": None}


def test_no_repr_shows_a_figure() -> None:
    table = parse_csv_table(b"sales,margin\n7351,1\n")
    checked = check_figures(table, COLUMNS)
    assert "7351" not in repr(table.rows) + repr(checked.rows)


@given(st.integers(min_value=0, max_value=9_999_999))
def test_every_grid_point_is_itself(number: int) -> None:
    assert SALES.parse(str(number)) == number


def parse_or_fault(column: FigureColumn, text: str) -> object:
    try:
        return column.parse(text, 2)
    except BadFigure as fault:
        return fault


@given(st.decimals(min_value=-60, max_value=110, places=3))
def test_what_is_taken_lies_on_the_grid_and_what_is_refused_is_told_the_nearest(number: Decimal) -> None:
    found = parse_or_fault(MARGIN, f"{number:f}")
    if not isinstance(found, BadFigure):
        assert found == number
    elif found.nearest is None:
        assert not -50 <= number <= 100
    else:
        assert abs(Fraction(found.nearest) - Fraction(number)) <= MARGIN.step / 2
        assert MARGIN.parse(found.nearest) == Decimal(found.nearest)


@given(st.text(max_size=60))
def test_any_text_is_a_value_or_a_named_fault(text: str) -> None:
    for column in (SALES, MARGIN, AREA, SECTOR):
        found = parse_or_fault(column, text)
        if isinstance(found, BadFigure):
            assert str(found).startswith(f"row 2, column {column.name}: expected ")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_table_or_a_callers_error(data: bytes) -> None:
    for parse in (parse_csv_table, parse_json_table):
        with contextlib.suppress(CallerError):
            check_figures(parse(data), COLUMNS)
