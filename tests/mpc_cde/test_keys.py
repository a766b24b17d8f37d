"""Key files come back as they were, or are refused with the reason."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from mpc_cde.documents.suites import SUITES, SuiteName
from mpc_cde.errors import CallerError, Conflict, KeyFileRefused
from mpc_cde.keys import Passphrase, SigningKey, load_sealing_key, load_signing_key, write_key_file
from mpc_cde.sealing import SealingPrivateKey
from mpc_cde.secret_files import make_private_directory, write_secret_file


class Counting:
    """Randomness that counts up, so that tests repeat."""

    def __init__(self) -> None:
        self.calls = 0

    def random_bytes(self, count: int) -> bytes:
        self.calls += 1
        return bytes([self.calls]) * count


@pytest.fixture
def path(tmp_path: Path) -> Path:
    make_private_directory(tmp_path / "keys")
    return tmp_path / "keys" / "key"


def test_signing_key_signs_as_ed25519() -> None:
    key = SigningKey.generate(Counting())
    Ed25519PublicKey.from_public_bytes(key.public_bytes).verify(key.sign(b"message"), b"message")
    assert len(key.keyid) == 16


@pytest.mark.parametrize("locked", [False, True])
def test_signing_key_comes_back(path: Path, locked: bool) -> None:
    passphrase = Passphrase(b"correct horse") if locked else None
    key = SigningKey(b"\x01" * 32)
    write_key_file(path, key, passphrase=passphrase, randomness=Counting())
    assert load_signing_key(path, passphrase=passphrase).secret_bytes() == key.secret_bytes()


@pytest.mark.parametrize("suite", SUITES)
def test_sealing_key_comes_back(path: Path, suite: SuiteName) -> None:
    key = SealingPrivateKey.generate(Counting(), suite=suite)
    write_key_file(path, key)
    assert load_sealing_key(path).public == key.public


def test_locked_file_holds_the_secret_in_no_form(path: Path) -> None:
    secret = bytes(range(32))
    write_key_file(path, SigningKey(secret), passphrase=Passphrase(b"word"), randomness=Counting())
    content = path.read_bytes()
    for form in (secret, secret.hex().encode(), b"AAECAwQF"):
        assert form not in content


def test_wrong_or_missing_passphrase_is_refused(path: Path) -> None:
    write_key_file(path, SigningKey(bytes(32)), passphrase=Passphrase(b"word"), randomness=Counting())
    with pytest.raises(KeyFileRefused, match="locked"):
        load_signing_key(path)
    with pytest.raises(KeyFileRefused, match="does not unlock"):
        load_signing_key(path, passphrase=Passphrase(b"World"))


def test_key_of_another_kind_is_refused(path: Path) -> None:
    write_key_file(path, SigningKey(bytes(32)))
    with pytest.raises(KeyFileRefused, match="sealing key"):
        load_sealing_key(path)
    write_key_file(path, SealingPrivateKey(bytes(32)), replace=True)
    with pytest.raises(KeyFileRefused, match="signing key"):
        load_signing_key(path)


def test_key_file_is_not_overwritten(path: Path) -> None:
    write_key_file(path, SigningKey(bytes(32)))
    with pytest.raises(Conflict):
        write_key_file(path, SigningKey(b"\x01" * 32))


def test_damaged_key_file_is_refused_without_showing_it(path: Path) -> None:
    write_key_file(path, SigningKey(bytes(range(32))))
    good = path.read_bytes()
    damaged = [
        b"",
        b"garbage",
        good[:-3],
        good.replace(b"private-key/v1", b"private-key/v2"),
        good.replace(b'"secret":"A', b'"secret":"B'),
        good.replace(b'"secret":"AAECAwQF', b'"secret":"AAECAw'),
    ]
    for content in damaged:
        assert content != good
        write_secret_file(path, content, replace=True)
        with pytest.raises(KeyFileRefused) as refusal:
            load_signing_key(path)
        assert "AECAwQ" not in str(refusal.value)


def test_header_of_a_locked_file_cannot_be_changed(path: Path) -> None:
    passphrase = Passphrase(b"word")
    write_key_file(path, SigningKey(bytes(32)), passphrase=passphrase, randomness=Counting())
    content = path.read_bytes().replace(b'"n":32768', b'"n":16384')
    write_secret_file(path, content, replace=True)
    with pytest.raises(KeyFileRefused):
        load_signing_key(path, passphrase=passphrase)
    write_secret_file(path, content.replace(b'"n":16384', b'"n":1073741824'), replace=True)
    with pytest.raises(KeyFileRefused, match="damaged"):
        load_signing_key(path, passphrase=passphrase)


def test_key_file_open_to_others_is_refused(path: Path) -> None:
    write_key_file(path, SigningKey(bytes(32)))
    path.chmod(0o644)
    with pytest.raises(KeyFileRefused, match="0600"):
        load_signing_key(path)


def test_locking_needs_randomness(path: Path) -> None:
    with pytest.raises(CallerError):
        write_key_file(path, SigningKey(bytes(32)), passphrase=Passphrase(b"word"))
    assert not path.exists()


def test_passphrase_comes_from_a_descriptor_or_a_credential(path: Path, tmp_path: Path) -> None:
    write_key_file(path, SigningKey(bytes(32)), passphrase=Passphrase(b"two words"), randomness=Counting())
    reading, writing = os.pipe()
    os.write(writing, b"two words\nnot this")
    os.close(writing)
    try:
        load_signing_key(path, passphrase=Passphrase.from_descriptor(reading))
    finally:
        os.close(reading)
    (tmp_path / "credential").write_bytes(b"two words")
    load_signing_key(path, passphrase=Passphrase.from_credential(tmp_path / "credential"))
    with pytest.raises(KeyFileRefused):
        Passphrase.from_credential(tmp_path / "missing")


@pytest.mark.parametrize("text", [b"", b"x" * 1025])
def test_empty_or_endless_passphrase_is_refused(text: bytes) -> None:
    with pytest.raises(CallerError):
        Passphrase(text)


def test_signing_key_of_another_length_is_refused() -> None:
    with pytest.raises(CallerError):
        SigningKey(bytes(31))
