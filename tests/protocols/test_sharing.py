"""Sharing by seeds and one correction: shares reconstruct, have degree t, and hide what they must."""

from __future__ import annotations

import hashlib
import pickle
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols import field as fp
from protocols.errors import OutOfRange, SharesDisagree
from protocols.randomness import ScriptedRandomness
from protocols.reconstruction import party_share, reconstruct, subset_polynomial_at, verify_degree
from protocols.sharing import Seed, SharedVector, share_vector, subsets, subsets_of_party

SETTINGS = [(3, 1), (4, 1), (5, 2), (6, 2), (7, 3)]
elements = st.one_of(st.integers(0, fp.P - 1), st.sampled_from([0, 1, fp.P - 1, 2**32]))
vectors = st.lists(elements, max_size=12)
every_setting = pytest.mark.parametrize(("m", "t"), SETTINGS)


def shares_of(shared: SharedVector) -> fp.FieldVector:
    m, t = shared.parties, shared.threshold
    return np.stack(
        [party_share(shared.correction, shared.seeds_for_party(j), m=m, t=t, party=j) for j in range(m)]
    )


@every_setting
@settings(max_examples=15, deadline=None)
@given(values=vectors, seed=st.binary(max_size=8))
def test_shares_lie_on_degree_t_and_any_t_plus_1_reconstruct(
    m: int, t: int, values: list[int], seed: bytes
) -> None:
    shares = shares_of(share_vector(fp.from_ints(values), m, t, ScriptedRandomness(seed)))
    points = list(range(1, m + 1))
    verify_degree(points, shares, t)
    for chosen in combinations(range(m), t + 1):
        own = [points[j] for j in chosen]
        assert reconstruct(own, shares[list(chosen)], t).tolist() == values


@every_setting
def test_subset_polynomials_are_one_at_zero_and_vanish_on_their_subset(m: int, t: int) -> None:
    for subset in subsets(m, t):
        at_parties = [subset_polynomial_at(subset, j + 1) for j in range(m)]
        assert subset_polynomial_at(subset, 0) == 1
        assert [j for j in range(m) if at_parties[j] == 0] == list(subset)


@every_setting
def test_a_party_gets_the_seeds_of_the_subsets_without_it(m: int, t: int) -> None:
    shared = share_vector(fp.from_ints([7]), m, t, ScriptedRandomness(b"seeds"))
    assert list(subsets(m, t)) == sorted(subsets(m, t))
    for party in range(m):
        wanted = [s for subset, s in zip(subsets(m, t), shared.seeds, strict=True) if party not in subset]
        assert list(shared.seeds_for_party(party)) == wanted
        assert len(wanted) == len(subsets_of_party(m, t, party))


@every_setting
def test_t_parties_and_the_gateway_always_lack_a_seed_that_masks_everything(m: int, t: int) -> None:
    """For any coalition and any other figure there is a stream of the missing seed that explains its view."""
    secret, other = fp.from_ints([5, 0, 1]), fp.from_ints([9, 1, 0])
    shared = share_vector(secret, m, t, ScriptedRandomness(b"coalition"))
    for position, coalition in enumerate(subsets(m, t)):
        lacked = shared.seeds[position]
        for party in coalition:
            assert lacked not in shared.seeds_for_party(party)
        known = [seed.expand(3) for seed in shared.seeds if seed != lacked]
        explained = fp.subtract(fp.subtract(other, shared.correction), fp.total(np.stack(known)))
        assert explained.tolist() != lacked.expand(3).tolist()
        total = fp.total(np.stack([*known, explained, shared.correction]))
        assert total.tolist() == other.tolist()


def test_every_sharing_draws_fresh_seeds() -> None:
    randomness = ScriptedRandomness(b"fresh")
    first, second = (share_vector(fp.from_ints([1]), 3, 1, randomness) for _ in range(2))
    assert not set(first.seed_hashes()) & set(second.seed_hashes())
    assert first.correction.tolist() != second.correction.tolist()


def test_a_swapped_seed_changes_the_share_and_its_hash() -> None:
    shared = share_vector(fp.from_ints([1, 2]), 3, 1, ScriptedRandomness(b"swap"))
    seeds = shared.seeds_for_party(0)
    forged = (Seed(bytes(32)), seeds[1])
    shares = shares_of(shared)
    shares[0] = party_share(shared.correction, forged, m=3, t=1, party=0)
    with pytest.raises(SharesDisagree):
        verify_degree([1, 2, 3], shares, 1)
    assert forged[0].hash() not in shared.seed_hashes()


def test_a_seed_is_hashed_under_its_tag() -> None:
    assert Seed(b"\x05" * 32).hash() == hashlib.sha256(b"mpc-cde/seed/v1\x00" + b"\x05" * 32).digest()


def test_a_seed_is_never_printed_or_pickled() -> None:
    seed = Seed(b"0123456789abcdef0123456789abcdef")
    shared = SharedVector(3, 1, (seed,), fp.from_ints([12345678]))
    for shown in (repr(seed), str(seed), f"{seed}", repr(shared), repr([seed])):
        assert "0123456789abcdef" not in shown
        assert "12345678" not in shown
    with pytest.raises(TypeError):
        pickle.dumps(seed)


def test_seeds_compare_by_their_bytes_and_do_not_enter_tables() -> None:
    assert Seed(bytes(32)) == Seed(bytes(32))
    assert Seed(bytes(32)) != Seed(b"\x01" * 32)
    assert Seed(bytes(32)) != bytes(32)
    with pytest.raises(TypeError):
        hash(Seed(bytes(32)))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_seed_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(OutOfRange):
        Seed(bytes(length))


@pytest.mark.parametrize(("m", "t"), [(3, 0), (3, 2), (2, 1), (4, 2), (1, 0), (3, -1)])
def test_a_threshold_that_does_not_fit_is_refused(m: int, t: int) -> None:
    with pytest.raises(OutOfRange):
        share_vector(fp.from_ints([1]), m, t, ScriptedRandomness(b""))


@pytest.mark.parametrize(
    "vector",
    [np.array([fp.P], dtype=np.uint64), np.array([1], dtype=np.int64), np.ones((2, 2), dtype=np.uint64)],
)
def test_a_vector_that_is_not_canonical_is_refused(vector: fp.FieldVector) -> None:
    with pytest.raises(OutOfRange):
        share_vector(vector, 3, 1, ScriptedRandomness(b""))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_party_with_another_number_of_seeds_is_refused(count: int) -> None:
    with pytest.raises(OutOfRange):
        party_share(fp.from_ints([1]), [Seed(bytes(32))] * count, m=3, t=1, party=0)
