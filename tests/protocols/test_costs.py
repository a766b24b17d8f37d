"""What the functions cost, counted exactly: multiplications, openings, rounds, bytes. No clock is read.

A change that makes one of these numbers larger makes every study slower; one that makes it smaller changes this
file and docs/performance.md.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from protocols.cells import CellRequest
from protocols.computations import answer_query, check_inputs
from protocols.encoding import FigureEncoding
from protocols.engine import Engine
from protocols.order_statistics import Walk, percentiles
from protocols.records import arrange, everyone
from tests.protocols.engines import SHARED_SETTINGS, Ran, Setting, Share, setting_id

DIGITS, RADIX, RECORDS = 8, 16, 40
ENCODING = FigureEncoding.create(
    minimum="0", step="1", publish_step="1", radices=[RADIX] * DIGITS, allow_exact=True, blank_allowed=False
)
MULTIPLICATIONS_A_COMPARISON = (31 + 9 * 15) + (15 + 7 + 3)  # the mask's pairs and digits, then the tree
OPENED_A_COMPARISON = 61 + 1 + 1  # the squares of random bits, the masked number, the answer
DECILES = tuple(Fraction(k, 10) for k in range(1, 10))
every_setting = pytest.mark.parametrize("setting", SHARED_SETTINGS, ids=setting_id)


def figures(spread: bool) -> list[int]:
    generator = np.random.default_rng(5)
    return [int(u) for u in generator.integers(0, 1 << 32 if spread else 3, RECORDS)]


def matrix_of(values: list[int]) -> list[list[int]]:
    return [list(row) for row in zip(*(ENCODING.indicators(u) for u in values), strict=True)]


def assert_bytes(setting: Setting, ran: Ran) -> None:
    """Eight bytes an element: to m' - 1 - t parties when reshared, to all others when opened."""
    others, counts = len(setting.session) - 1, ran.engines[0].counts
    reshared = 8 * counts.multiplications * (others - setting.threshold)
    assert set(ran.bytes_sent.values()) == {reshared + 8 * counts.opened * others}


@every_setting
@pytest.mark.parametrize("spread", [True, False], ids=["uniform", "tied"])
@pytest.mark.parametrize("quantiles", [(Fraction(1, 2),), DECILES], ids=["median", "deciles"])
def test_percentiles_cost_a_product_a_record_digit_and_prefix(
    setting: Setting, quantiles: tuple[Fraction, ...], spread: bool
) -> None:
    async def computation(engine: Engine, share: Share) -> Any:
        records = arrange(share(matrix_of(figures(spread))).values, [("figure", ENCODING)])
        walk = Walk(records["figure"], everyone(records), RECORDS, quantiles)
        (answer,) = await percentiles(engine, [walk])
        return answer

    answer, ran = setting.run(computation)
    counts = ran.engines[0].counts
    comparisons = len(quantiles) * DIGITS * (RADIX - 1)
    products = sum(len({u // RADIX ** (DIGITS - d) for u in answer}) for d in range(2, DIGITS))
    assert counts.comparisons == comparisons
    assert counts.random_bits == 61 * comparisons
    assert counts.multiplications == RECORDS * products + MULTIPLICATIONS_A_COMPARISON * comparisons
    assert counts.opened == OPENED_A_COMPARISON * comparisons
    assert ran.rounds == 3 + 5 * DIGITS + (DIGITS - 2)
    assert_bytes(setting, ran)
    if len(quantiles) == 1:
        assert products == DIGITS - 2


@every_setting
def test_a_level_takes_six_rounds_whatever_is_asked(setting: Setting) -> None:
    async def computation(engine: Engine, share: Share) -> Any:
        records = arrange(share(matrix_of(figures(True))).values, [("figure", ENCODING)])
        halves = [np.arange(RECORDS) % 2 == k for k in (0, 1)]
        walks = [
            Walk(records["figure"], half.astype(np.uint8), RECORDS // 2, quantiles)
            for half in halves
            for quantiles in (DECILES, (Fraction(1, 3),))
        ]
        return await percentiles(engine, walks)

    _, ran = setting.run(computation)
    assert ran.rounds == 3 + 5 * DIGITS + (DIGITS - 2) <= 10 * DIGITS


@every_setting
def test_clean_input_checks_multiply_one_number(setting: Setting) -> None:
    async def computation(engine: Engine, share: Share) -> Any:
        records = arrange(share(matrix_of(figures(True))).values, [("figure", ENCODING)])
        return await check_inputs(engine, records, b"\x01" * 32)

    faulty, ran = setting.run(computation)
    counts = ran.engines[0].counts
    assert faulty == ()
    assert (counts.multiplications, counts.opened, counts.comparisons, ran.rounds) == (1, 2, 0, 3)
    assert_bytes(setting, ran)


@every_setting
def test_a_sum_multiplies_nothing_and_sums_each_column_once(setting: Setting) -> None:
    requests = [CellRequest("sum@1", ("figure",), "all", {}, 3)]

    async def computation(engine: Engine, share: Share) -> Any:
        matrix = share(matrix_of(figures(True))).values
        mask = np.ones(RECORDS, dtype=np.uint8)
        for kept in (matrix, mask):
            kept.setflags(write=False)
        records = arrange(matrix, [("figure", ENCODING)])
        return await answer_query(engine, records, {"all": mask}, requests)

    outcomes, ran = setting.run(computation)
    assert outcomes[0].values == (str(sum(figures(True))),)
    counts = ran.engines[0].counts
    assert (counts.multiplications, counts.comparisons, counts.opened, ran.rounds) == (0, 0, 1, 1)
    assert_bytes(setting, ran)


@every_setting
def test_columns_are_summed_once_under_each_mask_and_again_when_they_may_change(setting: Setting) -> None:
    async def computation(engine: Engine, share: Share) -> Any:
        values = share([[1, 2, 4], [8, 16, 32]])
        values.values.setflags(write=False)
        masks = [np.array(bits, dtype=np.uint8) for bits in ((1, 1, 1), (0, 1, 1))]
        for mask in masks:
            mask.setflags(write=False)
        found = [engine.selected_sums(values, mask) for mask in (*masks, *masks)]
        found[0].values[:] = 0  # the caller's own
        changing = np.array([1, 0, 0], dtype=np.uint8)
        found.append(engine.selected_sums(values, changing))
        changing[1] = 1
        found += [engine.selected_sums(values, changing), engine.selected_sums(values, masks[0])]
        return [[int(v) for v in await engine.open(each, "sums")] for each in found[1:]]

    sums, _ = setting.run(computation)
    assert sums == [[6, 48], [7, 56], [6, 48], [1, 8], [3, 24], [7, 56]]
