"""The file of a party's columns, (L + M, n) little-endian uint64, as it is written once and mapped by every worker.

Its first L rows are the party's shares, the others what `derived_rows` makes of them.

A computation reads columns faster than anything else it does, so it matters in which pages they lie: in large ones
(2 MB) a walk reads them a quarter faster. A file system gives those to what it reads in anew for a mapping that
asks for them, not to what was written page by page; so what was written leaves the page cache, and the check of its
digest brings it back.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from protocols import field as fp
from protocols.derived_rows import derive_rows, derived_row_count
from protocols.encoding import FigureEncoding
from protocols.errors import OutOfRange

_DIGEST_BYTES = 1 << 24


@contextlib.contextmanager
def writing_columns(
    path: Path, encodings: Sequence[FigureEncoding], count: int
) -> Iterator[Callable[[fp.FieldVector], None]]:
    """A new file of the columns of `count` records, on disk in the end; call it with the shares of some, (L, k)."""
    rows = column_rows(encodings, count)
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    with os.fdopen(descriptor, "r+b") as file:
        if not rows * count:
            yield lambda _: None
            return
        # all the room now: a disk that is full later would kill whoever writes to the mapping
        os.posix_fallocate(file.fileno(), 0, rows * count * fp.ELEMENT_BYTES)
        writer = _Writer(np.memmap(path, dtype="<u8", mode="r+", shape=(rows, count)), encodings)
        yield writer
        writer.finish()
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def column_rows(encodings: Sequence[FigureEncoding], count: int) -> int:
    """L + M."""
    return sum(encoding.element_count for encoding in encodings) + derived_row_count(encodings, count)


class _Writer:
    """Blocks of records side by side, each with its derived rows."""

    def __init__(
        self, matrix: np.memmap[tuple[int, int], np.dtype[np.uint64]], encodings: Sequence[FigureEncoding]
    ) -> None:
        self._matrix = matrix
        self._encodings = encodings
        self._done = 0

    def __call__(self, block: fp.FieldVector) -> None:
        place = slice(self._done, self._done + block.shape[1])
        row = 0
        for rows in (block, *derive_rows(block, self._encodings, self._matrix.shape[1])):
            self._matrix[row : row + len(rows), place] = rows
            row += len(rows)
        self._done = place.stop

    def finish(self) -> None:
        """Unmap: pages that are mapped stay in the page cache."""
        self._matrix.flush()
        del self._matrix


def map_shares(path: Path) -> NDArray[np.uint64]:
    """All words of a file that is not empty, read-only, in large pages where the system has them."""
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    with contextlib.suppress(OSError):  # a system without large pages reads what it has
        mapped.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(mapped, dtype="<u8").view(np.uint64)


def digest_of_shares(path: Path) -> str:
    """SHA-256 of the file, hexadecimal; reads it into large pages."""
    digest = hashlib.sha256()
    if path.stat().st_size:
        words = map_shares(path).view(np.uint8)
        for start in range(0, len(words), _DIGEST_BYTES):
            digest.update(words[start : start + _DIGEST_BYTES].data)
    return digest.hexdigest()


class ColumnFile:
    """This party's columns as jobs map them: the file stays mapped, so only a session's first job faults it in."""

    def __init__(self) -> None:
        self._mapped: tuple[object, NDArray[np.uint64]] | None = None

    def words(self, path: str, rows: int, records: int) -> NDArray[np.uint64]:
        """The whole file, read-only, as (rows, records). Raises OutOfRange if the size differs."""
        expected = rows * records * fp.ELEMENT_BYTES
        stat = Path(path).stat()
        if stat.st_size != expected:
            raise OutOfRange(f"the columns have {stat.st_size} bytes, the study's figures need {expected}")
        key = (path, stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_size)
        if self._mapped is None or self._mapped[0] != key:
            self._mapped = key, map_shares(Path(path))
        return self._mapped[1].reshape(rows, records)
