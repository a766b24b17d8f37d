"""Private keys of people and parties, and the files that keep them.

A key file is canonical JSON of one line: type, algorithm, public half, and the 32 secret bytes, either
plain or under a passphrase (scrypt, then AES-256-GCM with the rest of the file as associated data). Files are
0600 in directories of 0700 (see secret_files).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, NoReturn, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from pydantic import Field, model_validator

from mpc_cde.coded_text import worded
from mpc_cde.documents.base import Part
from mpc_cde.documents.canonical import Base64Url, Bytes16, canonical_bytes
from mpc_cde.documents.envelope import keyid_of
from mpc_cde.documents.suites import SUITES, SuiteName
from mpc_cde.errors import BadDocument, CallerError, KeyFileRefused
from mpc_cde.sealing import SealingPrivateKey
from mpc_cde.secret_files import read_secret_file, write_secret_file
from protocols.randomness import Randomness

ED25519 = "ed25519"
SECRET_BYTES = 32
SCRYPT_N = 1 << 15
MAX_PASSPHRASE_BYTES = 1024
_NONCE = bytes(12)  # the encryption key comes from a fresh salt, so it is used for one message only


class SigningKey:
    """An Ed25519 private key: shows its public half, never its secret."""

    __slots__ = ("_key", "_secret", "public_bytes")

    def __init__(self, secret: bytes) -> None:
        if len(secret) != SECRET_BYTES:
            raise CallerError(f"a signing key has {SECRET_BYTES} secret bytes")
        self._secret = bytes(secret)
        self._key = Ed25519PrivateKey.from_private_bytes(secret)
        self.public_bytes: bytes = self._key.public_key().public_bytes_raw()

    @classmethod
    def generate(cls, randomness: Randomness) -> SigningKey:
        return cls(randomness.random_bytes(SECRET_BYTES))

    @property
    def keyid(self) -> bytes:
        """The hint that its signatures carry, 16 bytes."""
        return keyid_of(self.public_bytes)

    def sign(self, message: bytes) -> bytes:
        """64 bytes."""
        return self._key.sign(message)

    def secret_bytes(self) -> bytes:
        """The 32 secret bytes, for the key file alone."""
        return self._secret

    def __repr__(self) -> str:
        return f"SigningKey(public={self.public_bytes.hex()[:16]}..., secret=<redacted>)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is not pickled")


class Passphrase:
    """What unlocks a key file; never shown."""

    __slots__ = ("_text",)

    def __init__(self, text: bytes) -> None:
        if not 1 <= len(text) <= MAX_PASSPHRASE_BYTES:
            raise CallerError(f"a passphrase has 1 to {MAX_PASSPHRASE_BYTES} bytes")
        self._text = bytes(text)

    @classmethod
    def from_descriptor(cls, descriptor: int) -> Passphrase:
        """First line read from an open descriptor, so it stands in no command line or environment."""
        data = b""
        while b"\n" not in data and len(data) <= MAX_PASSPHRASE_BYTES:
            chunk = os.read(descriptor, MAX_PASSPHRASE_BYTES + 1)
            if not chunk:
                break
            data += chunk
        return cls(data.split(b"\n", 1)[0])

    @classmethod
    def from_credential(cls, path: Path) -> Passphrase:
        """First line of a systemd credential (a file under $CREDENTIALS_DIRECTORY). Raises KeyFileRefused."""
        try:
            return cls(path.read_bytes().split(b"\n", 1)[0])
        except OSError as error:
            raise KeyFileRefused(
                worded("file_unreadable", "{path}: {why}", path=path, why=error.strerror)
            ) from None

    def derive(self, salt: bytes, n: int) -> bytes:
        """32 bytes by scrypt with r = 8, p = 1; 128 * 8 * n bytes of memory."""
        return Scrypt(salt=salt, length=32, n=n, r=8, p=1).derive(self._text)

    def __repr__(self) -> str:
        return "Passphrase(<redacted>)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a passphrase is not pickled")


class _KeyFile(Part):
    """The file's content; `secret` is 32 bytes in plain, or 48 under a passphrase. Never logged."""

    type: Literal["private-key/v1"] = "private-key/v1"
    algorithm: Literal["ed25519"] | SuiteName
    public: Base64Url
    protection: Literal["none", "scrypt-aes-256-gcm"]
    salt: Bytes16 | None = None
    n: int | None = Field(default=None, ge=1 << 14, le=1 << 20)
    secret: Base64Url

    @model_validator(mode="after")
    def _protection_is_complete(self) -> Self:
        locked = self.protection != "none"
        if (self.salt is not None, self.n is not None) != (locked, locked):
            raise ValueError("salt and n are given exactly when the file is locked")
        return self

    def associated_data(self) -> bytes:
        return canonical_bytes(self.model_dump(mode="json", exclude={"secret"}))

    def __repr__(self) -> str:
        return f"_KeyFile(algorithm={self.algorithm!r}, protection={self.protection!r}, secret=<redacted>)"

    __str__ = __repr__


def write_key_file(
    path: Path,
    key: SigningKey | SealingPrivateKey,
    *,
    passphrase: Passphrase | None = None,
    randomness: Randomness | None = None,
    replace: bool = False,
) -> None:
    """Keep a private key; on disk when this returns. A passphrase needs `randomness` for its salt.

    Raises Conflict if the file is there and may not be replaced, KeyFileRefused for an open directory.
    """
    if isinstance(key, SigningKey):
        algorithm: Literal["ed25519"] | SuiteName = "ed25519"
        public = key.public_bytes
    else:
        algorithm, public = key.suite, key.public.key
    secret = key.secret_bytes()
    if passphrase is None:
        content = _KeyFile(algorithm=algorithm, public=public, protection="none", secret=secret)
    elif randomness is None:
        raise CallerError("a locked key file needs randomness for its salt")
    else:
        salt = randomness.random_bytes(16)
        header = _KeyFile(
            algorithm=algorithm,
            public=public,
            protection="scrypt-aes-256-gcm",
            salt=salt,
            n=SCRYPT_N,
            secret=b"",
        )
        sealer = AESGCM(passphrase.derive(salt, SCRYPT_N))
        locked = sealer.encrypt(_NONCE, secret, header.associated_data())
        content = header.model_copy(update={"secret": locked})
    write_secret_file(path, content.payload_bytes() + b"\n", replace=replace)


def load_signing_key(path: Path, *, passphrase: Passphrase | None = None) -> SigningKey:
    """Read a signing key. Raises KeyFileRefused: missing, too open, damaged, locked, another kind."""
    content = _read_key_file(path)
    if content.algorithm != ED25519:
        raise KeyFileRefused(
            worded(
                "no_signing_key",
                "{path}: expected a signing key, found {kind}",
                path=path,
                kind=content.algorithm,
            )
        )
    key = SigningKey(_unlock(path, content, passphrase))
    _verify_public_half(path, content, key.public_bytes)
    return key


def load_sealing_key(path: Path, *, passphrase: Passphrase | None = None) -> SealingPrivateKey:
    """Read a sealing key. Raises KeyFileRefused: missing, too open, damaged, locked, another kind."""
    content = _read_key_file(path)
    suite = next((suite for suite in SUITES if suite == content.algorithm), None)
    if suite is None:
        raise KeyFileRefused(
            worded(
                "no_sealing_key",
                "{path}: expected a sealing key, found {kind}",
                path=path,
                kind=content.algorithm,
            )
        )
    key = SealingPrivateKey(_unlock(path, content, passphrase), suite=suite)
    _verify_public_half(path, content, key.public.key)
    return key


def _read_key_file(path: Path) -> _KeyFile:
    try:
        return _KeyFile.parse_payload(read_secret_file(path).removesuffix(b"\n"))
    except BadDocument:
        raise _damaged(path) from None


def _unlock(path: Path, content: _KeyFile, passphrase: Passphrase | None) -> bytes:
    secret = content.secret
    if content.salt is not None and content.n is not None:
        if passphrase is None:
            raise KeyFileRefused(
                worded("key_locked", "{path}: locked by a passphrase", path=path),
                hint=worded("key_locked_hint", "hand in the passphrase"),
            )
        opener = AESGCM(passphrase.derive(content.salt, content.n))
        try:
            secret = opener.decrypt(_NONCE, content.secret, content.associated_data())
        except (InvalidTag, ValueError):
            raise KeyFileRefused(
                worded("key_passphrase", "{path}: the passphrase does not unlock it", path=path)
            ) from None
    if len(secret) != SECRET_BYTES:
        raise _damaged(path)
    return secret


def _damaged(path: Path) -> KeyFileRefused:
    return KeyFileRefused(
        worded("key_damaged", "{path}: damaged, or no key file", path=path),
        hint=worded("key_damaged_hint", "restore it from a backup"),
    )


def _verify_public_half(path: Path, content: _KeyFile, public: bytes) -> None:
    if content.public != public:
        raise KeyFileRefused(
            worded("key_halves", "{path}: damaged, its two halves do not belong together", path=path)
        )
