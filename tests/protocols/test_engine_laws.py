"""Laws that every engine obeys, over generated inputs, against Python's integers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols import field as fp
from protocols.effects import together
from protocols.engine import Engine, Shared
from protocols.errors import MalformedMessage, ProtocolMisuse, SharesDisagree
from protocols.local_engine import Delivery, LocalNetwork
from protocols.randomness import ScriptedRandomness
from tests.protocols.engines import SETTINGS, SHARED_SETTINGS, Setting, Share, setting_id, share_plain

elements = st.one_of(
    st.integers(0, fp.P - 1),
    st.sampled_from([0, 1, 2, fp.P - 1, fp.P - 2, 2**32, 2**32 - 1, 2**60, 2**60 - 1]),
)
vectors = st.lists(elements, min_size=1, max_size=40)
pairs = st.lists(st.tuples(elements, elements), min_size=1, max_size=40)
comparable = st.one_of(
    st.integers(-(2**60) + 1, 2**60 - 1),
    st.integers(-3, 3),
    st.sampled_from([-(2**60) + 1, 2**60 - 1, 2**59, -(2**59)]),
)
every_engine = pytest.mark.parametrize("setting", SETTINGS, ids=setting_id)
every_shared_engine = pytest.mark.parametrize("setting", SHARED_SETTINGS, ids=setting_id)
few = settings(max_examples=25, deadline=None)


def ints(vector: Any) -> list[int]:
    return [int(value) for value in vector]


@every_engine
@few
@given(values=vectors)
def test_opening_returns_what_was_shared(setting: Setting, values: list[int]) -> None:
    async def computation(engine: Engine, share: Share) -> Any:
        return await engine.open(share(values), "value")

    opened, _ = setting.run(computation)
    assert ints(opened) == values


@every_engine
@few
@given(values=pairs, public=elements)
def test_linear_operations_and_products_are_those_of_the_field(
    setting: Setting, values: list[tuple[int, int]], public: int
) -> None:
    async def computation(engine: Engine, share: Share) -> Any:
        a, b = share([x for x, _ in values]), share([y for _, y in values])
        product = await engine.multiply(a, b)
        expression = (product + a.times(public) - b).plus(public)
        return await engine.open(expression, "expression")

    opened, _ = setting.run(computation)
    assert ints(opened) == [(x * y + x * public - y + public) % fp.P for x, y in values]


@every_engine
@few
@given(values=pairs)
def test_degree_2t_opens_directly_and_after_resharing_to_the_same(
    setting: Setting, values: list[tuple[int, int]]
) -> None:
    async def computation(engine: Engine, share: Share) -> Any:
        a, b = share([x for x, _ in values]), share([y for _, y in values])
        direct = await engine.open(engine.product(a, b), "direct")
        inner = await engine.open(engine.inner_products(a.reshape(1, -1), b), "inner")
        reshared = await engine.open(await engine.reshare(engine.product(a, b)), "reshared")
        return ints(direct), ints(inner), ints(reshared)

    (direct, inner, reshared), _ = setting.run(computation)
    assert direct == reshared == [x * y % fp.P for x, y in values]
    assert inner == [sum(x * y for x, y in values) % fp.P]


@every_engine
@few
@given(values=st.lists(comparable, min_size=1, max_size=12))
def test_comparison_agrees_with_integers(setting: Setting, values: list[int]) -> None:
    async def computation(engine: Engine, share: Share) -> Any:
        shared = share([value % fp.P for value in values])
        secret = await engine.open(await engine.at_least_zero(shared), "secret form")
        opened = await engine.reveal_at_least_zero(shared, "opened form")
        return ints(secret), opened.tolist()

    (secret, opened), _ = setting.run(computation)
    assert secret == [int(value >= 0) for value in values]
    assert opened == [value >= 0 for value in values]


@every_engine
def test_comparison_takes_a_degree_2t_value(setting: Setting) -> None:
    async def computation(engine: Engine, share: Share) -> Any:
        a, b = share([3, fp.P - 3, 0]), share([5, 5, 7])
        return (await engine.reveal_at_least_zero(engine.product(a, b), "products")).tolist()

    assert setting.run(computation)[0] == [True, False, True]


@every_engine
def test_random_bits_are_bits_and_not_constant(setting: Setting) -> None:
    async def computation(engine: Engine, share: Share) -> Any:
        return ints(await engine.open(await engine.random_bits(400), "bits"))

    bits, _ = setting.run(computation)
    assert set(bits) == {0, 1}
    assert 120 < sum(bits) < 280


@every_engine
def test_coin_differs_by_purpose_and_by_draw(setting: Setting) -> None:
    async def computation(engine: Engine, share: Share) -> Any:
        return [await engine.coin(b"one"), await engine.coin(b"one"), await engine.coin(b"two")]

    coins, _ = setting.run(computation)
    assert len(set(coins)) == 3
    assert all(len(coin) == 32 for coin in coins)


@every_engine
def test_a_product_of_a_degree_2t_value_is_refused(setting: Setting) -> None:
    async def computation(engine: Engine, share: Share) -> Any:
        a = share([1, 2])
        return engine.product(engine.product(a, a), a)

    with pytest.raises(ProtocolMisuse):
        setting.run(computation)


@every_engine
def test_resharing_a_degree_t_value_is_refused(setting: Setting) -> None:
    async def computation(engine: Engine, share: Share) -> Any:
        return await engine.reshare(share([1]))

    with pytest.raises(ProtocolMisuse):
        setting.run(computation)


@every_shared_engine
def test_together_gives_each_its_own_result_in_the_rounds_of_the_longest(setting: Setting) -> None:
    async def chain(engine: Engine, start: Shared, length: int) -> list[int]:
        value = start
        for _ in range(length):
            value = await engine.multiply(value, start)
        return ints(await engine.open(value, "chain"))

    async def computation(engine: Engine, share: Share) -> Any:
        return await together(
            *(chain(engine, share([base]), length) for base, length in ((2, 1), (3, 5), (5, 3)))
        )

    results, ran = setting.run(computation)
    assert results == [[2**2], [3**6], [5**4]]
    assert ran.rounds == 6


@every_engine
def test_products_of_pairs_of_any_shape_take_one_resharing(setting: Setting) -> None:
    long = (1 << 15) + 3  # more than a block

    async def computation(engine: Engine, share: Share) -> Any:
        ramp = share(list(range(long)))
        square = share([[1, 2], [3, 4]])
        products = await engine.multiply_pairs([(ramp, ramp), (square, square), (ramp[:1], ramp[7:8])])
        assert engine.counts.multiplications == long + 4 + 1
        assert engine.counts.operations in (0, 1)
        return [ints(await engine.open(product.reshape(-1), "products")) for product in products]

    (ramp, square, one), ran = setting.run(computation)
    assert ramp == [k * k for k in range(long)]
    assert (square, one) == ([1, 4, 9, 16], [0])
    assert ran.rounds in (0, 1 + 3)


@every_shared_engine
def test_an_element_of_p_in_a_resharing_names_its_sender(setting: Setting) -> None:
    sender = setting.session[1]

    def tamper(delivery: Delivery) -> bytes:
        changed = fp.P.to_bytes(8, "little") + delivery.payload[8:]
        return changed if delivery.sender == sender else delivery.payload

    network = LocalNetwork(setting.session, setting.threshold, ScriptedRandomness(b"p"), tamper=tamper)

    async def computation(engine: Engine, party: int) -> Any:
        a = Shared(share_plain([5, 6], party, setting.threshold, b"x"))
        return await engine.multiply(a, a)

    with pytest.raises(MalformedMessage) as caught:
        network.run(computation)
    assert caught.value.peer == sender


@every_shared_engine
def test_costs_are_exact(setting: Setting) -> None:
    size, t = len(setting.session), setting.threshold

    async def computation(engine: Engine, share: Share) -> Any:
        a = share(list(range(10)))
        product = await engine.multiply(a, a)
        return await engine.open(product, "product")

    _, ran = setting.run(computation)
    assert ran.rounds == 2
    assert set(ran.bytes_sent.values()) == {10 * 8 * (size - 1 - t) + 10 * 8 * (size - 1)}
    assert ran.engines[0].counts.multiplications == 10


@every_shared_engine
def test_comparison_takes_five_rounds_after_its_masks(setting: Setting) -> None:
    async def computation(engine: Engine, share: Share) -> Any:
        await engine.prepare_comparisons(7)
        return await engine.reveal_at_least_zero(share([1] * 7), "seven")

    _, ran = setting.run(computation)
    assert ran.rounds == 3 + 5
    assert ran.engines[0].counts.comparisons == 7
    assert ran.engines[0].counts.random_bits == 7 * 61


def test_a_tampered_share_of_degree_t_is_detected() -> None:
    def tamper(delivery: Delivery) -> bytes:
        if delivery.sender == 1 and delivery.receiver == 0:
            flipped = (int.from_bytes(delivery.payload[:8], "little") + 1) % fp.P
            return flipped.to_bytes(8, "little") + delivery.payload[8:]
        return delivery.payload

    network = LocalNetwork((0, 1, 2), 1, ScriptedRandomness(b"tamper"), tamper=tamper)

    async def computation(engine: Engine, party: int) -> Any:
        return await engine.open(Shared(share_plain([5, 6], party, 1, b"x")), "value")

    with pytest.raises(SharesDisagree):
        network.run(computation)


@pytest.mark.parametrize("payload", [b"", b"\x00" * 7, b"\xff" * 16, b"\x00" * 17])
def test_a_malformed_share_names_its_sender(payload: bytes) -> None:
    network = LocalNetwork(
        (0, 1, 2),
        1,
        ScriptedRandomness(b"malformed"),
        tamper=lambda delivery: payload if delivery.sender == 2 else delivery.payload,
    )

    async def computation(engine: Engine, party: int) -> Any:
        return await engine.open(Shared(share_plain([5, 6], party, 1, b"x")), "value")

    with pytest.raises(MalformedMessage) as caught:
        network.run(computation)
    assert caught.value.peer == 2


def test_shared_never_prints_its_values() -> None:
    assert "123456789" not in repr(Shared(np.array([123456789], dtype=np.uint64)))
