"""Frames on a mesh connection: 4 bytes length, 1 byte kind, 8 bytes label, payload (all big endian).

The length counts what follows it, and is checked before anything of that size is allocated. A message
longer than `FRAGMENT_BYTES` travels as several frames of the same label, all full but the last; a message of
an exact multiple ends with an empty frame, so its end never depends on what the receiver expects.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

FRAGMENT_BYTES = 1 << 20
SMALL_BYTES = 16 << 10
HEADER = struct.Struct(">IBQ")
_AFTER_LENGTH = HEADER.size - 4
_ABORT = re.compile(rb"[a-z_]{1,40}")
_NOBODY = 255


class FrameKind(IntEnum):
    """What a frame carries."""

    HEARTBEAT = 1
    MESSAGE = 2
    ABORT = 3


class FrameError(ValueError):
    """Bytes that are no frame; `expected` and `found` are plain words."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(f"expected {expected}, found {found}")
        self.expected = expected
        self.found = found


def room(size: int) -> memoryview:
    """Memory for `size` bytes, which nobody has cleared: it is filled before it is read."""
    return np.empty(size, dtype=np.uint8).data


_NOTHING = room(0)


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """A checked header: `payload_bytes` fits the kind and the cap."""

    kind: FrameKind
    label: int
    payload_bytes: int


@dataclass(frozen=True, slots=True)
class Abort:
    """Why a peer ends the session, and which party it blames, if any."""

    code: str
    blames: int | None


@dataclass(slots=True)
class FrameReader:
    """Cuts a byte stream into frames without copying long payloads.

    `buffer()` gives the memory to read into; `filled(count)` says how much of it was read and returns the
    frames that are now complete, as (header, payload). Raises FrameError; the stream is then unusable.
    """

    max_frame_bytes: int
    _staging: bytearray = field(default_factory=lambda: bytearray(1 << 16), repr=False)
    _pending: bytearray = field(default_factory=bytearray, repr=False)
    _header: FrameHeader | None = None
    _payload: memoryview = field(default_factory=lambda: _NOTHING, repr=False)
    _have: int = 0
    _direct: bool = False

    def buffer(self) -> memoryview:
        """Memory to read into: the payload itself where much of it is missing."""
        missing = 0 if self._header is None else self._header.payload_bytes - self._have
        self._direct = missing > len(self._staging)
        if self._direct:
            return self._payload[self._have :]
        return memoryview(self._staging)

    def filled(self, count: int) -> list[tuple[FrameHeader, memoryview]]:
        """The frames that `count` more bytes complete."""
        if self._direct:
            self._have += count
            return [self._complete()] if self._header and self._have == self._header.payload_bytes else []
        return list(self._parse(memoryview(self._staging)[:count]))

    def _parse(self, data: memoryview) -> Iterator[tuple[FrameHeader, memoryview]]:
        while len(data):
            if self._header is None:
                wanted = HEADER.size - len(self._pending)
                self._pending += data[:wanted]
                data = data[wanted:]
                if len(self._pending) < HEADER.size:
                    if len(self._pending) >= 5:
                        _check_start(bytes(self._pending[:5]), self.max_frame_bytes)
                    return
                self._header = parse_header(bytes(self._pending), self.max_frame_bytes)
                self._pending.clear()
                self._payload = room(self._header.payload_bytes)
                self._have = 0
            piece = data[: self._header.payload_bytes - self._have]
            self._payload[self._have : self._have + len(piece)] = piece
            self._have += len(piece)
            data = data[len(piece) :]
            if self._have == self._header.payload_bytes:
                yield self._complete()

    def _complete(self) -> tuple[FrameHeader, memoryview]:
        if self._header is None:
            raise FrameError("a frame", "no header")
        frame = (self._header, self._payload)
        self._header, self._payload, self._have = None, _NOTHING, 0
        return frame


def _check_start(start: bytes, max_frame_bytes: int) -> tuple[FrameKind, int]:
    length, code = int.from_bytes(start[:4], "big"), start[4]
    if not _AFTER_LENGTH <= length <= max_frame_bytes:
        raise FrameError(f"a frame of {_AFTER_LENGTH} to {max_frame_bytes} bytes", f"one of {length} bytes")
    try:
        kind = FrameKind(code)
    except ValueError:
        raise FrameError("a known kind of frame", f"kind {code}") from None
    payload_bytes = length - _AFTER_LENGTH
    longest = {FrameKind.HEARTBEAT: 0, FrameKind.MESSAGE: FRAGMENT_BYTES, FrameKind.ABORT: 41}[kind]
    if payload_bytes > longest:
        raise FrameError(f"at most {longest} bytes in a {kind.name.lower()}", f"{payload_bytes} bytes")
    return kind, payload_bytes


def parse_header(data: bytes, max_frame_bytes: int) -> FrameHeader:
    """The header in 13 bytes. Raises FrameError for a length above the cap or an unknown kind."""
    kind, payload_bytes = _check_start(data[:5], max_frame_bytes)
    return FrameHeader(kind, int.from_bytes(data[5:], "big"), payload_bytes)


def encode_header(kind: FrameKind, label: int, payload_bytes: int) -> bytes:
    """The 13 bytes before a payload."""
    return HEADER.pack(_AFTER_LENGTH + payload_bytes, kind, label)


HEARTBEAT_FRAME = encode_header(FrameKind.HEARTBEAT, 0, 0)


def encode_message(label: int, payload: bytes | memoryview) -> Iterator[bytes | memoryview]:
    """The pieces of a message in sending order: headers, and views of the payload."""
    view = memoryview(payload)
    for start in range(0, len(view) + 1, FRAGMENT_BYTES):
        fragment = view[start : start + FRAGMENT_BYTES]
        header = encode_header(FrameKind.MESSAGE, label, len(fragment))
        if len(fragment) <= SMALL_BYTES:  # one TLS record and one system call instead of two
            yield header + bytes(fragment)
        else:
            yield header
            yield fragment


def encode_abort(abort: Abort) -> bytes:
    """One abort frame; `code` is a short word of lower-case letters and underscores."""
    blames = _NOBODY if abort.blames is None else abort.blames
    payload = bytes([blames]) + abort.code.encode("ascii")[:40]
    return encode_header(FrameKind.ABORT, 0, len(payload)) + payload


def parse_abort(payload: bytes) -> Abort:
    """Raises FrameError unless the payload is a party and a short word."""
    if not _ABORT.fullmatch(payload[1:]):
        raise FrameError("a short reason", f"{len(payload)} bytes of another form")
    return Abort(payload[1:].decode("ascii"), None if payload[0] == _NOBODY else payload[0])
