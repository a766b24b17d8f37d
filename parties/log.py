"""A node's log: append-only, hash-chained, signed: what it approved, received, refused and released.

`mpc_cde.node_log` says what a line is and reads it; this writes. An entry is on disk (fsync) when `append`
returns. Writers call it *before* they commit what it speaks of: after a crash the log may say a thing twice,
and never leaves one out. Several processes of one party may append (the node, and its operator's commands): a
file lock and a look at what was added meanwhile keep one chain.

Details hold names, reasons, counts and digests as text; bytes are refused, so no key or share comes in by
mistake.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from mpc_cde.documents.canonical import timestamp_of
from mpc_cde.documents.envelope import Signer
from mpc_cde.errors import StoreUnavailable
from mpc_cde.node_log import (
    EMPTY,
    MAX_LINE_BYTES,
    TAG,
    LogDamaged,
    LogEntry,
    LogHead,
    digest_of_unsigned,
    follow_entry,
    line_of,
    parse_entry,
    read_log,
    unsigned_entry,
)

_BLOCK_BYTES = 1 << 16
"""A log has up to 1.4 KB for each member, and is followed from its beginning when it is opened: block by block."""


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
        Raises LogDamaged for anything else that does not chain up to a last entry with the party's signature.
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
        head, end, rest = self._head, self._size, b""
        last: tuple[bytes, LogHead] | None = None
        while end + len(rest) < size:
            begun = end + len(rest)
            added = os.pread(descriptor, min(size - begun, _BLOCK_BYTES), begun)
            if not added:
                break
            *lines, rest = (rest + added).split(b"\n")
            for line in lines:
                last = line, head
                head = follow_entry(line, head)
                end += len(line) + 1
        if last is not None:
            # No other names the digest of its bytes yet; its signature covers them, and with them all before.
            parse_entry(*last, Ed25519PublicKey.from_public_bytes(self._signing_key.public_bytes))
        self._head, self._size = head, end
        if rest:
            os.ftruncate(descriptor, end)
        return len(rest)

    def _write(self, descriptor: int, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        time = timestamp_of(self._clock())
        lines = []
        head = self._head
        for event, details in events:
            number = head.length + 1
            unsigned = unsigned_entry(number, time, event, details, head.digest)
            digest = digest_of_unsigned(unsigned)
            line = line_of(unsigned, time, self._signing_key.sign(TAG + digest))
            if len(line) > MAX_LINE_BYTES:
                raise ValueError(f"a log entry of {len(line)} bytes; at most {MAX_LINE_BYTES}")
            lines.append(line)
            head = LogHead(number, digest)
        data = b"".join(lines)
        written = 0
        try:
            while written < len(data):
                written += os.write(descriptor, data[written:])
            os.fsync(descriptor)
        except OSError as error:  # what is half there is cut off before the next entry
            raise StoreUnavailable(f"{self._path}: {error.strerror}") from error
        self._head = head
        self._size += len(data)


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
