"""Tests write into memory only where there is room and programs may run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import memory_disk
from tests.memory_disk import is_fit


def memory_with(path: Path, kilobytes: int) -> Path:
    path.write_text(f"MemTotal: 99 kB\nMemAvailable:   {kilobytes} kB\n")
    return path


def test_too_little_memory_or_none_that_is_told_leaves_tests_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_disk, "NEEDED_BYTES", 1 << 20)
    assert is_fit(tmp_path, memory_with(tmp_path / "enough", 1 << 10))
    assert not is_fit(tmp_path, memory_with(tmp_path / "short", (1 << 10) - 1))
    assert not is_fit(tmp_path, tmp_path / "not told")
    assert not is_fit(tmp_path / "no such place", tmp_path / "enough")


def test_a_directory_that_is_named_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/named")
    memory_disk.use_memory_disk()
    assert os.environ["TMPDIR"] == "/named"
