"""Placing a shared number on a public grid: the largest k with V >= k W, found by an opened search.

Digit by digit in base 16: the 15 bits [V - k W >= 0] of a step are opened, for all numbers together. Each bit is a
function of the answer k (it is 1 exactly up to k), so whoever knows the answer could have written what was opened
(`opened_bits`). The step W may itself be shared: a ratio is placed that way without its parts being opened.

What a party learns: k. Cost: 15 comparisons a step; rounds: 3 for the masks, then 5 a step, however many numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from protocols import field as fp
from protocols.engine import Engine, Shared, concatenate, require_bounded
from protocols.errors import OutOfRange, PeerDeviation

BASE = 16


@dataclass(frozen=True, slots=True)
class Place:
    """V (1,) and W (1,), shared, W > 0; k lies in 0 .. count - 1. `bound`: |V - k W| stays below it, in public."""

    value: Shared
    step: Shared
    count: int
    bound: int

    def __post_init__(self) -> None:
        if self.count < 1:
            raise OutOfRange("a grid has at least one point")
        require_bounded(self.bound)

    @property
    def digits(self) -> int:
        """How many steps the search takes."""
        digits, points = 0, 1
        while points < self.count:
            digits, points = digits + 1, points * BASE
        return digits

    @property
    def comparisons(self) -> int:
        """How many the search takes at most."""
        return sum(len(_candidates(self, 0, step)) for step in range(self.digits))


def public_step(value: int) -> Shared:
    """A public W as a sharing."""
    return Shared(np.array([value % fp.P], dtype=np.uint64))


async def locate(engine: Engine, places: Sequence[Place], label: str) -> list[int]:
    """The largest k in range with V >= k W, of each place; 0 where even V < W."""
    found = [0] * len(places)
    steps = max((place.digits for place in places), default=0)
    await engine.prepare_comparisons(sum(place.comparisons for place in places))
    for step in range(steps):
        candidates = [_candidates(place, known, step) for place, known in zip(places, found, strict=True)]
        asked = [index for index, own in enumerate(candidates) if own]
        if not asked:
            continue
        compared = concatenate([_differences(places[index], candidates[index]) for index in asked])
        bits = await engine.reveal_at_least_zero(compared, f"{label}: step {step}")
        offset = 0
        for index in asked:
            own = bits[offset : offset + len(candidates[index])]
            offset += len(own)
            found[index] = _advance(found[index], candidates[index], own)
    return found


def opened_bits(place: Place, answer: int, step: int) -> list[bool]:
    """What `locate` opens at `step` for one place, from the answer alone."""
    known = 0
    for earlier in range(step):
        known = max([known, *(k for k in _candidates(place, known, earlier) if k <= answer)])
    return [k <= answer for k in _candidates(place, known, step)]


def _candidates(place: Place, known: int, step: int) -> list[int]:
    """The k that are compared at a step, when all up to `known` is decided; none where the search is over."""
    if step >= place.digits:
        return []
    stride = BASE ** (place.digits - 1 - step)
    return [k for j in range(1, BASE) if (k := known + j * stride) < place.count]


def _differences(place: Place, candidates: Sequence[int]) -> Shared:
    factors = fp.from_ints(candidates)
    steps = Shared(np.repeat(place.step.values, len(candidates)), place.step.degree).times(factors)
    return Shared(np.repeat(place.value.values, len(candidates)), place.value.degree) - steps


def _advance(known: int, candidates: Sequence[int], bits: NDArray[np.bool_]) -> int:
    if (~bits[:-1] & bits[1:]).any():
        raise PeerDeviation("a search whose answers go up and down was opened: some party deviated")
    reached = int(bits.sum())
    return candidates[reached - 1] if reached else known
