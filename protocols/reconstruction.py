"""From seeds to shares, from shares to values, and the check that shares lie on the promised degree.

For engines, a party's column builder, and a member who opens what was computed for it alone; the gateway
has no way to import it. Points are party index + 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protocols import field as fp
from protocols.errors import OutOfRange, SharesDisagree
from protocols.sharing import Seed, subsets_of_party


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


def reconstruct(points: Sequence[int], shares: fp.FieldVector, degree: int) -> fp.FieldVector:
    """The values at 0, shape (n,), from shares (k, n) at `points`: uses the first degree + 1, checks nothing.

    Raises OutOfRange for fewer shares than that.
    """
    if len(points) <= degree:
        raise OutOfRange(f"degree {degree} needs {degree + 1} shares, there are {len(points)}")
    return _combine(points[: degree + 1], shares[: degree + 1], 0)


def verify_degree(points: Sequence[int], shares: fp.FieldVector, degree: int) -> None:
    """Returns if all shares (k, n) lie on polynomials of `degree`. Raises SharesDisagree.

    Nobody is named: below 3t + 1 shares it cannot be told who deviated. Raises OutOfRange where there is no
    share too many, since nothing would be checked.
    """
    if len(points) <= degree + 1:
        raise OutOfRange(f"{len(points)} shares cannot show whether they lie on degree {degree}")
    for position in range(degree + 1, len(points)):
        predicted = _combine(points[: degree + 1], shares[: degree + 1], points[position])
        if not np.array_equal(predicted, shares[position]):
            raise SharesDisagree("shares disagree: some party sent a wrong share of an opened value")


def _combine(points: Sequence[int], shares: fp.FieldVector, at: int) -> fp.FieldVector:
    total = np.zeros(shares.shape[1], dtype=np.uint64)
    for coefficient, share in zip(fp.lagrange_coefficients(points, at), shares, strict=True):
        total = fp.add(total, fp.multiply(share, np.array(coefficient, dtype=np.uint64)))
    return total
