"""Field elements from a key: AES-256 in counter mode, as little-endian uint64, 61 bits, p to 0.

An element is uniform up to 2^-61 for whoever lacks the key. Seeds of submissions expand from counter block 0;
streams between parties start at operation number (8 bytes, big endian) || 0^8. No stream may serve twice
under one key and block: operation numbers and job keys see to that. Browser and Python agree byte for byte
(tests/vectors/protocols.json).
"""

from __future__ import annotations

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from protocols import field as fp
from protocols.errors import ProtocolMisuse

KEY_BYTES = 32
BLOCK_BYTES = 16
ELEMENTS_PER_BLOCK = BLOCK_BYTES // fp.ELEMENT_BYTES
SEED_BLOCK = bytes(BLOCK_BYTES)

_PIECE = bytes(
    1 << 16
)  # small enough that the cache holds what is encrypted, what comes out and what is masked
_PIECE_ELEMENTS = len(_PIECE) // fp.ELEMENT_BYTES
_P = np.uint64(fp.P)


class Keystream:
    """The streams of one 32-byte key; never prints it."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ProtocolMisuse(f"a key has {KEY_BYTES} bytes, not {len(key)}")
        self._key = bytes(key)

    def __repr__(self) -> str:
        return "Keystream(<redacted>)"

    def elements(self, block: bytes, count: int, offset: int = 0) -> fp.FieldVector:
        """Elements offset .. offset + count - 1 of the stream whose initial counter block is `block`.

        Shape (count,). `offset` is in elements and even, since a block holds two.
        """
        if len(block) != BLOCK_BYTES:
            raise ProtocolMisuse(f"a counter block has {BLOCK_BYTES} bytes, not {len(block)}")
        if count < 0 or offset < 0 or offset % ELEMENTS_PER_BLOCK:
            raise ProtocolMisuse(f"expected count >= 0 and an even offset >= 0, found {count} and {offset}")
        start = (int.from_bytes(block, "big") + offset // ELEMENTS_PER_BLOCK) % (1 << 128)
        encryptor = Cipher(algorithms.AES256(self._key), modes.CTR(start.to_bytes(16, "big"))).encryptor()
        buffer = bytearray(count * fp.ELEMENT_BYTES + BLOCK_BYTES)  # update_into asks for a block more
        words = np.frombuffer(buffer, dtype="<u8", count=count)
        view, zeros = memoryview(buffer), memoryview(_PIECE)
        for first in range(0, count, _PIECE_ELEMENTS):
            piece = words[first : first + _PIECE_ELEMENTS]
            encryptor.update_into(zeros[: piece.nbytes], view[first * fp.ELEMENT_BYTES :])
            piece &= _P
            piece[piece == _P] = 0
        return words.astype(np.uint64, copy=False)


def operation_block(operation: int) -> bytes:
    """The initial counter block of operation `operation`: 8 bytes big endian, then zeros."""
    if not 0 <= operation < 1 << 64:
        raise ProtocolMisuse(f"operation numbers have 64 bits, found {operation}")
    return operation.to_bytes(8, "big") + bytes(8)


def expand_seed(seed: bytes, count: int) -> fp.FieldVector:
    """Expand of the protocol: `count` elements of a 32-byte seed, from counter block 0."""
    return Keystream(seed).elements(SEED_BLOCK, count)
