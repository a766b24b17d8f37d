"""A member's own place: exact, on its grid, and in nobody's hands but the member's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.cells import CellRequest
from protocols.computations import answer_query
from protocols.encoding import FigureEncoding
from protocols.engine import Engine
from protocols.errors import OutOfRange
from protocols.own_rank import OwnPlace, own_places
from protocols.reconstruction import reconstruct, verify_degree
from tests.protocols.engines import SETTINGS, SHARED_SETTINGS, Setting, Share, setting_id
from tests.protocols.tables import Column, ask, columns, encodings, number, opened, records_of

every_engine = pytest.mark.parametrize("setting", SETTINGS, ids=setting_id)
REQUEST = CellRequest("own_rank@1", ("figure",), "all", {}, 3, row=0)


def place_of(values: list[int | None], row: int) -> int:
    """The definition, word by word."""
    own, others = values[row], [u for i, u in enumerate(values) if u is not None and i != row]
    if own is None:
        return 0
    return 5 * (20 * sum(u < own for u in others) // len(others))


@every_engine
@settings(max_examples=15)
@given(data=st.data(), count=st.integers(3, 24))
def test_places_are_those_of_the_definition(setting: Setting, data: st.DataObject, count: int) -> None:
    column: Column = data.draw(columns(data.draw(encodings()), count))
    values = column[1]
    chosen = data.draw(st.lists(st.integers(0, 1), min_size=count, max_size=count))
    rows = data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=3))
    for row in rows:
        chosen[row] = 1
    within = [u if m else None for u, m in zip(values, chosen, strict=True)]
    contributors = sum(u is not None for u in within)
    if contributors < 2:
        return

    async def computation(engine: Engine, share: Share) -> Any:
        figure = records_of({"figure": column}, share)["figure"]
        mask = np.array(chosen, dtype=np.uint8)
        shares = await own_places(engine, [OwnPlace(figure, mask, row, contributors) for row in rows])
        assert engine.openings == [] or not any(o.part_of_answer for o in engine.openings)
        return [int((await engine.open(each, "test: place"))[0]) for each in shares]

    found, _ = setting.run(computation)
    assert found == [place_of(within, row) for row in rows]


def shares_of(setting: Setting, column: Column, request: CellRequest) -> tuple[list[Any], Any]:
    """Every party's share of the first cell's place, as a query leaves it."""
    shares: list[Any] = []

    async def computation(engine: Engine, share: Share) -> Any:
        records = records_of({"figure": column}, share)
        masks = {"all": np.ones(records.count, dtype=np.uint8)}
        outcomes = await answer_query(engine, records, masks, [request])
        shares.append(outcomes[0].own_share)
        return outcomes

    outcomes, ran = setting.run(computation)
    return shares, (outcomes[0], ran)


@pytest.mark.parametrize("setting", SHARED_SETTINGS, ids=setting_id)
def test_only_who_gets_all_shares_learns_the_place(setting: Setting) -> None:
    column: Column = (number((8, 8), blank=True), [30, 10, 20, 40, 50, None])
    shares, (outcome, ran) = shares_of(setting, column, REQUEST)
    assert (outcome.contributors, outcome.values, outcome.withheld) == (5, (), None)
    points = [index + 1 for index in setting.session]
    stacked = np.stack([share.values for share in shares])
    verify_degree(points, stacked, setting.threshold)
    assert int(reconstruct(points, stacked, setting.threshold)[0]) == 50
    assert opened(ran) == [("disclosure: contributors >= minimum", [1]), ("contributors", [5])]
    # two different places leave the same openings, and a single share does not print
    _, (_, other) = shares_of(setting, column, replace(REQUEST, row=4))
    assert opened(other) == opened(ran)
    assert str(int(shares[0].values[0])) not in repr(outcome) + repr(shares[0])


@every_engine
def test_below_the_minimum_there_is_no_place(setting: Setting) -> None:
    column: Column = (number((8, 8), blank=True), [30, None, None, 4])
    (share, *_), (outcome, _) = shares_of(setting, column, REQUEST)
    assert (outcome.withheld, share) == ("minimum", None)


def test_two_contributors_are_enough_for_a_study_that_says_so() -> None:
    column: Column = (number((8, 8)), [30, 4])
    _, (outcome, _) = shares_of(SHARED_SETTINGS[0], column, replace(REQUEST, minimum=2))
    assert (outcome.contributors, outcome.withheld) == (2, None)


@pytest.mark.parametrize("setting", SHARED_SETTINGS, ids=setting_id)
@pytest.mark.parametrize("members", [1, 6])
def test_rounds_do_not_grow_with_members(setting: Setting, members: int) -> None:
    column: Column = (number((4, 4, 4, 4)), list(range(40)))
    requests = [replace(REQUEST, row=row) for row in range(members)]
    _, ran = ask(setting, {"figure": column}, requests)
    assert ran.rounds == 1 + (4 - 2) + 1 + 3 + 5
    products = 40 * (2 * 4 - 3) * members
    assert ran.engines[0].counts.multiplications >= products
    assert ran.engines[0].counts.comparisons == 20 * members


@pytest.mark.parametrize(
    "changes",
    [
        {"row": None},
        {"row": 5},
        {"row": -1},
        {"row": 1, "mask_name": "others"},
        {"minimum": 1},
        {"category": ("kind", 0)},
        {"figures": ("kind",)},
        {"parameters": {"grid": "5"}},
    ],
)
def test_a_place_that_is_not_the_askers_is_refused(changes: dict[str, Any]) -> None:
    table = {
        "figure": (number((8, 8)), [30, 10, 20, 40, 50]),
        "kind": (FigureEncoding.category(2, blank_allowed=False), [0, 1, 0, 1, 0]),
    }
    masks = {"all": np.ones(5, dtype=np.uint8), "others": np.array([1, 0, 1, 1, 1], dtype=np.uint8)}
    with pytest.raises(OutOfRange):  # whether or not the group is large enough to answer at all
        ask(SETTINGS[0], table, [replace(REQUEST, **({"minimum": 6} | changes))], masks)


def test_a_record_outside_the_group_has_no_place() -> None:
    async def computation(engine: Engine, share: Share) -> Any:
        figure = records_of({"figure": (number((8, 8)), [30, 10, 20])}, share)["figure"]
        mask = np.array([1, 0, 1], dtype=np.uint8)
        for row, contributors in ((1, 2), (3, 2), (-1, 2), (0, 1)):
            with pytest.raises(OutOfRange):
                OwnPlace(figure, mask, row, contributors)

    SETTINGS[0].run(computation)
