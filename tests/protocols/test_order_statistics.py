"""Percentiles, counts and sums against exact calculations in the clear, over generated figures."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols import field as fp
from protocols.cells import CellOutcome, CellRequest
from protocols.computations import answer_query, check_inputs
from protocols.encoding import FigureEncoding
from protocols.engine import Engine
from protocols.order_statistics import Walk, opened_bits, percentiles
from protocols.ranks import rank, ranks_are_safe
from protocols.records import arrange, everyone
from tests.protocols.engines import SETTINGS, SHARED_SETTINGS, Setting, Share, setting_id

RADICES = [(4, 16), (2, 3, 5, 2), (16, 16, 10), (7, 4, 2, 2)]
quantile_sets = st.lists(
    st.sampled_from(
        [Fraction(k, 10) for k in range(1, 10)]
        + [Fraction(1, 4), Fraction(3, 4), Fraction(1, 3), Fraction(1)]
    ),
    min_size=1,
    max_size=9,
    unique=True,
).map(lambda quantiles: tuple(sorted(quantiles)))


def encoding_of(radices: tuple[int, ...], published: int, blank: bool) -> FigureEncoding:
    step_of_publication = int(np.prod(radices[published:], dtype=int)) if published < len(radices) else 1
    return FigureEncoding.create(
        minimum="0",
        step="1",
        publish_step=str(step_of_publication),
        radices=radices,
        allow_exact=step_of_publication == 1,
        blank_allowed=blank,
    )


@st.composite
def tables(draw: st.DrawFn) -> tuple[FigureEncoding, list[int | None]]:
    """An encoding and encoded numbers u (None: blank), with ties, ends of the range and blanks."""
    radices = draw(st.sampled_from(RADICES))
    published = draw(
        st.sampled_from(
            [d for d in range(1, len(radices) + 1) if d == len(radices) or int(np.prod(radices[d:])) % 2 == 0]
        )
    )
    blank = draw(st.booleans())
    encoding = encoding_of(radices, published, blank)
    top = encoding.size - 1
    number = st.one_of(st.integers(0, top), st.sampled_from([0, top, top // 2]))
    values = draw(st.lists(st.one_of(number, st.none()) if blank else number, min_size=1, max_size=30))
    if draw(st.booleans()):
        values = [values[0]] * len(values)
    return encoding, values


def matrix_of(encoding: FigureEncoding, values: list[int | None]) -> list[list[int]]:
    return [list(row) for row in zip(*(encoding.indicators(u) for u in values), strict=True)]


@pytest.mark.parametrize("setting", SETTINGS, ids=setting_id)
@settings(max_examples=25, deadline=None)
@given(table=tables(), quantiles=quantile_sets)
def test_percentiles_are_the_order_statistics_of_the_rounded_figures(
    setting: Setting, table: tuple[FigureEncoding, list[int | None]], quantiles: tuple[Fraction, ...]
) -> None:
    encoding, values = table
    present = sorted(u for u in values if u is not None)
    if not present:
        return
    below = encoding.size // int(np.prod(encoding.radices[: encoding.published_digits], dtype=int))

    async def computation(engine: Engine, share: Share) -> Any:
        records = arrange(share(matrix_of(encoding, values)).values, [("figure", encoding)])
        return (
            await percentiles(engine, [Walk(records["figure"], everyone(records), len(present), quantiles)])
        )[0]

    found, ran = setting.run(computation)
    assert found == tuple(present[rank(q, len(present)) - 1] // below for q in quantiles)
    # what was opened on the way can be written by anyone who knows the answer
    walk_radices = encoding.radices[: encoding.published_digits]
    for records in ran.records:
        assert len(records) == len(walk_radices)


@pytest.mark.parametrize("setting", SHARED_SETTINGS, ids=setting_id)
def test_opened_values_are_reproduced_from_the_answer_alone(setting: Setting) -> None:
    encoding = encoding_of((4, 4, 4), 3, False)
    values: list[int | None] = [1, 5, 9, 33, 33, 40, 62]
    quantiles = (Fraction(1, 2),)

    async def computation(engine: Engine, share: Share) -> Any:
        records = arrange(share(matrix_of(encoding, values)).values, [("figure", encoding)])
        walk = Walk(records["figure"], everyone(records), len(values), quantiles)
        (answer,) = await percentiles(engine, [walk])
        return answer, [opened_bits(walk, answer, digit) for digit in range(3)]

    (_, simulated), ran = setting.run(computation)
    for records in ran.records:
        assert [[bool(bit) for bit in record.values] for record in records] == simulated


@pytest.mark.parametrize("setting", SHARED_SETTINGS, ids=setting_id)
@pytest.mark.parametrize("walks", [1, 6])
def test_rounds_do_not_grow_with_percentiles_or_figures(setting: Setting, walks: int) -> None:
    encoding = encoding_of((4, 4, 4, 4), 4, False)
    generator = np.random.default_rng(3)
    values: list[int | None] = [int(u) for u in generator.integers(0, 256, 60)]
    deciles = tuple(Fraction(k, 10) for k in range(1, 10))

    async def computation(engine: Engine, share: Share) -> Any:
        records = arrange(share(matrix_of(encoding, values)).values, [("figure", encoding)])
        walk = Walk(records["figure"], everyone(records), len(values), deciles[: 9 if walks > 1 else 1])
        return await percentiles(engine, [walk] * walks)

    _, ran = setting.run(computation)
    # masks 3; four digits of 5; the selectors of digits 2 and 3 one resharing each
    assert ran.rounds == 3 + 4 * 5 + 2


@pytest.mark.parametrize("setting", SETTINGS, ids=setting_id)
@settings(max_examples=15, deadline=None)
@given(table=tables(), data=st.data())
def test_query_equals_the_plain_calculation(
    setting: Setting, table: tuple[FigureEncoding, list[int | None]], data: st.DataObject
) -> None:
    encoding, values = table
    mask = np.array(
        data.draw(st.lists(st.integers(0, 1), min_size=len(values), max_size=len(values))), dtype=np.uint8
    )
    masks = {"all": np.ones(len(values), dtype=np.uint8), "some": mask}
    quantiles = ["1/4", "1/2", "3/4"]
    requests = [
        CellRequest(
            function,
            ("figure",),
            group,
            {"quantiles": quantiles} if function == "percentiles@1" else {},
            minimum,
        )
        for group, minimum in (("all", 3), ("some", 4))
        for function in ("count@1", "sum@1", "percentiles@1")
    ]

    async def computation(engine: Engine, share: Share) -> Any:
        records = arrange(share(matrix_of(encoding, values)).values, [("figure", encoding)])
        return await answer_query(engine, records, masks, requests)

    outcomes, _ = setting.run(computation)
    assert outcomes == [plain_outcome(encoding, values, masks[r.mask_name], r) for r in requests]


def plain_outcome(
    encoding: FigureEncoding, values: list[int | None], mask: Any, request: CellRequest
) -> CellOutcome:
    chosen = sorted(u for u, selected in zip(values, mask, strict=True) if selected and u is not None)
    number = len(chosen)
    if number < request.minimum:
        return CellOutcome(None, None, "minimum")
    if request.function == "count@1":
        return CellOutcome(number, (str(number),), None)
    if request.function == "sum@1":
        return CellOutcome(number, (str(sum(u - encoding.half for u in chosen)),), None)
    ranks = [-(-k * number // 4) for k in (1, 2, 3)]
    gaps = [ranks[0] - 1, ranks[1] - ranks[0] - 1, ranks[2] - ranks[1] - 1, number - ranks[2]]
    if min(gaps) < request.minimum:
        return CellOutcome(number, None, "disclosure")
    step = encoding.half * 2 or 1
    return CellOutcome(number, tuple(str(chosen[k - 1] // step * step) for k in ranks), None)


@pytest.mark.parametrize("setting", SETTINGS, ids=setting_id)
@settings(max_examples=15, deadline=None)
@given(table=tables(), data=st.data())
def test_input_checks_find_exactly_the_bad_records(
    setting: Setting, table: tuple[FigureEncoding, list[int | None]], data: st.DataObject
) -> None:
    encoding, values = table
    matrix = matrix_of(encoding, values)
    bad = data.draw(st.sets(st.integers(0, len(values) - 1), max_size=3))
    for column in bad:
        row = data.draw(st.integers(0, len(matrix) - 1))
        matrix[row][column] = data.draw(st.sampled_from([2, 5, fp.P - 1, (fp.P + 1) // 2]))

    async def computation(engine: Engine, share: Share) -> Any:
        records = arrange(share(matrix).values, [("figure", encoding)])
        return await check_inputs(engine, records, b"\x01" * 32)

    found, ran = setting.run(computation)
    assert found == tuple(sorted(bad))
    if not bad:
        assert ran.rounds in (0, 3)


def test_two_symbols_at_once_are_found() -> None:
    encoding = encoding_of((4, 16), 2, False)
    matrix = matrix_of(encoding, [1, 2, 3])
    matrix[3 + 7][1] = 1  # a second symbol in the second digit: the implied last one becomes -1

    async def computation(engine: Engine, share: Share) -> Any:
        records = arrange(share(matrix).values, [("figure", encoding)])
        return await check_inputs(engine, records, b"\x01" * 32)

    for setting in SETTINGS:
        assert setting.run(computation)[0] == (1,)


@given(
    number=st.integers(1, 400),
    minimum=st.integers(1, 10),
    quantiles=quantile_sets,
    released=st.sets(st.sampled_from([Fraction(k, 8) for k in range(1, 8)])),
)
def test_rank_rule_leaves_enough_contributors_everywhere(
    number: int, minimum: int, quantiles: tuple[Fraction, ...], released: set[Fraction]
) -> None:
    ranks = [rank(q, number) for q in {*quantiles, *released}]
    positions = sorted(ranks)
    between = [positions[0] - 1, number - positions[-1]]
    between += [b - a - 1 for a, b in pairwise(positions)]
    assert ranks_are_safe(quantiles, released, number, minimum) == (min(between) >= minimum)
