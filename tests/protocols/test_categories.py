"""Cells by a secret category: every function over the members that chose it, or left it blank."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.cells import CellOutcome, CellRequest
from protocols.encoding import FigureEncoding
from protocols.errors import OutOfRange
from tests.protocols.engines import SETTINGS, SHARED_SETTINGS, Setting, setting_id
from tests.protocols.tables import Column, ask, columns, encodings, number, opened

every_engine = pytest.mark.parametrize("setting", SETTINGS, ids=setting_id)
SYMBOLS = 3
FUNCTIONS: Mapping[str, tuple[tuple[str, ...], Callable[[FigureEncoding], dict[str, Any]]]] = {
    "count@1": (("sales",), lambda _: {}),
    "sum@1": (("sales",), lambda _: {}),
    "mean@1": (("sales",), lambda encoding: {"grid": "5" if encoding.step == 1 else "30"}),
    "variance@1": (("sales",), lambda _: {"grid": "0.01"}),
    "standard_deviation@1": (("sales",), lambda _: {"grid": "0.01"}),
    "histogram@1": (("sales",), lambda encoding: {"edges": [str(int(middle(encoding)))]}),
    "percentiles@1": (("sales",), lambda _: {"quantiles": ["1/3", "2/3"]}),
    "percentiles_linear@1": (("sales",), lambda _: {"quantiles": ["1/2"]}),
    "correlation@1": (("sales", "space"), lambda _: {"places": 3}),
    "ratio_of_totals@1": (("sales", "space"), lambda _: {"grid": "0.01", "maximum": "50"}),
}
"""For each function its figures, and parameters that fit."""
NUMBERS = (("0", "1"), ("100", "10"))


def middle(encoding: FigureEncoding) -> Fraction:
    """An edge: half a publish step below a published value."""
    return encoding.minimum + encoding.publish_step - encoding.step * encoding.half


@st.composite
def tables(draw: st.DrawFn) -> dict[str, Column]:
    """Sales and floor space by sector, each of which may be blank."""
    count = draw(st.integers(4, 16))
    table = {name: draw(columns(draw(encodings(NUMBERS)), count)) for name in ("sales", "space")}
    blank = draw(st.booleans())
    symbols: st.SearchStrategy[int | None] = st.integers(0, SYMBOLS - 1)
    chosen = draw(st.lists(symbols | st.none() if blank else symbols, min_size=count, max_size=count))
    return {"sector": (FigureEncoding.category(SYMBOLS, blank_allowed=blank), chosen), **table}


def requests_for(table: Mapping[str, Column], minimum: int) -> list[CellRequest]:
    symbols = [0, 1, 2, *([None] if table["sector"][0].blank_allowed else [])]
    return [
        CellRequest(
            function, names, group, parameters(table[names[0]][0]), minimum, category=("sector", symbol)
        )
        for function, (names, parameters) in FUNCTIONS.items()
        for symbol in symbols
        for group in ("all", "some")
    ]


def as_public(
    requests: list[CellRequest], table: Mapping[str, Column], masks: Mapping[str, Any]
) -> tuple[list[CellRequest], dict[str, Any]]:
    """The same cells if the category were certified: each a public mask. Its answers are tested elsewhere."""
    public, selected = [], {}
    for request in requests:
        assert request.category is not None
        symbol = request.category[1]
        name = f"{request.mask_name}, sector {symbol}"
        inside = np.array([own == symbol for own in table["sector"][1]], dtype=np.uint8)
        selected[name] = inside & masks[request.mask_name]
        public.append(replace(request, mask_name=name, category=None))
    return public, selected


@every_engine
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_a_secret_category_gives_what_a_certified_one_would(setting: Setting, data: st.DataObject) -> None:
    table = data.draw(tables())
    count = len(table["sector"][1])
    some = np.array(data.draw(st.lists(st.integers(0, 1), min_size=count, max_size=count)), dtype=np.uint8)
    masks = {"all": np.ones(count, dtype=np.uint8), "some": some}
    requests = requests_for(table, data.draw(st.integers(1, 3)))
    found, ran = ask(setting, table, requests, masks)
    expected, ran_in_public = ask(SETTINGS[0], table, *as_public(requests, table, masks))
    assert found == expected
    # nothing more is opened than by the certified one, but for the bits about N, which may be blank here
    public = dict(opened(ran_in_public))
    for label, values in opened(ran):
        if label not in ("disclosure: contributors >= minimum", "contributors"):
            assert public[label] == values


@every_engine
@pytest.mark.parametrize("blank", [False, True])
def test_members_that_left_the_category_blank_are_a_cell_like_the_others(
    setting: Setting, blank: bool
) -> None:
    sectors: list[int | None] = [0, 0, 0, 1, 1, 1, None, None, None, None]
    table: dict[str, Column] = {
        "sector": (FigureEncoding.category(SYMBOLS, blank_allowed=True), sectors),
        "sales": (number((4, 16), blank=blank), [1, 2, 3, 10, 11, 12, 60, 61, 62, None if blank else 63]),
    }
    asked = [
        CellRequest("sum@1", ("sales",), "all", {}, 3, category=("sector", symbol))
        for symbol in (0, 1, 2, None)
    ]
    outcomes, ran = ask(setting, table, asked)
    last = CellOutcome(3, ("183",), None) if blank else CellOutcome(4, ("246",), None)
    assert outcomes == [
        CellOutcome(3, ("6",), None),
        CellOutcome(3, ("33",), None),
        CellOutcome(None, None, "minimum"),
        last,
    ]
    assert opened(ran) == [
        ("disclosure: contributors >= minimum", [1, 1, 0, 1]),
        ("contributors", [3, 3, last.contributors]),
        ("sum", [6, 33, 183 if blank else 246]),
    ]


@pytest.mark.parametrize("setting", SHARED_SETTINGS, ids=setting_id)
def test_rounds_do_not_grow_with_categories(setting: Setting) -> None:
    table: dict[str, Column] = {
        "sector": (FigureEncoding.category(SYMBOLS, blank_allowed=True), [k % 3 for k in range(30)]),
        "sales": (number((16, 16), blank=True), list(range(100, 130))),
        "space": (number((16, 16), blank=True), list(range(130, 160))),
    }

    def rounds(symbols: tuple[int, ...]) -> int:
        asked = [
            CellRequest(
                function, names, "all", parameters(table[names[0]][0]), 1, category=("sector", symbol)
            )
            for function, (names, parameters) in FUNCTIONS.items()
            for symbol in symbols
            if not function.startswith("percentiles")
        ]
        return ask(setting, table, asked)[1].rounds

    # the pair's selectors 1; N: a resharing, 3 + 5, 1; then the longest family, the ratio: 3 + 5 + 4 * 5
    assert rounds((0,)) == rounds((0, 1, 2)) == 1 + (1 + 8 + 1) + 3 + 5 + 4 * 5


@pytest.mark.parametrize("setting", SHARED_SETTINGS, ids=setting_id)
@pytest.mark.parametrize(("category", "products"), [(None, 1), (("sector", 0), 2)])
def test_the_walk_of_a_secret_group_multiplies_one_digit_earlier(
    setting: Setting, category: tuple[str, int | None] | None, products: int
) -> None:
    def multiplications(members: int) -> int:
        table: dict[str, Column] = {
            "sector": (FigureEncoding.category(SYMBOLS, blank_allowed=False), [0] * members),
            "sales": (number((4, 4, 4)), [k % 64 for k in range(members)]),
        }
        asked = CellRequest("percentiles@1", ("sales",), "all", {"quantiles": ["1/2"]}, 1, category=category)
        return ask(setting, table, [asked])[1].engines[0].counts.multiplications

    # D - 2 products a record for D = 3 walked digits, D - 1 for a secret group
    assert multiplications(40) - multiplications(30) == 10 * products


@pytest.mark.parametrize(
    ("category", "message"),
    [
        (("sales", 0), "no category"),
        (("nothing", 0), "no category"),
        (("sector", 3), "symbols 0 to 2"),
        (("sector", -1), "symbols 0 to 2"),
        (("sector", None), "may not be blank"),
    ],
)
def test_a_category_that_is_none_is_refused(category: tuple[str, int | None], message: str) -> None:
    table: dict[str, Column] = {
        "sector": (FigureEncoding.category(SYMBOLS, blank_allowed=False), [0, 1, 2]),
        "sales": (number((4, 16)), [1, 2, 3]),
    }
    with pytest.raises(OutOfRange, match=message):
        ask(SETTINGS[0], table, [CellRequest("sum@1", ("sales",), "all", {}, 1, category=category)])
