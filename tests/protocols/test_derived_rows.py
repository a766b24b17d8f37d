"""Rows that a party derives from its shares: against plain counting, and how far their scale reaches."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols import field as fp
from protocols.cleartext_engine import CleartextEngine
from protocols.derived_rows import (
    SCALE,
    derive_rows,
    derived_row_count,
    require_scale,
    running_rows,
    scaled_counts,
)
from protocols.encoding import FigureEncoding
from protocols.engine import COMPARISON_BOUND, Engine, Shared
from protocols.errors import OutOfRange
from protocols.moments import reveal_totals, shared_total
from protocols.order_statistics import Walk, percentiles
from protocols.randomness import ScriptedRandomness
from protocols.records import arrange, everyone
from tests.protocols.engines import SETTINGS, Setting, Share, setting_id

OPTIONAL = FigureEncoding.create(
    minimum="0", step="1", publish_step="4", radices=(3, 128, 2, 2), allow_exact=False, blank_allowed=True
)
MANDATORY = FigureEncoding.create(
    minimum="0", step="1", publish_step="1", radices=(2, 16), allow_exact=True, blank_allowed=False
)
CATEGORY = FigureEncoding.category(5, blank_allowed=True)
ENCODINGS = [OPTIONAL, CATEGORY, MANDATORY]


@given(counts=st.lists(st.integers(0, (1 << 28) - 1), min_size=1, max_size=127))
def test_both_counts_of_a_pair_are_had_with_a_small_remainder(counts: list[int]) -> None:
    indicators = np.array(counts, dtype=np.uint64).reshape(-1, 1)
    running = list(accumulate(counts))
    if running[-1] >= 1 << 28:
        indicators, running = indicators[:1], running[:1]
    pairs = Shared(running_rows(indicators)[:, 0])
    assert len(pairs) == (len(running) + 1) // 2
    found = scaled_counts(pairs, len(running)).values.tolist()
    assert [value // SCALE for value in found] == running
    assert all(value % SCALE <= 2 * max(running) for value in found)


def test_running_counts_of_shares_are_linear_in_them() -> None:
    generator = np.random.default_rng(3)
    one, other = (generator.integers(0, fp.P, (15, 9), dtype=np.uint64) for _ in range(2))
    together = running_rows(fp.add(one, fp.multiply_scalar(other, 5)))
    apart = fp.add(running_rows(one), fp.multiply_scalar(running_rows(other), 5))
    assert together.tolist() == apart.tolist()


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_derived_rows_of_plain_figures_are_their_counts_and_limbs(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 6))
    columns = [
        data.draw(st.lists(st.integers(0, encoding.size - 1), min_size=count, max_size=count))
        for encoding in ENCODINGS
    ]
    blanks = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    columns[0] = [None if blank else u for u, blank in zip(columns[0], blanks, strict=True)]
    matrix = np.array(
        [
            [
                element
                for encoding, u in zip(ENCODINGS, member, strict=True)
                for element in encoding.indicators(u)
            ]
            for member in zip(*columns, strict=True)
        ],
        dtype=np.uint64,
    ).T.copy()
    derived = list(derive_rows(matrix, ENCODINGS, count))
    assert sum(map(len, derived)) == derived_row_count(ENCODINGS, count)
    assert derived[1].shape == (0, count)
    whole = np.concatenate([matrix, *derived])
    named = [(str(number), encoding) for number, encoding in enumerate(ENCODINGS)]
    for records in (arrange(matrix, named), arrange(whole, named)):
        for number in (0, 2):
            figure, encoding = records[str(number)], ENCODINGS[number]
            assert figure.limbs is not None
            assert len(figure.running) == encoding.published_digits
            totals = fp.total(
                fp.multiply(figure.limb_rows.values, fp.from_ints(figure.limbs.weights)[:, np.newaxis])
            )
            assert totals.tolist() == [u or 0 for u in columns[number]]
            assert len(figure.last_symbols) == encoding.published_digits - 1
            for digit, row in enumerate(figure.last_symbols):
                last = encoding.radices[digit] - 1
                of_records = [u is not None and encoding.digits(u)[digit] == last for u in columns[number]]
                assert row.values.tolist() == figure.implied_symbol(digit).values.tolist() == of_records
                assert figure.symbol(digit, last) is row
            for digit, rows in enumerate(figure.running):
                radix = encoding.radices[digit]
                symbols = [None if u is None else encoding.digits(u)[digit] for u in columns[number]]
                expected = [sum(s is not None and s <= b for s in symbols) for b in range(radix - 1)]
                summed = Shared(fp.total(rows.values.T.copy()))
                assert [v // SCALE for v in scaled_counts(summed, radix - 1).values.tolist()] == expected
        assert records["1"].limbs is None
        assert records["1"].running == ()


@pytest.mark.parametrize(
    ("digits", "most"), [(1, (1 << 29) - 2), (3, (1 << 28) - 1), (8, 119_304_647), (59, 17_895_697)]
)
def test_a_walk_whose_remainders_or_differences_are_too_large_is_refused(digits: int, most: int) -> None:
    require_scale(most, digits)
    assert 2 * most * (digits + 1) < SCALE
    assert SCALE * most + SCALE < COMPARISON_BOUND
    with pytest.raises(OutOfRange, match="two to a number"):
        require_scale(most + 1, digits)


def test_a_walk_looks_at_its_scale() -> None:
    records = arrange(np.zeros((16, 1), dtype=np.uint64), [("figure", MANDATORY)])
    with pytest.raises(OutOfRange, match="two to a number"):
        Walk(records["figure"], everyone(records), 1 << 29, (Fraction(1, 2),))


def test_what_is_neither_shares_nor_shares_with_all_derived_rows_is_refused() -> None:
    whole = 16 + derived_row_count([MANDATORY], 3)
    for rows in (15, 17, whole - 1, whole + 1):
        with pytest.raises(OutOfRange, match="the study's figures need 16"):
            arrange(np.zeros((rows, 3), dtype=np.uint64), [("figure", MANDATORY)])


@pytest.mark.parametrize("setting", SETTINGS, ids=setting_id)
def test_whatever_a_record_holds_that_is_not_counted_changes_nothing(setting: Setting) -> None:
    """A record that failed the input checks is left out by the mask; its packed counts may be anything."""
    generator = np.random.default_rng(9)
    figures: list[int | None] = [int(u) for u in generator.integers(0, OPTIONAL.size, 20)]
    figures[3] = None
    rows = np.array([OPTIONAL.indicators(u) for u in figures], dtype=np.uint64).T
    garbage = generator.integers(0, fp.P, (len(rows), 2), dtype=np.uint64)
    mask = np.array([1] * len(figures) + [0, 0], dtype=np.uint8)
    quantiles = (Fraction(1, 10**60), Fraction(1, 3), Fraction(1, 2), Fraction(1))

    async def computation(engine: Engine, share: Share) -> Any:
        matrix = np.concatenate([rows, garbage], axis=1)
        figure = arrange(share(matrix.tolist()).values, [("figure", OPTIONAL)])["figure"]
        (found,) = await percentiles(engine, [Walk(figure, mask, 19, quantiles)])
        return found, await reveal_totals(engine, [shared_total(engine, figure, mask)])

    (found, total), _ = setting.run(computation)
    given = sorted(u for u in figures if u is not None)
    ranks = [max(1, -(-q.numerator * 19 // q.denominator)) for q in quantiles]
    below = OPTIONAL.size // (3 * 128)
    assert list(found) == [given[rank - 1] // below for rank in ranks]
    assert total == [sum(given)]


def test_remainders_of_as_many_digits_as_there_are_move_no_bit() -> None:
    """At the largest study that is walked each digit leaves the rank as large a remainder as it can."""
    digits, most = 59, 17_895_697
    remainder = 0
    for _ in range(digits):
        for count in (0, 1, most):
            pair = Shared(fp.from_ints([count + SCALE * most]))
            low, high = scaled_counts(pair, 2).values.tolist()
            for rank, found, exact in ((count, low, count), (most, high, most)):
                assert fp.to_signed((found - (SCALE * rank - remainder)) % fp.P) >= 0
                short = fp.to_signed((found - (SCALE * (exact + 1) - remainder)) % fp.P)
                assert -COMPARISON_BOUND < short < 0
        remainder += 2 * most
    assert remainder < SCALE


def test_a_category_is_not_walked() -> None:
    records = arrange(np.zeros((5, 1), dtype=np.uint64), [("kind", CATEGORY)])
    with pytest.raises(OutOfRange, match="no order"):
        Walk(records["kind"], everyone(records), 1, (Fraction(1, 2),))
    with pytest.raises(OutOfRange, match="no sum"):
        shared_total(CleartextEngine(ScriptedRandomness(b"none")), records["kind"], everyone(records))
