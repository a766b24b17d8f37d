"""Looking for secrets in files, in every form in which a program might let them slip.

A secret is 32 bytes: raw, hexadecimal, base64 of both alphabets also inside something longer, decimal of either
byte order, Python's list of numbers. A figure of twelve digits: decimal as typed and as encoded, base64 of these
digits, eight bytes of either order (raw, hexadecimal).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

_NUMBER = re.compile(rb"\d{15,20}")


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found where; the secret itself is not shown."""

    file: Path
    secret: str
    form: str


def forms_of_secret(secret: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each form of 32 secret bytes."""
    yield "raw", secret
    yield "hexadecimal", secret.hex().encode()
    yield "hexadecimal, large", secret.hex().upper().encode()
    yield from _base64_forms(secret)
    yield "decimal, big endian", str(int.from_bytes(secret, "big")).encode()
    yield "decimal, little endian", str(int.from_bytes(secret, "little")).encode()
    yield "list", str(list(secret))[1:-1].encode()
    yield "list without blanks", ",".join(map(str, secret)).encode()


def forms_of_figure(figure: int, *others: int) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each form of a long figure; `others` are numbers that stand for it, as its encoding."""
    for number in (figure, *others):
        text = str(number).encode()
        yield "decimal", text
        yield from ((f"digits in {name}", form) for name, form in _base64_forms(text))
        for order in ("big", "little"):
            eight = number.to_bytes(8, order)  # type: ignore[arg-type]  # mypy takes the loop's words for any text
            yield f"raw, {order} endian", eight
            yield f"hexadecimal, {order} endian", eight.hex().encode()


def _base64_forms(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The letters that are the same wherever the data begins inside something longer."""
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + data)
        whole = encoded[4 if offset else 0 : (offset + len(data)) // 3 * 4]
        yield f"base64 at {offset}", whole
        if (url := whole.replace(b"+", b"-").replace(b"/", b"_")) != whole:
            yield f"base64url at {offset}", url


def key_files(directory: Path) -> list[Path]:
    """Every file of a private key below a directory."""
    return sorted(directory.rglob("*.key"))


def private_keys(directory: Path) -> dict[str, bytes]:
    """The secret halves in all key files below a directory, by file."""
    found = {}
    for path in key_files(directory):
        data = path.read_bytes()
        if data.startswith(b"-----BEGIN"):
            key = load_pem_private_key(data, None)
            if not isinstance(key, EllipticCurvePrivateKey):
                raise TypeError(f"{path}: expected a key of the mesh")
            found[str(path)] = key.private_numbers().private_value.to_bytes(32, "big")
        else:
            text = json.loads(data)["secret"]
            found[str(path)] = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return found


def search(files: Iterable[Path], forms: Mapping[str, Iterable[tuple[str, bytes]]]) -> list[Finding]:
    """Every form of every named secret in every file."""
    listed = [(name, form, wanted) for name, known in forms.items() for form, wanted in known]
    found = []
    for file in files:
        content = file.read_bytes()
        found += [Finding(file, name, form) for name, form, wanted in listed if wanted in content]
    return found


def search_numbers(files: Iterable[Path], numbers: frozenset[int]) -> list[Finding]:
    """Decimal numbers of 15 digits and more that are among these; for shares, of which there are many."""
    found = []
    for file in files:
        for text in _NUMBER.findall(file.read_bytes()):
            if int(text) in numbers:
                found.append(Finding(file, "a share", "decimal"))
    return found
