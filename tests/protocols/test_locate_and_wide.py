"""Placing numbers on a grid, and totals beyond the field, against Python's integers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols import field as fp
from protocols.engine import Engine
from protocols.errors import OutOfRange
from protocols.locate import Place, locate, opened_bits, public_step
from protocols.wide import WideTotal, reveal_wide
from tests.protocols.engines import SETTINGS, SHARED_SETTINGS, Setting, Share, setting_id

every_engine = pytest.mark.parametrize("setting", SETTINGS, ids=setting_id)


@every_engine
@settings(max_examples=15, deadline=None)
@given(
    cases=st.lists(
        st.tuples(st.integers(-1000, 10**9), st.integers(1, 10**5), st.integers(1, 5000)),
        min_size=1,
        max_size=4,
    )
)
def test_a_number_is_placed_at_the_last_point_that_it_reaches(
    setting: Setting, cases: list[tuple[int, int, int]]
) -> None:
    async def computation(engine: Engine, share: Share) -> Any:
        places = [
            Place(share([value % fp.P]), share([step]), count, 10**9 + step * count)
            for value, step, count in cases
        ]
        return await locate(engine, places, "test")

    found, ran = setting.run(computation)
    assert found == [max(0, min(value // step, count - 1)) for value, step, count in cases]
    steps = max(Place(public_step(0), public_step(1), count, 1).digits for _, _, count in cases)
    if setting.name == "local":
        assert ran.rounds <= 3 + 5 * steps  # a search that a small range decides early stops early
    for records in ran.records:
        for step, record in enumerate(records):
            expected = []
            for (_, _, count), answer in zip(cases, found, strict=True):
                place = Place(public_step(0), public_step(1), count, 1)
                expected += opened_bits(place, answer, step)
            assert [bool(bit) for bit in record.values] == expected


def test_a_grid_beyond_the_comparison_bound_is_refused() -> None:
    with pytest.raises(OutOfRange):
        Place(public_step(0), public_step(1), 10, 1 << 60)


@every_engine
@settings(max_examples=10, deadline=None)
@given(
    totals=st.lists(
        st.lists(st.tuples(st.integers(0, 2**100), st.integers(0, 2**30)), min_size=1, max_size=6),
        min_size=1,
        max_size=3,
    )
)
def test_wide_totals_are_exact(setting: Setting, totals: list[list[tuple[int, int]]]) -> None:
    async def computation(engine: Engine, share: Share) -> Any:
        wide = [
            WideTotal(tuple(weight for weight, _ in total), share([part for _, part in total]), 2**30)
            for total in totals
        ]
        return await reveal_wide(engine, wide, "wide")

    found, ran = setting.run(computation)
    expected = [sum(weight * part for weight, part in total) for total in totals]
    assert found == expected
    for records in ran.records:  # every opening is a digit of an answer
        for record in records:
            if "limb" in record.label:
                position = int(record.label.rpartition(" ")[2])
                digits = {total >> 16 * position & 0xFFFF for total in expected}
                assert set(record.values) <= digits


@pytest.mark.parametrize("setting", SHARED_SETTINGS, ids=setting_id)
def test_wide_rounds_do_not_grow_with_the_number_of_totals(setting: Setting) -> None:
    def rounds(count: int) -> int:
        async def computation(engine: Engine, share: Share) -> Any:
            wide = [WideTotal((2**40, 3), share([5, 7]), 100) for _ in range(count)]
            return await reveal_wide(engine, wide, "wide")

        return setting.run(computation)[1].rounds

    assert rounds(1) == rounds(5) == 2 * 10 + 1


def test_wide_totals_beyond_the_bound_are_refused() -> None:
    async def computation(engine: Engine, share: Share) -> Any:
        return await reveal_wide(engine, [WideTotal((2**80, 2**16 - 1), share([1, 1]), 2**44)], "wide")

    with pytest.raises(OutOfRange):
        SETTINGS[0].run(computation)
