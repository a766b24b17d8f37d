"""Reading bodies: never more than the cap, never longer than the time, never looser than the form asks."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from mpc_cde.body_parts import MAX_DOCUMENTS
from mpc_cde.documents.envelope import Envelope
from mpc_cde.errors import BadDocument
from mpc_cde.gateway.problems import ProblemKind, RequestRefused

JSON = "application/json"
MULTIPART = "multipart/form-data"
MAX_PARTS = 32
MAX_PART_HEADER_BYTES = 4096


async def read_body(request: Request, *, max_bytes: int, deadline_seconds: float) -> bytes:
    """The whole body. Raises RequestRefused: too large, too slow, broken off."""
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:20]) > max_bytes:
        raise _too_large(max_bytes)
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(deadline_seconds):
            async for piece in request.stream():
                size += len(piece)
                if size > max_bytes:
                    raise _too_large(max_bytes)
                pieces.append(piece)
    except TimeoutError:
        raise RequestRefused(
            ProblemKind.BODY_TOO_SLOW, f"expected the whole body within {deadline_seconds:.0f} s"
        ) from None
    except ClientDisconnect:
        raise RequestRefused(ProblemKind.MALFORMED_REQUEST, "the body broke off") from None
    return b"".join(pieces)


def media_type(request: Request) -> str:
    """The media type of the body in lower case, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def require_media_type(request: Request, *allowed: str) -> None:
    """Returns if the body is of one of these types. Raises RequestRefused."""
    if media_type(request) not in allowed:
        raise RequestRefused(ProblemKind.WRONG_CONTENT_TYPE, f"expected {' or '.join(allowed)}")


def parse_envelope(body: bytes) -> Envelope:
    """The one signed document of a body. Raises RequestRefused."""
    try:
        return Envelope.parse_json(body, max_bytes=max(len(body), 1))
    except BadDocument as error:
        raise RequestRefused(ProblemKind.MALFORMED_REQUEST, str(error)) from None


def parse_envelopes(body: bytes) -> list[Envelope]:
    """The signed documents of a body, one a line. Raises RequestRefused."""
    lines = body.splitlines()
    if not 1 <= len(lines) <= MAX_DOCUMENTS:
        raise RequestRefused(
            ProblemKind.MALFORMED_REQUEST, f"expected 1 to {MAX_DOCUMENTS} lines, found {len(lines)}"
        )
    return [parse_envelope(line) for line in lines]


@dataclass(slots=True)
class _Collector:
    """Callbacks of the multipart parser."""

    parts: dict[str, bytes] = field(default_factory=dict)
    header_name: bytes = b""
    header_value: bytes = b""
    name: str | None = None
    pieces: list[bytes] = field(default_factory=list)
    is_complete: bool = False

    def begin(self) -> None:
        self.name, self.pieces = None, []
        if len(self.parts) >= MAX_PARTS:
            raise _bad_multipart(f"more than {MAX_PARTS} parts")

    def take_header_name(self, data: bytes, start: int, end: int) -> None:
        self.header_name = self._grown(self.header_name, data[start:end])

    def take_header_value(self, data: bytes, start: int, end: int) -> None:
        self.header_value = self._grown(self.header_value, data[start:end])

    @staticmethod
    def _grown(before: bytes, more: bytes) -> bytes:
        if len(before) + len(more) > MAX_PART_HEADER_BYTES:
            raise _bad_multipart("a header of a part is too long")
        return before + more

    def end_header(self) -> None:
        if self.header_name.lower() == b"content-disposition":
            disposition, options = parse_options_header(self.header_value)
            if disposition == b"form-data" and b"name" in options:
                self.name = options[b"name"].decode("utf-8", "replace")
        self.header_name, self.header_value = b"", b""

    def take_data(self, data: bytes, start: int, end: int) -> None:
        self.pieces.append(data[start:end])

    def end_part(self) -> None:
        if self.name is None:
            raise _bad_multipart("a part has no name")
        if self.name in self.parts:
            raise _bad_multipart("two parts have the same name")
        self.parts[self.name] = b"".join(self.pieces)

    def end(self) -> None:
        self.is_complete = True


def parse_multipart(content_type: str, body: bytes) -> Mapping[str, bytes]:
    """Parts by name, each name once. Raises RequestRefused."""
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if not 1 <= len(boundary) <= 70:
        raise _bad_multipart("the boundary is missing")
    plain = _cut_plain(body, b"\r\n--" + boundary)
    return _parse_any(boundary, body) if plain is None else plain


_PLAIN_HEAD = re.compile(
    rb"\r\nContent-Disposition: form-data; name=\"([a-z0-9-]{1,40})\"(?:; filename=\"[a-z0-9-]{1,40}\")?"
    rb"(?:\r\nContent-Type: [a-z0-9/+.-]{1,80})?\r\n\r\n"
)


def _cut_plain(body: bytes, delimiter: bytes) -> dict[str, bytes] | None:
    """The parts of a body as clients write it, cut at its delimiters: what the library reads in it too, and finds
    by looking at every byte of a head. None for whatever else the form allows, or is none."""
    first = delimiter[2:]
    end = len(body) - len(delimiter) - 4
    if not body.startswith(first) or body[end:] != delimiter + b"--\r\n":
        return None
    pieces = body[len(first) : end].split(delimiter, MAX_PARTS)
    heads = [head for head in map(_PLAIN_HEAD.match, pieces) if head is not None]
    parts = {head[1].decode("ascii"): head.string[head.end() :] for head in heads}
    return parts if len(parts) == len(pieces) <= MAX_PARTS else None


def _parse_any(boundary: bytes, body: bytes) -> Mapping[str, bytes]:
    collector = _Collector()
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": collector.begin,
                "on_part_data": collector.take_data,
                "on_part_end": collector.end_part,
                "on_header_field": collector.take_header_name,
                "on_header_value": collector.take_header_value,
                "on_header_end": collector.end_header,
                "on_end": collector.end,
            },
        )
        parser.write(body)
        parser.finalize()
    except (FormParserError, ValueError) as error:
        raise _bad_multipart(type(error).__name__) from None
    if not collector.is_complete:
        raise _bad_multipart("it ends before its last boundary")
    return collector.parts


def _bad_multipart(why: str) -> RequestRefused:
    return RequestRefused(ProblemKind.MALFORMED_REQUEST, f"no multipart body: {why}")


def _too_large(max_bytes: int) -> RequestRefused:
    # The rest of the body stays unread, so the connection cannot be used again.
    return RequestRefused(
        ProblemKind.BODY_TOO_LARGE, f"expected at most {max_bytes} bytes", headers={"Connection": "close"}
    )
