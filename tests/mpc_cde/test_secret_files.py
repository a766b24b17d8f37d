"""Secret files: whole or not there, and unreadable for anybody else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mpc_cde.errors import Conflict, KeyFileRefused
from mpc_cde.secret_files import (
    delete_secret_file,
    make_private_directory,
    read_secret_file,
    verify_private_directory,
    write_secret_file,
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    directory = tmp_path / "home"
    make_private_directory(directory)
    return directory


def test_written_file_is_read_back_and_nobody_else_may(home: Path) -> None:
    old = os.umask(0)
    try:
        write_secret_file(home / "key", b"content")
        make_private_directory(home / "a" / "b")
    finally:
        os.umask(old)
    assert read_secret_file(home / "key") == b"content"
    assert (home / "key").stat().st_mode & 0o777 == 0o600
    assert (home / "a").stat().st_mode & 0o777 == 0o700
    assert [entry.name for entry in sorted(home.iterdir())] == ["a", "key"]


def test_existing_file_is_not_overwritten_unless_asked(home: Path) -> None:
    write_secret_file(home / "key", b"first")
    with pytest.raises(Conflict):
        write_secret_file(home / "key", b"second")
    assert read_secret_file(home / "key") == b"first"
    write_secret_file(home / "key", b"third", replace=True)
    assert read_secret_file(home / "key") == b"third"
    assert len(list(home.iterdir())) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777, 0o610])
def test_file_that_others_may_touch_is_refused(home: Path, mode: int) -> None:
    write_secret_file(home / "key", b"content")
    (home / "key").chmod(mode)
    with pytest.raises(KeyFileRefused, match="0600"):
        read_secret_file(home / "key")


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o711, 0o1777])
def test_directory_that_others_may_enter_is_refused(home: Path, mode: int) -> None:
    write_secret_file(home / "key", b"content")
    home.chmod(mode)
    for attempt in (
        lambda: read_secret_file(home / "key"),
        lambda: write_secret_file(home / "other", b"content"),
        lambda: verify_private_directory(home),
        lambda: make_private_directory(home),
    ):
        with pytest.raises(KeyFileRefused, match="0700"):
            attempt()


def test_symbolic_link_is_not_followed(home: Path, tmp_path: Path) -> None:
    write_secret_file(home / "key", b"content")
    (home / "link").symlink_to(home / "key")
    with pytest.raises(KeyFileRefused):
        read_secret_file(home / "link")
    (tmp_path / "elsewhere").symlink_to(home)
    with pytest.raises(KeyFileRefused):
        read_secret_file(tmp_path / "elsewhere" / "key")


def test_what_is_no_file_is_refused_without_waiting(home: Path) -> None:
    os.mkfifo(home / "pipe", 0o600)
    (home / "directory").mkdir(mode=0o700)
    for name in ("pipe", "directory", "missing"):
        with pytest.raises(KeyFileRefused):
            read_secret_file(home / name)


def test_oversized_file_is_refused(home: Path) -> None:
    write_secret_file(home / "key", bytes(11))
    with pytest.raises(KeyFileRefused):
        read_secret_file(home / "key", max_bytes=10)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_file_of_another_user_is_refused(home: Path) -> None:
    write_secret_file(home / "key", b"content")
    os.chown(home / "key", 12345, 12345)
    with pytest.raises(KeyFileRefused, match="another user"):
        read_secret_file(home / "key")


def test_interrupted_write_leaves_the_old_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_secret_file(home / "key", b"first")

    def power_cut(_: int) -> None:
        raise OSError("power cut")

    monkeypatch.setattr(os, "fsync", power_cut)
    with pytest.raises(OSError, match="power cut"):
        write_secret_file(home / "key", b"second", replace=True)
    monkeypatch.undo()
    assert read_secret_file(home / "key") == b"first"
    assert [entry.name for entry in home.iterdir()] == ["key"]


def test_deleting_twice_is_fine(home: Path) -> None:
    write_secret_file(home / "key", b"content")
    delete_secret_file(home / "key")
    delete_secret_file(home / "key")
    assert not list(home.iterdir())


def test_deletion_takes_the_draft_that_a_crash_left(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as crashed:
        crashed.setattr(Path, "unlink", lambda *_, **__: None)  # killed between linking and unlinking
        write_secret_file(home / "key", b"content")
    write_secret_file(home / "key2", b"another")
    assert len(list(home.iterdir())) == 3
    delete_secret_file(home / "key")
    assert [entry.name for entry in home.iterdir()] == ["key2"]
