"""Tables of generated figures, queries about them, and what a query opened: for tests of functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st

from protocols.cells import CellOutcome, CellRequest
from protocols.computations import answer_query
from protocols.decimals import exact_text
from protocols.derived_rows import derive_rows
from protocols.encoding import FigureEncoding
from protocols.engine import Engine, PublicMask
from protocols.records import Records, arrange
from tests.protocols.engines import Ran, Setting, Share

UNIFORM = {"comparison: 2a + r", "random bits: r^2", "coin", "wide: X + r"}
"""Openings that are not part of the answer: uniform, or a uniform square, whatever the figures are."""

Column = tuple[FigureEncoding, list[int | None]]
"""A figure's encoding and every record's u (None: blank)."""

GRIDS = [("0", "1"), ("-20", "0.5"), ("100", "10"), ("0.25", "0.05")]
RADICES = [(4, 16), (2, 3, 5, 2), (16, 16, 10), (7, 4, 2, 2), (3, 4)]


def number(
    radices: Sequence[int],
    *,
    published: int | None = None,
    blank: bool = False,
    grid: tuple[str, str] = GRIDS[0],
) -> FigureEncoding:
    """A number of which `published` leading digits lie at or above the publish step (None: all)."""
    minimum, step = grid
    ratio = 1 if published is None else prod(radices[published:])
    return FigureEncoding.create(
        minimum=minimum,
        step=step,
        publish_step=exact_text(Fraction(step) * ratio),
        radices=radices,
        allow_exact=ratio == 1,
        blank_allowed=blank,
    )


@st.composite
def encodings(draw: st.DrawFn, grids: Sequence[tuple[str, str]] = tuple(GRIDS)) -> FigureEncoding:
    radices = draw(st.sampled_from(RADICES))
    levels = [d for d in range(1, len(radices)) if prod(radices[d:]) % 2 == 0]
    published = draw(st.sampled_from([None, *levels]))
    return number(radices, published=published, blank=draw(st.booleans()), grid=draw(st.sampled_from(grids)))


@st.composite
def columns(draw: st.DrawFn, encoding: FigureEncoding, count: int) -> Column:
    """Figures as an honest client encodes them (u >= half): ties, ends of the range, blanks, all equal."""
    low, top = encoding.half, encoding.size - 1
    figure = st.one_of(st.integers(low, top), st.sampled_from([low, top, (low + top) // 2]))
    shape = draw(st.sampled_from(["any", "any", "equal", "few"]))
    if shape == "equal":
        values: list[int | None] = [draw(figure)] * count
    else:
        values = draw(st.lists(figure, min_size=count, max_size=count))
        if shape == "few":
            values = [values[i % 2] for i in range(count)]
    if encoding.blank_allowed:
        blanks = draw(st.sets(st.integers(0, count - 1), max_size=count // 2))
        values = [None if i in blanks else u for i, u in enumerate(values)]
    return encoding, values


def matrix_of(table: Mapping[str, Column]) -> list[list[int]]:
    """What the members share, element by element: (L, n)."""
    rows: list[list[int]] = []
    for encoding, values in table.values():
        rows += [list(row) for row in zip(*(encoding.indicators(u) for u in values), strict=True)]
    return rows


def records_of(table: Mapping[str, Column], share: Share) -> Records:
    """As a worker has them: with the derived rows, and nobody may write to them."""
    shares = share(matrix_of(table)).values
    encodings = [encoding for encoding, _ in table.values()]
    columns = np.concatenate([shares, *derive_rows(shares, encodings, shares.shape[1])])
    columns.setflags(write=False)
    return arrange(columns, list(zip(table, encodings, strict=True)))


def ask(
    setting: Setting,
    table: Mapping[str, Column],
    requests: Sequence[CellRequest],
    masks: Mapping[str, PublicMask] | None = None,
    siblings: Sequence[CellRequest] = (),
) -> tuple[list[CellOutcome], Ran]:
    """Answer `requests`; groups default to "all"."""
    count = len(next(iter(table.values()))[1])
    selected = {
        name: mask.copy() for name, mask in (masks or {"all": np.ones(count, dtype=np.uint8)}).items()
    }
    for mask in selected.values():
        mask.setflags(write=False)

    async def computation(engine: Engine, share: Share) -> Any:
        return await answer_query(engine, records_of(table, share), selected, requests, siblings)

    found, ran = setting.run(computation)
    for engine in ran.engines:
        assert {o.label for o in engine.openings if not o.part_of_answer} <= UNIFORM
    return found, ran


def opened(ran: Ran) -> list[tuple[str, list[int]]]:
    """What was opened as part of the answer, by label, which every party saw alike."""
    every = [
        [(o.label, list(o.values)) for o in engine.openings if o.part_of_answer] for engine in ran.engines
    ]
    assert all(other == every[0] for other in every)
    return every[0]


def figures(table: Mapping[str, Column], *names: str, mask: Any = None) -> list[tuple[Fraction, ...]]:
    """The figures of the records that gave all of `names`, for the plain calculation."""
    rows = zip(*(table[name][1] for name in names), strict=True)
    return [
        tuple(table[name][0].decode(u) for name, u in zip(names, row, strict=True) if u is not None)
        for index, row in enumerate(rows)
        if None not in row and (mask is None or mask[index])
    ]


def to_grid(value: Fraction, grid: Fraction) -> Fraction:
    """Rounded to a multiple of `grid`, ties up."""
    return grid * (value / grid + Fraction(1, 2)).__floor__()


def wide_openings(label: str, totals: Sequence[tuple[int, int]]) -> list[tuple[str, list[int]]]:
    """What `reveal_wide` opens, from the totals alone: pairs of total and number of limbs."""
    simulated = []
    for position in range(max((limbs for _, limbs in totals), default=1) - 1):
        low = [total >> 16 * position & 0xFFFF for total, limbs in totals if limbs > position + 1]
        simulated.append((f"{label}: limb {position}", low))
    tops = [total >> 16 * (limbs - 1) for total, limbs in totals]
    return [*simulated, (f"{label}: top", tops)] if totals else []
