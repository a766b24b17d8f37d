"""Field elements from a key: AES-256 in counter mode, as little-endian uint64, 61 bits, p to 0.

An element is uniform up to 2^-61 for whoever lacks the key. Seeds of submissions expand from counter block 0;
streams between parties start at operation number (8 bytes, big endian) || 0^8. No stream may serve twice
under one key and block: operation numbers and job keys see to that. Browser and Python agree byte for byte
(tests/vectors/protocols.json).
"""

from __future__ import annotations

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
from numpy.typing import NDArray

from protocols import field as fp
from protocols.errors import ProtocolMisuse

KEY_BYTES = 32
BLOCK_BYTES = 16
ELEMENTS_PER_BLOCK = BLOCK_BYTES // fp.ELEMENT_BYTES
SEED_BLOCK = bytes(BLOCK_BYTES)

_PIECE = bytes(1 << 18)  # the second-level cache holds what is encrypted and what comes out
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
        if count < 0:
            raise ProtocolMisuse(f"expected count >= 0, found {count}")
        encryptor = self._encryptor(block, offset)
        buffer = bytearray(buffer_bytes(count))
        words = np.frombuffer(buffer, dtype="<u8", count=count)
        view, zeros = memoryview(buffer), memoryview(_PIECE)
        for first in range(0, count, _PIECE_ELEMENTS):
            piece = words[first : first + _PIECE_ELEMENTS]
            encryptor.update_into(zeros[: piece.nbytes], view[first * fp.ELEMENT_BYTES :])
            piece &= _P
            piece[piece == _P] = 0
        return words.astype(np.uint64, copy=False)

    def words(self, block: bytes) -> Words:
        """The stream from its start, piece by piece, as the raw words that elements are made of."""
        return Words(self._encryptor(block, 0))

    def _encryptor(self, block: bytes, offset: int) -> CipherContext:
        if len(block) != BLOCK_BYTES:
            raise ProtocolMisuse(f"a counter block has {BLOCK_BYTES} bytes, not {len(block)}")
        if offset < 0 or offset % ELEMENTS_PER_BLOCK:
            raise ProtocolMisuse(f"expected an even offset >= 0, found {offset}")
        start = (int.from_bytes(block, "big") + offset // ELEMENTS_PER_BLOCK) % (1 << 128)
        return Cipher(algorithms.AES256(self._key), modes.CTR(start.to_bytes(16, "big"))).encryptor()


class Words:
    """A stream that is read once, in order: 64-bit words, of which `kernels` takes 61 bits, and p as 0."""

    __slots__ = ("_encryptor",)

    def __init__(self, encryptor: CipherContext) -> None:
        self._encryptor = encryptor

    def __repr__(self) -> str:
        return "Words(<redacted>)"

    def read_into(self, buffer: bytearray, count: int) -> NDArray[np.uint64]:
        """The next `count` words, as a view of `buffer`, which has `buffer_bytes(count)` bytes or more."""
        view, done, wanted = memoryview(buffer), 0, count * fp.ELEMENT_BYTES
        while done < wanted:
            piece = min(len(_PIECE), wanted - done)
            self._encryptor.update_into(memoryview(_PIECE)[:piece], view[done:])
            done += piece
        return np.frombuffer(buffer, dtype="<u8", count=count).astype(np.uint64, copy=False)


def buffer_bytes(count: int) -> int:
    """How long a buffer for `count` words is: the cipher asks for a block more."""
    return count * fp.ELEMENT_BYTES + BLOCK_BYTES


def operation_block(operation: int) -> bytes:
    """The initial counter block of operation `operation`: 8 bytes big endian, then zeros."""
    if not 0 <= operation < 1 << 64:
        raise ProtocolMisuse(f"operation numbers have 64 bits, found {operation}")
    return operation.to_bytes(8, "big") + bytes(8)


def expand_seed(seed: bytes, count: int) -> fp.FieldVector:
    """Expand of the protocol: `count` elements of a 32-byte seed, from counter block 0."""
    return Keystream(seed).elements(SEED_BLOCK, count)
