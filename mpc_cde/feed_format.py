"""The feed that the gateway serves and a party reads: one frame a document, in the order of their numbers.

A frame is 4 bytes (big endian, length of the header), the header (canonical JSON), then the raw parts whose
sizes the header gives. A submission has two parts: its correction, and the envelope sealed to the reading
party. Everything in a frame is a claim of the gateway: the reader verifies the envelope.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, StringConstraints

from mpc_cde.documents.base import Part
from mpc_cde.documents.canonical import Count, Digest, base64url_bytes
from mpc_cde.documents.envelope import Envelope
from mpc_cde.errors import BadDocument

MEDIA_TYPE = "application/vnd.mpc-cde.feed"
NEWEST_HEADER = "Feed-Newest"
"""Number of the newest item when the answer was made: who reads knows how far behind it is."""
MAX_HEADER_BYTES = 32 << 20
MAX_PART_BYTES = 8 << 20
_LENGTH = struct.Struct(">I")

TypeName = Annotated[str, StringConstraints(pattern=r"^[a-z-]+/v[1-9][0-9]*$", max_length=80)]


@dataclass(frozen=True, slots=True)
class FeedFrame:
    """One item: its number in the feed, what type of document it is, the envelope, and its raw parts."""

    number: int
    type_name: str
    envelope: Envelope
    parts: tuple[bytes, ...] = ()


class _FrameHeader(Part):
    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    max_payload_bytes: ClassVar[int] = MAX_HEADER_BYTES

    number: Count
    type: TypeName
    document: Digest = Field(alias="digest")
    envelope: Envelope
    parts: Annotated[tuple[Annotated[int, Field(ge=0, le=MAX_PART_BYTES)], ...], Field(max_length=4)]

    def payload_bytes(self) -> bytes:
        """As any part's, written at once: a feed is read by every party."""
        sizes, envelope = self.parts, self.envelope.payload_bytes()
        return _header(self.number, self.type, self.document, envelope, sizes)


def write_frame(frame: FeedFrame) -> bytes:
    """The bytes of one frame."""
    digest, envelope = frame.envelope.digest(), frame.envelope.to_json()
    return frame_of(frame.number, frame.type_name, digest, envelope, frame.parts)


def frame_of(number: int, type_name: str, digest: bytes, envelope: bytes, parts: Sequence[bytes]) -> bytes:
    """As `write_frame`, of an envelope that is written already."""
    header = _header(number, type_name, digest, envelope, [len(part) for part in parts])
    return b"".join((_LENGTH.pack(len(header)), header, *parts))


def _header(number: int, type_name: str, digest: bytes, envelope: bytes, sizes: Sequence[int]) -> bytes:
    return b'{"digest":"%b","envelope":%b,"number":%d,"parts":[%b],"type":"%b"}' % (
        base64url_bytes(digest),
        envelope,
        number,
        b",".join(b"%d" % size for size in sizes),
        type_name.encode("ascii"),
    )


def write_frames(frames: Iterable[FeedFrame]) -> bytes:
    """The body of one answer."""
    return b"".join(write_frame(frame) for frame in frames)


def read_frames(data: bytes) -> Iterator[FeedFrame]:
    """The frames of one answer, numbers strictly ascending. Raises BadDocument; what came before stands."""
    position, last = 0, -1
    while position < len(data):
        header_bytes, position = _take(data, position, _LENGTH.size, "length")
        (length,) = _LENGTH.unpack(header_bytes)
        if length > MAX_HEADER_BYTES:
            raise BadDocument(f"feed: expected a header of at most {MAX_HEADER_BYTES} bytes, found {length}")
        header_bytes, position = _take(data, position, length, "header")
        header = _FrameHeader.parse_payload(header_bytes)
        if header.number <= last:
            raise BadDocument(f"feed: number {header.number} does not come after {last}")
        if header.document != header.envelope.digest():
            raise BadDocument(f"feed: item {header.number} has another digest than its envelope")
        parts = []
        for size in header.parts:
            part, position = _take(data, position, size, "part")
            parts.append(part)
        last = header.number
        yield FeedFrame(header.number, header.type, header.envelope, tuple(parts))


def _take(data: bytes, position: int, size: int, what: str) -> tuple[bytes, int]:
    end = position + size
    if end > len(data):
        raise BadDocument(f"feed: the answer ends inside a {what}")
    return data[position:end], end
