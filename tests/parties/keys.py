"""Keys of tests: made from a name, so that every run has the same."""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


class TestSigner:
    """An Ed25519 key whose secret is the hash of a name."""

    __test__ = False

    def __init__(self, name: bytes) -> None:
        self.secret = hashlib.sha256(b"test key/" + name).digest()
        self.private = Ed25519PrivateKey.from_private_bytes(self.secret)

    @property
    def public_bytes(self) -> bytes:
        return self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message)
