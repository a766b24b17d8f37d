"""Frames of the feed: whatever is written is read, and nothing else."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_cde.documents.canonical import MAX_INTEGER, canonical_bytes, parse_strict_json
from mpc_cde.documents.envelope import Envelope, Signature
from mpc_cde.errors import BadDocument
from mpc_cde.feed_format import FeedFrame, read_frames, write_frame, write_frames


def envelope(payload: bytes = b"{}") -> Envelope:
    return Envelope(
        payload_type="application/vnd.mpc-cde.receipt.v1+json",
        payload=payload,
        signatures=(Signature(keyid=bytes(16), sig=bytes(64)),),
    )


def frame(number: int, *parts: bytes) -> FeedFrame:
    return FeedFrame(number, "receipt/v1", envelope(), parts)


@given(st.lists(st.lists(st.binary(max_size=50), max_size=2), max_size=4))
def test_frames_come_back_as_they_were_written(parts: list[list[bytes]]) -> None:
    frames = [frame(number, *own) for number, own in enumerate(parts)]
    assert list(read_frames(write_frames(frames))) == frames


@given(st.integers(0, MAX_INTEGER), st.lists(st.binary(max_size=9), max_size=4))
def test_the_header_of_a_frame_is_canonical_json(number: int, parts: list[bytes]) -> None:
    data = write_frame(frame(number, *parts))
    header = data[4 : 4 + struct.unpack(">I", data[:4])[0]]
    assert canonical_bytes(parse_strict_json(header)) == header


@given(st.binary(max_size=60))
def test_garbage_is_refused_and_nothing_else_is_raised(data: bytes) -> None:
    with contextlib.suppress(BadDocument):
        assert list(read_frames(data)) == [] or data


@given(st.integers(1, 200))
def test_answer_cut_off_inside_a_frame_is_refused(cut: int) -> None:
    data = write_frame(frame(1, b"correction", b"sealed"))
    with pytest.raises(BadDocument, match="ends inside"):
        list(read_frames(data[: -min(cut, len(data) - 1)]))


def test_feed_that_goes_back_is_refused() -> None:
    with pytest.raises(BadDocument, match="does not come after"):
        list(read_frames(write_frames([frame(2), frame(2)])))


def test_digest_of_another_document_is_refused() -> None:
    written = write_frame(frame(1))
    other = write_frame(FeedFrame(1, "receipt/v1", envelope(b'{"a":1}')))
    digest = written.index(b'"digest":"') + len(b'"digest":"')
    swapped = written[:digest] + other[digest : digest + 43] + written[digest + 43 :]
    with pytest.raises(BadDocument, match="another digest"):
        list(read_frames(swapped))


def test_header_of_four_gibibytes_is_refused_before_it_is_read() -> None:
    with pytest.raises(BadDocument, match="at most"):
        list(read_frames(struct.pack(">I", 2**32 - 1)))


def test_what_came_before_a_damaged_frame_stands() -> None:
    frames = read_frames(write_frame(frame(1)) + b"\x00\x00")
    assert next(frames).number == 1
    with pytest.raises(BadDocument):
        next(frames)
