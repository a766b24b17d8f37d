"""PRSS and PRZS: consistent, of the promised degree, zero where promised, and unknown to t parties."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from protocols import field as fp
from protocols.randomness import ScriptedRandomness
from protocols.reconstruction import reconstruct, verify_degree
from protocols.secret_randomness import random_shares, subset_coefficient, zero_shares
from protocols.session_keys import JobKeys, establish_locally, key_subsets

SESSIONS = [
    ((0, 1, 2), 1),
    ((0, 2, 3), 1),
    ((1, 2, 4), 1),
    ((0, 1, 2, 3, 4), 2),
    ((0, 2, 3, 5, 6), 2),
    ((0, 1, 2, 3, 4, 5, 6), 3),
]
every_session = pytest.mark.parametrize(("session", "t"), SESSIONS)
COUNT = 40


def job_keys_of(session: tuple[int, ...], t: int) -> dict[int, JobKeys]:
    keys = establish_locally(session, t, ScriptedRandomness(b"streams"))
    return {party: keys[party].for_job(b"\x01" * 32) for party in session}


def points_of(session: tuple[int, ...]) -> list[int]:
    return [party + 1 for party in session]


def coefficient(session: tuple[int, ...], shares: fp.FieldVector, power: int) -> list[int]:
    """The coefficients of x^power of the polynomials through all shares, by solving for them."""
    points = points_of(session)
    basis = []
    for i, own in enumerate(points):
        polynomial, scale = [1], 1
        for j, other in enumerate(points):
            if i != j:
                shifted = [0, *polynomial]
                polynomial = [(a - other * b) % fp.P for a, b in zip(shifted, [*polynomial, 0], strict=True)]
                scale = scale * (own - other) % fp.P
        basis.append(polynomial[power] * fp.inverse(scale) % fp.P)
    columns = zip(*shares.tolist(), strict=True)
    return [sum(b * y for b, y in zip(basis, column, strict=True)) % fp.P for column in columns]


@every_session
def test_random_shares_lie_on_degree_exactly_t_and_their_values_differ(
    session: tuple[int, ...], t: int
) -> None:
    jobs = job_keys_of(session, t)
    shares = np.stack([random_shares(jobs[i], session, i, t, 3, COUNT) for i in session])
    verify_degree(points_of(session), shares, t)
    assert all(coefficient(session, shares, t))
    values = reconstruct(points_of(session), shares, t).tolist()
    assert len(set(values)) == COUNT
    assert values == reconstruct(points_of(session)[::-1], shares[::-1], t).tolist()


@every_session
def test_zero_shares_lie_on_degree_exactly_2t_and_are_zero(session: tuple[int, ...], t: int) -> None:
    jobs = job_keys_of(session, t)
    shares = np.stack([zero_shares(jobs[i], session, i, t, 3, COUNT) for i in session])
    assert reconstruct(points_of(session), shares, 2 * t).tolist() == [0] * COUNT
    for power in range(1, 2 * t + 1):
        assert all(coefficient(session, shares, power))


@every_session
def test_operations_give_unrelated_sharings(session: tuple[int, ...], t: int) -> None:
    job = job_keys_of(session, t)[session[0]]
    drawn = [random_shares(job, session, session[0], t, operation, COUNT) for operation in (0, 1)]
    drawn += [zero_shares(job, session, session[0], t, operation, COUNT) for operation in (0, 1)]
    values = [int(value) for vector in drawn for value in vector]
    assert len(set(values)) == len(values)


@every_session
def test_subset_polynomials_vanish_at_the_parties_outside(session: tuple[int, ...], t: int) -> None:
    for subset in key_subsets(session, t):
        vanishing = {party for party in session if subset_coefficient(subset, session, party) == 0}
        assert vanishing == set(session) - set(subset)


@every_session
def test_t_parties_lack_a_stream_that_moves_the_value_and_none_of_their_shares(
    session: tuple[int, ...], t: int
) -> None:
    for coalition in combinations(session, t):
        honest = tuple(party for party in session if party not in coalition)
        assert all(subset_coefficient(honest, session, party) == 0 for party in coalition)
        moved = [subset_coefficient(honest, session, party) for party in honest]
        assert all(moved)
        at_zero = fp.lagrange_coefficients([party + 1 for party in honest], 0)
        assert sum(c * y for c, y in zip(at_zero, moved, strict=True)) % fp.P == 1


@every_session
def test_shares_of_zero_are_uniform_for_the_honest_parties_given_the_coalition(
    session: tuple[int, ...], t: int
) -> None:
    """The t streams of the honest subset reach every zero sharing that vanishes on the coalition."""
    for coalition in combinations(session, t):
        honest = tuple(party for party in session if party not in coalition)
        rows = [
            [pow(party + 1, i, fp.P) * subset_coefficient(honest, session, party) for i in range(1, t + 1)]
            for party in honest[:t]
        ]
        assert rank(rows) == t


def rank(rows: list[list[int]]) -> int:
    """Rank mod p by elimination."""
    rows = [[value % fp.P for value in row] for row in rows]
    found = 0
    for column in range(len(rows[0])):
        pivot = next((r for r in range(found, len(rows)) if rows[r][column]), None)
        if pivot is None:
            continue
        rows[found], rows[pivot] = rows[pivot], rows[found]
        scale = fp.inverse(rows[found][column])
        for r in range(found + 1, len(rows)):
            factor = rows[r][column] * scale
            rows[r] = [(a - factor * b) % fp.P for a, b in zip(rows[r], rows[found], strict=True)]
        found += 1
    return found
