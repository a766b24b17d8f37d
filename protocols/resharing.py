"""Resharing: from degree 2t to degree t with one element a product and party at t = 1.

Gennaro, Rabin, Rabin (PODC 1998), compressed: dealer i deals its share z_i with the polynomial f_i of degree t
that is z_i at 0 and whose values at the next t session parties in cyclic order are a keystream that i shares
with each of them. Only the other m' - 1 - t parties get a message. New share of j: sum_i lambda_i f_i(x_j),
lambda the Lagrange coefficients at 0 over the session's points.

Keys are per direction (K[i->j] chosen by i). With one key per pair used both ways a third party would see
z_i and z_j masked with the same keystream and learn a linear relation of the two.

What a party learns: nothing; it sees values of fresh degree-t polynomials at its own point.
Cost: one round, m' - 1 - t elements sent per element.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from protocols import field as fp
from protocols import kernels
from protocols.session_keys import JobKeys


class Resharing:
    """One party's part in resharing within a session; holds public coefficients only."""

    def __init__(self, session: tuple[int, ...], me: int, threshold: int) -> None:
        self._session = session
        self._me = me
        self._threshold = threshold
        self._lambdas = dict(zip(session, fp.lagrange_coefficients([i + 1 for i in session], 0), strict=True))

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
        self, values: fp.FieldVector, job_keys: JobKeys, operation: int
    ) -> tuple[fp.FieldVector, dict[int, bytes]]:
        """My polynomial's value at my own point, and the message to each messaged receiver."""
        keyed = self.keyed_receivers(self._me)
        known = np.stack([values, *(job_keys.resharing_out(peer, operation, len(values)) for peer in keyed)])
        nodes = [0, *(peer + 1 for peer in keyed)]

        def at(point: int) -> fp.FieldVector:
            coefficients = fp.from_ints(fp.lagrange_coefficients(nodes, point))
            value: fp.FieldVector = kernels.linear_combination(known, coefficients)
            return value

        messages = {peer: fp.to_bytes(at(peer + 1)) for peer in self.messaged_receivers(self._me)}
        return at(self._me + 1), messages

    def combine(
        self,
        own: fp.FieldVector,
        received: Mapping[int, fp.FieldVector],
        job_keys: JobKeys,
        operation: int,
    ) -> fp.FieldVector:
        """My new share of degree t from my own value, the messages, and the keystreams of the others."""
        values = []
        for dealer in self._session:
            if dealer == self._me:
                values.append(own)
            elif dealer in received:
                values.append(received[dealer])
            else:
                values.append(job_keys.resharing_in(dealer, operation, len(own)))
        coefficients = fp.from_ints(self._lambdas[dealer] for dealer in self._session)
        combined: fp.FieldVector = kernels.linear_combination(np.stack(values), coefficients)
        return combined
