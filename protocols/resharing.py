"""Resharing: from degree 2t to degree t with one element a product and party at t = 1.

Gennaro, Rabin, Rabin (PODC 1998), compressed: dealer i deals lambda_i z_i, its share times the Lagrange coefficient
at 0 over the session's points, with the polynomial f_i of degree t that is lambda_i z_i at 0 and whose values at the
next t session parties in cyclic order, x_1 .. x_t, are multiples of keystreams W_1 .. W_t that i shares with each of
them. Only the other m' - 1 - t parties get a message. New share of j: sum_i f_i(x_j).

A keystream is uniform, and so is its multiple by a number that is not 0; with c_k = x_k prod_{l != k} (x_k - x_l) all
else is small whole numbers, so that one product a value is left of the constants, z_i lambda_i / prod x_k = v:

    f_i(x_k) = c_k W_k         f_i(x) = v prod_k (x_k - x) + sum_k W_k x prod_{l != k} (x - x_l)

Keys are per direction (K[i->j] chosen by i). With one key per pair used both ways a third party would see
z_i and z_j masked with the same keystream and learn a linear relation of the two.

What a party learns: nothing; it sees values of fresh degree-t polynomials at its own point.
Cost: one round, m' - 1 - t elements sent per element.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from protocols import field as fp
from protocols import kernels
from protocols.errors import MalformedMessage
from protocols.keystream import buffer_bytes
from protocols.session_keys import JobKeys

BLOCK = 1 << 15
"""Elements at a time: a block of everything that a step touches stays in the second-level cache."""


class Blocks(Protocol):
    """A vector of degree-2t values, whole or made as it is read."""

    def __len__(self) -> int: ...

    def blocks(self) -> Iterator[tuple[int, fp.FieldVector]]:
        """Pieces of at most BLOCK elements in order, each with its place; one is valid until the next."""
        ...


class Whole:
    """A vector (n,) that is there."""

    def __init__(self, values: fp.FieldVector) -> None:
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    def blocks(self) -> Iterator[tuple[int, fp.FieldVector]]:
        for start in range(0, len(self), BLOCK):
            yield start, self._values[start : start + BLOCK]


class Products:
    """The elementwise products of pairs of vectors, one pair after another: never there as a whole."""

    def __init__(self, pairs: Sequence[tuple[fp.FieldVector, fp.FieldVector]]) -> None:
        self._pairs = pairs

    def __len__(self) -> int:
        return sum(len(first) for first, _ in self._pairs)

    def blocks(self) -> Iterator[tuple[int, fp.FieldVector]]:
        place, room = 0, np.empty(min(BLOCK, len(self)), dtype=np.uint64)
        for first, second in self._pairs:
            for start in range(0, len(first), BLOCK):
                block = room[: min(BLOCK, len(first) - start)]
                kernels.multiply_block(first, second, start, block)
                yield place, block
                place += len(block)


class Resharing:
    """One party's part in resharing within a session; holds public coefficients only."""

    def __init__(self, session: tuple[int, ...], me: int, threshold: int) -> None:
        self._session = session
        self._me = me
        self._threshold = threshold
        self._dealing = self._dealt()
        self._keyed_multiples = {
            dealer: self._keyed_multiple(dealer)
            for dealer in session
            if dealer != me and me in self.keyed_receivers(dealer)
        }

    def keyed_receivers(self, dealer: int) -> tuple[int, ...]:
        """The t parties after `dealer` in cyclic order: they compute their value from a keystream."""
        start = self._session.index(dealer)
        size = len(self._session)
        return tuple(self._session[(start + step) % size] for step in range(1, self._threshold + 1))

    def messaged_receivers(self, dealer: int) -> tuple[int, ...]:
        """The parties to which `dealer` sends its polynomial's value."""
        keyed = self.keyed_receivers(dealer)
        return tuple(party for party in self._session if party != dealer and party not in keyed)

    @property
    def senders(self) -> tuple[int, ...]:
        """The dealers whose message I receive."""
        return tuple(d for d in self._session if d != self._me and self._me in self.messaged_receivers(d))

    def deal(
        self, values: Blocks, job_keys: JobKeys, operation: int
    ) -> tuple[fp.FieldVector, dict[int, memoryview]]:
        """My own part of my new share, f_me(x_me), and the message to each messaged receiver."""
        keyed, messaged = self.keyed_receivers(self._me), self.messaged_receivers(self._me)
        streams = [job_keys.words_out(peer, operation) for peer in keyed]
        factor, coefficients = self._dealing
        dealt = np.empty((len(coefficients), len(values)), dtype=np.uint64)
        buffers = [bytearray(buffer_bytes(min(BLOCK, len(values)))) for _ in keyed]
        for start, block in values.blocks():
            words = [
                stream.read_into(buffer, len(block)) for stream, buffer in zip(streams, buffers, strict=True)
            ]
            rows = words[0][np.newaxis, :] if len(words) == 1 else np.stack(words)
            kernels.deal_block(block, rows, factor, coefficients, dealt, start)
        messages = dict(zip(messaged, (fp.view_bytes(row) for row in dealt[1:]), strict=True))
        return dealt[0], messages

    def combine(
        self,
        own: fp.FieldVector,
        received: Mapping[int, Sequence[NDArray[np.uint64]]],
        job_keys: JobKeys,
        operation: int,
    ) -> fp.FieldVector:
        """My new share of degree t from my own part, the messages, and the keystreams of the others.

        A message comes in pieces. `own` is used up. Raises MalformedMessage, naming the dealer, for an element of
        p or more.
        """
        share, buffer = own, bytearray(buffer_bytes(min(BLOCK, len(own))))
        streams = {
            dealer: job_keys.words_in(dealer, operation)
            for dealer in self._session
            if dealer != self._me and dealer not in received
        }
        for dealer, pieces in received.items():
            place = 0
            for part in _parts(pieces):
                block = share[place : place + len(part)]
                if not kernels.add_message(block, part):
                    raise MalformedMessage(f"party {dealer}: expected numbers below p", peer=dealer)
                for other, stream in streams.items():  # with the first message: the block is in the cache
                    words = stream.read_into(buffer, len(block))
                    kernels.add_words(block, self._keyed_multiples[other], words)
                place += len(part)
            streams = {}
        return share

    def _keyed_points(self, dealer: int) -> tuple[int, ...]:
        return tuple(peer + 1 for peer in self.keyed_receivers(dealer))

    def _dealt(self) -> tuple[int, fp.FieldVector]:
        """What my values are multiplied by, and the rows (1 + messaged, 1 + t) of small coefficients: mine first."""
        keyed = self._keyed_points(self._me)
        points = (self._me + 1, *(peer + 1 for peer in self.messaged_receivers(self._me)))
        at_0 = fp.lagrange_coefficients([i + 1 for i in self._session], 0)[self._session.index(self._me)]
        rows = [
            fp.from_ints(
                [
                    prod(other - x for other in keyed),
                    *(x * prod(x - other for other in keyed if other != one) for one in keyed),
                ]
            )
            for x in points
        ]
        return at_0 * fp.inverse(prod(keyed)) % fp.P, np.stack(rows)

    def _keyed_multiple(self, dealer: int) -> int:
        """What I multiply `dealer`'s keystream by."""
        mine, others = self._me + 1, self._keyed_points(dealer)
        return mine * prod(mine - other for other in others if other != mine)


def _parts(pieces: Sequence[NDArray[np.uint64]]) -> Iterator[NDArray[np.uint64]]:
    """The pieces of a message, none longer than BLOCK."""
    for piece in pieces:
        for start in range(0, len(piece), BLOCK):
            yield piece[start : start + BLOCK]
