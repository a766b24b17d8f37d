"""One pytest session that collects once and then forks: a process for each file of tests, a process for each mutant.

Runs in the copy of the tree: `python -m tests.mutation.session WORK`, with `plan.json` in WORK. See __main__.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.mutation.forks import Forks, Job
from tests.mutation.hunt import Facts, Ground, Hunt, Trial
from tests.mutation.looks import Looks, imports_of
from tests.mutation.results import Results, TextsOfTests, explained_of, read_explained
from tests.mutation.sites import modules, rewrite
from tests.mutation.switch import Switches, install

_LOOK_SECONDS = 900.0


class Forking:
    """The plugin: takes over the loop over the tests."""

    def __init__(self, work: Path, switches: Switches, say: Callable[[str], None]) -> None:
        self._plan = json.loads((work / "plan.json").read_text("utf-8"))
        self._work, self._switches, self._say = work, switches, say
        self._forks: Forks
        self._items: dict[str, pytest.Item] = {}
        self._files: dict[str, list[pytest.Item]] = {}
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
        self._forks = Forks(self._work, self._switches, self._plan["at_a_time"], _temporary_directories_in)
        _warm_up()
        self._items = {item.nodeid: item for item in session.items}
        for item in session.items:
            self._files.setdefault(_file_of(item.nodeid), []).append(item)
        tree = Path.cwd()
        everything = [
            site for file in modules(tree) for site in rewrite((tree / file).read_text("utf-8"), file)[1]
        ]
        sites = [
            site
            for site in everything
            if site.kind in self._plan["kinds"] and site.file.startswith(tuple(self._plan["only"]))
        ]
        results = Results(Path(self._plan["results"]), TextsOfTests(tree))
        results.forget_all_but(everything)
        explained = explained_of(sites, read_explained(Path(__file__).with_name("survivors.toml")))
        again = self._plan["again"]
        survivors = {site.key for site in results.survivors(sites) if again or site.key not in explained}
        todo = [site for site in sites if results.is_open(site) or site.key in survivors]
        looks = Looks(Path(self._plan["looks"]), tree, everything)
        if again:
            looks.forget_failed()
        stages = {file: self._stage(file) for file in self._files}
        imports = {file: imports_of(tree / file) for file in stages}
        ground = Ground(stages, imports, frozenset(self._items), looks, results)
        wanted = frozenset() if again else explained
        hunt = Hunt(todo, ground, self, explained=wanted, until=self._plan["until"], say=self._say)
        hunt.run()
        return True

    def _stage(self, file: str) -> int:
        """The number of the first stage that names the file or a directory above it."""
        stages: list[list[str]] = self._plan["stages"]
        return next(
            n for n, tests in enumerate(stages) if any(file == t or file.startswith(f"{t}/") for t in tests)
        )

    # -- what the hunt runs: see its Runner ------------------------------------------------------------------------

    def look(self, file: str) -> tuple[Facts, list[str]] | None:
        items = self._files[file]
        job = Job(lambda place: self._look_at(items, place / "notes"), "", _LOOK_SECONDS)
        ((_, answer),) = self._forks.run([job])
        return None if answer is None else (answer["tests"], answer["reached"])

    def try_all(self, trials: Sequence[Trial]) -> Iterator[tuple[Trial, str | None]]:
        for number, answer in self._forks.run(map(self._job, trials)):
            yield trials[number], answer

    def _job(self, trial: Trial) -> Job:
        items = [self._items[name] for name in trial.tests]
        return Job(
            lambda place: self._until_found(items, place / "notes"), trial.site.switch, trial.limit_seconds
        )

    def passes(self, tests: Sequence[str], limit_seconds: float) -> bool:
        items = [self._items[name] for name in tests]
        ((_, answer),) = self._forks.run(
            [Job(lambda place: self._look_at(items, place / "notes"), "", limit_seconds)]
        )
        return answer is not None and all(each["passed"] for each in answer["tests"].values())


def _file_of(test: str) -> str:
    return test.partition("::")[0]


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
    status = pytest.main(
        ["-q", "-p", "no:cacheprovider", *(test for tests in plan["stages"] for test in tests)],
        plugins=plugins,
    )
    return int(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
