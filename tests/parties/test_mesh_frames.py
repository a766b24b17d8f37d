"""Frames: what is sent is what is read, and nothing hostile is allocated."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parties.mesh_frames import (
    FRAGMENT_BYTES,
    HEARTBEAT_FRAME,
    Abort,
    FrameError,
    FrameHeader,
    FrameKind,
    FrameReader,
    encode_abort,
    encode_header,
    encode_message,
    parse_abort,
)

CAP = 16 << 20


def read(reader: FrameReader, data: bytes, step: int) -> list[tuple[FrameHeader, bytes]]:
    frames: list[tuple[FrameHeader, bytes]] = []
    position = 0
    while position < len(data):
        buffer = reader.buffer()
        piece = data[position : position + min(step, len(buffer))]
        buffer[: len(piece)] = piece
        frames += [(header, bytes(payload)) for header, payload in reader.filled(len(piece))]
        position += len(piece)
    return frames


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 2**64 - 1), st.binary(max_size=300)), max_size=6),
    st.integers(1, 400),
)
def test_messages_survive_any_cutting_of_the_stream(messages: list[tuple[int, bytes]], step: int) -> None:
    data = b"".join(bytes(piece) for label, payload in messages for piece in encode_message(label, payload))
    frames = read(FrameReader(CAP), data, step)
    assert [(header.label, payload) for header, payload in frames] == messages


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_long_message_travels_in_full_fragments_and_a_shorter_last(extra: int) -> None:
    payload = bytes(range(256)) * (2 * FRAGMENT_BYTES // 256) + b"\x01" * max(0, extra)
    payload = payload[: 2 * FRAGMENT_BYTES + extra]
    frames = read(FrameReader(CAP), b"".join(bytes(piece) for piece in encode_message(7, payload)), 100_000)
    assert b"".join(body for _, body in frames) == payload
    assert all(len(body) == FRAGMENT_BYTES for _, body in frames[:-1])
    assert len(frames[-1][1]) < FRAGMENT_BYTES


def test_frame_of_four_gibibytes_is_refused_from_its_first_bytes() -> None:
    with pytest.raises(FrameError, match="4294967295"):
        read(FrameReader(CAP), b"\xff\xff\xff\xff\x02", 5)


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x00\x00\x08\x02" + bytes(8),
        b"GET / HTTP/1.1\r\n\r\n",
        bytes(20),
        encode_header(FrameKind.HEARTBEAT, 0, 1) + b"x",
        encode_header(FrameKind.MESSAGE, 0, FRAGMENT_BYTES + 1),
        encode_header(FrameKind.ABORT, 0, 42),
        b"\x00\x00\x00\x09\x07" + bytes(8),
    ],
)
def test_garbage_is_no_frame(data: bytes) -> None:
    with pytest.raises(FrameError):
        read(FrameReader(CAP), data, 3)


def test_a_frame_is_as_long_as_agreed_and_no_longer() -> None:
    ((header, payload),) = read(FrameReader(13), encode_header(FrameKind.MESSAGE, 7, 4) + b"four", 5)
    assert (header.label, payload) == (7, b"four")
    with pytest.raises(FrameError, match="9 to 13 bytes"):
        read(FrameReader(13), encode_header(FrameKind.MESSAGE, 7, 5), 5)


def test_heartbeat_is_a_bare_header() -> None:
    assert read(FrameReader(CAP), HEARTBEAT_FRAME, 1) == [(FrameHeader(FrameKind.HEARTBEAT, 0, 0), b"")]


@given(st.from_regex(r"\A[a-z_]{1,40}\Z"), st.none() | st.integers(0, 15))
def test_abort_carries_reason_and_blame(code: str, blames: int | None) -> None:
    [(header, payload)] = read(FrameReader(CAP), encode_abort(Abort(code, blames)), 7)
    assert header.kind is FrameKind.ABORT
    assert parse_abort(payload) == Abort(code, blames)


@pytest.mark.parametrize("payload", [b"", b"\x01", b"\x01Some Text", b"\x01\xff\xfe", b"\x01" + b"a" * 41])
def test_abort_with_another_text_is_refused(payload: bytes) -> None:
    with pytest.raises(FrameError):
        parse_abort(payload)
