"""Work in processes of their own, forked from a session that has everything collected and compiled already."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.mutation.switch import Switches

_BECOME_REAPER = 36
"""PR_SET_CHILD_SUBREAPER: what a test left running becomes a child of the job, and is ended by it."""
_STOPPED_SECONDS = 1.0
"""A loop that takes longer was stopped by somebody, and its jobs with it: their time is not up for that."""


@dataclass(frozen=True, slots=True)
class Job:
    """`work(place)` is called with the switch `on`; `place` is a directory that is one job's at a time."""

    work: Callable[[Path], Any]
    on: str
    limit_seconds: float


@dataclass(slots=True)
class _Running:
    number: int
    job: Job
    child: int
    end: float


class Forks:
    """So many jobs at a time; each has a place with `on`, `notes` and the `python` that its tests start."""

    def __init__(self, work: Path, switches: Switches, count: int, in_child: Callable[[Path], None]) -> None:
        """`in_child(directory)` prepares a child to make its temporary directories there."""
        _become_reaper()
        self._work, self._switches, self._in_child = work, switches, in_child
        self._children = 0
        self._free = [_place(work, number) for number in range(count)]

    def run(self, jobs: Iterable[Job]) -> Iterator[tuple[int, Any]]:
        """The number of each job that ended, and what it returned; None if it did not end in time."""
        waiting = enumerate(jobs)
        running: dict[Path, _Running] = {}
        more, woken = True, time.monotonic()
        while more or running:
            slept, woken = time.monotonic() - woken, time.monotonic()
            for one in running.values():
                one.end += max(0.0, slept - _STOPPED_SECONDS)
            while more and self._free:
                following = next(waiting, None)
                if following is None:
                    more = False
                    break
                place = self._free.pop()
                running[place] = self._start(place, *following)
            for place, one in list(running.items()):
                if not self._is_over(one):
                    continue
                del running[place]
                _end_all(but={other.child for other in running.values()})
                shutil.rmtree(self._work / "tmp" / str(one.child), ignore_errors=True)
                answer = place / "answer.json"
                found = json.loads(answer.read_text("utf-8")) if answer.exists() else None
                self._free.append(place)
                yield one.number, found
            time.sleep(0.005)

    def _start(self, place: Path, number: int, job: Job) -> _Running:
        (place / "on").write_text(job.on, "utf-8")
        for name in ("notes", "answer.json"):
            (place / name).unlink(missing_ok=True)
        child = os.fork()
        if child == 0:
            status = 1
            with suppress(BaseException):  # whatever it was, there is no answer then
                os.setpgid(0, 0)
                _become_reaper()
                self._switches.on = job.on
                sys.executable = str(place / "python")
                self._in_child(self._work / "tmp" / str(os.getpid()))
                answer = json.dumps(job.work(place))
                (place / "answer.draft").write_text(answer, "utf-8")
                _end_all()
                (place / "answer.draft").rename(place / "answer.json")
                status = 0
            os._exit(status)
        return _Running(number, job, child, time.monotonic() + job.limit_seconds)

    @staticmethod
    def _is_over(one: _Running) -> bool:
        if os.waitpid(one.child, os.WNOHANG) != (0, 0):
            return True
        if time.monotonic() <= one.end:
            return False
        with suppress(ProcessLookupError):
            os.killpg(one.child, signal.SIGKILL)
        os.waitpid(one.child, 0)
        return True


def _place(work: Path, number: int) -> Path:
    """A directory with a `python` that brings switches into whatever a test starts with it."""
    place = work / f"place-{number}"
    place.mkdir()
    (work / "tmp").mkdir(exist_ok=True)
    python = place / "python"
    python.write_text(
        f"#!/bin/sh\nexport MUTATION_WORK={place}\n"
        f"export PYTHONPATH={Path.cwd()}/tests/mutation/site:{Path.cwd()}\n"
        f'exec {sys.executable} "$@"\n',
        "utf-8",
    )
    python.chmod(0o700)
    return place


def _become_reaper() -> None:
    ctypes.CDLL(None).prctl(_BECOME_REAPER, 1, 0, 0, 0)


def _end_all(but: Iterable[int] = ()) -> None:
    """End the children of this process, and theirs, which become its own when their parents end."""
    spared = set(but)
    while left := _children() - spared:
        for child in left:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(child, 0)


def _children() -> set[int]:
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        found.update(map(int, (task / "children").read_text().split()))
    return found
