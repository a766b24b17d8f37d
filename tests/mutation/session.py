"""One pytest session that collects once and then forks: a process for each file of tests, a process for each mutant.

Runs in the copy of the tree: `python -m tests.mutation.session WORK`, with `plan.json` in WORK. See __main__.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.mutation.results import Entry, Looks, Results
from tests.mutation.sites import Site, modules, rewrite
from tests.mutation.switch import Switches, install

_BECOME_REAPER = 36
"""PR_SET_CHILD_SUBREAPER: what a killed test left running becomes this process's child, and is ended by it."""

_SLACK_SECONDS = 30.0
_TESTS_EACH = 25
"""Of the tests in which a mutant makes a difference so many are run, the quickest first."""


@dataclass(slots=True)
class Seen:
    """One test: how long it took, whether it passed, which switches it can see."""

    seconds: float = 0.0
    passed: bool = True
    differences: list[str] = field(default_factory=list)


class Forking:
    """The plugin: takes over the loop over the tests."""

    def __init__(self, work: Path, switches: Switches, say: Callable[[str], None]) -> None:
        plan = json.loads((work / "plan.json").read_text("utf-8"))
        self._work, self._switches, self._say = work, switches, say
        self._until = time.time() + plan["seconds"]
        self._kinds = set(plan["kinds"])
        self._again = bool(plan["again"])
        self._only = tuple(plan["only"])
        self._results = Results(Path(plan["results"]))
        self._failed = ""
        self._child = 0

    # -- in the child -----------------------------------------------------------------------------------------------

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self._failed:
            self._failed = report.nodeid

    def _run(
        self, session: pytest.Session, items: Sequence[pytest.Item], after: Callable[[Any, float], bool]
    ) -> None:
        for index, item in enumerate(items):
            started = time.perf_counter()
            following = items[index + 1] if index + 1 < len(items) else None
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if not after(item, time.perf_counter() - started):
                return

    # -- in the parent ----------------------------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            raise session.Interrupted(f"{session.testsfailed} errors while tests were collected")
        ctypes.CDLL(None).prctl(_BECOME_REAPER, 1, 0, 0, 0)
        everything = [
            site for file in modules(Path.cwd()) for site in rewrite(Path(file).read_text("utf-8"), file)[1]
        ]
        sites = [s for s in everything if s.kind in self._kinds and s.file.startswith(self._only)]
        looks = Looks(self._results.path.with_suffix(".looks.json"), Path.cwd(), everything)
        seen = self._look(session, looks)
        items = {item.nodeid: item for item in session.items}
        covering: dict[str, list[str]] = {}
        for name in sorted((name for name in seen if seen[name].passed), key=lambda name: seen[name].seconds):
            for difference in seen[name].differences:
                covering.setdefault(difference, []).append(name)
        self._results.forget_all_but(sites)
        todo = [site for site in sites if self._results.is_open(site, again=self._again)]
        self._say(f"{len(sites)} mutants, {len(todo)} to run")
        for number, site in enumerate(todo):
            if time.time() > self._until:
                self._say(f"time is up; {len(todo) - number} left for the next run")
                break
            names = covering.get(site.switch, [])[:_TESTS_EACH]
            entry = self._try(session, site, [items[name] for name in names], seen)
            self._results.put(site, entry)
            if entry.found_by is None:
                self._say(f"[{number + 1}/{len(todo)}] survived: {site.describe()} ({len(names)} tests)")
        return True

    def _look(self, session: pytest.Session, looks: Looks) -> dict[str, Seen]:
        """Run every test once, with all switches off; not those that were looked at before and are the same."""
        seen: dict[str, Seen] = {}
        started = time.time()
        for file, grouped in groupby(session.items, key=lambda item: item.nodeid.partition("::")[0]):
            group = list(grouped)
            answer = looks.get(file)
            if answer is None:
                answer = self._fork(lambda group=group: self._look_at(session, group), "", 900.0)  # type: ignore[misc]
                if answer is not None and all(facts["passed"] for facts in answer.values()):
                    looks.put(file, answer)
            for name, facts in (answer or {}).items():
                seen[name] = Seen(**facts)
                if not seen[name].passed:
                    self._say(f"left out, fails without any mutant: {name}")
            if answer is None:
                self._say(f"left out, did not end: {file}")
        self._say(f"{len(seen)} tests looked at in {time.time() - started:.0f} s")
        return seen

    def _look_at(self, session: pytest.Session, items: Sequence[pytest.Item]) -> dict[str, dict[str, Any]]:
        notes = self._work / "notes"
        seen: dict[str, dict[str, Any]] = {}

        def after(item: pytest.Item, seconds: float) -> bool:
            others = notes.read_text("utf-8").split() if notes.exists() else []
            notes.unlink(missing_ok=True)
            differences = sorted(self._switches.differences | set(others))
            self._switches.differences.clear()
            seen[item.nodeid] = {
                "seconds": seconds,
                "passed": not self._failed,
                "differences": differences,
            }
            self._failed = ""
            return True

        self._switches.differences.clear()
        self._run(session, items, after)
        return seen

    def _try(
        self, session: pytest.Session, site: Site, items: Sequence[pytest.Item], seen: dict[str, Seen]
    ) -> Entry:
        if not items:
            return Entry(None, 0)
        limit = _SLACK_SECONDS + 5 * sum(seen[item.nodeid].seconds for item in items)

        def until_found() -> str:
            self._run(session, items, lambda item, seconds: not self._failed)
            return self._failed

        answer = self._fork(until_found, site.switch, limit)
        if answer is None:
            return Entry("time limit", len(items))
        return Entry(str(answer) or None, len(items))

    def _fork(self, work: Callable[[], Any], on: str, limit_seconds: float) -> Any:
        """What `work` returned in a process of its own with that switch on; None if it did not end in time."""
        (self._work / "on").write_text(on, "utf-8")
        (self._work / "notes").unlink(missing_ok=True)
        answer = self._work / "answer.json"
        answer.unlink(missing_ok=True)
        self._child += 1
        place = self._work / "tmp" / str(self._child)
        child = os.fork()
        if child == 0:
            status = 1
            with suppress(BaseException):  # whatever it was, there is no answer then
                os.setpgid(0, 0)
                self._switches.on = on
                _temporary_directories_in(place)
                answer.write_text(json.dumps(work()), "utf-8")
                status = 0
            os._exit(status)
        end = time.monotonic() + limit_seconds
        while os.waitpid(child, os.WNOHANG) == (0, 0):
            if time.monotonic() > end:
                with suppress(ProcessLookupError):
                    os.killpg(child, signal.SIGKILL)
                os.waitpid(child, 0)
                answer.unlink(missing_ok=True)
                break
            time.sleep(0.01)
        _end_all(_children())
        shutil.rmtree(place, ignore_errors=True)
        return json.loads(answer.read_text("utf-8")) if answer.exists() else None


class Preparing:
    """The plugin that is there before tests are collected."""

    factory: ClassVar[Any] = None

    @pytest.hookimpl
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        from hypothesis import HealthCheck, Phase, settings  # after pytest has prepared itself for it

        settings.register_profile(
            "mutation",
            derandomize=True,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
            phases=[Phase.explicit, Phase.generate],
        )
        settings.load_profile("mutation")
        Preparing.factory = session.config._tmp_path_factory  # type: ignore[attr-defined]  # has no public name


def _temporary_directories_in(place: Path) -> None:
    place.parent.mkdir(exist_ok=True)
    Preparing.factory._given_basetemp, Preparing.factory._basetemp = place, None


def _children() -> list[int]:
    found: list[int] = []
    for task in Path("/proc/self/task").iterdir():
        found += map(int, (task / "children").read_text().split())
    return found


def _end_all(children: Iterable[int]) -> None:
    """End what a test left running: those became children of this process when their parent ended."""
    left = list(children)
    while left:
        for child in left:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(child, 0)
        left = _children()


def main(arguments: Sequence[str]) -> int:
    work = Path(arguments[0])
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")

    def say(text: str) -> None:
        out.write(f"{text}\n")
        out.flush()

    log = os.open(work / "pytest.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    switches = install(work / "code")
    python = work / "python"
    python.write_text(
        f"#!/bin/sh\nexport MUTATION_WORK={work}\nexport PYTHONPATH={Path.cwd()}/tests/mutation/site:{Path.cwd()}\n"
        f'exec {sys.executable} "$@"\n',
        "utf-8",
    )
    python.chmod(0o700)
    sys.executable = str(python)
    plan = json.loads((work / "plan.json").read_text("utf-8"))
    plugins = [Forking(work, switches, say), Preparing()]
    status = pytest.main(["-q", "-p", "no:cacheprovider", *plan["tests"]], plugins=plugins)
    return int(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
