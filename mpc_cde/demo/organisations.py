"""Organisations as processes: own directory (0700), empty environment, own process group, stderr in a log.

Nothing is shared but the machine. However the demo ends (Ctrl-C, SIGTERM, an error), every process group that
was started is ended: first by SIGTERM, then by SIGKILL. If the demo itself is killed, so are its processes.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Self

from mpc_cde.demo.tied_processes import start_tied
from mpc_cde.errors import CallerError, OwnError
from mpc_cde.secret_files import make_private_directory

LOG_NAME = "log.txt"
RUN_FILE = "run.json"
POLL_SECONDS = 0.05
PATIENCE_SECONDS = 180.0
"""With a start that takes a second: strace and a crowded machine make it a minute."""
LOG_TAIL_LINES = 15
FIRST_PORT, LAST_PORT = 20_000, 32_000


class OrganisationError(CallerError):
    """A process of the demo ended or did not get ready; the message holds the end of its log."""

    def __init__(self, message: str, *, log: Path) -> None:
        tail = log_tail(log)
        shown = f"\nThe end of {log}:\n{tail}" if tail else f"\nIts log {log} is empty."
        super().__init__(
            message + shown, hint="Run the demo again with --keep DIR and read the whole log there."
        )


@dataclass(frozen=True, slots=True)
class Running:
    """A process that is up: `address` is what it wrote into run.json."""

    name: str
    process: subprocess.Popen[bytes]
    home: Path
    log: Path
    address: Mapping[str, Any]


class Organisations:
    """Starts and ends the processes of a demo in `directory`; use it as a context manager."""

    def __init__(self, directory: Path) -> None:
        make_private_directory(directory)
        self._directory = directory
        self._started: list[tuple[str, subprocess.Popen[bytes], Path]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def home(self, name: str) -> Path:
        """The organisation's own directory, made when it is first asked for."""
        home = self._directory / name
        make_private_directory(home)
        return home

    def run(self, name: str, *arguments: str, deadline_seconds: float = PATIENCE_SECONDS) -> str:
        """Run one command of an organisation to its end; its standard output. Raises OrganisationError."""
        process, log = self._start(name, arguments, stdout=subprocess.PIPE)
        try:
            output, _ = process.communicate(timeout=deadline_seconds)
        except subprocess.TimeoutExpired:
            _end_group(process, signal.SIGKILL)
            process.communicate()
            raise OrganisationError(
                f"{name}: {_shown(arguments)} did not end within {deadline_seconds:.0f} s", log=log
            ) from None
        self._started.remove((name, process, log))
        if process.returncode:
            raise OrganisationError(
                f"{name}: {_shown(arguments)} ended with status {process.returncode}", log=log
            )
        return output.decode("utf-8")

    def start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a process that keeps running; `wait_ready` says when it is up."""
        process, _ = self._start(name, arguments, stdout=subprocess.DEVNULL)
        return process

    def wait_ready(
        self,
        name: str,
        process: subprocess.Popen[bytes],
        *,
        home: Path,
        deadline_seconds: float = PATIENCE_SECONDS,
    ) -> Running:
        """Poll `home`/run.json until this very process has written it. Raises OrganisationError."""
        log = self.home(name) / LOG_NAME
        end = time.monotonic() + deadline_seconds
        while time.monotonic() < end:
            if process.poll() is not None:
                raise OrganisationError(f"{name} ended with status {process.returncode}", log=log)
            address = _read_run_file(home / RUN_FILE)
            if address is not None and address.get("pid") == process.pid:
                return Running(name, process, home, log, address)
            time.sleep(POLL_SECONDS)
        raise OrganisationError(f"{name} was not ready within {deadline_seconds:.0f} s", log=log)

    def verify_alive(self) -> None:
        """Raises OrganisationError if a process that should be up has ended."""
        for name, process, log in self._started:
            if process.poll() is not None:
                raise OrganisationError(f"{name} ended with status {process.returncode}", log=log)

    def stop(self, *, grace_seconds: float = 5.0) -> None:
        """End every process group that is up; returns when all are gone. A second Ctrl-C does not stop it."""
        with _interrupts_ignored():
            for _, process, _ in self._started:
                _end_group(process, signal.SIGTERM)
            end = time.monotonic() + grace_seconds
            for _, process, _ in self._started:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(max(0.0, end - time.monotonic()))
            for _, process, _ in self._started:
                _end_group(process, signal.SIGKILL)
                process.wait()
                _wait_for_group(process, time.monotonic() + grace_seconds)
            self._started.clear()

    def _start(
        self, name: str, arguments: Sequence[str], *, stdout: int
    ) -> tuple[subprocess.Popen[bytes], Path]:
        home = self.home(name)
        log = home / LOG_NAME
        with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as log_file:
            process = start_tied(
                [sys.executable, "-m", *arguments],
                cwd=home,
                env={},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=log_file,
                start_new_session=True,
            )
            self._started.append((name, process, log))
        return process, log


def free_addresses(count: int, host: str = "127.0.0.1") -> list[str]:
    """HOST:PORT, `count` different ones on which nobody listens now.

    Taken below the range from which the system gives ports to callers, so that no outgoing connection takes
    one before its owner listens there.
    """
    found: list[str] = []
    span = LAST_PORT - FIRST_PORT
    for offset in range(span):
        if len(found) == count:
            return found
        port = FIRST_PORT + (os.getpid() * 31 + offset) % span
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
        found.append(f"{host}:{port}")
    raise OwnError(f"found only {len(found)} free ports of the {count} that the demo needs")


def log_tail(log: Path) -> str:
    """The last lines of a log, indented; empty if there are none."""
    try:
        lines = log.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(f"  {line}" for line in lines[-LOG_TAIL_LINES:])


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """SIGTERM and a closed terminal end the block as Ctrl-C does, so that what it started is ended too."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    on_main_thread = threading.current_thread() is threading.main_thread()  # only there may handlers change
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if on_main_thread else ()
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal the whole group: the process is its leader, and what it started belongs to it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _wait_for_group(process: subprocess.Popen[bytes], end: float) -> None:
    """Until what the process started is gone too, which the system has been told and soon does."""
    with suppress(ProcessLookupError):
        while time.monotonic() < end:
            os.killpg(process.pid, 0)
            time.sleep(POLL_SECONDS / 10)


def _read_run_file(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _shown(arguments: Sequence[str]) -> str:
    return " ".join(["python", "-m", *arguments])
