"""The node's log: nothing in it can be changed, dropped or added by somebody else without being seen."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import threading
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpc_cde.documents.canonical import canonical_bytes, encode_base64url
from mpc_cde.errors import StoreUnavailable
from mpc_cde.node_log import EMPTY, MAX_LINE_BYTES, LogDamaged, LogHead, parse_entry, verify_log
from parties.log import NodeLog
from tests.parties.keys import TestSigner

SIGNER = TestSigner(b"chamber")
PUBLIC = SIGNER.public_bytes


def clock() -> datetime:
    return datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


def open_log(path: Path, signer: TestSigner = SIGNER) -> NodeLog:
    return NodeLog(path, signer, clock)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "log.jsonl"
    log = open_log(path)
    log.append("node.started", {"version": "0.1.0"})
    log.append_all([("intake.accepted", {"submission": "a"}), ("intake.refused", {"reason": "closed"})])
    return path


def test_a_sound_log_verifies_and_gives_its_head(path: Path) -> None:
    log = open_log(path)
    assert verify_log(path, PUBLIC) == log.head
    assert log.head.length == 3
    assert [entry.event for entry in log.entries()] == ["node.started", "intake.accepted", "intake.refused"]


def test_the_file_is_closed_to_others(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_any_changed_bit_is_seen(path: Path, place: int, bit: int) -> None:
    original = path.read_bytes()
    changed = bytearray(original)
    changed[place % len(original)] ^= 1 << bit
    try:
        path.write_bytes(changed)
        with pytest.raises(LogDamaged):
            verify_log(path, PUBLIC)
    finally:
        path.write_bytes(original)


def test_whatever_is_changed_but_a_signature_is_seen_when_the_log_is_opened(path: Path) -> None:
    """Signatures are looked at by `verify_log` alone."""
    original = path.read_bytes()
    signed = [range(*found.span()) for found in re.finditer(rb'"signature":"[^"]*"', original)]
    try:
        for place in range(0, len(original) - 1, 5):
            if any(place in span for span in signed):
                continue
            changed = bytearray(original)
            changed[place] ^= 1
            path.write_bytes(changed)
            with pytest.raises(LogDamaged):
                open_log(path)
    finally:
        path.write_bytes(original)


def test_a_damaged_last_line_is_refused_again_and_again(path: Path) -> None:
    log, written = open_log(path), path.read_bytes()
    other = open_log(path)
    other.append("more", {"reason": "closed"})
    path.write_bytes(written + path.read_bytes()[len(written) :].replace(b"closed", b"opened "))
    for _ in range(2):
        with pytest.raises(LogDamaged):
            log.append("another", {})


@pytest.mark.parametrize(
    "details", [{"a": ',"event":"x"'}, {"event": "x", "number": 7, "previous": "y"}, {"ü": "\\"}]
)
def test_details_that_look_like_the_end_of_an_entry_are_details(
    path: Path, details: dict[str, str | int]
) -> None:
    log = open_log(path)
    log.append_all([("noted", {"inner": details, "time": "2026"}), ('no"ted', {})])
    log.append("last", {})
    assert open_log(path).head == log.head == verify_log(path, PUBLIC)


def test_a_dropped_line_is_seen(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[2])
    with pytest.raises(LogDamaged, match="line 2"):
        verify_log(path, PUBLIC)
    with pytest.raises(LogDamaged):
        open_log(path)


def test_a_cut_end_is_seen_by_whoever_holds_a_later_head(path: Path) -> None:
    head = open_log(path).head
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]))
    assert verify_log(path, PUBLIC).length == 2
    with pytest.raises(LogDamaged, match="others hold"):
        verify_log(path, PUBLIC, at_least=head)


def test_a_log_rewritten_with_another_key_is_seen(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    open_log(other, TestSigner(b"thief")).append("node.started", {})
    with pytest.raises(LogDamaged, match="signature"):
        verify_log(other, PUBLIC)
    with pytest.raises(LogDamaged, match="signature"):
        open_log(other)


def test_a_line_from_another_log_of_the_same_party_is_seen(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    open_log(other).append_all([("node.started", {}), ("intake.accepted", {"submission": "z"})])
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + other.read_bytes().splitlines(keepends=True)[1])
    with pytest.raises(LogDamaged, match="does not continue"):
        verify_log(path, PUBLIC)


def test_an_unfinished_write_is_cut_off_and_told(path: Path) -> None:
    before = verify_log(path, PUBLIC)
    with path.open("ab") as file:
        file.write(b'{"details":{},"event":"half')
    log = open_log(path)
    assert [entry.event for entry in log.entries()][-1] == "log.unfinished_line_removed"
    assert log.head.length == before.length + 1
    verify_log(path, PUBLIC, at_least=before)


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_full_disk_is_said_with_the_file_and_the_chain_goes_on(
    path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Half of an entry is on disk, or all of it and nobody knows."""
    log, write = open_log(path), os.write

    def half(descriptor: int, data: bytes = b"") -> int:
        if data:
            write(descriptor, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(os, call, half)
        with pytest.raises(StoreUnavailable, match=r"log\.jsonl: No space left on device"):
            log.append("lost or not", {})
    head = log.append("kept", {})
    assert verify_log(path, PUBLIC) == head
    assert [entry.event for entry in log.entries()][-1] == "kept"


@pytest.mark.parametrize("cut", [lambda data: data.splitlines(keepends=True)[0], lambda data: data[:-1]])
def test_a_log_cut_while_open_stops_the_writer(path: Path, cut: Callable[[bytes], bytes]) -> None:
    log = open_log(path)
    path.write_bytes(cut(path.read_bytes()))
    with pytest.raises(LogDamaged):
        log.append("more", {})


def test_several_writers_keep_one_chain(path: Path) -> None:
    logs = [open_log(path) for _ in range(4)]

    def write(log: NodeLog) -> None:
        for number in range(10):
            log.append("counted", {"number": number})

    threads = [threading.Thread(target=write, args=(log,)) for log in logs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert verify_log(path, PUBLIC).length == 43


@pytest.mark.parametrize("details", [{"seed": b"bytes"}, {"x": 1.5}, {"x": [{"y": object()}]}, {1: "x"}])
def test_details_are_plain_text_and_numbers_only(path: Path, details: dict[str, object]) -> None:
    log = open_log(path)
    with pytest.raises(TypeError):
        log.append("x", details)
    assert log.head.length == 3


def test_an_empty_log_has_an_empty_head(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    assert open_log(path).head == EMPTY == LogHead(0, bytes(32))
    assert verify_log(path, PUBLIC) == EMPTY


def test_lines_are_json_that_people_can_read(path: Path) -> None:
    first = json.loads(path.read_text().splitlines()[0])
    assert first["event"] == "node.started"
    assert first["time"] == "2026-11-24T10:00:00Z"
    assert first["number"] == 1


def test_an_entry_longer_than_a_line_may_be_is_not_written(path: Path) -> None:
    log = open_log(path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="at most"):
        log.append("too.long", {"text": "x" * MAX_LINE_BYTES})
    assert path.read_bytes() == before
    assert verify_log(path, PUBLIC) == log.head


def test_an_entry_as_long_as_a_line_may_be_is_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = open_log(path)
    log.append("long", {"text": "x" * 100})
    monkeypatch.setattr("parties.log.MAX_LINE_BYTES", len(path.read_bytes().splitlines(keepends=True)[-1]))
    log.append("long", {"text": "y" * 100})
    with pytest.raises(ValueError, match="at most"):
        log.append("long", {"text": "y" * 101})


def test_a_reader_does_not_take_half_a_line_for_the_end(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b'{"details"')
    with pytest.raises(LogDamaged, match="not finished"):
        verify_log(path, PUBLIC)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("details", [], "not the fields"),
        ("number", 99, "expected entry number"),
        ("previous", "-", "no base64url"),
        ("previous", encode_base64url(bytes(31)), "does not continue"),
    ],
)
def test_an_entry_of_another_form_is_refused_before_its_signature_is_looked_at(
    path: Path, field: str, value: object, said: str
) -> None:
    entry = json.loads(path.read_bytes().splitlines()[0])
    with pytest.raises(LogDamaged, match=said):
        parse_entry(canonical_bytes({**entry, field: value}), EMPTY)


def test_a_log_of_very_many_entries_is_opened_without_holding_it(path: Path) -> None:
    """A log grows with every member: whole, its lines would be held some four times over."""
    open_log(path).append_all([("intake.accepted", {"submission": "s" * 1000})] * 1500)
    whole = path.stat().st_size
    tracemalloc.start()
    try:
        log = open_log(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert log.head == verify_log(path, PUBLIC)
    assert log.head.length == 1503
    assert peak < whole / 2
