"""One pytest session that collects once and then forks: a process for each file of tests, a process for each mutant.

Runs in the copy of the tree: `python -m tests.mutation.session WORK`, with `plan.json` in WORK. See __main__.
"""

from __future__ import annotations

import inspect
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.mutation.forks import Forks, Job
from tests.mutation.results import TIME_LIMIT, Entry, Explained, Looks, Results, digest_of, read_explained
from tests.mutation.sites import Site, modules, rewrite
from tests.mutation.switch import Switches, install

_SLACK_SECONDS = 30.0
_LOOK_SECONDS = 900.0
_TESTS_EACH = 25
"""Of the tests in which a mutant makes a difference so many are run, the quickest first."""
_OF_ONE_FILE = 10
"""Of these so many of one file: what one of its tests does not notice, the next often does not either."""


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
        self._until = plan["until"]
        self._at_a_time = plan["at_a_time"]
        self._kinds = set(plan["kinds"])
        self._again = bool(plan["again"])
        self._only = tuple(plan["only"])
        self._results = Results(Path(plan["results"]))
        self._failed = ""

    # -- in the child -----------------------------------------------------------------------------------------------

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self._failed:
            self._failed = report.nodeid

    def _run(self, items: Sequence[pytest.Item], after: Callable[[pytest.Item, float], bool]) -> None:
        for index, item in enumerate(items):
            started = time.perf_counter()
            following = items[index + 1] if index + 1 < len(items) else None
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if not after(item, time.perf_counter() - started):
                return

    def _look_at(self, items: Sequence[pytest.Item], notes: Path) -> dict[str, Any]:
        seen: dict[str, dict[str, Any]] = {}
        reached: set[str] = set()

        def after(item: pytest.Item, seconds: float) -> bool:
            self._switches.read_notes(notes)
            reached.update(self._switches.reached)
            seen[item.nodeid] = {
                "seconds": seconds,
                "passed": not self._failed,
                "differences": sorted(self._switches.differences),
            }
            self._switches.forget()
            self._failed = ""
            return True

        self._switches.forget()
        self._run(items, after)
        return {"tests": seen, "reached": sorted(reached)}

    def _until_found(self, items: Sequence[pytest.Item], notes: Path) -> str:
        """The test that fails. One in which the mutant has made no difference failed for another reason."""

        def after(item: pytest.Item, seconds: float) -> bool:
            self._switches.read_notes(notes)
            if self._switches.on not in self._switches.differences:
                self._failed = ""
            return not self._failed

        self._switches.forget()
        self._run(items, after)
        return self._failed

    # -- in the parent ----------------------------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            raise session.Interrupted(f"{session.testsfailed} errors while tests were collected")
        forks = Forks(self._work, self._switches, self._at_a_time, _temporary_directories_in)
        _warm_up()
        everything = [
            site for file in modules(Path.cwd()) for site in rewrite(Path(file).read_text("utf-8"), file)[1]
        ]
        sites = [s for s in everything if s.kind in self._kinds and s.file.startswith(self._only)]
        looks = Looks(self._results.path.with_suffix(".looks.json"), Path.cwd(), everything)
        items = {item.nodeid: item for item in session.items}
        self._results.forget_all_but(sites)
        explained = read_explained(Path(__file__).with_name("survivors.toml"))
        todo = [site for site in sites if self._is_to_run(site, items, explained)]
        self._say(f"{len(sites)} mutants, {len(todo)} to run")
        if not todo:
            return True
        seen = self._look(session, looks, forks, frozenset(site.file for site in todo))
        covering = _covering(seen)
        todo.sort(key=lambda site: sum(seen[name].seconds for name in covering.get(site.switch, [])[:3]))

        def jobs() -> Any:
            for site in todo:
                if time.time() > self._until:
                    return
                names = covering.get(site.switch, [])
                limit = _SLACK_SECONDS + 5 * sum(seen[name].seconds for name in names)
                chosen = [items[name] for name in names]
                yield Job(
                    lambda place, chosen=chosen: self._until_found(chosen, place / "notes"),
                    site.switch,
                    limit,
                )

        ran = 0
        for number, answer in forks.run(jobs()):
            site, ran = todo[number], ran + 1
            tests = len(covering.get(site.switch, []))
            entry = Entry(
                TIME_LIMIT if answer is None else str(answer) or None, tests, _text_of(items, answer)
            )
            self._results.put(site, entry)
            if entry.found_by is None:
                self._say(f"[{ran}/{len(todo)}] survived: {site.describe()} ({tests} tests)")
        if ran < len(todo):
            self._say(f"time is up; {len(todo) - ran} left for the next run")
        return True

    def _is_to_run(self, site: Site, items: dict[str, pytest.Item], explained: Sequence[Explained]) -> bool:
        """Not yet run on this text, or found by a test that is no longer the same, or an unexplained survivor."""
        if self._results.is_open(site, again=self._again):
            return True
        entry = self._results.entry(site)
        if entry.found_by is None:
            return not any(each.covers(site) for each in explained)
        file = entry.found_by.partition("::")[0]
        is_here = any(name.startswith(f"{file}::") for name in items)
        return is_here and entry.test_text != _text_of(items, entry.found_by)

    def _look(
        self, session: pytest.Session, looks: Looks, forks: Forks, about: frozenset[str]
    ) -> dict[str, Seen]:
        """Run every test once, with all switches off; not those that were looked at before and are the same."""
        started = time.time()
        groups = {
            file: list(group)
            for file, group in groupby(session.items, key=lambda item: item.nodeid.partition("::")[0])
        }
        known = {}
        for file in groups:
            facts = looks.get(file, about)
            if facts is not None and not (self._again and _has_failed(facts)):
                known[file] = facts
        todo = [file for file in groups if file not in known]
        self._say(f"{len(todo)} of {len(groups)} files of tests to look at")
        jobs = (
            Job(lambda place, file=file: self._look_at(groups[file], place / "notes"), "", _LOOK_SECONDS)
            for file in todo
        )
        for number, answer in forks.run(jobs):
            file = todo[number]
            if answer is None:
                self._say(f"left out, did not end: {file}")
                continue
            known[file] = answer["tests"]
            looks.put(file, answer["tests"], answer["reached"])
        seen = {name: Seen(**facts) for tests in known.values() for name, facts in tests.items()}
        for name in (name for name in seen if not seen[name].passed):
            self._say(f"left out, fails without any mutant: {name}")
        self._say(f"{len(seen)} tests looked at in {time.time() - started:.0f} s")
        return seen


def _has_failed(facts: dict[str, dict[str, Any]]) -> bool:
    return any(not each["passed"] for each in facts.values())


def _covering(seen: dict[str, Seen]) -> dict[str, list[str]]:
    """The tests to run for each switch."""
    found: dict[str, list[str]] = {}
    for name in sorted((name for name in seen if seen[name].passed), key=lambda name: seen[name].seconds):
        for switch in seen[name].differences:
            names = found.setdefault(switch, [])
            file = name.partition("::")[0]
            if len(names) < _TESTS_EACH and sum(n.startswith(f"{file}::") for n in names) < _OF_ONE_FILE:
                names.append(name)
    return found


def _text_of(items: dict[str, pytest.Item], name: str | None) -> str:
    """A digest of the test's own text; empty if there is no such test."""
    item = items.get(name or "")
    return digest_of(inspect.getsource(item.function).encode()) if isinstance(item, pytest.Function) else ""


def _warm_up() -> None:
    """What every child would compile or load again."""
    with suppress(ImportError):  # a tree without workers
        from parties.worker_warm_up import warm_up

        warm_up()


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
    Preparing.factory._given_basetemp, Preparing.factory._basetemp = place, None


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
    plan = json.loads((work / "plan.json").read_text("utf-8"))
    plugins = [Forking(work, switches, say), Preparing()]
    status = pytest.main(["-q", "-p", "no:cacheprovider", *plan["tests"]], plugins=plugins)
    return int(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
