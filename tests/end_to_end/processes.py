"""Which processes belong to a demo: those that work in its directory or name it, and what they started."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")


def processes_of(directory: Path, *, besides: int) -> dict[int, str]:
    """Command lines of living processes inside `directory`, by process id; zombies and `besides` left out."""
    found = {}
    for number in _numbers():
        if number in (besides, os.getpid()):
            continue
        try:
            place = os.readlink(PROC / str(number) / "cwd")
            command = command_line(number)
            zombie = _stat(number)[0] == "Z"
        except OSError:
            continue
        if not zombie and (Path(place).is_relative_to(directory) or str(directory) in command):
            found[number] = command
    return found


def gone_within(directory: Path, *, besides: int, seconds: float) -> dict[int, str]:
    """What is still there after so many seconds; returns as soon as nothing is."""
    end = time.monotonic() + seconds
    while (left := processes_of(directory, besides=besides)) and time.monotonic() < end:
        time.sleep(0.05)
    return left


def children_of(parent: int) -> list[int]:
    """Process ids of the children that live now."""
    found = []
    for number in _numbers():
        try:
            if int(_stat(number)[1]) == parent:
                found.append(number)
        except OSError:
            continue
    return found


def workers_of(node: int) -> list[int]:
    """The worker processes of a node."""
    return [child for child in children_of(node) if "parties.worker" in command_line(child)]


def command_line(number: int) -> str:
    """Arguments with spaces between them; empty if the process is gone."""
    try:
        return (PROC / str(number) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _numbers() -> Iterator[int]:
    return (int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit())


def _stat(number: int) -> list[str]:
    """State, parent and so on, from behind the name, which may hold anything."""
    return (PROC / str(number) / "stat").read_text().rpartition(")")[2].split()
