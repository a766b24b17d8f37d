"""The log of a node as anybody reads it: hash-chained, signed entries, one a line, each verified as it is read.

One line is the canonical JSON of {details, event, number, previous, signature, time}. The digest of an
entry is SHA-256("mpc-cde/log/v1" || 0x00 || canonical bytes of all but the signature), `previous` is the
digest of the entry before (32 zero bytes before the first), the signature is the party's, over the digest
under that tag. Heads travel in results and checkpoints, so a log that was cut or rewritten contradicts what
others hold. A node writes it by `parties.log`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from mpc_cde.documents.canonical import (
    base64url_bytes,
    canonical_bytes,
    decode_base64url,
    encode_base64url,
    parse_canonical,
)
from mpc_cde.errors import BadDocument, StoreDamaged

TAG = b"mpc-cde/log/v1\x00"
GENESIS = bytes(32)
MAX_LINE_BYTES = 64 * 1024
_FIELDS = frozenset({"details", "event", "number", "previous", "signature", "time"})
_END_OF_ENTRY = re.compile(
    rb',"event":"[^"\\]*","number":([0-9]{1,16}),"previous":"([A-Za-z0-9_-]{43})"'
    rb'(,"signature":"[A-Za-z0-9_-]{86}"),"time":"[^"\\]*"\}\Z'
)
"""All of a line but its details: no text in them reaches the end of a line."""


class LogDamaged(StoreDamaged):
    """A line of the log is not what was written; `line` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"log line {line}: {message}")
        self.line = line


@dataclass(frozen=True, slots=True)
class LogHead:
    """How far the log goes: the number of entries and the digest of the last."""

    length: int
    digest: bytes


EMPTY = LogHead(0, GENESIS)


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One thing that happened at this party; `number` counts from 1, `time` is this party's clock."""

    number: int
    time: str
    event: str
    details: Mapping[str, Any]
    previous: bytes
    signature: bytes

    def digest(self) -> bytes:
        """What the next entry, results and checkpoints refer to, 32 bytes."""
        return digest_of_entry(self.number, self.time, self.event, self.details, self.previous)

    def line(self) -> bytes:
        """The entry as written, with its line feed."""
        unsigned = unsigned_entry(self.number, self.time, self.event, self.details, self.previous)
        return line_of(unsigned, self.time, self.signature)


def unsigned_entry(number: int, time: str, event: str, details: Mapping[str, Any], previous: bytes) -> bytes:
    """The canonical bytes of an entry without its signature."""
    body = {
        "details": dict(details),
        "event": event,
        "number": number,
        "previous": encode_base64url(previous),
        "time": time,
    }
    return canonical_bytes(body)


def line_of(unsigned: bytes, time: str, signature: bytes) -> bytes:
    """The line of an entry: the signature stands before the time, which is last, as canonical order has it."""
    end = b',"time":%b}' % canonical_bytes(time)
    return b'%b,"signature":"%b"%b\n' % (unsigned.removesuffix(end), base64url_bytes(signature), end)


def digest_of_entry(number: int, time: str, event: str, details: Mapping[str, Any], previous: bytes) -> bytes:
    """The digest of an entry from its fields, 32 bytes."""
    return digest_of_unsigned(unsigned_entry(number, time, event, details, previous))


def digest_of_unsigned(unsigned: bytes) -> bytes:
    """The digest of an entry from its canonical bytes without its signature, 32 bytes."""
    return hashlib.sha256(TAG + unsigned).digest()


def parse_entry(line: bytes, before: LogHead, public_key: Ed25519PublicKey | None = None) -> LogEntry:
    """The entry on `line`, which must follow `before`; with a key its signature is verified too.

    Raises LogDamaged.
    """
    number = before.length + 1
    try:
        body = parse_canonical(line, max_bytes=MAX_LINE_BYTES)
    except BadDocument as error:
        raise LogDamaged(number, str(error)) from None
    if set(body) != _FIELDS or not isinstance(body["details"], dict):
        raise LogDamaged(number, "not the fields of an entry")
    try:
        entry = LogEntry(
            number=body["number"],
            time=body["time"],
            event=body["event"],
            details=body["details"],
            previous=decode_base64url(body["previous"]),
            signature=decode_base64url(body["signature"]),
        )
    except (TypeError, ValueError):
        raise LogDamaged(number, "a digest or a signature that is no base64url") from None
    if entry.number != number:
        raise _wrong_number(number)
    if entry.previous != before.digest:
        raise _does_not_continue(number)
    if public_key is not None:
        try:
            public_key.verify(entry.signature, TAG + entry.digest())
        except InvalidSignature:
            raise LogDamaged(number, "the party's signature does not hold") from None
    return entry


def follow_entry(line: bytes, before: LogHead) -> LogHead:
    """The head after the entry on `line`, which must follow `before`; looks at the chain alone, in a fifth of
    the time of `parse_entry`.

    What an entry says is certain only with the one after it, which names the digest of these very bytes: so the last
    line is to be parsed and its signature verified. Raises LogDamaged.
    """
    end = _END_OF_ENTRY.search(line)
    if end is None or len(line) > MAX_LINE_BYTES:
        entry = parse_entry(line, before)
        return LogHead(entry.number, entry.digest())
    number = before.length + 1
    if int(end[1]) != number:
        raise _wrong_number(number)
    if end[2] != base64url_bytes(before.digest):
        raise _does_not_continue(number)
    begun, ended = end.span(3)
    return LogHead(number, digest_of_unsigned(line[:begun] + line[ended:]))


def _wrong_number(number: int) -> LogDamaged:
    return LogDamaged(number, f"expected entry number {number}, found another")


def _does_not_continue(number: int) -> LogDamaged:
    return LogDamaged(number, "it does not continue the entry before it")


def read_log(path: Path, public_bytes: bytes) -> Iterator[LogEntry]:
    """Every entry of the file, oldest first, chain and signatures verified; no file, no entry. Raises LogDamaged."""
    public_key = Ed25519PublicKey.from_public_bytes(public_bytes)
    head = EMPTY
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                raise LogDamaged(head.length + 1, "the last line is not finished")
            entry = parse_entry(line[:-1], head, public_key)
            head = LogHead(entry.number, entry.digest())
            yield entry


def verify_log(path: Path, public_bytes: bytes, *, at_least: LogHead = EMPTY) -> LogHead:
    """Walk the whole log and return its head; `at_least` is a head that others hold and that it must contain.

    Raises LogDamaged.
    """
    head = EMPTY
    found = at_least == EMPTY
    for entry in read_log(path, public_bytes):
        head = LogHead(entry.number, entry.digest())
        found = found or head == at_least
    if not found:
        raise LogDamaged(head.length, f"entry {at_least.length}, whose digest others hold, is not in it")
    return head
