"""Complementary withholding: what is tried, and that nothing withheld falls out by subtraction."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.cells import CellOutcome, CellRequest
from protocols.cleartext_engine import CleartextEngine
from protocols.computations import answer_query
from protocols.concentration import constant
from protocols.disclosure import reveal_bits
from protocols.encoding import FigureEncoding
from protocols.engine import PublicMask, Shared
from protocols.errors import OutOfRange, PeerDeviation
from protocols.randomness import ScriptedRandomness
from protocols.records import arrange
from protocols.withholding import Step, TableGroup, arrange_table
from tests.protocols.engines import SETTINGS, SHARED_SETTINGS, Setting, drive, setting_id
from tests.protocols.tables import Column, ask, columns, encodings, figures, matrix_of, number, opened
from tests.protocols.test_concentration import is_concentrated

every_engine = pytest.mark.parametrize("setting", SETTINGS, ids=setting_id)


def mask(*rows: int) -> PublicMask:
    return np.array(rows, dtype=np.uint8)


def group(*rows: int, **changes: Any) -> TableGroup:
    return TableGroup(mask(*rows), **changes)


# what is tried ------------------------------------------------------------------------------------------


def test_a_complete_published_table_needs_nothing() -> None:
    table = arrange_table([group(1, 1, 1), group(1, 0, 0), group(0, 1, 1)])
    assert table is not None
    assert table.steps(set()) == (Step((), (1, 2), True),)


def test_parts_join_a_withheld_one_smallest_first_until_the_remainder_is_the_whole() -> None:
    table = arrange_table(
        [group(1, 1, 1, 0, 0, 0), group(1, 1, 1, 1, 1, 1), group(0, 0, 0, 1, 1, 0), group(0, 0, 0, 0, 0, 1)]
    )
    assert table is not None
    assert table.whole == 1
    assert table.steps({3}) == (
        Step((), (2, 0), False),
        Step((2,), (0,), False),
        Step((2, 0), (), True),
    )


def test_equal_sizes_join_in_query_order() -> None:
    table = arrange_table([group(1, 1, 1), group(0, 0, 1), group(0, 1, 0), group(1, 0, 0)])
    assert table is not None
    assert [step.withheld for step in table.steps({2})] == [(), (1,), (1, 3)]


def test_a_part_that_nobody_asked_for_is_a_remainder_like_a_withheld_one() -> None:
    table = arrange_table([group(1, 1, 1), group(1, 0, 0)])
    assert table is not None
    assert [step.is_certain for step in table.steps(set())] == [False, True]


def test_a_withheld_whole_still_has_a_number_to_subtract_from() -> None:
    table = arrange_table([group(1, 1), group(1, 0), group(0, 1)])
    assert table is not None
    assert table.steps({0, 1}) == table.steps({1})
    assert [step.withheld for step in table.steps({0, 1})] == [(), (2,)]


def test_without_a_whole_there_is_nothing_to_subtract_from() -> None:
    assert arrange_table([group(1, 0), group(0, 1)]) is None
    assert arrange_table([group(1, 1)]) is None


def test_cells_of_a_secret_category_cover_the_whole_with_the_cell_of_blanks() -> None:
    cells = [group(1, 1, category=("kind", symbol), category_cells=3) for symbol in (0, 1, None)]
    complete = arrange_table([group(1, 1), *cells])
    without_blanks = arrange_table([group(1, 1), *cells[:2]])
    assert complete is not None
    assert without_blanks is not None
    assert complete.steps(set())[0].is_certain
    assert not without_blanks.steps(set())[0].is_certain


@pytest.mark.parametrize(
    "groups",
    [
        [group(1, 1, 1), group(1, 1, 0), group(0, 1, 1)],  # overlapping parts
        [group(1, 1, 1), group(1, 1, 0), group(1, 0, 0)],  # a partition of a partition
        [group(1, 1, 0), group(0, 1, 1)],  # no whole, but an overlap
        [group(1, 1), group(1, 0), group(1, 1, category=("kind", 0), category_cells=2)],
        [
            group(1, 1),
            group(1, 1, category=("kind", 0), category_cells=2),
            group(1, 1, category=("size", 0), category_cells=2),
        ],
    ],
)
def test_groups_that_overlap_are_refused(groups: list[TableGroup]) -> None:
    with pytest.raises(OutOfRange):
        arrange_table(groups)


# what is published ----------------------------------------------------------------------------------------

RULES: list[tuple[tuple[int, int] | None, int | None]] = [(None, None), ((1, 55), None), ((1, 60), 10)]


class Plain:
    """The rules in the clear, cell by cell, over one partition of the records."""

    def __init__(self, column: Column, masks: dict[str, PublicMask], minimum: int, rule: Any) -> None:
        self.column, self.masks, self.minimum, self.rule = column, masks, minimum, rule

    def amounts(self, rows: PublicMask) -> list[Fraction]:
        return [x for (x,) in figures({"figure": self.column}, "figure", mask=rows)]

    def fails(self, rows: PublicMask) -> str | None:
        amounts = self.amounts(rows)
        if len(amounts) < self.minimum:
            return "minimum"
        return "disclosure" if is_concentrated(amounts, *self.rule) else None

    def remainder_passes(self, published: list[str]) -> bool:
        left = self.masks["all"].copy()
        for name in published:
            left -= self.masks[name]
        return not left.any() or not published or self.fails(left) is None

    def withheld(self) -> dict[str, str | None]:
        found = {name: self.fails(rows) for name, rows in self.masks.items()}
        parts = [name for name in self.masks if name != "all" and found[name] is None]
        if found["all"] is None:
            ascending = sorted(parts, key=lambda name: int(self.masks[name].sum()))
            while not self.remainder_passes(ascending):
                found[ascending.pop(0)] = "disclosure"
        return found


@st.composite
def partitions(draw: st.DrawFn) -> tuple[Column, dict[str, PublicMask]]:
    count = draw(st.integers(3, 24))
    column = draw(columns(draw(encodings([("0", "1"), ("100", "10")])), count))
    parts = draw(st.integers(2, 5))
    owner = draw(st.lists(st.integers(0, parts), min_size=count, max_size=count))  # the last is nobody's
    masks = {"all": np.ones(count, dtype=np.uint8)}
    masks |= {f"part {p}": np.array([own == p for own in owner], dtype=np.uint8) for p in range(parts)}
    return column, masks


def requests_for(masks: dict[str, PublicMask], minimum: int, rule: Any, **changes: Any) -> list[CellRequest]:
    return [
        CellRequest(
            "sum@1",
            ("figure",),
            name,
            {},
            minimum,
            dominance=rule[0],
            p_percent=rule[1],
            complementary=True,
            **changes,
        )
        for name in masks
    ]


@every_engine
@settings(max_examples=15)
@given(case=partitions(), minimum=st.integers(2, 5), rule=st.sampled_from(RULES))
def test_no_withheld_cell_falls_out_of_its_published_siblings(
    setting: Setting, case: tuple[Column, dict[str, PublicMask]], minimum: int, rule: Any
) -> None:
    column, masks = case
    plain = Plain(column, masks, minimum, rule)
    outcomes, ran = ask(setting, {"figure": column}, requests_for(masks, minimum, rule), masks)
    expected = plain.withheld()
    assert {name: outcome.withheld for name, outcome in zip(masks, outcomes, strict=True)} == expected
    published = [name for name in masks if expected[name] is None]
    if "all" in published:
        assert plain.remainder_passes([name for name in published if name != "all"])
    for name, outcome in zip(masks, outcomes, strict=True):
        if outcome.withheld is None:
            amounts = plain.amounts(masks[name])
            assert outcome == CellOutcome(len(amounts), (str(int(sum(amounts))),), None)
        else:
            assert outcome == CellOutcome(None, None, outcome.withheld)
    assert opened(ran) == simulate(plain, expected, outcomes)


def simulate(
    plain: Plain, withheld: dict[str, str | None], outcomes: list[CellOutcome]
) -> list[tuple[str, list[int]]]:
    """All that opens, from which cells fail which rule, which complement them, and the published values."""
    encoding, names = plain.column[0], list(plain.masks)
    secret, rules = encoding.blank_allowed, plain.rule != (None, None)
    primary = {name: plain.fails(rows) for name, rows in plain.masks.items()}
    found: list[tuple[str, list[int]]] = []
    if secret:
        found.append(("disclosure: contributors >= minimum", [int(primary[n] != "minimum") for n in names]))
    if rules and (tested := [n for n in names if primary[n] != "minimum"]):
        found.append(("disclosure: concentration", [int(primary[n] is None) for n in tested]))
    verdicts = []
    table = arrange_table([TableGroup(rows) for rows in plain.masks.values()])
    assert table is not None
    more = sum(withheld[n] is not None and primary[n] is None for n in names)
    for step in table.steps({i for i, n in enumerate(names) if primary[n] is not None}):
        number = records_of_remainder(plain, names, step)
        if step.is_certain or (not secret and not rules and number >= plain.minimum):
            break
        if secret or number >= plain.minimum:
            verdicts.append(int(len(step.withheld) >= more))
    if verdicts:
        found.append(("disclosure: remainders", verdicts))
    published = [outcome for outcome in outcomes if outcome.withheld is None]
    numbers = [outcome.contributors or 0 for outcome in published]
    if secret and published:
        found.append(("contributors", numbers))
    if published:
        sums = [Fraction(value) for outcome in published for value in outcome.values or ()]
        totals = [
            (amount - size * encoding.minimum) / encoding.step + encoding.half * size
            for amount, size in zip(sums, numbers, strict=True)
        ]
        found.append(("sum", [int(total) for total in totals]))
    return found


def records_of_remainder(plain: Plain, names: list[str], step: Step) -> int:
    """How many records it has, which is public."""
    return int(plain.masks["all"].sum()) - sum(int(plain.masks[names[i]].sum()) for i in step.published)


@every_engine
def test_one_small_group_is_not_got_by_subtraction(setting: Setting) -> None:
    """Sums of all, of 6 and of 5 would give the sum of the other 2: the 5 are withheld too."""
    masks = {
        "all": np.ones(13, dtype=np.uint8),
        "six": mask(*[1] * 6, *[0] * 7),
        "five": mask(*[0] * 6, *[1] * 5, 0, 0),
        "two": mask(*[0] * 11, 1, 1),
    }
    column: Column = (number((8, 8)), list(range(10, 23)))
    outcomes, _ = ask(setting, {"figure": column}, requests_for(masks, 5, (None, None)), masks)
    assert [outcome.withheld for outcome in outcomes] == [None, None, "disclosure", "minimum"]
    # without the rule it is just that
    plain = [replace(request, complementary=False) for request in requests_for(masks, 5, (None, None))]
    outcomes, _ = ask(setting, {"figure": column}, plain, masks)
    values = [int(outcome.values[0]) for outcome in outcomes if outcome.values]
    assert values[0] - values[1] - values[2] == 21 + 22


@every_engine
def test_leaving_the_small_group_unasked_does_not_help(setting: Setting) -> None:
    masks = {"all": np.ones(8, dtype=np.uint8), "most": mask(*[1] * 7, 0)}
    column: Column = (number((8, 8), blank=True), list(range(10, 18)))
    outcomes, _ = ask(setting, {"figure": column}, requests_for(masks, 5, (None, None)), masks)
    assert [outcome.withheld for outcome in outcomes] == [None, "disclosure"]


@every_engine
def test_a_second_query_does_not_complete_the_first(setting: Setting) -> None:
    """Whichever of all, six, five and two a query asks for, the five are withheld beside the two."""
    masks = {
        "all": np.ones(13, dtype=np.uint8),
        "six": mask(*[1] * 6, *[0] * 7),
        "five": mask(*[0] * 6, *[1] * 5, 0, 0),
        "two": mask(*[0] * 11, 1, 1),
    }
    column: Column = (number((8, 8)), list(range(10, 23)))
    siblings = requests_for(masks, 5, (None, None))
    expected = {"all": None, "six": None, "five": "disclosure", "two": "minimum"}
    for names in (["five"], ["all", "six"], ["two", "five", "all"]):
        requests = [request for request in siblings if request.mask_name in names]
        outcomes, _ = ask(setting, {"figure": column}, requests, masks, siblings)
        assert [o.withheld for o in outcomes] == [expected[r.mask_name] for r in requests]
    outcomes, _ = ask(setting, {"figure": column}, siblings[2:3], masks)
    assert outcomes[0].withheld is None, "alone and first it would be safe, and unsafe with what follows"


@every_engine
def test_siblings_are_judged_and_never_opened(setting: Setting) -> None:
    masks = {"all": np.ones(12, dtype=np.uint8), "one": mask(*[1] * 6, *[0] * 6)}
    masks["other"] = masks["all"] - masks["one"]
    column: Column = (number((8, 8), published=1, blank=True), [10] * 5 + [20] + [10, 20] * 3)
    histogram = CellRequest("histogram@1", ("figure",), "all", {"edges": ["12"]}, 3, complementary=True)
    siblings = [replace(histogram, mask_name=name) for name in masks]
    outcomes, ran = ask(setting, {"figure": column}, siblings[1:2], masks, siblings)
    assert outcomes[0].withheld == "disclosure"
    assert {label for label, _ in opened(ran)} <= {
        "disclosure: contributors >= minimum",
        "contributors",
        "histogram: every bucket is 0 or at least the minimum",
        "histogram: remainders",
    }


@every_engine
def test_a_table_of_several_figures_is_withheld_together(setting: Setting) -> None:
    """One group fails for the second figure alone: it and its complement are withheld for the first too."""
    masks = {"all": np.ones(18, dtype=np.uint8)}
    masks |= {f"p{i}": mask(*[int(row // 6 == i) for row in range(18)]) for i in range(3)}
    table: dict[str, Column] = {
        "x": (number((16, 16)), [20] * 18),
        "y": (number((16, 16)), [200, 1, 1, 1, 1, 1, *[60] * 12]),
    }
    family = ("x", "y")
    totals = [
        CellRequest("sum@1", (name,), m, {}, 3, dominance=(1, 60), complementary=True, table=family)
        for name in family
        for m in masks
    ]
    ratio = [
        CellRequest(
            "ratio_of_totals@1",
            family,
            m,
            {"grid": "0.1", "maximum": "100"},
            3,
            dominance=(1, 60),
            complementary=True,
            table=family,
        )
        for m in masks
    ]
    outcomes, _ = ask(setting, table, totals[:4], masks, [*totals, *ratio])
    assert [o.withheld for o in outcomes] == [None, "disclosure", "disclosure", None]
    alone = [replace(request, table=()) for request in totals[:4]]
    outcomes, _ = ask(setting, table, alone, masks)
    assert [o.withheld for o in outcomes] == [None] * 4
    with pytest.raises(OutOfRange, match="each of its groups"):
        ask(SETTINGS[0], table, [*totals[:3], totals[4]], masks)


@every_engine
def test_a_group_that_one_item_withholds_no_item_publishes(setting: Setting) -> None:
    """The sum of a concentrated group is withheld, so its N (which a count would say) is too."""
    masks = {"all": np.ones(12, dtype=np.uint8), "one": mask(*[1] * 6, *[0] * 6)}
    masks["other"] = masks["all"] - masks["one"]
    column: Column = (number((16, 16)), [200, 1, 1, 1, 1, 1, *[60] * 6])
    sums = requests_for(masks, 3, ((1, 60), None))
    counts = [replace(request, function="count@1") for request in sums]
    outcomes, _ = ask(setting, {"figure": column}, [*sums, *counts], masks)
    assert [outcome.withheld for outcome in outcomes] == [None, "disclosure", "disclosure"] * 2


@every_engine
def test_secret_categories_complement_each_other(setting: Setting) -> None:
    """Two of symbol 0 are too few; the next cell in the order of the query is withheld with them."""
    kind = FigureEncoding.category(3, blank_allowed=True)
    symbols: list[int | None] = [0, 0, *[1] * 6, *[2] * 6, *[None] * 5]
    table = {"kind": (kind, symbols), "figure": (number((8, 8)), list(range(19)))}
    parts: list[tuple[str, int | None]] = [("kind", 1), ("kind", 2), ("kind", 0), ("kind", None)]
    requests = [
        CellRequest("sum@1", ("figure",), "all", {}, 5, category=part, complementary=True, p_percent=10)
        for part in (None, *parts)
    ]
    outcomes, _ = ask(setting, table, requests)
    assert [outcome.withheld for outcome in outcomes] == [None, "disclosure", None, "minimum", None]


@every_engine
@pytest.mark.parametrize(("giant", "fourth"), [(20, None), (60, "disclosure")])
def test_a_remainder_of_secret_categories_is_tested_over_its_own_members(
    setting: Setting, giant: int, fourth: str | None
) -> None:
    """Symbols 0 and 1 are too few; together they are enough, unless one of them is a giant among them."""
    kind = FigureEncoding.category(4, blank_allowed=False)
    symbols: list[int | None] = [0, 0, 0, 1, 1, 1, *[2] * 6, *[3] * 6]
    values: list[int | None] = [giant, *[5] * 5, *[30] * 12]
    table = {"kind": (kind, symbols), "figure": (number((8, 8)), values)}
    requests = [
        CellRequest("sum@1", ("figure",), "all", {}, 5, category=part, complementary=True, dominance=(1, 50))
        for part in (None, ("kind", 0), ("kind", 1), ("kind", 3), ("kind", 2))
    ]
    outcomes, _ = ask(setting, table, requests)
    assert [outcome.withheld for outcome in outcomes] == [None, "minimum", "minimum", fourth, None]


class Deviating(CleartextEngine):
    """As if some party had shifted a product: verdicts come and go."""

    async def reveal_at_least_zero(self, values: Shared, label: str) -> Any:
        found = await super().reveal_at_least_zero(values, label)
        if label == "disclosure: remainders":
            found[:] = [True] + [False] * (len(found) - 1)
        return found


def test_verdicts_that_cannot_be_are_taken_for_a_deviation() -> None:
    masks = {
        "all": np.ones(13, dtype=np.uint8),
        "six": mask(*[1] * 6, *[0] * 7),
        "five": mask(*[0] * 8, *[1] * 5),
    }
    column: Column = (number((8, 8), blank=True), list(range(10, 23)))
    engine = Deviating(ScriptedRandomness(b"deviating"))
    records = arrange(np.array(matrix_of({"figure": column}), dtype=np.uint64), [("figure", column[0])])
    with pytest.raises(PeerDeviation):
        drive(answer_query(engine, records, masks, requests_for(masks, 5, (None, None))))
    with pytest.raises(PeerDeviation):
        drive(reveal_bits(engine, [constant(1), constant(2)], "verdicts"))


@pytest.mark.parametrize("setting", SHARED_SETTINGS, ids=setting_id)
@pytest.mark.parametrize("parts", [3, 6])
def test_rounds_do_not_grow_with_groups_or_attempts(setting: Setting, parts: int) -> None:
    """The last part is small, and each union with it is concentrated by a giant in it."""
    size = 5 * (parts - 1) + 4
    owner = np.minimum(np.arange(size) // 5, parts - 1)
    masks = {"all": np.ones(size, dtype=np.uint8)}
    masks |= {f"part {p}": (owner == p).astype(np.uint8) for p in range(parts)}
    values: list[int | None] = [40] * (size - 1) + [4000]
    column: Column = (number((16, 16, 16), blank=True), values)
    outcomes, ran = ask(setting, {"figure": column}, requests_for(masks, 5, ((1, 98), None)), masks)
    assert outcomes[-1].withheld == "minimum"
    test_of_a_cell = 7 * 3 + 8
    minimum, verdicts, contributors, total = 8, 1, 1, 1
    remainders = 8 + test_of_a_cell + 1 + 8
    assert ran.rounds == minimum + test_of_a_cell + verdicts + remainders + contributors + total
