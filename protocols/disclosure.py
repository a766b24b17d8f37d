"""Disclosure control: what must hold before anything opens (protocol.md section 7, rules.md).

The minimum is checked inside, as one bit a cell; where it passes N opens and is published. The rules about ranks
are functions of the open N: they are in ranks.py.

What a party learns of a cell that fails: that it fails.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protocols.engine import Engine, Shared, concatenate
from protocols.errors import PeerDeviation


async def reach_minimum(
    engine: Engine, numbers: Sequence[Shared | int], minimums: Sequence[int]
) -> list[bool]:
    """For each group [N >= minimum]: in the clear where N is public, else one opened bit. Rounds: 3 + 5."""
    found = [
        isinstance(number, int) and number >= minimum
        for number, minimum in zip(numbers, minimums, strict=True)
    ]
    secret = [index for index, number in enumerate(numbers) if isinstance(number, Shared)]
    if secret:
        counts = concatenate([_shared(numbers[index]) for index in secret])
        floors = np.array([minimums[index] for index in secret], dtype=np.uint64)
        enough = await engine.reveal_at_least_zero(
            counts - Shared(floors), "disclosure: contributors >= minimum"
        )
        for index, passes in zip(secret, enough, strict=True):
            found[index] = bool(passes)
    return found


async def reveal_contributors(engine: Engine, numbers: Sequence[Shared | int]) -> list[int]:
    """N of each group that is published, opened where it is not public anyway: one round."""
    secret = [number for number in numbers if isinstance(number, Shared)]
    opened = iter(await engine.reveal(concatenate(secret), "contributors") if secret else ())
    return [number if isinstance(number, int) else int(next(opened)) for number in numbers]


async def reveal_bits(engine: Engine, bits: Sequence[Shared], label: str) -> list[bool]:
    """Open shared verdicts (1,), in one round. Raises PeerDeviation if one is no bit."""
    if not bits:
        return []
    opened = await engine.reveal(concatenate(bits), label)
    if (opened > 1).any():
        raise PeerDeviation(f"an opened verdict is not a bit ({label}): some party deviated")
    return [bool(bit) for bit in opened]


def _shared(presence: Shared | int) -> Shared:
    if isinstance(presence, int):
        raise TypeError("a public count needs no protocol")
    return presence
