"""Shared randomness without communication (Cramer, Damgard, Ishai, TCC 2005): PRSS and PRZS.

Every (t + 1)-subset A of the session has a key and f_A, the polynomial of degree t that is 1 at 0 and 0 at
the points of the t parties outside A. For an operation number

    random sharing   sum over A of PRF(A)[0] f_A(x)                           degree t, uniform at 0
    sharing of zero  sum over A, i = 1 .. t of PRF(A)[i] x^i f_A(x)           degree 2t, zero at 0

and party j evaluates at x_j what it has keys for, since f_A(x_j) = 0 for the others. Points are index + 1, so
a session may have gaps. Term i of a sharing of zero reads elements (i - 1) count .. i count - 1 of the stream.

What a party learns: nothing; t parties together lack the key of one subset, whose stream is uniform to them.
For them a sharing of zero of degree 2t is uniform among those that vanish at 0 and fit what they hold.
Cost: C(2t, t) keystreams of `count` (zero: t count) elements, no round.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from protocols import field as fp
from protocols import kernels
from protocols.session_keys import JobKeys, Subset, key_subsets


def random_shares(
    job_keys: JobKeys, session: Sequence[int], me: int, threshold: int, operation: int, count: int
) -> fp.FieldVector:
    """My shares of `count` uniform elements that nobody knows: degree t, shape (count,)."""
    shares = np.zeros(count, dtype=np.uint64)
    for subset, coefficient in _coefficients(tuple(session), threshold, me):
        kernels.axpy(shares, coefficient, job_keys.random_stream(subset, operation, count))
    return shares


def zero_shares(
    job_keys: JobKeys, session: Sequence[int], me: int, threshold: int, operation: int, count: int
) -> fp.FieldVector:
    """My shares of `count` zeros: degree 2t, shape (count,)."""
    shares = np.zeros(count, dtype=np.uint64)
    for subset, coefficient in _coefficients(tuple(session), threshold, me):
        terms = job_keys.zero_stream(subset, operation, threshold * count).reshape(threshold, count)
        for power, term in enumerate(terms, start=1):
            kernels.axpy(shares, coefficient * (me + 1) ** power, term)
    return shares


@cache
def _coefficients(session: tuple[int, ...], threshold: int, me: int) -> tuple[tuple[Subset, int], ...]:
    """The subsets whose keys I hold, each with f_A at my point."""
    return tuple(
        (subset, subset_coefficient(subset, session, me))
        for subset in key_subsets(session, threshold)
        if me in subset
    )


def subset_coefficient(subset: Subset, session: Sequence[int], party: int) -> int:
    """f_A(x_party) mod p for A = `subset` of the session."""
    outside = [0, *(other + 1 for other in session if other not in subset)]
    return fp.lagrange_coefficients(outside, party + 1)[0]
