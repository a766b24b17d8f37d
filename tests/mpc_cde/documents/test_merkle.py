"""Merkle trees against the recursive definition of RFC 9162, 2.1."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_cde.documents.merkle import (
    MAX_PROOF_STEPS,
    MerkleTree,
    inclusion_proof,
    merkle_root,
    verify_inclusion,
)
from mpc_cde.errors import BadProof

entry_lists = st.lists(st.binary(max_size=12), min_size=1, max_size=40)


def naive_root(entries: list[bytes]) -> bytes:
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    split = 1 << (len(entries) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + naive_root(entries[:split]) + naive_root(entries[split:])).digest()


def naive_proof(entries: list[bytes], index: int) -> list[bytes]:
    if len(entries) == 1:
        return []
    split = 1 << (len(entries) - 1).bit_length() - 1
    if index < split:
        return [*naive_proof(entries[:split], index), naive_root(entries[split:])]
    return [*naive_proof(entries[split:], index - split), naive_root(entries[:split])]


@given(st.lists(st.binary(max_size=12), max_size=70))
def test_root_is_that_of_the_definition(entries: list[bytes]) -> None:
    assert merkle_root(entries) == naive_root(entries)


@given(entry_lists, st.data())
def test_proof_is_that_of_the_definition_and_verifies(entries: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(entries) - 1))
    proof = inclusion_proof(entries, index)
    assert list(proof) == naive_proof(entries, index)
    verify_inclusion(entries[index], index=index, count=len(entries), proof=proof, root=naive_root(entries))


@settings(max_examples=60)
@given(st.lists(st.binary(max_size=12), min_size=2, max_size=40, unique=True), st.data())
def test_proof_does_not_verify_another_entry_or_row_or_way(entries: list[bytes], data: st.DataObject) -> None:
    count = len(entries)
    index = data.draw(st.integers(0, count - 1))
    other = (index + data.draw(st.integers(1, count - 1))) % count
    tree = MerkleTree(entries)
    proof, root = tree.inclusion_proof(index), tree.root
    broken = list(proof)
    place = data.draw(st.integers(0, len(proof) - 1))
    broken[place] = bytes([broken[place][0] ^ 1]) + broken[place][1:]
    attempts = [
        (entries[other], index, count, proof, root),
        (entries[index], other, count, proof, root),
        (entries[index], index, count, broken, root),
        (entries[index], index, count, proof[:-1], root),
        (entries[index], index, count, (*proof, root), root),
        (entries[index], index, count, proof, bytes(32)),
        (entries[index], index - count, count, proof, root),
        (entries[index], index, index, proof, root),
    ]
    for entry, row, rows, way, top in attempts:
        with pytest.raises(BadProof):
            verify_inclusion(entry, index=row, count=rows, proof=way, root=top)


def test_inner_node_cannot_pose_as_an_entry() -> None:
    tree = MerkleTree([b"a", b"b", b"c", b"d"])
    left, right = hashlib.sha256(b"\x00a").digest(), hashlib.sha256(b"\x00b").digest()
    with pytest.raises(BadProof):
        verify_inclusion(left + right, index=0, count=2, proof=tree.inclusion_proof(0)[1:], root=tree.root)


def test_proof_of_huge_or_malformed_form_is_refused() -> None:
    tree = MerkleTree([b"a", b"b"])
    for proof in ([bytes(31)], [b""], [bytes(32), bytes(33)], [bytes(32)] * (MAX_PROOF_STEPS + 1)):
        with pytest.raises(BadProof, match="form of one"):
            verify_inclusion(b"a", index=0, count=2, proof=proof, root=tree.root)
    for steps in (2, MAX_PROOF_STEPS):
        with pytest.raises(BadProof, match="too long"):
            verify_inclusion(b"a", index=0, count=2, proof=[bytes(32)] * steps, root=tree.root)
    with pytest.raises(IndexError):
        tree.inclusion_proof(2)
    with pytest.raises(IndexError):
        tree.inclusion_proof(-1)
