"""Interpolation and the degree check, over polynomials written out with Python's integers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols import field as fp
from protocols.errors import OutOfRange, SharesDisagree
from protocols.reconstruction import reconstruct, verify_degree

elements = st.one_of(st.integers(0, fp.P - 1), st.sampled_from([0, 1, fp.P - 1]))
polynomials = st.lists(st.lists(elements, min_size=3, max_size=3), min_size=1, max_size=5)
POINTS = [1, 3, 4, 6, 7]


def values_at(coefficients: list[list[int]], points: list[int]) -> fp.FieldVector:
    return np.array(
        [[sum(c * x**k for k, c in enumerate(row)) % fp.P for row in coefficients] for x in points],
        dtype=np.uint64,
    )


@settings(max_examples=40, deadline=None)
@given(coefficients=polynomials)
def test_shares_of_the_degree_pass_and_reconstruct_the_constant_terms(coefficients: list[list[int]]) -> None:
    shares = values_at(coefficients, POINTS)
    verify_degree(POINTS, shares, 2)
    assert reconstruct(POINTS, shares, 2).tolist() == [row[0] for row in coefficients]


@settings(max_examples=40, deadline=None)
@given(
    coefficients=polynomials,
    party=st.integers(0, 4),
    position=st.integers(0, 4),
    error=st.integers(1, fp.P - 1),
)
def test_one_wrong_share_of_one_value_is_noticed_whoever_sent_it(
    coefficients: list[list[int]], party: int, position: int, error: int
) -> None:
    shares = values_at(coefficients, POINTS)
    column = position % shares.shape[1]
    shares[party, column] = (int(shares[party, column]) + error) % fp.P
    with pytest.raises(SharesDisagree) as caught:
        verify_degree(POINTS, shares, 2)
    assert caught.value.peer is None


def test_disagreement_is_reported_without_a_share() -> None:
    shares = values_at([[123456789, 987654321, 0]], POINTS)
    shares[4, 0] += np.uint64(1)
    with pytest.raises(SharesDisagree) as caught:
        verify_degree(POINTS, shares, 1)
    assert not any(str(share) in str(caught.value) for share in shares[:, 0].tolist())


def test_a_higher_degree_is_noticed() -> None:
    shares = values_at([[5, 1, 1]], POINTS)
    with pytest.raises(SharesDisagree):
        verify_degree(POINTS, shares, 1)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_check_without_a_share_too_many_is_refused(count: int) -> None:
    with pytest.raises(OutOfRange):
        verify_degree(POINTS[:count], values_at([[1, 2, 3]], POINTS[:count]), 2)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_shares_are_refused(count: int) -> None:
    with pytest.raises(OutOfRange):
        reconstruct(POINTS[:count], values_at([[1, 2, 3]], POINTS[:count]).reshape(count, 1), 2)
