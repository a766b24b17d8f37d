"""In which order tests are tried on mutants, so that most are found soon and few tests run for nothing.

First the test that found the mutant before, and those in which it made a difference when they were last looked at.
Then one file of tests after another: what was looked at and is the same, then what came by the modules of mutants
that are still open; of these first what imports such a module or was changed, and quick before slow. The hunt ends
when no mutant is open but explained survivors.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Protocol

from tests.mutation.looks import Looks
from tests.mutation.results import TIME_LIMIT, Results
from tests.mutation.sites import Site

_SLACK_SECONDS = 20.0
_HINTS = 4
_HINTS_AT_ONCE = 8
_TESTS_EACH = 25
"""Of the tests in which a mutant makes a difference so many are run."""
_OF_ONE_FILE = 10
"""Of these so many of one file, unless it is the module's own: what one of its tests does not notice, the next often
does not either."""
_UNKNOWN_SECONDS = 300.0


def own_tests_of(module: str) -> str:
    """Where the tests of a module stand, if it has its own."""
    directory, _, name = module.rpartition("/")
    return f"tests/{directory}/test_{name}"


Facts = dict[str, dict[str, Any]]
"""What a look saw, by test: its seconds, whether it passed, the switches in which it saw a difference."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Tests to run on a mutant, quickest first, until one fails."""

    site: Site
    tests: tuple[str, ...]
    limit_seconds: float


class Runner(Protocol):
    """Runs tests in processes of their own."""

    def look(self, file: str) -> tuple[Facts, Sequence[str]] | None:
        """Run a file of tests with all switches off: facts and the switches it came by; None if it did not end."""

    def try_all(self, trials: Sequence[Trial]) -> Iterator[tuple[Trial, str | None]]:
        """Each that ended, with the test that failed, or "", or None if it did not end in time."""

    def passes(self, tests: Sequence[str], limit_seconds: float) -> bool:
        """Whether all do, in time, with all switches off."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What a hunt goes over, and where what it finds is kept.

    `stages` has every file of tests, `imports` the paths that each imports.
    """

    stages: Mapping[str, int]
    imports: Mapping[str, AbstractSet[str]]
    tests: frozenset[str]
    looks: Looks
    results: Results


class Hunt:
    """`explained` are keys of survivors that need not be found; for their sake alone no test is looked at."""

    def __init__(
        self,
        todo: Sequence[Site],
        ground: Ground,
        runner: Runner,
        *,
        explained: frozenset[str],
        until: float,
        say: Callable[[str], None],
    ) -> None:
        self._open = {site.key: site for site in todo}
        self._ground, self._runner, self._explained = ground, runner, explained
        self._until, self._say = until, say
        self._tried: Counter[str] = Counter()
        self._clean: dict[str, bool] = {}

    def run(self) -> bool:
        """Whether it came to the end before time was up."""
        self._follow_hints()
        waiting = set(self._ground.stages)
        while waiting and (wanted := frozenset(site.file for site in self._wanted())):
            if time.time() > self._until:
                self._say(f"time is up; {len(self._wanted())} left for the next run")
                return False
            file = min(waiting, key=lambda each: self._place(each, wanted))
            waiting.remove(file)
            self._go_through(file)
        for site in self._open.values():
            self._ground.results.put(site, None, self._tried[site.key])
            if site.key not in self._explained:
                self._say(f"survived: {site.describe()} ({self._tried[site.key]} tests)")
        return True

    def _wanted(self) -> list[Site]:
        return [site for site in self._open.values() if site.key not in self._explained]

    def _about(self) -> frozenset[str]:
        return frozenset(site.file for site in self._open.values())

    def _follow_hints(self) -> None:
        trials = sorted(filter(None, map(self._hinted, self._open.values())), key=lambda t: t.limit_seconds)
        self._say(f"{len(self._open)} to run, {len(trials)} of them with tests that saw them before")
        for start in range(0, len(trials), _HINTS_AT_ONCE):
            if time.time() > self._until:
                return
            answers = list(self._runner.try_all(trials[start : start + _HINTS_AT_ONCE]))
            self._settle(
                (trial, failed)
                for trial, failed in answers
                if not failed or self._is_clean(failed, trial.limit_seconds)
            )

    def _settle(self, answers: Iterable[tuple[Trial, str | None]]) -> None:
        late: list[Trial] = []
        for trial, failed in answers:
            if failed:
                self._found(trial.site, failed)
            elif failed is None:
                late.append(trial)
        for trial in late:  # without the mutant they must be in time now: else the machine is what is slow
            if self._runner.passes(trial.tests, trial.limit_seconds):
                self._found(trial.site, TIME_LIMIT)

    def _hinted(self, site: Site) -> Trial | None:
        seen = {name: seconds for seconds, name in self._ground.looks.hints(site)}
        last = self._ground.results.last(site)
        names = [last.found_by] if last is not None and last.found_by else []
        names = [name for name in dict.fromkeys([*names, *seen]) if name in self._ground.tests][:_HINTS]
        seconds = sum(seen.get(name, _SLACK_SECONDS) for name in names)
        return Trial(site, tuple(names), _SLACK_SECONDS + 5 * seconds) if names else None

    def _is_clean(self, test: str, limit_seconds: float) -> bool:
        if test not in self._clean:
            self._clean[test] = self._runner.passes([test], limit_seconds)
        return self._clean[test]

    def _place(self, file: str, wanted: frozenset[str]) -> tuple[bool, bool, int, int, float, str]:
        looks = self._ground.looks
        is_known = looks.get(file, self._about()) is not None
        likely = bool(wanted & self._ground.imports[file]) + looks.is_changed(file)
        seconds = looks.seconds(file)
        return (
            not (likely or looks.may_reach(file, wanted)),
            not is_known,
            self._ground.stages[file],
            -likely,
            _UNKNOWN_SECONDS if seconds is None else seconds,
            file,
        )

    def _go_through(self, file: str) -> None:
        facts = self._facts(file)
        trials = [
            trial for site in self._open.values() if (trial := self._trial(site, file, facts)) is not None
        ]
        trials.sort(key=lambda trial: trial.limit_seconds)
        for trial in trials:
            self._tried[trial.site.key] += len(trial.tests)
        self._settle(self._runner.try_all(trials))

    def _trial(self, site: Site, file: str, facts: Facts) -> Trial | None:
        seen = sorted(
            (each["seconds"], name)
            for name, each in facts.items()
            if each["passed"] and site.switch in each["differences"]
        )
        if file != own_tests_of(site.file):
            seen = seen[: max(0, min(_OF_ONE_FILE, _TESTS_EACH - self._tried[site.key]))]
        limit = _SLACK_SECONDS + 5 * sum(seconds for seconds, _ in seen)
        return Trial(site, tuple(name for _, name in seen), limit) if seen else None

    def _facts(self, file: str) -> Facts:
        known = self._ground.looks.get(file, self._about())
        if known is not None:
            return known
        started = time.time()
        seen = self._runner.look(file)
        if seen is None:
            self._say(f"left out, did not end: {file}")
            return {}
        facts, reached = seen
        self._ground.looks.put(file, facts, reached)
        for name in (name for name, each in facts.items() if not each["passed"]):
            self._say(f"left out, fails without any mutant: {name}")
        self._say(f"looked at {file} in {time.time() - started:.0f} s; {len(self._wanted())} mutants open")
        return facts

    def _found(self, site: Site, by: str) -> None:
        self._tried[site.key] = max(self._tried[site.key], 1)
        self._ground.results.put(site, by, self._tried[site.key])
        del self._open[site.key]
