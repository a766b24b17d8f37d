"""From seeds to shares, from shares to values, and the check that shares lie on the promised degree.

For engines, a party's column builder, and a member who opens what was computed for it alone; the gateway
has no way to import it. Points are party index + 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from protocols import field as fp
from protocols.errors import OutOfRange, SharesDisagree
from protocols.sharing import Seed, subsets_of_party

Combine = Callable[[fp.FieldVector, fp.FieldVector], fp.FieldVector]
"""The sum over rows r of c[r] v[r], (n,), from vectors (k, n) and coefficients (k,)."""


def subset_polynomial_at(subset: Sequence[int], point: int) -> int:
    """f_T(point): of degree t, 1 at 0, 0 at the points of T = `subset` (party indices)."""
    value = 1
    for index in subset:
        value = value * (index + 1 - point) % fp.P * fp.inverse(index + 1) % fp.P
    return value


def party_share(
    correction: fp.FieldVector, seeds: Sequence[Seed], *, m: int, t: int, party: int
) -> fp.FieldVector:
    """Party's share (L,) of a submission, from the correction and its own seeds in order of their subsets."""
    own = subsets_of_party(m, t, party)
    if len(seeds) != len(own):
        raise OutOfRange(f"party {party} holds {len(own)} seeds of a submission, not {len(seeds)}")
    share = correction
    for subset, seed in zip(own, seeds, strict=True):
        factor = np.array(subset_polynomial_at(subset, party + 1), dtype=np.uint64)
        share = fp.add(share, fp.multiply(seed.expand(len(correction)), factor))
    return share


def _combined(vectors: fp.FieldVector, coefficients: fp.FieldVector) -> fp.FieldVector:
    return fp.total(fp.multiply(vectors, coefficients[:, np.newaxis]))


def reconstruct(
    points: Sequence[int], shares: fp.FieldVector, degree: int, combine: Combine = _combined
) -> fp.FieldVector:
    """The values at 0, shape (n,), from shares (k, n) at `points`: uses the first degree + 1, checks nothing.

    `combine`: as `kernels.linear_combination`, for who has it. Raises OutOfRange for fewer shares than that.
    """
    if len(points) <= degree:
        raise OutOfRange(f"degree {degree} needs {degree + 1} shares, there are {len(points)}")
    return combine(shares[: degree + 1], _coefficients(points[: degree + 1], 0))


def verify_degree(
    points: Sequence[int], shares: fp.FieldVector, degree: int, combine: Combine = _combined
) -> None:
    """Returns if all shares (k, n) lie on polynomials of `degree`. Raises SharesDisagree.

    Nobody is named: below 3t + 1 shares it cannot be told who deviated. Raises OutOfRange where there is no
    share too many, since nothing would be checked.
    """
    if len(points) <= degree + 1:
        raise OutOfRange(f"{len(points)} shares cannot show whether they lie on degree {degree}")
    for position in range(degree + 1, len(points)):
        at_point = _coefficients(points[: degree + 1], points[position])
        predicted = combine(shares[: degree + 1], at_point)
        if not np.array_equal(predicted, shares[position]):
            raise SharesDisagree("shares disagree: some party sent a wrong share of an opened value")


@cache
def _cached(points: tuple[int, ...], at: int) -> fp.FieldVector:
    coefficients = fp.from_ints(fp.lagrange_coefficients(points, at))
    coefficients.flags.writeable = False
    return coefficients


def _coefficients(points: Sequence[int], at: int) -> fp.FieldVector:
    return _cached(tuple(points), at)
