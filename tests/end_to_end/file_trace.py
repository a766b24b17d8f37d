"""Which files the processes of a demo open, seen in two ways.

`AuditedPython` is an interpreter of its own whose every process reports what it opens, by Python's audit events;
it needs nothing installed, and processes with an empty environment report too. `strace` sees system calls, so
also what libraries open; it is Debian's, and tests say so where it is missing.

Either way an opened file belongs to whom the process belongs to: the organisation in whose directory it works.
"""

from __future__ import annotations

import json
import os
import re
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

STRACE_MISSING = "strace is not installed: `make test-tools` gets it (apt-get install strace)"
EVENTS = ("open", "os.listdir", "os.scandir", "os.link", "os.rename", "os.symlink", "sqlite3.connect")

_REPORTER = '''\
"""Every process of this interpreter reports the files that it opens; written by a test."""
import json, os, site, sys

_descriptor = os.open(os.path.join({traces!r}, str(os.getpid())), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
_events = frozenset({events!r})


def _report(kind, text):
    os.write(_descriptor, json.dumps([kind, text]).encode() + b"\\n")


def _heard(event, arguments):
    if event in _events:
        for path in arguments[: 2 if event in ("os.rename", "os.link", "os.symlink") else 1]:
            if isinstance(path, (str, bytes, os.PathLike)):
                _report("file", os.path.join(os.getcwd(), os.fsdecode(path)))


_report("process", [os.getcwd(), *sys.orig_argv])
sys.addaudithook(_heard)
site.addsitedir({packages!r})
'''


@dataclass(frozen=True, slots=True)
class TracedProcess:
    """One process: where it worked, how it was called (empty if unknown), absolute paths that it opened."""

    place: Path
    arguments: tuple[str, ...]
    opened: frozenset[Path]

    @property
    def is_node(self) -> bool:
        """Whether it is what an organisation keeps running, or was started by that; commands are not."""
        called = " ".join(self.arguments)
        return (
            " -m parties run " in f"{called} "
            or "parties.worker" in called
            or "parties.column_builder" in called
        )

    @property
    def is_gateway(self) -> bool:
        return "mpc_cde.gateway" in self.arguments


@dataclass(frozen=True, slots=True)
class AuditedPython:
    """An environment in `directory` with the packages of this one, whose processes report into `traces`."""

    directory: Path

    @classmethod
    def make(cls, directory: Path) -> AuditedPython:
        made = cls(directory)
        base = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
        packages = (
            directory / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
        )
        for each in (directory / "bin", packages, made.traces):
            each.mkdir(parents=True)
        (directory / "pyvenv.cfg").write_text(f"home = {base.parent}\ninclude-system-site-packages = false\n")
        made.executable.symlink_to(base)
        (packages / "sitecustomize.py").write_text(
            _REPORTER.format(
                traces=str(made.traces), events=EVENTS, packages=sysconfig.get_paths()["purelib"]
            )
        )
        return made

    @property
    def executable(self) -> Path:
        return self.directory / "bin" / "python"

    @property
    def traces(self) -> Path:
        return self.directory / "traces"

    def processes(self) -> list[TracedProcess]:
        """All that have run so far."""
        found = []
        for trace in sorted(self.traces.iterdir()):
            lines = [json.loads(line) for line in trace.read_bytes().splitlines()]
            place, *arguments = next(facts for kind, facts in lines if kind == "process")
            opened = {Path(os.path.normpath(path)) for kind, path in lines if kind == "file"}
            found.append(TracedProcess(Path(place), tuple(arguments), frozenset(opened)))
        return found


def strace_command(output: Path) -> tuple[str, ...]:
    """What stands before a command to have all its processes traced into `output`."""
    calls = "trace=execve,chdir,openat,open,openat2,creat,clone,clone3,fork,vfork"
    return ("strace", "-f", "-qq", "-s", "4096", "--seccomp-bpf", "-o", str(output), "-e", calls)


def read_strace(output: Path, start: Path) -> list[TracedProcess]:
    """Processes (threads are with theirs) of a trace that began in directory `start`."""
    calls = _calls(output.read_text("utf-8", errors="replace"))
    parents = {int(result): number for number, name, _, result in calls if name in _STARTING and result}
    places: dict[int, Path] = {}
    called: dict[int, tuple[str, ...]] = {}
    for number, name, texts, result in calls:
        if name == "chdir" and texts and result == "0":
            places[number] = _of(number, places, parents, start) / texts[0]
        elif name == "execve" and result == "0":
            called[number] = tuple(texts[1:])
    opened: dict[int, set[Path]] = {}
    for number, name, texts, _ in calls:
        if name in _OPENING and texts:
            path = _of(number, places, parents, start) / texts[0]
            opened.setdefault(_program(number, called, parents), set()).add(Path(os.path.normpath(path)))
    return [
        TracedProcess(_of(number, places, parents, start), called.get(number, ()), frozenset(paths))
        for number, paths in opened.items()
    ]


_STARTING = frozenset({"clone", "clone3", "fork", "vfork"})
_OPENING = frozenset({"open", "openat", "openat2", "creat"})
_CALL = re.compile(r"(\w+)\((.*?)(?:\)\s+=\s+(-?\d+)[^\"]*)?$")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')


def _calls(trace: str) -> list[tuple[int, str, list[str], str | None]]:
    """Process, call, quoted arguments, result; calls that were interrupted by others are put together."""
    calls = []
    begun: dict[int, str] = {}
    for line in trace.splitlines():
        number, _, call = line.partition(" ")
        call = call.strip()
        if call.endswith("<unfinished ...>"):
            begun[int(number)] = call.removesuffix("<unfinished ...>").strip()
            continue
        if call.startswith("<... "):
            call = begun.pop(int(number), "") + call.partition("resumed>")[2]
        match = _CALL.match(call)
        if match is not None:
            name, arguments, result = match.groups()
            calls.append((int(number), name, _TEXT.findall(arguments), result))
    return calls


T = TypeVar("T")


def _of(number: int, known: Mapping[int, T], parents: Mapping[int, int], otherwise: T) -> T:
    """What is known of a process or of the nearest one that it comes from."""
    while number not in known and number in parents:
        number = parents[number]
    return known.get(number, otherwise)


def _program(number: int, called: Mapping[int, tuple[str, ...]], parents: Mapping[int, int]) -> int:
    """The process that a thread, or a child that has not begun its own program, belongs to."""
    while number not in called and number in parents:
        number = parents[number]
    return number
