"""Demos as processes of their own, two at a time, each shared by all tests that look at what it left.

A production begins as soon as the first test of this directory that wants any begins, and is waited for by the
tests that want it. What a demo leaves (`--keep`) is read after it has ended.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from mpc_cde.demo.tied_processes import start_tied
from tests.end_to_end.processes import gone_within
from tests.end_to_end.tables import FigureFiles

AT_ONCE = 2
DEADLINE_SECONDS = 450.0
GONE_SECONDS = 5.0
ROOT = Path(__file__).resolve().parents[2]
REAL_DEMO = ("-m", "mpc_cde.cli", "demo")
INTERRUPTED = 130
PARTIES = ("chamber", "university", "municipality", "statistics", "association")


@dataclass(frozen=True)
class Production:
    """A demo that has ended. `left` are the processes that were still there `GONE_SECONDS` later."""

    name: str
    directory: Path
    status: int
    output: str
    said: str
    left: dict[int, str]
    interrupted: bool = False

    @property
    def ended_well(self) -> bool:
        """By itself with nothing to complain of, or by the Ctrl-C that it was to get."""
        return self.status == (INTERRUPTED if self.interrupted else 0)

    @cached_property
    def document(self) -> dict[str, Any]:
        """What `--json` printed: one document and nothing else."""
        found: dict[str, Any] = json.loads(self.output)
        return found

    @property
    def organisations(self) -> Path:
        """What --keep left: one directory an organisation."""
        return self.directory / "kept"

    def log(self, party: str) -> list[dict[str, Any]]:
        """The entries of a party's log."""
        (path,) = (self.organisations / party).glob("party/*/log.jsonl")
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]

    def told(self) -> str:
        """For a failed assertion: how the demo ended, and what it said last."""
        return f"{self.name} ended with {self.status}:\n{self.said[-3000:]}"


@dataclass(frozen=True, slots=True)
class Moment:
    """When to interrupt a demo: `reached(directory, lines said so far)`; `times` the signal is sent."""

    name: str
    reached: Callable[[Path, str], bool]
    times: int = 1


class Stage:
    """Begins and ends demos; use it as a context manager, which ends what still runs."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="stage")
        self._begun: dict[str, Future[Production]] = {}
        self._running: set[subprocess.Popen[str]] = set()
        self._closed = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        for demo in list(self._running):
            demo.terminate()  # a demo ends its own processes
        self._pool.shutdown(wait=True, cancel_futures=True)

    def place(self, name: str) -> Path:
        """A directory for one production."""
        place = self.directory / name
        place.mkdir(exist_ok=True)
        return place

    def begin(
        self,
        name: str,
        files: FigureFiles | None = None,
        *options: str,
        python: Path = Path(sys.executable),
        before: Sequence[str] = (),
        program: Sequence[str] = REAL_DEMO,
        until: Moment | None = None,
    ) -> None:
        """Have a demo played with --json --keep; `before` stands in front of the command line.

        It ends by itself, or is interrupted at the moment `until`.
        """
        place = self.place(name)
        command = [*before, str(python), *program, "--json", "--keep", str(place / "kept"), *options]
        self._begun[name] = self._pool.submit(self._play, name, [*command, *_naming(files)], place, until)

    def begin_interrupted(self, moment: Moment, files: FigureFiles, *options: str) -> None:
        """Have a demo interrupted at a moment; it keeps its directories in a TMPDIR of its own."""
        place = self.place(moment.name)
        command = [sys.executable, *REAL_DEMO, *options, *_naming(files)]
        self._begun[moment.name] = self._pool.submit(self._play, moment.name, command, place, moment)

    def see(self, name: str) -> Production:
        """The production once it has ended."""
        return self._begun[name].result()

    def _play(self, name: str, command: list[str], place: Path, moment: Moment | None) -> Production:
        if self._closed.is_set():
            raise RuntimeError("the stage is closed")
        said_path = place / "said.txt"
        temporary = place / "tmp"
        temporary.mkdir()
        with said_path.open("w") as said:
            demo = start_tied(
                command,
                cwd=ROOT,
                env={**os.environ, "TMPDIR": str(temporary)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                start_new_session=True,  # as in a terminal of its own: a signal to its group reaches only it
            )
        self._running.add(demo)
        try:
            if moment is not None:
                self._interrupt(demo, place, moment)
            output, _ = demo.communicate(timeout=DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            demo.terminate()
            output, _ = demo.communicate()
        finally:
            self._running.discard(demo)
        left = gone_within(place, besides=demo.pid, seconds=GONE_SECONDS)
        for process in left:  # they work in our directory; a failed test is enough
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        said_all = said_path.read_text("utf-8")
        return Production(
            name, place, demo.returncode, output, said_all, left, interrupted=moment is not None
        )

    def _interrupt(self, demo: subprocess.Popen[str], place: Path, moment: Moment) -> None:
        end = time.monotonic() + DEADLINE_SECONDS
        while not moment.reached(place / "tmp", (place / "said.txt").read_text("utf-8")):
            if demo.poll() is not None or time.monotonic() > end or self._closed.is_set():
                return
            time.sleep(0.02)
        for _ in range(moment.times):
            with suppress(ProcessLookupError):
                os.killpg(demo.pid, signal.SIGINT)
            time.sleep(0.05)


def _naming(files: FigureFiles | None) -> list[str]:
    return [] if files is None else ["--figures", str(files.figures), "--study", str(files.study)]
