"""The plain calculation against numpy's and the statistics module's definitions, its rules against their own text."""

from __future__ import annotations

import ast
import statistics
from fractions import Fraction
from math import ceil, isclose
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_cde.demo import plain, plain_functions
from mpc_cde.demo.plain_functions import PlainItem
from mpc_cde.demo.plain_rules import PlainRules
from mpc_cde.demo.plain_study import PlainFunction, relations
from mpc_cde.demo.plain_table import PlainClass, PlainFigure, PlainFormula, PlainTable, read_rows, to_grid

RULES = PlainRules(minimum=5, minimum_group=8)
FIGURE = PlainFigure("size", Fraction(0), Fraction(1), Fraction(1))
OTHER = PlainFigure("cost", Fraction(0), Fraction(1), Fraction(1))
CLASSES = (
    PlainClass("class", "small", "people", Fraction(1), Fraction(3)),
    PlainClass("class", "large", "people", Fraction(3)),
)
SMALL, LARGE = ("class", "small"), ("class", "large")
QUARTILES = (Fraction(1, 4), Fraction(1, 2), Fraction(3, 4))
FINE = Fraction(1, 10**12)

tables = st.lists(st.integers(-1000, 1000), min_size=1, max_size=60)
quantiles = st.fractions(Fraction(1, 100), Fraction(99, 100), max_denominator=100)

Row = dict[str, str]


def ask(
    function: str,
    group: tuple[str, str] | None = None,
    quantiles: tuple[Fraction, ...] = (),
    **parameters: Any,
) -> PlainItem:
    return PlainItem(function, ("size",), group, quantiles, **parameters)


def cells_of(rows: list[Row], *items: PlainItem, rules: PlainRules = RULES) -> list[plain.PlainCell]:
    study = [PlainFunction(item.function, item.figures, item.group and item.group[0]) for item in items]
    return plain.calculate(rows, [FIGURE, OTHER], CLASSES, study, items, rules)


def rows_of(figures: list[int | None], people: int = 1) -> list[Row]:
    return [
        {"size": "" if figure is None else str(figure), "cost": "7", "people": str(people)}
        for figure in figures
    ]


def values_of(rows: list[Row], item: PlainItem) -> tuple[Fraction, ...]:
    """Without any rule."""
    (cell,) = cells_of(rows, item, rules=PlainRules(minimum=1, minimum_group=1))
    assert cell.values is not None
    return cell.values


# functions ------------------------------------------------------------------------------------------------


@given(tables, quantiles)
def test_percentile_is_numpys_inverted_cdf_with_an_exact_rank(figures: list[int], quantile: Fraction) -> None:
    """numpy's own rank is a float: where it is not the exact one, the exact rank's order statistic counts."""
    exact = sorted(Fraction(figure) for figure in figures)
    found = plain_functions.inverted_cdf(exact, quantile)
    if ceil(float(quantile) * len(figures)) == ceil(quantile * len(figures)):
        assert found == int(np.quantile(np.array(figures), float(quantile), method="inverted_cdf"))
    assert sum(figure <= found for figure in exact) >= quantile * len(exact)
    assert sum(figure < found for figure in exact) < quantile * len(exact)


@given(tables, quantiles)
def test_linear_percentiles_are_numpys_type_7(figures: list[int], quantile: Fraction) -> None:
    found = plain_functions.linear(sorted(map(Fraction, figures)), quantile)
    expected = np.quantile(np.array(figures), float(quantile), method="linear")
    assert isclose(found, expected, abs_tol=1e-9)


@given(tables)
def test_mean_and_spread_are_those_of_the_statistics_module(figures: list[int]) -> None:
    figure = PlainFigure("size", Fraction(-1000), Fraction(1), Fraction(1))
    table = PlainTable(rows_of([*figures]), [figure], [])
    for function, expected in (
        ("mean@1", statistics.fmean(figures)),
        ("variance@1", np.var(figures)),
        ("standard_deviation@1", statistics.pstdev(figures)),
    ):
        found = plain_functions.answer(ask(function, grid=FINE), table, table.everybody)
        assert found is not None
        assert isclose(found[0], expected, rel_tol=1e-9, abs_tol=1e-9), function


@given(tables, st.sets(st.integers(-1000, 1000), min_size=1, max_size=5))
def test_a_histogram_is_numpys(figures: list[int], edges: set[int]) -> None:
    figure = PlainFigure("size", Fraction(-1000), Fraction(1), Fraction(1))
    table = PlainTable(rows_of([*figures]), [figure], [])
    item = ask("histogram@1", edges=tuple(map(Fraction, sorted(edges))))
    bins = [-np.inf, *sorted(edges), np.inf]
    assert plain_functions.bucket_counts(item, table, table.everybody) == list(np.histogram(figures, bins)[0])


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), min_size=2, max_size=40))
def test_a_correlation_is_numpys(pairs: list[tuple[int, int]]) -> None:
    rows = [{"size": str(x), "cost": str(y), "people": "1"} for x, y in pairs]
    table = PlainTable(rows, [FIGURE, OTHER], [])
    found = plain_functions.answer(
        PlainItem("correlation@1", ("size", "cost"), places=9), table, table.everybody
    )
    if any(len(set(column)) == 1 for column in zip(*pairs, strict=True)):
        assert found is None
    else:
        assert found is not None
        assert isclose(found[0], np.corrcoef(np.array(pairs).T)[0, 1], abs_tol=2e-9)


@pytest.mark.parametrize(
    ("variance_doubled", "grid", "expected"),
    [(2 * 4, 1, 2), (2 * 9, 2, 4), (18, 4, 4), (8, 4, 4), (2, 4, 0), (0, 1, 0)],
)
def test_a_root_is_rounded_to_its_grid_with_ties_up(variance_doubled: int, grid: int, expected: int) -> None:
    """Of figures a - d and a + d alike many the variance is d^2."""
    variance = Fraction(variance_doubled, 2)
    found = plain_functions.nearest_point(
        Fraction(grid), lambda number: number <= 0 or number * number <= variance, 7
    )
    assert found == expected


def test_a_ratio_is_that_of_totals_and_ends_at_its_maximum() -> None:
    rows = rows_of([1, 2, 4, None])
    item = PlainItem("ratio_of_totals@1", ("cost", "size"), grid=Fraction(1, 2), maximum=Fraction(100))
    study = [PlainFunction(item.function, item.figures)]
    rules = PlainRules(minimum=1, minimum_group=1)
    (cell,) = plain.calculate(rows, [FIGURE, OTHER], [], study, [item], rules)
    assert (cell.values, cell.contributors) == ((3,), 3)
    low = PlainItem("ratio_of_totals@1", ("cost", "size"), grid=Fraction(1, 2), maximum=Fraction(2))
    assert plain.calculate(rows, [FIGURE, OTHER], [], study, [low], rules)[0].values == (2,)


def test_a_ratio_to_nothing_is_withheld() -> None:
    item = PlainItem("ratio_of_totals@1", ("cost", "size"), grid=Fraction(1), maximum=Fraction(100))
    study = [PlainFunction(item.function, item.figures)]
    (cell,) = plain.calculate(rows_of([0] * 9), [FIGURE, OTHER], [], study, [item], RULES)
    assert (cell.rule, cell.withheld) == ("undefined", "disclosure")


@pytest.mark.parametrize(
    ("figures", "row", "expected"),
    [
        ([1, 2, 3, 4, 5], 2, 50),
        ([1, 2, 3, 4, 5], 0, 0),
        ([1, 2, 3, 4, 5], 4, 100),
        ([1, 2, 2, 2, 5], 2, 25),  # equal figures are not below
        ([1, 2, 3, 4], 1, 30),  # a third of the others, rounded down
        ([1, 2, 3, None], 3, 0),
    ],
)
def test_an_own_place_is_the_share_of_the_others_below(
    figures: list[int | None], row: int, expected: int
) -> None:
    assert values_of(rows_of(figures), ask("own_rank@1", row=row)) == (expected,)


@given(st.fractions(-50, 50, max_denominator=40), st.fractions(Fraction(1, 20), 5, max_denominator=20))
def test_rounding_is_to_nearest_with_ties_up(number: Fraction, step: Fraction) -> None:
    rounded = to_grid(number, Fraction(-50), step)
    assert ((rounded + 50) / step).denominator == 1
    assert -step / 2 < number - rounded < step / 2 or rounded - number == step / 2


def test_a_tie_goes_up_below_zero_too() -> None:
    assert to_grid(Fraction(-15), Fraction(-100), Fraction(10)) == -10
    assert to_grid(Fraction(15), Fraction(-100), Fraction(10)) == 20


def test_a_mean_is_rounded_to_the_grid_counted_from_the_minimum() -> None:
    figure = PlainFigure("size", Fraction(3), Fraction(1), Fraction(1))
    table = PlainTable(rows_of([3, 4, 6]), [figure], [])
    assert plain_functions.answer(ask("mean@1", grid=Fraction(5)), table, table.everybody) == [3]
    assert plain_functions.answer(ask("mean@1", grid=Fraction(2)), table, table.everybody) == [5]


def test_blanks_contribute_nothing() -> None:
    (count, total) = cells_of(rows_of([1, None, 2, 4, 8, 16, None]), ask("count@1"), ask("sum@1"))
    assert count.values == (5,)
    assert total.values == (31,)
    assert total.contributors == 5


def test_a_sum_is_of_figures_on_the_grid_and_a_percentile_of_published_ones() -> None:
    figure = PlainFigure("size", Fraction(0), Fraction(1, 10), Fraction(1))
    rows = [{"size": text} for text in ["0.25", "0.5", "1.44", "1.5", "2.0", *["9"] * 10]]
    items = [ask("sum@1"), ask("percentiles@1", None, (Fraction(1, 2),))]
    study = [PlainFunction(item.function, item.figures) for item in items]
    total, median = plain.calculate(rows, [figure], [], study, items, RULES)
    assert total.values == (Fraction("0.3") + Fraction("0.5") + Fraction("1.4") + Fraction("3.5") + 90,)
    assert median.values == (9,)


def test_a_derived_figure_is_computed_from_the_members_own_cells() -> None:
    formula = PlainFormula("growth", ("now", "before"), Fraction(100))
    growth = PlainFigure("growth", Fraction(-100), Fraction(1, 2), Fraction(1), formula)
    rows = [{"now": str(100 + k), "before": "99"} for k in range(5)] + [{"now": "", "before": "1"}]
    item = PlainItem("sum@1", ("growth",))
    study = [PlainFunction("sum@1", ("growth",))]
    (total,) = plain.calculate(rows, [growth], [], study, [item], RULES)
    assert total.values == (1 + 2 + 3 + 4 + 5,)
    assert total.contributors == 5


# rules ----------------------------------------------------------------------------------------------------


def test_below_the_minimum_even_the_count_is_withheld() -> None:
    (count,) = cells_of(rows_of([1, 2, 3, 4]), ask("count@1"))
    assert (count.values, count.contributors, count.withheld) == (None, None, "minimum")


def test_a_group_has_its_own_minimum_and_its_upper_bound_is_excluded() -> None:
    rows = rows_of([1] * 7, people=1) + rows_of([1] * 8, people=3)
    item = ask("count@1", SMALL)
    assert cells_of(rows, item)[0].withheld == "minimum"
    assert cells_of([*rows, {"size": "1", "cost": "1", "people": "2.9"}], item)[0].values == (8,)


def test_figures_that_may_be_negative_need_the_higher_minimum_and_no_other_rule() -> None:
    figure = PlainFigure("size", Fraction(-9), Fraction(1), Fraction(1))
    rules = PlainRules(5, 8, minimum_negative=12, dominance=(1, 10))
    study = [PlainFunction("sum@1", ("size",))]
    found = [
        plain.calculate(rows_of([1] * 10 + [90] * more), [figure], [], study, [ask("sum@1")], rules)[0].rule
        for more in (1, 2)
    ]
    assert found == ["minimum", None]


def test_quartiles_of_too_few_are_withheld_as_disclosure() -> None:
    """Of 20 figures the ranks are 5, 10, 15: four below the first."""
    quartiles = ask("percentiles@1", None, QUARTILES)
    (cell,) = cells_of(rows_of(list(range(20))), quartiles)
    assert (cell.rule, cell.withheld) == ("ranks", "disclosure")
    (cell,) = cells_of(rows_of(list(range(24))), quartiles)
    assert cell.values == (5, 11, 17)


def test_a_linear_percentile_shows_two_ranks() -> None:
    """Of 10 figures the linear median lies between ranks 5 and 6: four below."""
    median = (Fraction(1, 2),)
    rows = rows_of(list(range(10)))
    assert cells_of(rows, ask("percentiles_linear@1", None, median))[0].rule == "ranks"
    rows = rows_of(list(range(11)))
    assert cells_of(rows, ask("percentiles_linear@1", None, median))[0].values == (5,)


def test_an_earlier_item_stands_and_a_later_one_too_close_to_it_is_withheld() -> None:
    median = ask("percentiles@1", None, (Fraction(1, 2),))
    close = ask("percentiles@1", None, (Fraction(11, 20),))
    rows = rows_of(list(range(40)))
    assert [cell.withheld for cell in cells_of(rows, median, close)] == [None, "disclosure"]
    assert [cell.withheld for cell in cells_of(rows, close, median)] == [None, "disclosure"]


def test_what_an_earlier_query_published_stands_too() -> None:
    median, close = (ask("percentiles@1", None, (Fraction(n, 20),)) for n in (10, 11))
    rows = rows_of(list(range(40)))
    study = [PlainFunction("percentiles@1", ("size",))]
    first = plain.calculate(rows, [FIGURE], [], study, [median], RULES)
    second = plain.calculate(rows, [FIGURE], [], study, [close], RULES, first)
    third = plain.calculate(rows, [FIGURE], [], study, [median], RULES, second)
    assert [cell.rule for cell in (*first, *second, *third)] == [None, "ranks", None]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (PlainRules(2, 2, dominance=(1, 49)), "dominance"),
        (PlainRules(2, 2, dominance=(1, 50)), None),
        (PlainRules(2, 2, dominance=(2, 79)), "dominance"),
        (PlainRules(2, 2, dominance=(2, 80)), None),
        (PlainRules(2, 2, p_percent=41), "p_percent"),
        (PlainRules(2, 2, p_percent=40), None),
    ],
)
def test_concentration_is_judged_to_the_unit(rules: PlainRules, expected: str | None) -> None:
    """Of 100 the largest has 50, the second 30, the rest 20."""
    rows = rows_of([30, 50, 15, 5])
    assert cells_of(rows, ask("sum@1"), rules=rules)[0].rule == expected
    assert cells_of(rows, ask("count@1"), rules=rules)[0].rule is None


def test_one_withheld_group_takes_the_smallest_other_with_it() -> None:
    classes = [PlainClass("class", str(n), "people", text=str(n)) for n in range(4)]
    rows = [row for n, size in enumerate((4, 9, 8, 9)) for row in rows_of([1] * size, people=n)]
    items = [ask("sum@1"), *(ask("sum@1", ("class", str(n))) for n in range(4))]
    study = [PlainFunction("sum@1", ("size",)), PlainFunction("sum@1", ("size",), "class")]
    rules = PlainRules(5, 8, complementary=True)
    cells = plain.calculate(rows, [FIGURE], classes, study, items, rules)
    assert [cell.rule for cell in cells] == [None, "minimum", None, "complementary", None]
    # whatever is asked
    (alone,) = plain.calculate(rows, [FIGURE], classes, study, items[3:4], rules)
    assert alone.rule == "complementary"


def test_a_group_withheld_for_one_figure_is_withheld_for_related_ones() -> None:
    rows = [*rows_of([100, *[1] * 9], people=1), *rows_of([3] * 10, people=3), *rows_of([3] * 10, people=4)]
    rules = PlainRules(5, 8, dominance=(1, 60), complementary=True)
    apart = [PlainFunction("sum@1", (name,), by) for name in ("size", "cost") for by in (None, "class")]
    related = [*apart, PlainFunction("correlation@1", ("size", "cost"))]
    item = PlainItem("count@1", ("cost",), SMALL)
    assert plain.calculate(rows, [FIGURE, OTHER], CLASSES, apart, [item], rules)[0].rule is None
    assert plain.calculate(rows, [FIGURE, OTHER], CLASSES, related, [item], rules)[0].rule == "dominance"


def test_a_sum_is_related_to_its_terms_and_a_ratio_is_not() -> None:
    total = PlainFigure("total", formula=PlainFormula("sum", ("size", "cost")))
    share = PlainFigure("share", formula=PlainFormula("ratio", ("size", "cost")))
    study = [PlainFunction("sum@1", (name,)) for name in ("size", "cost", "total", "share")]
    found = relations(study, [FIGURE, OTHER, total, share])
    assert sorted(sorted(one.figures) for one in found) == [["cost", "size", "total"], ["share"]]


def test_two_partitions_of_a_figure_are_an_error() -> None:
    study = [PlainFunction("sum@1", ("size",), "class"), PlainFunction("sum@1", ("size",), "trade")]
    with pytest.raises(ValueError, match="overlap"):
        relations(study, [FIGURE])


def test_a_secret_group_is_as_small_as_it_looks_and_blanks_are_one() -> None:
    """Two of one kind are too few; the first other in the order of the study goes with them, not the smallest."""
    kind = PlainFigure("kind", categories=("a", "b", "c"))
    rows = [row | {"kind": k} for k, n in (("a", 9), ("b", 2), ("c", 6), ("", 5)) for row in rows_of([1] * n)]
    items = [ask("sum@1", ("kind", k)) for k in ("a", "b", "c", "blank")]
    study = [PlainFunction("sum@1", ("size",)), PlainFunction("sum@1", ("size",), "kind")]
    cells = plain.calculate(rows, [FIGURE, kind], [], study, items, PlainRules(5, 5, complementary=True))
    assert [cell.rule for cell in cells] == ["complementary", "minimum", None, None]


def test_a_histogram_with_one_small_bucket_is_withheld() -> None:
    edges = (Fraction(10),)
    rows = rows_of([1] * 9 + [10] * 4)
    assert cells_of(rows, ask("histogram@1", edges=edges))[0].rule == "bucket"
    assert cells_of([*rows, *rows_of([10])], ask("histogram@1", edges=edges))[0].values == (9, 5)
    assert cells_of(rows[:9], ask("histogram@1", edges=edges))[0].values == (9, 0)


def test_a_histogram_whose_groups_leave_a_small_bucket_is_withheld() -> None:
    """The large ones have 8 below and none above; of the small ones 3 lie above, and the whole would show them."""
    edges = (Fraction(10),)
    rows = [*rows_of([1] * 9 + [10] * 3, people=1), *rows_of([1] * 8 + [10] * 8, people=3)]
    items = [ask("histogram@1", group, edges=edges) for group in (None, SMALL, LARGE)]
    rules = PlainRules(5, 8, complementary=True)
    assert [cell.rule for cell in cells_of(rows, *items, rules=rules)] == ["remainder", "bucket", None]


def test_spreadsheet_files_read_alike(tmp_path: Path) -> None:
    plain_file, semicolons = tmp_path / "a.csv", tmp_path / "b.csv"
    plain_file.write_text("size,people\n1,2\n\n3,\n")
    semicolons.write_bytes(b"\xef\xbb\xbfsize; people\r\n1;2\r\n3;\r\n")
    expected = [{"size": "1", "people": "2"}, {"size": "3", "people": ""}]
    assert read_rows(str(plain_file)) == read_rows(str(semicolons)) == expected


def test_the_plain_calculation_shares_no_code_with_the_product() -> None:
    own = ["plain", "plain_functions", "plain_rules", "plain_study", "plain_table"]
    imported = set()
    for module in own:
        tree = ast.parse(Path(plain.__file__).with_name(f"{module}.py").read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module or "")
    allowed = {"csv", "fractions", "statistics", "numpy"}
    language = {"__future__", "bisect", "collections.abc", "dataclasses", "functools", "itertools", "math"}
    assert imported <= allowed | language | {f"mpc_cde.demo.{module}" for module in own}
