"""A node's log: append-only, hash-chained, signed: what it approved, received, refused and released.

One line is the canonical JSON of {details, event, number, previous, signature, time}. The digest of an
entry is SHA-256("mpc-cde/log/v1" || 0x00 || canonical bytes of all but the signature), `previous` is the
digest of the entry before (32 zero bytes before the first), the signature is the party's, over the digest
under that tag. Heads travel in results and checkpoints, so a log that was cut or rewritten contradicts what
others hold.

An entry is on disk (fsync) when `append` returns. Writers call it *before* they commit what it speaks of:
after a crash the log may say a thing twice, and never leaves one out. Several processes of one party may
append (the node, and its operator's commands): a file lock and a look at what was added meanwhile keep one
chain.

Details hold names, reasons, counts and digests as text; bytes are refused, so no key or share comes in by
mistake.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from mpc_cde.documents.canonical import (
    canonical_bytes,
    decode_base64url,
    encode_base64url,
    parse_canonical,
    timestamp_of,
)
from mpc_cde.documents.envelope import Signer
from mpc_cde.errors import BadDocument, StoreDamaged

TAG = b"mpc-cde/log/v1\x00"
GENESIS = bytes(32)
MAX_LINE_BYTES = 64 * 1024
_FIELDS = frozenset({"details", "event", "number", "previous", "signature", "time"})


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
        return _digest(self.number, self.time, self.event, self.details, self.previous)

    def line(self) -> bytes:
        """The entry as written, with its line feed."""
        body = {
            "details": dict(self.details),
            "event": self.event,
            "number": self.number,
            "previous": encode_base64url(self.previous),
            "signature": encode_base64url(self.signature),
            "time": self.time,
        }
        return canonical_bytes(body) + b"\n"


def _digest(number: int, time: str, event: str, details: Mapping[str, Any], previous: bytes) -> bytes:
    body = {
        "details": dict(details),
        "event": event,
        "number": number,
        "previous": encode_base64url(previous),
        "time": time,
    }
    return hashlib.sha256(TAG + canonical_bytes(body)).digest()


class _LockedFile:
    """A descriptor with an exclusive lock among this party's processes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    def __enter__(self) -> int:
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        return self._descriptor

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


class NodeLog:
    """The party's own log, open for appending. Safe to share between threads."""

    def __init__(self, path: Path, signing_key: Signer, clock: Callable[[], datetime]) -> None:
        """Open or create the file (mode 0600) and follow its chain to the head.

        A last line without its line feed is a write that never finished: it is cut off and that is logged.
        Raises LogDamaged for anything else that does not chain.
        """
        self._path = path
        self._signing_key = signing_key
        self._clock = clock
        self._lock = threading.Lock()
        self._head = EMPTY
        self._size = 0
        os.close(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
        with self._lock, _LockedFile(self._path) as descriptor:
            torn = self._follow(descriptor)
            if torn:
                self._write(descriptor, [("log.unfinished_line_removed", {"bytes": torn})])

    @property
    def head(self) -> LogHead:
        """The last entry that this process knows of."""
        return self._head

    def append(self, event: str, details: Mapping[str, Any] | None = None) -> LogHead:
        """Write one entry; durable when this returns. Raises TypeError for details that are no plain JSON."""
        return self.append_all([(event, details or {})])

    def append_all(self, events: Sequence[tuple[str, Mapping[str, Any]]]) -> LogHead:
        """Write several entries with one fsync; returns the head after them."""
        for _, details in events:
            _verify_plain(details)
        with self._lock, _LockedFile(self._path) as descriptor:
            self._follow(descriptor)
            if events:
                self._write(descriptor, events)
            return self._head

    def entries(self) -> Iterator[LogEntry]:
        """All entries so far, oldest first, verified as they are read."""
        return read_log(self._path, self._signing_key.public_bytes)

    def _follow(self, descriptor: int) -> int:
        """Chain what was added since the last look; returns how many bytes of a torn last line it cut off."""
        size = os.fstat(descriptor).st_size
        if size < self._size:
            raise LogDamaged(self._head.length, f"expected {self._size} bytes, the file has {size}")
        if size == self._size:
            return 0
        added = _read_exactly(descriptor, self._size, size - self._size)
        complete = added.rfind(b"\n") + 1
        for line in added[:complete].split(b"\n")[:-1]:
            entry = parse_entry(line, self._head)
            self._head = LogHead(entry.number, entry.digest())
        self._size += complete
        torn = len(added) - complete
        if torn:
            os.ftruncate(descriptor, self._size)
        return torn

    def _write(self, descriptor: int, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        time = timestamp_of(self._clock())
        lines = []
        head = self._head
        for event, details in events:
            number = head.length + 1
            digest = _digest(number, time, event, details, head.digest)
            entry = LogEntry(number, time, event, details, head.digest, self._signing_key.sign(TAG + digest))
            line = entry.line()
            if len(line) > MAX_LINE_BYTES:
                raise ValueError(f"a log entry of {len(line)} bytes; at most {MAX_LINE_BYTES}")
            lines.append(line)
            head = LogHead(number, digest)
        data = b"".join(lines)
        written = 0
        while written < len(data):
            written += os.write(descriptor, data[written:])
        os.fsync(descriptor)
        self._head = head
        self._size += len(data)


def _read_exactly(descriptor: int, offset: int, count: int) -> bytes:
    parts = []
    while count:
        part = os.pread(descriptor, min(count, 1 << 24), offset)
        if not part:
            break
        parts.append(part)
        offset += len(part)
        count -= len(part)
    return b"".join(parts)


def _verify_plain(value: Any) -> None:
    if value is None or isinstance(value, str | bool | int):
        return
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError("a log entry's keys are text")
            _verify_plain(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _verify_plain(item)
    else:
        raise TypeError(f"a log entry holds text, numbers and lists, not {type(value).__name__}")


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
        raise LogDamaged(number, f"expected entry number {number}, found another")
    if entry.previous != before.digest:
        raise LogDamaged(number, "it does not continue the entry before it")
    if public_key is not None:
        try:
            public_key.verify(entry.signature, TAG + entry.digest())
        except InvalidSignature:
            raise LogDamaged(number, "the party's signature does not hold") from None
    return entry


def read_log(path: Path, public_bytes: bytes) -> Iterator[LogEntry]:
    """Every entry of the file, oldest first, chain and signatures verified. Raises LogDamaged."""
    public_key = Ed25519PublicKey.from_public_bytes(public_bytes)
    head = EMPTY
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
