"""Runs the commands of the pages under docs/ that say so, each page in an empty directory of its own.

A page opts in by the comment `<!-- its commands are run by make check -->`. Of its fenced `console` blocks the
lines that begin with "$ " are commands (a trailing backslash continues one, and so does <<'END'), the others are
what they print, which is for the reader. Words after `console` say more: `status=1` expects that exit status of
the block's last command, `background ready=FILE` leaves the command running and waits for FILE. All blocks of a
page run in one shell, in order. Ports are replaced by free ones, so that a page runs beside whatever else the
machine does.

    python -m tests.checks.doc_commands [--verbose] [PAGE...]
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MARK = "<!-- its commands are run by make check -->"
COMMAND_SECONDS = 180.0
READY_SECONDS = 60.0
ENDING_SECONDS = 5.0
PORT = re.compile(r"(?<![\w.])(78\d\d|8080)(?![\w.])")
HERE_DOCUMENT = re.compile(r"<<'(\w+)'")
FENCE = re.compile(r"^```console([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """The commands of one fenced block; `line` is where its fence stands."""

    line: int
    commands: tuple[str, ...]
    status: int = 0
    background: bool = False
    ready: str | None = None


class CommandFailedError(Exception):
    """A command of a page did not do what the page says."""


def blocks_of(text: str) -> list[Block]:
    """All `console` blocks of a page, in order. Raises CommandFailedError for a word that means nothing."""
    found = []
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        status, background, ready = 0, False, None
        for word in match[1].split():
            name, _, value = word.partition("=")
            if name == "status" and value.isdigit():
                status = int(value)
            elif name == "ready" and value:
                ready = value
            elif word == "background":
                background = True
            else:
                raise CommandFailedError(f"line {line}: no meaning for {word!r} after console")
        found.append(Block(line, tuple(_commands(match[2])), status, background, ready))
    return found


def _commands(body: str) -> Iterator[str]:
    """Commands of a block; one goes on after a backslash, and up to the last line of a here-document."""
    lines = iter(body.splitlines())
    for line in lines:
        if not line.startswith("$ "):
            continue
        command = line[2:]
        while command.endswith("\\"):
            following = next(lines, None)
            if following is None:
                raise CommandFailedError(f"a command ends in a backslash: {command}")
            command += "\n" + following.removeprefix("> ")
        document = HERE_DOCUMENT.search(command)
        if document is not None:
            for following in lines:
                command += "\n" + following
                if following == document[1]:
                    break
            else:
                raise CommandFailedError(f"a here-document without its {document[1]}: {command}")
        yield command


def free_ports(wanted: Sequence[str]) -> dict[str, str]:
    """For each port as written one on which nobody listens, below the range given to callers."""
    ports: dict[str, str] = {}
    candidate = 21_000 + os.getpid() * 17 % 9_000
    for written in wanted:
        while True:
            candidate += 1
            with socket.socket() as probe, suppress(OSError):
                probe.bind(("127.0.0.1", candidate))
                ports[written] = str(candidate)
                break
    return ports


class Shell:
    """One bash that runs a page's commands in its directory; everything it started ends with it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._log = directory.parent / "output.txt"
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        environment = {"PATH": path, "HOME": str(directory), "LANG": "C.UTF-8", "COLUMNS": "120"}
        self._process = subprocess.Popen(  # the commands of our own documentation
            [shutil.which("bash") or "/bin/bash", "--norc", "--noprofile"],
            cwd=directory,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._write(
            "trap 'kill -KILL -- -$$' EXIT; trap 'trap - EXIT; exit' TERM\n"
        )  # no more input: we were killed

    def run(self, command: str) -> tuple[int, str]:
        """Exit status and output of one command. Raises CommandFailedError at its deadline."""
        status_file = self._directory.parent / "status"
        status_file.unlink(missing_ok=True)
        self._write(f"{{ {command}\n}} >{self._log} 2>&1 </dev/null; echo $? >{status_file}.draft; ")
        self._write(f"mv {status_file}.draft {status_file}\n")
        end = time.monotonic() + COMMAND_SECONDS
        while not status_file.exists():
            if self._process.poll() is not None:
                raise CommandFailedError(f"the shell ended: {self._output()}")
            if time.monotonic() > end:
                raise CommandFailedError(f"no end within {COMMAND_SECONDS:.0f} s: {self._output()}")
            time.sleep(0.02)
        return int(status_file.read_text()), self._output()

    def start(self, command: str, ready: str | None, number: int) -> None:
        """Leave a command running; returns when the file `ready` is there. Raises CommandFailedError."""
        log = self._directory.parent / f"background-{number}.txt"
        ended = log.with_suffix(".ended")
        self._write(f"{{ {{ {command}\n}} >{log} 2>&1 </dev/null; touch {ended}; }} &\n")
        end = time.monotonic() + READY_SECONDS
        while ready is not None and not list(self._directory.glob(ready)):
            if ended.exists():
                raise CommandFailedError(f"it ended before {ready} was there: {_tail(log)}")
            if time.monotonic() > end:
                raise CommandFailedError(f"no {ready} within {READY_SECONDS:.0f} s: {_tail(log)}")
            time.sleep(0.05)

    def close(self) -> None:
        """End the shell and all that it started: asked first, then killed."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            if self._process.stdin is not None:
                with suppress(BrokenPipeError):
                    self._process.stdin.close()  # a shell that reads looks at signals when it has read
            end = time.monotonic() + ENDING_SECONDS
            while self._is_left() and time.monotonic() < end:
                time.sleep(0.02)
        self._process.wait()

    def _is_left(self) -> bool:
        """Whether anything of its process group is still there."""
        self._process.poll()
        try:
            os.killpg(self._process.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def _write(self, text: str) -> None:
        if self._process.stdin is None:
            raise CommandFailedError("the shell has no input")
        self._process.stdin.write(text.encode("utf-8"))
        self._process.stdin.flush()

    def _output(self) -> str:
        return _tail(self._log)


def run_page(page: Path, *, verbose: bool = False) -> None:
    """Run every block of a page. Raises CommandFailedError naming line and command."""
    text = page.read_text("utf-8")
    blocks = blocks_of(text)
    ports = free_ports(sorted({port for block in blocks for c in block.commands for port in PORT.findall(c)}))
    with tempfile.TemporaryDirectory(prefix="doc-commands-") as temporary:
        directory = Path(temporary) / "empty"
        directory.mkdir(mode=0o700)
        shell = Shell(directory)
        try:
            for number, block in enumerate(blocks):
                _run_block(shell, block, ports, number, verbose=verbose)
        finally:
            shell.close()


def _run_block(shell: Shell, block: Block, ports: Mapping[str, str], number: int, *, verbose: bool) -> None:
    for position, written in enumerate(block.commands):
        command = PORT.sub(lambda match: ports[match[0]], written)
        where = f"line {block.line}: $ {written}"
        try:
            if block.background:
                shell.start(command, block.ready, number)
                status, output = 0, ""
            else:
                status, output = shell.run(command)
        except CommandFailedError as error:
            raise CommandFailedError(f"{where}\n{error}") from None
        if verbose:
            sys.stdout.write(f"$ {command}\n{output}\n")
        expected = block.status if position + 1 == len(block.commands) else 0
        if status != expected:
            raise CommandFailedError(f"{where}\nexpected exit status {expected}, found {status}:\n{output}")


def _tail(log: Path) -> str:
    try:
        return "\n".join(log.read_text("utf-8", errors="replace").splitlines()[-40:])
    except OSError:
        return ""


def main(arguments: Sequence[str]) -> int:
    """Exit status 1 if a command of a page fails."""
    verbose = "--verbose" in arguments
    named = [Path(argument).resolve() for argument in arguments if not argument.startswith("-")]
    pages = named or [
        page for page in sorted((ROOT / "docs").rglob("*.md")) if MARK in page.read_text("utf-8")
    ]
    failed = 0
    for page in pages:
        try:
            run_page(page, verbose=verbose)
        except CommandFailedError as error:
            failed = 1
            sys.stdout.write(f"{page.name}, {error}\n")
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
