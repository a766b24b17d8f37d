"""No way of showing a secret shows it: repr, str, format, logs, containers, tracebacks, pickles, copies."""

from __future__ import annotations

import base64
import copy
import io
import logging
import pickle
import traceback
from pathlib import Path
from typing import Any

import pytest

import mpc_cde.keys
from mpc_cde.documents.suites import SUITES
from mpc_cde.errors import KeyFileRefused, SealRefused
from mpc_cde.keys import Passphrase, SigningKey, load_signing_key, write_key_file
from mpc_cde.sealing import SealingContext, SealingPrivateKey, open_sealed, parse_seeds, seal
from mpc_cde.secret_files import make_private_directory

SECRET = bytes(range(0x60, 0x80))  # printable, so that it would show in a repr as text as well
SECRETS: list[Any] = [
    SigningKey(SECRET),
    *[SealingPrivateKey(SECRET, suite=suite) for suite in SUITES],
    Passphrase(SECRET),
]


def forms(secret: bytes) -> list[str]:
    return [
        secret.decode("latin-1")[:8],
        repr(secret)[2:10],
        secret.hex()[:16],
        base64.b64encode(secret).decode()[:10],
        str(int.from_bytes(secret, "big"))[:10],
        str(list(secret))[1:20],
    ]


def shown(text: str) -> bool:
    return any(form in text for form in forms(SECRET))


def test_the_search_finds_a_secret_that_is_shown() -> None:
    for leak in (f"{SECRET!r}", SECRET.hex(), base64.b64encode(SECRET).decode(), str(list(SECRET))):
        assert shown(leak)


@pytest.mark.parametrize("value", SECRETS, ids=lambda value: type(value).__name__)
def test_secret_is_not_shown(value: Any) -> None:
    stream = io.StringIO()
    logger = logging.Logger("test")
    logger.addHandler(logging.StreamHandler(stream))
    logger.warning("%s %r %s", value, value, {"key": [value]})
    for text in (repr(value), str(value), f"{value}", f"{[value]!r}", stream.getvalue()):
        assert not shown(text)
        assert "redacted" in text


@pytest.mark.parametrize("value", SECRETS, ids=lambda value: type(value).__name__)
def test_secret_is_not_pickled_or_copied(value: Any) -> None:
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            attempt(value)
    assert not hasattr(value, "__dict__")


def test_key_file_content_is_not_shown() -> None:
    content = mpc_cde.keys._KeyFile(algorithm="ed25519", public=b"", protection="none", secret=SECRET)
    assert not shown(f"{content!r} {content} {[content]}")


def test_errors_do_not_show_secrets(tmp_path: Path) -> None:
    make_private_directory(tmp_path / "keys")
    path = tmp_path / "keys" / "key"
    write_key_file(path, SigningKey(SECRET))
    path.write_bytes(path.read_bytes().replace(b"ed25519", b"ed25510"))
    with pytest.raises(KeyFileRefused) as refused:
        load_signing_key(path)
    assert not shown("".join(traceback.format_exception(refused.value)))
    context = SealingContext(bytes(32), bytes(16), 1, 0)
    key = SealingPrivateKey(SECRET)
    sealed = seal(key.public, SECRET, context)
    with pytest.raises(SealRefused) as moved:
        open_sealed(key, sealed, SealingContext(bytes(32), bytes(16), 2, 0))
    with pytest.raises(SealRefused) as wrong:
        parse_seeds(open_sealed(key, sealed, context), count=1)
    for error in (moved.value, wrong.value):
        assert not shown("".join(traceback.format_exception(error)))
