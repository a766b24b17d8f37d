"""The oracle: the same computations on plain numbers, with nobody to talk to.

It enforces what the party engine enforces (degrees, bounds), so a computation that is wrong about them fails
here first. Comparisons are computed, not simulated. Randomness is scripted, since nothing here is secret.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from protocols import field as fp
from protocols.engine import Engine, Shared
from protocols.errors import ProtocolMisuse
from protocols.randomness import Randomness


@dataclass(slots=True)
class CleartextEngine(Engine):
    """Plain integers mod p behind the interface of `Engine`."""

    randomness: Randomness
    job_id: bytes = b"\x00" * 32

    async def reshare(self, value: Shared) -> Shared:
        if value.degree != 2:
            raise ProtocolMisuse("only a value of degree 2t needs resharing")
        self.counts.multiplications += value.values.size
        return Shared(value.values)

    async def open(self, value: Shared, label: str, *, part_of_answer: bool = False) -> fp.FieldVector:
        if value.values.ndim != 1:
            raise ProtocolMisuse("an opening takes a one-dimensional value")
        opened = value.values.copy()
        await self._note_opening(label, opened, part_of_answer)
        return opened

    async def random(self, count: int) -> Shared:
        words = np.frombuffer(self.randomness.random_bytes(8 * count), dtype="<u8") & np.uint64(fp.P)
        return Shared(np.where(words == fp.P, np.uint64(0), words).astype(np.uint64))

    async def random_bits(self, count: int) -> Shared:
        self.counts.random_bits += count
        return Shared((await self.random(count)).values & np.uint64(1))

    async def coin(self, purpose: bytes) -> bytes:
        opened = await self.open(await self.random(1), "coin")
        return hashlib.sha256(
            b"mpc-cde/coin/v1\x00" + self.job_id + hashlib.sha256(purpose).digest() + fp.to_bytes(opened)
        ).digest()

    async def at_least_zero(self, values: Shared) -> Shared:
        return Shared(self._compare(values).astype(np.uint64))

    async def reveal_at_least_zero(self, values: Shared, label: str) -> NDArray[np.bool_]:
        answer = self._compare(values)
        await self._note_opening(label, answer.astype(np.uint64), True)
        return answer

    def _compare(self, values: Shared) -> NDArray[np.bool_]:
        self.counts.comparisons += len(values)
        plain = [fp.to_signed(int(value)) for value in values.values]
        return np.array([value >= 0 for value in plain], dtype=np.bool_)
