"""The comparison at its edges: every pattern of the mask beside every opened number; what a mask consists of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protocols import comparison, party_engine
from protocols import field as fp
from protocols.cleartext_engine import CleartextEngine
from protocols.engine import COMPARISON_BOUND, ComparisonMasks, Engine, Shared
from protocols.randomness import ScriptedRandomness
from tests.protocols.engines import SHARED_SETTINGS, Setting, Share, drive, setting_id

EDGES = sorted(
    {0, 1, fp.P - 2, fp.P - 1, fp.P, (1 << 61) - 1}
    | {near for k in range(61) for d in (-1, 0, 1) if 0 <= (near := (1 << k) + d) <= fp.P}
    | {fp.P - near for d in range(15) for symbol in (1, 8, 15) if (near := symbol << 4 * d)}
)


class ChosenBits(CleartextEngine):
    """Masks with the bits of the numbers that a test chooses; 2^61 - 1, which is 0 mod p, among them."""

    chosen: np.ndarray[Any, np.dtype[np.uint64]]

    async def random_bits(self, count: int) -> Shared:
        bits = (self.chosen >> np.arange(61, dtype=np.uint64)[:, np.newaxis]) & np.uint64(1)
        assert bits.size == count
        return Shared(bits.reshape(-1))


def test_every_edge_of_the_mask_beside_every_edge_of_what_is_opened() -> None:
    pairs = [(r, c) for r in EDGES for c in EDGES if c < fp.P]
    halved = fp.inverse(2)
    compared = [fp.to_signed((c - r) * halved % fp.P) for r, c in pairs]
    assert all(-COMPARISON_BOUND < a < COMPARISON_BOUND for a in compared)
    engine = ChosenBits(ScriptedRandomness(b"edges"))
    engine.chosen = np.array([r for r, _ in pairs], dtype=np.uint64)
    masks, _ = drive(comparison.make_masks(engine, len(pairs)))
    assert masks.number.values.tolist() == [r % fp.P for r, _ in pairs]
    assert masks.indicators.values.sum(axis=0).min() == masks.indicators.values.max() == 1
    found, _ = drive(comparison.negative_before_last_product(engine, Shared(fp.from_ints(compared)), masks))
    assert found.values.tolist() == [int(a < 0) for a in compared]


@pytest.mark.parametrize("setting", SHARED_SETTINGS, ids=setting_id)
def test_all_parts_of_a_mask_are_of_degree_t_and_of_one_number(setting: Setting) -> None:
    async def computation(engine: Engine, _: Share) -> Any:
        masks = await comparison.make_masks(engine, 3)
        parts = (masks.number, masks.bit_0, masks.bit_60, masks.top_product, masks.indicators.reshape(-1))
        return [(await engine.open(part, "opened by a test")).tolist() for part in parts]

    (numbers, low, top, product, indicators), _ = setting.run(computation)  # an opening checks the degree
    symbols = np.array(indicators).reshape(16, 15, 3).argmax(axis=0)
    for k, number in enumerate(numbers):
        digits = sum(int(symbol) << 4 * (14 - i) for i, symbol in enumerate(symbols[:, k]))
        assert number == (digits + (top[k] << 60)) % fp.P
        assert low[k] == digits % 2
        assert product[k] == low[k] * top[k]


@pytest.mark.parametrize("setting", SHARED_SETTINGS[:1], ids=setting_id)
def test_no_mask_serves_twice(setting: Setting) -> None:
    async def computation(engine: Engine, _: Share) -> Any:
        masks = await comparison.make_masks(engine, 2)
        taken = [masks.take(1)]
        masks = masks.joined(await comparison.make_masks(engine, 3))
        taken += [masks.take(1), masks.take(2), masks.take(1)]
        assert len(masks) == 0
        numbers = [n for each in taken for n in (await engine.open(each.number, "a test")).tolist()]
        assert [each.indicators.values.shape[-1] for each in taken] == [1, 1, 2, 1]
        return numbers

    numbers, _ = setting.run(computation)
    assert len(set(numbers)) == len(numbers) == 5


@pytest.mark.parametrize("setting", SHARED_SETTINGS[:1], ids=setting_id)
def test_a_batch_of_any_size_holds_so_many_masks_at_most(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    original = comparison.make_masks

    async def counting(engine: Engine, count: int) -> ComparisonMasks:
        made.append(count)
        return await original(engine, count)

    monkeypatch.setattr(party_engine, "MASKS_AHEAD", 3)
    monkeypatch.setattr(comparison, "make_masks", counting)
    numbers = [-5, 7, 0, -1, 1, -(1 << 59), 1 << 59, -2]

    async def computation(engine: Engine, share: Share) -> Any:
        await engine.prepare_comparisons(len(numbers))
        values = share(fp.from_ints(numbers))
        opened = (await engine.reveal_at_least_zero(values, "a test")).tolist()
        shared = (await engine.open(await engine.at_least_zero(values), "a test")).tolist()
        return opened, shared

    found, _ = setting.run(computation)
    assert found == ([n >= 0 for n in numbers], [int(n >= 0) for n in numbers])
    assert max(made) == 3
    parties = len(setting.session)
    assert sum(made) == parties * 2 * len(numbers)
