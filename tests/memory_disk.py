"""Where tests write: into memory, where there is enough of it.

Stores and logs are synchronised to the disk at every step, as they must be, and a suite does that some ten thousand
times; on a disk most of it is waiting. A directory that the caller names (TMPDIR) is left as it is.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

PLACE = Path("/dev/shm")  # tmpfs on Linux
NEEDED_BYTES = 4 << 30
"""Ten times what a run leaves: containers often have 64 MB there, and a machine may be short of memory."""


def use_memory_disk() -> None:
    """Have this process and what it starts make temporary directories in memory, if that can be."""
    if "TMPDIR" not in os.environ and is_fit(PLACE, Path("/proc/meminfo")):
        os.environ["TMPDIR"] = str(PLACE)
        tempfile.tempdir = None  # somebody may have asked before


def is_fit(place: Path, memory: Path) -> bool:
    """Whether there is room, and programs may be kept and run there."""
    try:
        disk = os.statvfs(place)
        (available,) = re.findall(r"^MemAvailable: +(\d+) kB$", memory.read_text(), re.MULTILINE)
    except (OSError, ValueError):
        return False
    usable = os.access(place, os.W_OK | os.X_OK) and not disk.f_flag & os.ST_NOEXEC
    room = min(disk.f_bavail * disk.f_frsize, int(available) << 10)
    return usable and room >= NEEDED_BYTES
