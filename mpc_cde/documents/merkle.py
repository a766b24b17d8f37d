"""Merkle trees as in RFC 9162, section 2.1: one root for a list, short proofs that an entry is in it.

Leaf = SHA-256(0x00 || entry), node = SHA-256(0x01 || left || right); a tree of n splits at the largest power
of two below n; the empty tree is SHA-256 of nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from mpc_cde.errors import BadProof

MAX_PROOF_STEPS = 32
_HASH_BYTES = 32


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

    def __init__(self, entries: Iterable[bytes]) -> None:
        level = b"".join(leaf_hash(entry) for entry in entries)
        self._levels = [level]
        while len(level) > _HASH_BYTES:
            pairs = range(0, len(level) - _HASH_BYTES, 2 * _HASH_BYTES)
            whole = b"".join(
                node_hash(level[i : i + _HASH_BYTES], level[i + _HASH_BYTES : i + 2 * _HASH_BYTES])
                for i in pairs
            )
            is_odd = len(level) // _HASH_BYTES % 2
            level = whole + level[-_HASH_BYTES:] if is_odd else whole
            self._levels.append(level)

    @property
    def root(self) -> bytes:
        return self._levels[-1] or hashlib.sha256(b"").digest()

    def inclusion_proof(self, index: int) -> tuple[bytes, ...]:
        """Sibling hashes from the leaf upwards. Raises IndexError."""
        if not 0 <= index < len(self._levels[0]) // _HASH_BYTES:
            raise IndexError(index)
        proof = []
        for level in self._levels[:-1]:
            sibling = level[(index ^ 1) * _HASH_BYTES : ((index ^ 1) + 1) * _HASH_BYTES]
            if sibling:
                proof.append(sibling)
            index //= 2
        return tuple(proof)


def merkle_root(entries: Iterable[bytes]) -> bytes:
    """Root over the entries' bytes, 32 bytes; of all that came before, one hash a level is kept."""
    waiting: list[tuple[int, bytes]] = []
    for entry in entries:
        size, node = 1, leaf_hash(entry)
        while waiting and waiting[-1][0] == size:
            node = node_hash(waiting.pop()[1], node)
            size *= 2
        waiting.append((size, node))
    if not waiting:
        return hashlib.sha256(b"").digest()
    _, root = waiting.pop()
    while waiting:
        root = node_hash(waiting.pop()[1], root)
    return root


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
