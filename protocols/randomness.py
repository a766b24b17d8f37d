"""The one door to randomness: whoever needs some is handed a `Randomness`.

Only `SystemRandomness` may make secrets. `ScriptedRandomness` repeats itself, for tests and simulation.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Protocol

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from protocols.errors import ProtocolMisuse


class Randomness(Protocol):
    """A source of uniform bytes."""

    def random_bytes(self, count: int) -> bytes:
        """`count` fresh bytes."""
        ...


class SystemRandomness:
    """The operating system's generator."""

    __slots__ = ()

    def random_bytes(self, count: int) -> bytes:
        _require_count(count)
        return secrets.token_bytes(count)

    def __repr__(self) -> str:
        return "SystemRandomness()"


class ScriptedRandomness:
    """The same bytes for the same seed, in the order asked for, however they are cut. Never for secrets."""

    __slots__ = ("_stream",)

    def __init__(self, seed: bytes) -> None:
        key = hashlib.sha256(b"mpc-cde/scripted-randomness/v1\x00" + seed).digest()
        self._stream = Cipher(algorithms.AES256(key), modes.CTR(bytes(16))).encryptor()

    def random_bytes(self, count: int) -> bytes:
        _require_count(count)
        return self._stream.update(bytes(count))

    def __repr__(self) -> str:
        return "ScriptedRandomness(<redacted>)"


def _require_count(count: int) -> None:
    if count < 0:
        raise ProtocolMisuse(f"expected a number of bytes, found {count}")
