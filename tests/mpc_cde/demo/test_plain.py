"""The plain calculation against numpy's definition and against its own text."""

from __future__ import annotations

import ast
from fractions import Fraction
from math import ceil
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mpc_cde.demo import plain
from mpc_cde.demo.plain import PlainClass, PlainFigure, PlainItem, PlainRules

RULES = PlainRules(minimum=5, minimum_group=8)
FIGURE = PlainFigure("size", Fraction(0), Fraction(1), Fraction(1))
CLASS = PlainClass("class", "small", "people", Fraction(1), Fraction(3))
QUARTILES = (Fraction(1, 4), Fraction(1, 2), Fraction(3, 4))

tables = st.lists(st.integers(-1000, 1000), min_size=1, max_size=60)
quantiles = st.fractions(Fraction(1, 100), Fraction(99, 100), max_denominator=100)


def cells_of(rows: list[dict[str, str]], *items: PlainItem) -> list[plain.PlainCell]:
    return plain.calculate(rows, [FIGURE], [CLASS], items, RULES)


def rows_of(figures: list[int | None], people: int = 1) -> list[dict[str, str]]:
    return [{"size": "" if figure is None else str(figure), "people": str(people)} for figure in figures]


@given(tables, quantiles)
def test_percentile_is_numpys_inverted_cdf_with_an_exact_rank(figures: list[int], quantile: Fraction) -> None:
    """numpy's own rank is a float: where it is not the exact one, the exact rank's order statistic counts."""
    exact = [Fraction(figure) for figure in figures]
    found = plain.inverted_cdf(exact, quantile)
    if ceil(float(quantile) * len(figures)) == ceil(quantile * len(figures)):
        assert found == int(np.quantile(np.array(figures), float(quantile), method="inverted_cdf"))
    assert sum(figure <= found for figure in exact) >= quantile * len(exact)
    assert sum(figure < found for figure in exact) < quantile * len(exact)


@given(st.fractions(-50, 50, max_denominator=40), st.fractions(Fraction(1, 20), 5, max_denominator=20))
def test_rounding_is_to_nearest_with_ties_up(number: Fraction, step: Fraction) -> None:
    rounded = plain.to_grid(number, Fraction(-50), step)
    assert ((rounded + 50) / step).denominator == 1
    assert -step / 2 < number - rounded < step / 2 or rounded - number == step / 2


def test_a_tie_goes_up_below_zero_too() -> None:
    assert plain.to_grid(Fraction(-15), Fraction(-100), Fraction(10)) == -10
    assert plain.to_grid(Fraction(15), Fraction(-100), Fraction(10)) == 20


def test_blanks_contribute_nothing() -> None:
    (count, total) = cells_of(
        rows_of([1, None, 2, 4, 8, 16, None]), PlainItem("count@1", "size"), PlainItem("sum@1", "size")
    )
    assert count.values == (5,)
    assert total.values == (31,)
    assert total.contributors == 5


def test_below_the_minimum_even_the_count_is_withheld() -> None:
    (count,) = cells_of(rows_of([1, 2, 3, 4]), PlainItem("count@1", "size"))
    assert (count.values, count.contributors, count.withheld) == (None, None, "minimum")


def test_a_group_has_its_own_minimum_and_its_upper_bound_is_excluded() -> None:
    rows = rows_of([1] * 7, people=1) + rows_of([1] * 8, people=3)
    item = PlainItem("count@1", "size", ("class", "small"))
    assert cells_of(rows, item)[0].withheld == "minimum"
    assert cells_of([*rows, {"size": "1", "people": "2.9"}], item)[0].values == (8,)


def test_quartiles_of_too_few_are_withheld_as_disclosure() -> None:
    """Of 20 figures the ranks are 5, 10, 15: four below the first."""
    (cell,) = cells_of(rows_of(list(range(20))), PlainItem("percentiles@1", "size", None, QUARTILES))
    assert cell.withheld == "disclosure"
    (cell,) = cells_of(rows_of(list(range(24))), PlainItem("percentiles@1", "size", None, QUARTILES))
    assert cell.values == (5, 11, 17)


def test_an_earlier_item_stands_and_a_later_one_too_close_to_it_is_withheld() -> None:
    median = PlainItem("percentiles@1", "size", None, (Fraction(1, 2),))
    close = PlainItem("percentiles@1", "size", None, (Fraction(11, 20),))
    rows = rows_of(list(range(40)))
    assert [cell.withheld for cell in cells_of(rows, median, close)] == [None, "disclosure"]
    assert [cell.withheld for cell in cells_of(rows, close, median)] == [None, "disclosure"]


def test_a_sum_is_of_figures_on_the_grid_and_a_percentile_of_published_ones() -> None:
    figure = PlainFigure("size", Fraction(0), Fraction(1, 10), Fraction(1))
    rows = [{"size": text} for text in ["0.25", "0.5", "1.44", "1.5", "2.0", *["9"] * 10]]
    total, median = plain.calculate(
        rows,
        [figure],
        [],
        [
            PlainItem("sum@1", "size"),
            PlainItem("percentiles@1", "size", None, (Fraction(1, 2),)),
        ],
        RULES,
    )
    assert total.values == (Fraction("0.3") + Fraction("0.5") + Fraction("1.4") + Fraction("3.5") + 90,)
    assert median.values == (9,)


def test_a_derived_figure_is_computed_from_the_members_own_cells() -> None:
    formula = plain.PlainFormula("growth", ("now", "before"), Fraction(100))
    growth = PlainFigure("growth", Fraction(-100), Fraction(1, 2), Fraction(1), formula)
    rows = [{"now": str(100 + k), "before": "99"} for k in range(5)] + [{"now": "", "before": "1"}]
    (total,) = plain.calculate(rows, [growth], [], [PlainItem("sum@1", "growth")], RULES)
    assert total.values == (1 + 2 + 3 + 4 + 5,)
    assert total.contributors == 5


def test_spreadsheet_files_read_alike(tmp_path: Path) -> None:
    plain_file, semicolons = tmp_path / "a.csv", tmp_path / "b.csv"
    plain_file.write_text("size,people\n1,2\n\n3,\n")
    semicolons.write_bytes(b"\xef\xbb\xbfsize; people\r\n1;2\r\n3;\r\n")
    expected = [{"size": "1", "people": "2"}, {"size": "3", "people": ""}]
    assert plain.read_rows(str(plain_file)) == plain.read_rows(str(semicolons)) == expected


def test_the_plain_calculation_shares_no_code_with_the_product() -> None:
    tree = ast.parse(Path(plain.__file__).read_text("utf-8"))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    allowed = {"csv", "fractions", "statistics", "numpy"}
    language = {"__future__", "collections", "dataclasses", "itertools", "math"}
    assert imported <= allowed | language
