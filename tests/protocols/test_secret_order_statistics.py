"""Order statistics that stay shared, against sorting in the clear; what is opened on the way is uniform."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols import field as fp
from protocols.engine import Engine, Shared, concatenate
from protocols.errors import OutOfRange
from protocols.records import everyone
from protocols.secret_order_statistics import SecretWalk, order_statistics, public_ranks
from tests.protocols.engines import SETTINGS, SHARED_SETTINGS, Setting, Share, setting_id
from tests.protocols.tables import UNIFORM, Column, columns, encodings, number, records_of

every_engine = pytest.mark.parametrize("setting", SETTINGS, ids=setting_id)


@st.composite
def tables(draw: st.DrawFn) -> tuple[Column, list[int], list[int]]:
    """A column, a public mask and a secret selector."""
    count = draw(st.integers(1, 20))
    column = draw(columns(draw(encodings()), count))
    bits = st.lists(st.integers(0, 1), min_size=count, max_size=count)
    return column, draw(st.one_of(bits, st.just([1] * count))), draw(bits)


@every_engine
@settings(max_examples=12)
@given(table=tables(), data=st.data())
def test_ranks_public_and_secret_find_the_order_statistics(
    setting: Setting, table: tuple[Column, list[int], list[int]], data: st.DataObject
) -> None:
    (encoding, values), mask, chosen = table
    rows = list(zip(values, mask, chosen, strict=True))
    public = sorted(u for u, m, _ in rows if u is not None and m)
    secret = sorted(u for u, m, s in rows if u is not None and m and s)
    ranks = data.draw(st.lists(st.integers(0, len(values) + 1), min_size=1, max_size=3))

    async def computation(engine: Engine, share: Share) -> Any:
        figure = records_of({"figure": (encoding, values)}, share)["figure"]
        public_mask = np.array(mask, dtype=np.uint8)
        found = await order_statistics(
            engine,
            [
                SecretWalk(figure, public_mask, public_ranks(*ranks)),
                SecretWalk(figure, public_mask, share(ranks), share(chosen)),
            ],
        )
        numbers = await engine.open(concatenate([each.numbers for each in found]), "test: u")
        indicators = [
            await engine.open(symbols.reshape(-1), "test: symbols")
            for each in found
            for symbols in each.indicators
        ]
        return [int(u) for u in numbers], [list(map(int, symbols)) for symbols in indicators]

    (numbers, indicators), ran = setting.run(computation)
    top = encoding.size - 1
    expected = [
        0 if k < 1 else own[k - 1] if k <= len(own) else top for own in (public, secret) for k in ranks
    ]
    assert numbers == expected
    depth = len(encoding.radices)
    for walk in range(2):
        for digit, radix in enumerate(encoding.radices):
            weight = prod(encoding.radices[digit + 1 :])
            own = expected[walk * len(ranks) : (walk + 1) * len(ranks)]
            wanted = [int(u // weight % radix == b) for u in own for b in range(radix)]
            assert indicators[walk * depth + digit] == wanted
    for engine in ran.engines:
        assert {o.label for o in engine.openings if not o.label.startswith("test")} <= UNIFORM
    assert all(not records for records in ran.records)


@pytest.mark.parametrize("setting", SHARED_SETTINGS, ids=setting_id)
@pytest.mark.parametrize(("secret_group", "rounds"), [(False, 7 * 4), (True, 7 * 4 + 1)])
@pytest.mark.parametrize("walks", [1, 4])
def test_rounds_and_products_are_those_that_the_docstring_says(
    setting: Setting, secret_group: bool, rounds: int, walks: int
) -> None:
    encoding = number((4, 3, 4, 2))
    values: list[int | None] = [int(u) for u in np.random.default_rng(3).integers(0, encoding.size, 30)]
    ranks = (5, 6) if walks > 1 else (5,)

    async def computation(engine: Engine, share: Share) -> Any:
        records = records_of({"figure": (encoding, values)}, share)
        selector = share([1] * 30) if secret_group else None
        walk = SecretWalk(records["figure"], everyone(records), public_ranks(*ranks), selector)
        before = engine.counts.multiplications
        await order_statistics(engine, [walk] * walks)
        return engine.counts.multiplications - before

    products, ran = setting.run(computation)
    assert ran.rounds == rounds
    strands = walks * len(ranks)
    of_records = strands * 30 * (2 * 4 - 2 if secret_group else 2 * 4 - 3)
    assert products >= of_records
    assert (products - of_records) % strands == 0  # the rest serves comparisons and counts, not records


def test_one_digit_takes_eight_rounds() -> None:
    encoding = number((12,))

    async def computation(engine: Engine, share: Share) -> Any:
        records = records_of({"figure": (encoding, [3, 7, 11])}, share)
        (found,) = await order_statistics(
            engine, [SecretWalk(records["figure"], everyone(records), public_ranks(2))]
        )
        return int((await engine.open(found.numbers, "test"))[0])

    found, ran = SHARED_SETTINGS[0].run(computation)
    assert (found, ran.rounds) == (7, 8 + 1)


def test_records_outside_a_public_mask_cost_nothing() -> None:
    encoding = number((4, 4, 4))

    def products(records_outside: int) -> int:
        values: list[int | None] = [1, 9, 33] + [5] * records_outside

        async def computation(engine: Engine, share: Share) -> Any:
            figure = records_of({"figure": (encoding, values)}, share)["figure"]
            mask = np.array([1] * 3 + [0] * records_outside, dtype=np.uint8)
            await order_statistics(engine, [SecretWalk(figure, mask, public_ranks(2))])
            return engine.counts.multiplications

        return int(SETTINGS[0].run(computation)[0])

    assert products(0) == products(40)


def test_a_rank_of_degree_2t_is_refused() -> None:
    async def computation(engine: Engine, share: Share) -> Any:
        figure = records_of({"figure": (number((4,)), [1])}, share)["figure"]
        mask = np.ones(1, dtype=np.uint8)
        with pytest.raises(OutOfRange):
            SecretWalk(figure, mask, Shared(fp.from_ints([1]), 2))
        with pytest.raises(OutOfRange):
            SecretWalk(figure, mask[:0], public_ranks(1))

    SETTINGS[0].run(computation)
