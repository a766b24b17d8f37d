"""One party's engine: Shamir shares of degree t among exactly 2t + 1 session parties (protocol.md section 3).

What a party learns: the values that are opened, which are masked or part of the answer, and nothing else as
long as at most t parties pool what they saw. Security is passive: a party that deviates can shift a result by
an amount that it knows; openings of degree t detect shares that disagree, openings of degree 2t cannot.

Operation numbers are taken in program order, before the first await, and are the same at every party. They
enter every keystream together with the job's keys, so no keystream is ever used twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from protocols import comparison, effects, kernels, secret_randomness
from protocols import field as fp
from protocols.engine import Engine, Shared, concatenate, require_degree_t
from protocols.errors import MalformedMessage, PeerDeviation, ProtocolMisuse
from protocols.reconstruction import reconstruct, verify_degree
from protocols.resharing import Blocks, Products, Resharing, Whole
from protocols.session_keys import JobKeys

_HALF = fp.inverse(2)
MASKS_AHEAD = 1 << 14
"""Masks of comparisons at a time: 2.9 kB each, and more while they are made."""


@dataclass(slots=True)
class PartyEngine(Engine):
    """`session`: the 2t + 1 party indices, ascending; `me` one of them; `job_keys` fresh for this job."""

    session: tuple[int, ...]
    me: int
    threshold: int
    job_id: bytes
    job_keys: JobKeys
    _resharing: Resharing = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.session) != 2 * self.threshold + 1 or list(self.session) != sorted(set(self.session)):
            raise ProtocolMisuse(f"a session has exactly 2t + 1 parties in order, not {self.session}")
        if self.me not in self.session:
            raise ProtocolMisuse(f"party {self.me} is not in the session {self.session}")
        self._resharing = Resharing(self.session, self.me, self.threshold)

    @property
    def points(self) -> tuple[int, ...]:
        """The evaluation points of the session parties."""
        return tuple(index + 1 for index in self.session)

    @property
    def peers(self) -> tuple[int, ...]:
        return tuple(index for index in self.session if index != self.me)

    def _operation(self) -> int:
        number = self.counts.operations
        self.counts.operations = number + 1
        return number

    async def reshare(self, value: Shared) -> Shared:
        """One round; to each of m' - 1 - t parties 8 bytes an element; keystreams do the rest."""
        if value.degree != 2:
            raise ProtocolMisuse("only a value of degree 2t needs resharing")
        lowered = await self._lower(Whole(np.ascontiguousarray(value.values).ravel()))
        return Shared(lowered.reshape(value.values.shape))

    async def multiply_pairs(self, pairs: Sequence[tuple[Shared, Shared]]) -> list[Shared]:
        """As `reshare` of the products, which are made block by block while they are dealt."""
        require_degree_t(*(factor for pair in pairs for factor in pair))
        flat = [(first.values.reshape(-1), second.values.reshape(-1)) for first, second in pairs]
        lowered = await self._lower(Products(flat))
        found, place = [], 0
        for first, _ in pairs:
            size = first.values.size
            found.append(Shared(lowered[place : place + size].reshape(first.values.shape)))
            place += size
        return found

    async def _lower(self, values: Blocks) -> fp.FieldVector:
        operation = self._operation()
        count = len(values)
        self.counts.multiplications += count
        own, outgoing = self._resharing.deal(values, self.job_keys, operation)
        expected = dict.fromkeys(self._resharing.senders, count * fp.ELEMENT_BYTES)
        replies = await effects.exchange(outgoing, expected)
        received = {peer: _words(peer, payload, count) for peer, payload in replies.items()}
        return self._resharing.combine(own, received, self.job_keys, operation)

    async def open(self, value: Shared, label: str, *, part_of_answer: bool = False) -> fp.FieldVector:
        """One round; 8 bytes an element to every other party of the session."""
        opened = await self._opened(value)
        await self._note_opening(label, opened, part_of_answer)
        return opened

    async def _opened(self, value: Shared) -> fp.FieldVector:
        operation = self._operation()
        share = np.ascontiguousarray(value.values)
        if share.ndim != 1:
            raise ProtocolMisuse("an opening takes a one-dimensional value")
        if value.degree == 2:  # without this the opened polynomial factors and gives the secrets away
            share = fp.add(share, self._zero_shares(operation, share))
        payload = fp.to_bytes(share)
        replies = await effects.exchange(
            dict.fromkeys(self.peers, payload), {peer: len(payload) for peer in self.peers}
        )
        shares = np.stack(
            [
                share if index == self.me else _elements(index, replies[index], len(share))
                for index in self.session
            ]
        )
        if value.degree == 1:
            verify_degree(self.points, shares, self.threshold, kernels.linear_combination)
        return reconstruct(self.points, shares, value.degree * self.threshold, kernels.linear_combination)

    async def random(self, count: int) -> Shared:
        """PRSS; no communication."""
        return Shared(self._random_shares(self._operation(), count))

    def _random_shares(self, operation: int, count: int) -> fp.FieldVector:
        return secret_randomness.random_shares(
            self.job_keys, self.session, self.me, self.threshold, operation, count
        )

    def _zero_shares(self, operation: int, masked: fp.FieldVector) -> fp.FieldVector:
        return secret_randomness.zero_shares(
            self.job_keys, self.session, self.me, self.threshold, operation, len(masked)
        )

    async def random_bits(self, count: int) -> Shared:
        """b = (r / sqrt(r^2) + 1) / 2 for random r with r^2 opened: one round, 8 bytes a bit to each peer."""
        while True:
            r = await self.random(count)
            squares = await self.open(self.product(r, r), "random bits: r^2")
            if squares.all():
                break  # r = 0 has no sign; it happens once in 2^61 bits, and every party sees it
        roots = kernels.inverse_square_roots(squares)
        if (kernels.multiply(kernels.multiply(roots, roots), squares) != 1).any():
            raise PeerDeviation("an opened r^2 is no square: some party deviated")
        self.counts.random_bits += count
        return r.times(roots).plus(1).times(_HALF)

    async def coin(self, purpose: bytes) -> bytes:
        """Opens one random sharing of degree t, all shares checked; nobody can choose it."""
        opened = await self.open(await self.random(1), "coin")
        return hashlib.sha256(
            b"mpc-cde/coin/v1\x00" + self.job_id + hashlib.sha256(purpose).digest() + fp.to_bytes(opened)
        ).digest()

    async def prepare_comparisons(self, count: int) -> None:
        """Three rounds for any count; 61 random bits and 166 products a comparison.

        Beyond MASKS_AHEAD none are made ahead: a batch that needs more makes them as it goes, three rounds each time.
        """
        wanted = min(count, MASKS_AHEAD)
        while (missing := wanted - (len(self._masks) if self._masks else 0)) > 0:
            fresh = await comparison.make_masks(self, missing)  # meanwhile others may have taken some
            self._masks = self._masks.joined(fresh) if self._masks else fresh

    async def at_least_zero(self, values: Shared) -> Shared:
        negative = await self.reshare(await self._negative(values))
        return (-negative).plus(1)

    async def reveal_at_least_zero(self, values: Shared, label: str) -> NDArray[np.bool_]:
        negative = await self._opened(await self._negative(values))
        if (negative > 1).any():
            raise PeerDeviation(f"an opened comparison is not a bit ({label}): some party deviated")
        answer: NDArray[np.bool_] = negative == 0
        await self._note_opening(label, answer.astype(np.uint64), True)
        return answer

    async def _negative(self, values: Shared) -> Shared:
        starts = range(0, max(len(values), 1), MASKS_AHEAD)
        return concatenate([await self._negative_of(values[start : start + MASKS_AHEAD]) for start in starts])

    async def _negative_of(self, values: Shared) -> Shared:
        await self.prepare_comparisons(len(values))
        if self._masks is None:
            raise ProtocolMisuse("no comparison masks")
        masks = self._masks.take(len(values))
        return await comparison.negative_before_last_product(self, values, masks)


def _words(peer: int, payload: effects.Payload, count: int) -> list[NDArray[np.uint64]]:
    """The words in a payload, piece by piece."""
    pieces = effects.pieces_of(payload)
    found = sum(map(len, pieces))
    if found != count * fp.ELEMENT_BYTES or any(len(piece) % fp.ELEMENT_BYTES for piece in pieces):
        raise MalformedMessage(
            f"party {peer}: expected {count} elements of {fp.ELEMENT_BYTES} bytes, found {found} bytes",
            peer=peer,
        )
    return [fp.view_words(piece, len(piece) // fp.ELEMENT_BYTES) for piece in pieces if len(piece)]


def _elements(peer: int, payload: effects.Payload, count: int) -> fp.FieldVector:
    try:
        return fp.from_bytes(effects.whole(payload), count)
    except PeerDeviation as error:
        raise type(error)(f"party {peer}: {error}", peer=peer) from None
