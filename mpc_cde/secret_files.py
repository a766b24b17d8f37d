"""Files that only their owner may read: 0600 in directories of 0700, written whole or not at all.

A wider mode, another owner or a symbolic link is refused and never repaired: whoever could read the file
before may have its key, and that is for a person to judge.
"""

from __future__ import annotations

import glob
import os
import stat
import threading
from itertools import takewhile
from pathlib import Path

from mpc_cde.coded_text import worded
from mpc_cde.errors import Conflict, KeyFileRefused

MAX_SECRET_FILE_BYTES = 1 << 20


def make_private_directory(path: Path) -> None:
    """Create `path` and what is missing above it, mode 0700. Raises KeyFileRefused if it is wider."""
    missing = list(takewhile(lambda directory: not directory.exists(), (path, *path.parents)))
    for directory in reversed(missing):
        try:
            directory.mkdir(mode=0o700)
        except FileExistsError:
            continue  # another process of the same owner made it; its mode is judged below
    verify_private_directory(path)


def verify_private_directory(path: Path) -> None:
    """Returns if `path` is our directory and nobody else may enter it. Raises KeyFileRefused."""
    try:
        status = path.lstat()
    except OSError as error:
        raise KeyFileRefused(
            worded("file_unreadable", "{path}: {why}", path=path, why=error.strerror)
        ) from None
    if not stat.S_ISDIR(status.st_mode):
        raise KeyFileRefused(worded("no_directory", "{path}: expected a directory", path=path))
    _verify_owner_only(path, status, wanted="0700")


def write_secret_file(path: Path, data: bytes, *, replace: bool = False) -> None:
    """Write `data` to `path`, mode 0600, on disk when this returns; readers see all of it or nothing.

    Raises Conflict if the file is there and may not be replaced, KeyFileRefused for an open directory.
    """
    verify_private_directory(path.parent)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.draft")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            draft.replace(path)
        else:
            try:
                os.link(draft, path, follow_symlinks=False)  # unlike rename, fails if the file is there
            except FileExistsError:
                raise Conflict(
                    worded("file_there", "{path} is there already", path=path),
                    hint=worded("file_there_hint", "move it away first"),
                ) from None
    finally:
        draft.unlink(missing_ok=True)
    _sync_directory(path.parent)


def read_secret_file(path: Path, *, max_bytes: int = MAX_SECRET_FILE_BYTES) -> bytes:
    """Bytes of a file that only its owner, we, may read. Raises KeyFileRefused."""
    verify_private_directory(path.parent)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise KeyFileRefused(
            worded("file_unreadable", "{path}: {why}", path=path, why=error.strerror)
        ) from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise KeyFileRefused(worded("no_file", "{path}: expected a file", path=path))
        _verify_owner_only(path, status, wanted="0600")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(max_bytes + 1)
    finally:
        os.close(descriptor)
    if len(data) > max_bytes:
        raise KeyFileRefused(
            worded("file_large", "{path}: expected at most {most} bytes", path=path, most=max_bytes)
        )
    return data


def delete_secret_file(path: Path) -> None:
    """Remove the file and any draft of it that a crash left, on disk when this returns; gone already is fine.

    Nothing is overwritten: on flash and copying file systems that would promise what it cannot keep.
    """
    path.unlink(missing_ok=True)
    for draft in path.parent.glob(f".{glob.escape(path.name)}.*.draft"):
        draft.unlink(missing_ok=True)
    _sync_directory(path.parent)


def _verify_owner_only(path: Path, status: os.stat_result, *, wanted: str) -> None:
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise KeyFileRefused(
            worded(
                "file_open",
                "{path}: expected mode {wanted}, found {mode}",
                path=path,
                wanted=wanted,
                mode=f"{mode:04o}",
            ),
            hint=worded(
                "file_open_hint", "find out who could read it; if nobody did, narrow the mode with chmod"
            ),
        )
    if status.st_uid != os.geteuid():
        raise KeyFileRefused(worded("file_of_another", "{path}: belongs to another user", path=path))


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
