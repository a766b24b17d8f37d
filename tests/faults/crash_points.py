"""Stops a machine at any of its writes, and fills its disk: all that is left is what it had written.

A machine is whatever keeps its files below one directory. While a `Disks` is in force, each of its writes (commit of
a store, append to a file, rename, link, removal, fsync) first asks the machine's `fault` what becomes of it:

    "before"    the machine is gone, and the write never happened
    "torn"      the machine is gone in the middle of an append: half of the bytes are there
    "after"     the machine is gone as soon as the write has happened
    "full"      the machine lives on and the write fails, an append in the middle: no space is left
    None        the write happens

A machine that is gone writes nothing any more, also in its `finally` blocks, until `revive`. What is gone is the
process and not the power: what it had written stays, synced or not. What would not outlive the power is noted in
`loose`: a file that gets its name before it was synced, a commit behind an append that was not, a commit that does
not wait for the disk.
"""

from __future__ import annotations

import errno
import io
import json
import os
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Literal, TypeVar
from unittest import mock

from sqlalchemy import Engine, event
from sqlalchemy.engine.default import DefaultDialect

Moment = Literal["before", "torn", "after", "full"]
T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = tuple(str(ROOT / package) + os.sep for package in ("parties", "mpc_cde"))
PLUMBING = ("share_store.py", "store.py", "desk.py", "log.py", "secret_files.py", "keys.py", "party_home.py")
"""Modules through which many others write: a write is named by whom it is for."""


FULL = 2
MAY_BE_LOST = ("store.use_nonce",)
"""A reader's nonce survives the process alone; a power failure takes longer than its minute."""


class MachineGone(BaseException):
    """What runs on a machine that was stopped ends with this; nothing of the product catches it."""


@dataclass(frozen=True, slots=True)
class WritePoint:
    """One write: which one of its kind since the machine was made, such as the third "intake.take commit"."""

    site: str
    occurrence: int

    def __str__(self) -> str:
        return f"{self.site} #{self.occurrence}"


Fault = Callable[[WritePoint], Moment | None]


def no_fault(_: WritePoint) -> Moment | None:
    """A machine that nothing happens to."""
    return None


@dataclass
class Machine:
    """One directory and what may happen to who writes there. `trace` are its writes so far, in order."""

    name: str
    root: Path
    fault: Fault = no_fault
    is_gone: bool = False
    stops: int = 0
    trace: list[WritePoint] = field(default_factory=list)
    loose: list[str] = field(default_factory=list)
    on_gone: Callable[[], None] = lambda: None
    _counts: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _synced: set[str] = field(default_factory=set)
    _appended: dict[int, set[str]] = field(default_factory=dict)

    def revive(self) -> None:
        """The process may be started again."""
        self._appended.clear()
        self.is_gone = False

    def note_appended(self, place: str) -> None:
        self._synced.discard(place)
        self._appended.setdefault(threading.get_ident(), set()).add(place)

    def note_synced(self, place: str) -> None:
        self._synced.add(place)
        self._appended.get(threading.get_ident(), set()).discard(place)

    def note_named(self, source: str, what: str) -> None:
        """A file, or a directory with its files, is about to get its name."""
        files = [str(file) for file in Path(source).iterdir()] if Path(source).is_dir() else [source]
        self.loose += [
            f"{what}: {Path(file).name} is not synced" for file in files if file not in self._synced
        ]

    def note_commit(self, what: str, synchronous: int) -> None:
        """A commit relies on what its thread appended before."""
        appended = self._appended.get(threading.get_ident(), set())
        self.loose += [f"{what}: {Path(place).name} is not synced" for place in appended]
        if synchronous != FULL and what not in MAY_BE_LOST:
            self.loose.append(f"{what}: the commit does not wait for the disk")

    def write(
        self,
        kind: str,
        what: str,
        act: Callable[[], T],
        *,
        torn: Callable[[], object] | None = None,
        full: Exception | None = None,
    ) -> T:
        """Have a write happen, or what becomes of it instead."""
        if self.is_gone:
            raise MachineGone(self.name)
        with self._lock:
            site = f"{what} {kind}"
            self._counts[site] = self._counts.get(site, 0) + 1
            point = WritePoint(site, self._counts[site])
            self.trace.append(point)
            moment = self.fault(point)
        if moment in ("torn", "full") and torn is not None:
            torn()
        if moment == "full":
            raise full or OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if moment in ("before", "torn"):
            self.stop_now()
            raise MachineGone(self.name)
        done = act()
        if moment == "after":
            if isinstance(done, io.IOBase):
                done.close()  # as the system does for a process that is gone
            self.stop_now()
            raise MachineGone(self.name)
        return done

    def stop_now(self) -> None:
        """Gone, whatever it was doing; its next write finds that out."""
        if not self.is_gone:
            self.is_gone = True
            self.stops += 1
            self.on_gone()


class Disks:
    """Machines by the directories that they write in."""

    def __init__(self) -> None:
        self._machines: list[Machine] = []

    def add(self, name: str, root: Path) -> Machine:
        """Everything below `root` is this machine's."""
        machine = Machine(name, root.resolve())
        self._machines.append(machine)
        return machine

    def of(self, path: str | bytes | os.PathLike[Any] | int, directory: int | None = None) -> Machine | None:
        """Whose file that is: a path, one relative to an open directory, or an open descriptor."""
        place = _place(path, directory)
        for machine in self._machines:
            if place == str(machine.root) or place.startswith(f"{machine.root}{os.sep}"):
                return machine
        return None

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Every write of every machine goes through its `fault`."""
        event.listen(Engine, "before_cursor_execute", _note_change)
        event.listen(Engine, "rollback", _forget_change)
        try:
            with (
                mock.patch.multiple(os, **_calls_of_os(self)),
                mock.patch.object(DefaultDialect, "do_commit", _commit(self, DefaultDialect.do_commit)),
                mock.patch.object(io, "open", _open(self, io.open)),
            ):
                yield
        finally:
            event.remove(Engine, "before_cursor_execute", _note_change)
            event.remove(Engine, "rollback", _forget_change)


def _calls_of_os(disks: Disks) -> dict[str, Any]:
    """Stand-ins for the calls that change what is on a disk; each passes on whatever it is given."""

    def watched(name: str, *, target: int = 0) -> Any:
        original: Callable[..., Any] = getattr(os, name)

        def call(*arguments: Any, **named: Any) -> Any:
            directory = named.get("dir_fd", named.get("dst_dir_fd"))
            machine = disks.of(arguments[target], directory)
            if machine is None:
                return original(*arguments, **named)
            place = _place(arguments[target], directory)
            what = _what(place)
            if target:
                machine.note_named(_place(arguments[0], named.get("src_dir_fd")), what)

            def act() -> Any:
                done = original(*arguments, **named)
                if name == "fsync":
                    machine.note_synced(place)
                return done

            return machine.write(name, what, act)

        return call

    original_write = os.write

    def write(descriptor: int, data: bytes) -> int:
        machine = disks.of(descriptor)
        if machine is None:
            return original_write(descriptor, data)
        machine.note_appended(_place(descriptor))
        return machine.write(
            "append",
            _entry_of_a_log(data) or _what(_place(descriptor)),
            lambda: original_write(descriptor, data),
            torn=lambda: original_write(descriptor, data[: len(data) // 2]),
        )

    return {
        "write": write,
        "fsync": watched("fsync"),
        "ftruncate": watched("ftruncate"),
        "link": watched("link", target=1),
        "rename": watched("rename", target=1),
        "replace": watched("replace", target=1),
        "unlink": watched("unlink"),
        "mkdir": watched("mkdir"),
        "rmdir": watched("rmdir"),
    }


def _commit(disks: Disks, original: Callable[[Any, Any], None]) -> Any:
    def do_commit(dialect: Any, connection: Any) -> None:
        database = _database_of(connection)
        machine = None if database is None else disks.of(database)
        if machine is None or not connection.info.pop("changed", False):
            original(dialect, connection)
            return
        what = _who_writes()
        (synchronous,) = connection.driver_connection.execute("PRAGMA synchronous").fetchone()
        machine.note_commit(what, synchronous)
        machine.write(
            "commit",
            what,
            lambda: original(dialect, connection),
            full=sqlite3.OperationalError("database or disk is full"),
        )

    return do_commit


def _open(disks: Disks, original: Callable[..., Any]) -> Any:
    def call(file: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        machine = None if isinstance(file, int) or not set(mode) & set("wxa+") else disks.of(file)
        if machine is None:
            return original(file, mode, *arguments, **named)
        what = _what(_place(file))
        return machine.write("open", what, lambda: original(file, mode, *arguments, **named))

    return call


def _database_of(connection: Any) -> str | None:
    driver = getattr(connection, "driver_connection", connection)
    if not isinstance(driver, sqlite3.Connection):
        return None
    for _, name, path in driver.execute("PRAGMA database_list"):
        if name == "main" and path:
            return str(path)
    return None


def _note_change(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
    """A transaction that only reads has nothing to lose: its commit is no write."""
    if statement.lstrip().partition(" ")[0].upper() not in ("SELECT", "PRAGMA", "BEGIN"):
        connection.connection.info["changed"] = True


def _forget_change(connection: Any) -> None:
    connection.connection.info.pop("changed", None)


def _place(path: str | bytes | os.PathLike[Any] | int, directory: int | None = None) -> str:
    if isinstance(path, int):
        return _open_file(path)
    text = os.fsdecode(path)
    if directory is not None and not os.path.isabs(text):
        return os.path.join(_open_file(directory), text)
    return os.path.abspath(text)


def _open_file(descriptor: int) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return ""


def _what(place: str) -> str:
    """Who writes, and what: "columns.build_columns manifest.json"."""
    name = os.path.basename(place)
    if name.startswith(".") and name.endswith(".draft"):  # "..card.json.4711.4712.draft"
        name = name.strip(".").rsplit(".", 3)[0] + " draft"
    stem, dot, suffix = name.partition(".")
    if len(stem) == 64:
        name = f"<digest>{dot}{suffix}"
    return f"{_who_writes()} {name}"


def _entry_of_a_log(data: bytes) -> str | None:
    """The events of the lines, since one function writes them all."""
    try:
        events = [json.loads(line)["event"] for line in data.splitlines()]
    except (ValueError, TypeError, KeyError):
        return None
    return "log " + "+".join(dict.fromkeys(events)) if events else None


def _who_writes() -> str:
    """The innermost function of the product that is not plumbing, with the type of document that it is about.

    Of a write that was handed to a thread: the function that it handed over.
    """
    frame: FrameType | None = sys._getframe(2)
    nearest = "nobody"
    while frame is not None:
        path = frame.f_code.co_filename
        if path.startswith(PRODUCT):
            action = frame.f_locals.get("action")
            if callable(action):
                return f"{Path(action.__code__.co_filename).stem}.{_plain(action.__qualname__)}"
            nearest = f"{Path(path).stem}.{_plain(frame.f_code.co_qualname)}"
            if not path.endswith(PLUMBING):
                return nearest + _about(frame.f_locals)
        frame = frame.f_back
    return nearest


def _plain(qualified: str) -> str:
    names = [name for name in qualified.split(".") if not name.startswith("<")]
    return names[-1]


def _about(local: dict[str, Any]) -> str:
    """What the gateway is about to keep, or a party to take in."""
    kept = [verified.new.type_name for verified in local.get("group") or ()]
    taken = [getattr(item, "type_name", "") for item in local.get("items") or ()]
    types = dict.fromkeys(kept or taken)
    return f" {'+'.join(types)}" if any(types) else ""
