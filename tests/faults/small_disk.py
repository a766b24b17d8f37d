"""A disk of some megabytes for one organisation's directory: a tmpfs of its own, filled and emptied by the test."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

FILLER = "filler"
ALMOST = 4096


def what_is_missing() -> str | None:
    """Why there can be no such disk here, for who reads which tests were skipped."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "a small disk is a tmpfs, which only root on Linux may mount"
    done = subprocess.run(
        ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True
    )
    return (
        None if done.returncode == 0 else "this machine lets nobody mount a tmpfs (CAP_SYS_ADMIN is missing)"
    )


class SmallDisk:
    """Mounted at an organisation's directory until the town is closed; what it held stays there as a copy."""

    def __init__(self, *, mebibytes: int = 16) -> None:
        self._size = mebibytes
        self._place: Path | None = None

    def mount(self, place: Path) -> None:
        place.mkdir(mode=0o700)
        options = f"size={self._size}m,mode=0700"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], check=True)
        self._place = place

    @property
    def _filler(self) -> Path:
        assert self._place is not None
        return self._place / FILLER

    def fill(self) -> None:
        """Not one page is left."""
        with self._filler.open("ab", buffering=0) as filler, suppress(OSError):
            while True:
                filler.write(bytes(ALMOST))

    def make_room(self) -> None:
        self._filler.unlink()

    def keep_a_copy(self) -> None:
        """The disk is gone, its files are in the directory."""
        if self._place is None:
            return
        place, aside = self._place, self._place.with_name(f"{self._place.name}.copy")
        shutil.copytree(place, aside)
        subprocess.run(["umount", str(place)], check=True)
        place.rmdir()
        aside.rename(place)
        self._place = None
