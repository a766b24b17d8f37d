"""Dominance and the p% rule against plain sums, on engines that never open the two largest."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.cells import CellOutcome, CellRequest
from protocols.concentration import all_of, constant
from protocols.concentration_rules import ConcentrationRules, verify_concentration
from protocols.decimals import exact_text
from protocols.encoding import FigureEncoding
from protocols.engine import Engine
from protocols.errors import OutOfRange
from tests.protocols.engines import SETTINGS, SHARED_SETTINGS, Setting, Share, setting_id
from tests.protocols.tables import Column, ask, columns, encodings, figures, number, opened

every_engine = pytest.mark.parametrize("setting", SETTINGS, ids=setting_id)
GRIDS = [("0", "1"), ("100", "10"), ("0.25", "0.05"), ("0", "0.5")]
RULES = [((1, 25), None), ((1, 60), 10), (None, 15), ((2, 70), 5), (None, None)]


def is_concentrated(amounts: list[Fraction], dominance: tuple[int, int] | None, p: int | None) -> bool:
    """The Handbook's rules, word by word."""
    largest, total = sorted(amounts, reverse=True), sum(amounts)
    if dominance is not None and 100 * sum(largest[: dominance[0]]) > dominance[1] * total:
        return True
    return p is not None and 100 * (total - largest[0] - largest[1]) < p * largest[0]


def asking(
    rule: tuple[tuple[int, int] | None, int | None], function: str = "sum@1", **changes: Any
) -> CellRequest:
    settings_ = {"figures": ("figure",), "mask_name": "all", "parameters": {}, "minimum": 3} | changes
    return CellRequest(function=function, dominance=rule[0], p_percent=rule[1], **settings_)


@st.composite
def tables(draw: st.DrawFn) -> Column:
    """Figures of which one may be far larger than the rest."""
    encoding, values = draw(columns(draw(encodings(GRIDS)), draw(st.integers(1, 16))))
    if draw(st.booleans()):
        low, top = encoding.half, encoding.size - 1
        values = [None if u is None else low + (u - low) // 6 for u in values]
        values[0] = draw(st.sampled_from([top, (low + top) // 2]))
    return encoding, values


@every_engine
@settings(max_examples=15)
@given(column=tables(), secret_rule=st.sampled_from(RULES), other=st.sampled_from(RULES))
def test_a_cell_is_withheld_exactly_where_a_rule_says(
    setting: Setting,
    column: Column,
    secret_rule: tuple[tuple[int, int] | None, int | None],
    other: tuple[tuple[int, int] | None, int | None],
) -> None:
    table = {"figure": column}
    amounts = [x for (x,) in figures(table, "figure")]
    requests = [asking(secret_rule), asking(other), asking(other, "count@1")]
    outcomes, ran = ask(setting, table, requests)
    size = len(amounts)
    if size < 3:
        assert outcomes == [CellOutcome(None, None, "minimum")] * 3
        return
    verdicts = [is_concentrated(amounts, *rule) for rule in (secret_rule, other)]
    total = CellOutcome(size, (exact_text(sum(amounts)),), None)
    withheld = CellOutcome(None, None, "disclosure")
    assert outcomes[:2] == [withheld if verdict else total for verdict in verdicts]
    assert outcomes[2] == CellOutcome(size, (str(size),), None)  # a count is no amount
    # the bits that open are those verdicts, one for each set of rules
    asked = list(dict.fromkeys(rule for rule in (secret_rule, other) if rule != (None, None)))
    bits = [int(not verdicts[(secret_rule, other).index(rule)]) for rule in asked]
    assert [values for label, values in opened(ran) if label == "disclosure: concentration"] == (
        [bits] if bits else []
    )


@every_engine
def test_the_second_largest_is_not_the_largest_again(setting: Setting) -> None:
    """Two equal giants among dwarfs: (1, 60) passes, (2, 70) and p% do not; one giant fails all."""
    encoding = number((16, 16))
    two: list[int | None] = [200, 200, 1, 1, 1, 1]
    one: list[int | None] = [200, 3, 1, 1, 1, 1]
    rules: list[Any] = [((1, 60), None), ((2, 70), None), (None, 10)]
    outcomes, _ = ask(setting, {"figure": (encoding, two)}, [asking(rule) for rule in rules])
    assert [outcome.withheld for outcome in outcomes] == [None, "disclosure", "disclosure"]
    outcomes, _ = ask(setting, {"figure": (encoding, one)}, [asking(rule) for rule in rules])
    assert [outcome.withheld for outcome in outcomes] == ["disclosure"] * 3


@every_engine
def test_amounts_count_from_the_minimum_and_not_from_the_code(setting: Setting) -> None:
    """With minimum 100 the figures 200 and three times 100 are even enough; their codes 10 and 0 are not."""
    encoding = number((16,), grid=("100", "10"))
    values: list[int | None] = [10, 0, 0, 0]
    (found,), _ = ask(setting, {"figure": (encoding, values)}, [asking(((1, 50), None))])
    assert found.values == ("500",)


@every_engine
def test_two_figures_are_tested_over_the_members_that_gave_both(setting: Setting) -> None:
    """The giant of the first figure left the second one blank, so it counts in neither."""
    first: list[int | None] = [200, 10, 10, 10, 10, 10]
    second: list[int | None] = [None, 10, 10, 10, 10, 10]
    table = {"a": (number((16, 16), blank=True), first), "b": (number((16, 16), blank=True), second)}
    parameters = {"grid": "0.5", "maximum": "10"}

    def outcome(names: tuple[str, str]) -> CellOutcome:
        request = asking(((1, 30), 10), "ratio_of_totals@1", figures=names, parameters=parameters, minimum=4)
        return ask(setting, table, [request])[0][0]

    assert outcome(("a", "b")) == CellOutcome(5, ("1",), None)
    second[0] = 1
    assert outcome(("a", "b")).withheld == outcome(("b", "a")).withheld == "disclosure"


@every_engine
def test_a_secret_category_is_tested_like_a_group(setting: Setting) -> None:
    kind = FigureEncoding.category(3, blank_allowed=True)
    symbols: list[int | None] = [0, 0, 0, 0, 1, 1, 1, 1, None, None, None, None]
    values: list[int | None] = [200, 1, 1, 1, 50, 50, 50, 50, 40, 40, 40, 40]
    table = {"kind": (kind, symbols), "figure": (number((16, 16)), values)}
    requests = [asking(((1, 60), 10), category=("kind", symbol)) for symbol in (0, 1, 2, None)]
    outcomes, _ = ask(setting, table, requests)
    assert [outcome.withheld for outcome in outcomes] == ["disclosure", None, "minimum", None]
    assert [outcome.values for outcome in outcomes] == [None, ("200",), None, ("160",)]


@pytest.mark.parametrize("setting", SHARED_SETTINGS, ids=setting_id)
@pytest.mark.parametrize("groups", [1, 5])
def test_rounds_do_not_grow_with_cells(setting: Setting, groups: int) -> None:
    encoding = number((4, 4, 4), blank=True)
    values: list[int | None] = [int(u) for u in np.random.default_rng(5).integers(0, 64, 30)]
    masks = {f"group {g}": np.ones(30, dtype=np.uint8) for g in range(groups)}
    requests = [asking(((1, 60), 10), mask_name=name) for name in masks]
    _, ran = ask(setting, {"figure": (encoding, values)}, requests, masks)
    minimum, walks, margins, both_rules, verdict, contributors, total = 3 + 5, 7 * 3, 3 + 5, 1, 1, 1, 1
    assert ran.rounds == minimum + walks + margins + both_rules + verdict + contributors + total


def test_n_of_a_concentrated_cell_stays_shared() -> None:
    encoding = number((16, 16), blank=True)
    table = {"figure": (encoding, [200, 1, 1, 1, None])}
    _, ran = ask(SHARED_SETTINGS[0], table, [asking(((1, 60), None))])
    assert opened(ran) == [("disclosure: contributors >= minimum", [1]), ("disclosure: concentration", [0])]


@every_engine
@settings(max_examples=10)
@given(conditions=st.lists(st.lists(st.integers(0, 1), max_size=5), max_size=4))
def test_all_of_is_the_conjunction(setting: Setting, conditions: list[list[int]]) -> None:
    async def computation(engine: Engine, share: Share) -> Any:
        shared = [
            [share([bit]) if i % 2 else constant(bit) for i, bit in enumerate(own)] for own in conditions
        ]
        return [int((await engine.open(each, "test"))[0]) for each in await all_of(engine, shared)]

    assert setting.run(computation)[0] == [int(all(own)) for own in conditions]


@pytest.mark.parametrize(
    ("grid", "minimum", "rule"),
    [
        (("-20", "0.5"), 3, ((1, 25), None)),  # may be negative
        (("-1", "1"), 3, ((1, 25), None)),  # if only by one step
        (("0.25", "0.1"), 3, ((1, 25), None)),  # the minimum is no whole number of steps
        (("0", "1"), 1, ((1, 25), None)),  # no second largest
        (("0", "1"), 3, ((3, 80), None)),  # three largest are not looked for
        (("0", "1"), 3, ((1, 100), None)),
        (("0", "1"), 3, (None, 0)),
    ],
)
def test_rules_that_cannot_be_tested_are_refused(grid: tuple[str, str], minimum: int, rule: Any) -> None:
    encoding = number((4, 4), grid=grid)
    with pytest.raises(OutOfRange):
        ask(SETTINGS[0], {"figure": (encoding, [1, 2, 3, 4])}, [asking(rule, minimum=minimum)])


def test_a_total_beyond_comparison_is_refused() -> None:
    verify_concentration(number((128, 128, 128, 128, 128)), 5, 10**5)
    with pytest.raises(OutOfRange):
        verify_concentration(number((128, 128, 128, 128, 128, 128, 128)), 5, 10**4)
    with pytest.raises(OutOfRange):
        verify_concentration(FigureEncoding.category(3, blank_allowed=False), 5, 10)


def test_p_is_not_printed() -> None:
    assert "17" not in repr(ConcentrationRules((1, 25), 17)) + repr(asking(((1, 25), 17)))
