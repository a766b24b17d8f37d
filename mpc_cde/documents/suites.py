"""Registered sealing suites: names, key and encapsulation lengths, and the public half of a sealing key."""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from mpc_cde.documents.base import Part
from mpc_cde.documents.canonical import WIRE_BYTES

SuiteName = Literal["x-wing/hkdf-sha256/aes-256-gcm", "x25519/hkdf-sha256/aes-256-gcm"]

X_WING: SuiteName = "x-wing/hkdf-sha256/aes-256-gcm"
X25519: SuiteName = "x25519/hkdf-sha256/aes-256-gcm"
SUITES: tuple[SuiteName, ...] = get_args(SuiteName)

PUBLIC_KEY_LENGTHS: dict[str, int] = {X_WING: 1216, X25519: 32}
"""Bytes of a public key: X-Wing is the ML-KEM-768 key (1184) followed by the X25519 key (32)."""
ENCAPSULATION_LENGTHS: dict[str, int] = {X_WING: 1120, X25519: 32}
"""Bytes before the ciphertext of a sealed envelope."""


class PublicSealingKey(Part):
    """Where to seal to: a suite and the raw public key of that suite."""

    suite: SuiteName
    key: Annotated[bytes, Field(min_length=32, max_length=1216), *WIRE_BYTES]

    @model_validator(mode="after")
    def _length_fits_suite(self) -> Self:
        expected = PUBLIC_KEY_LENGTHS[self.suite]
        if len(self.key) != expected:
            raise ValueError(f"a key of suite {self.suite} has {expected} bytes")
        return self
