"""Merkle trees as in RFC 9162, section 2.1: one root for a list, short proofs that an entry is in it.

Leaf = SHA-256(0x00 || entry), node = SHA-256(0x01 || left || right); a tree of n splits at the largest power
of two below n; the empty tree is SHA-256 of nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from mpc_cde.errors import BadProof

MAX_PROOF_STEPS = 32


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 || entry), 32 bytes."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right), 32 bytes."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class MerkleTree:
    """All levels over some entries, so that many proofs cost one pass; 64 bytes an entry.

    Each level pairs neighbours; an odd last node moves up as it is, which gives the tree of RFC 9162.
    """

    __slots__ = ("_levels",)

    def __init__(self, entries: Sequence[bytes]) -> None:
        level = [leaf_hash(entry) for entry in entries]
        self._levels = [level]
        while len(level) > 1:
            above = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
            if len(level) % 2:
                above.append(level[-1])
            self._levels.append(above)
            level = above

    @property
    def root(self) -> bytes:
        top = self._levels[-1]
        return top[0] if top else hashlib.sha256(b"").digest()

    def inclusion_proof(self, index: int) -> tuple[bytes, ...]:
        """Sibling hashes from the leaf upwards. Raises IndexError."""
        if not 0 <= index < len(self._levels[0]):
            raise IndexError(index)
        proof = []
        for level in self._levels[:-1]:
            sibling = index ^ 1
            if sibling < len(level):
                proof.append(level[sibling])
            index //= 2
        return tuple(proof)


def merkle_root(entries: Sequence[bytes]) -> bytes:
    """Root over the entries' bytes, 32 bytes."""
    return MerkleTree(entries).root


def inclusion_proof(entries: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Proof for one entry; for many of one list keep a `MerkleTree`. Raises IndexError."""
    return MerkleTree(entries).inclusion_proof(index)


def verify_inclusion(entry: bytes, *, index: int, count: int, proof: Sequence[bytes], root: bytes) -> None:
    """Returns if `entry` is number `index` of `count` under `root` (RFC 9162, 2.1.3.2). Raises BadProof."""
    if not 0 <= index < count or len(proof) > MAX_PROOF_STEPS or any(len(step) != 32 for step in proof):
        raise BadProof("the Merkle proof does not have the form of one")
    first, last = index, count - 1
    current = leaf_hash(entry)
    for step in proof:
        if last == 0:
            raise BadProof("the Merkle proof is too long")
        if first % 2 or first == last:
            current = node_hash(step, current)
            while not first % 2 and first:
                first, last = first // 2, last // 2
        else:
            current = node_hash(current, step)
        first, last = first // 2, last // 2
    if last != 0 or current != root:
        raise BadProof("the Merkle proof does not lead to the signed root")
