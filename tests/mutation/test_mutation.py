"""The mutation tool finds a guard that no test notices, and leaves programs as they are while no switch is on."""

from __future__ import annotations

import builtins
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.mutation import page
from tests.mutation.hunt import Facts, Ground, Hunt, Trial, own_tests_of
from tests.mutation.looks import Looks
from tests.mutation.results import (
    TIME_LIMIT,
    Explained,
    Results,
    TextsOfTests,
    explained_of,
    read_explained,
    stale,
)
from tests.mutation.sites import Site, rewrite
from tests.mutation.switch import Switches

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = """
def limited(number, most=10):
    if number > most:
        raise ValueError("too large")
    return number


def refused(name, known):
    if name is None or name not in known:
        return "unknown"
    return None


def fits(a, b) -> bool:
    return 0 < a <= b and a != 7


def _check(value):
    assert isinstance(value, str)
    return value


def checked(value):
    _check(value)
    return value
"""


@pytest.fixture
def switches(monkeypatch: pytest.MonkeyPatch) -> Switches:
    made = Switches(None)
    for name in ("removed", "granted", "dropped", "passed", "ordered"):
        monkeypatch.setattr(builtins, f"__{name}__", getattr(made, name), raising=False)
    return made


@pytest.fixture
def sample(switches: Switches) -> dict[str, Any]:
    tree, _ = rewrite(SAMPLE, "parties/sample.py")
    space: dict[str, Any] = {}
    exec(compile(tree, "sample", "exec"), space)  # noqa: S102  # the sample above
    return space


def sites() -> list[Site]:
    return rewrite(SAMPLE, "parties/sample.py")[1]


def site(kind: str, text: str) -> Site:
    (found,) = [each for each in sites() if each.kind == kind and each.text == text]
    return found


def raises(action: Callable[[], object]) -> bool:
    try:
        action()
    except (ValueError, AssertionError):
        return True
    return False


def test_every_guard_and_every_part_of_one_is_found() -> None:
    assert [(each.kind, each.text) for each in sites()] == [
        ("remove", "number > most"),
        ("edge", "number > most"),
        ("bound", "number > most"),
        ("remove", "name is None or name not in known"),
        ("operand", "name is None"),
        ("operand", "name not in known"),
        ("operand", "0 < a <= b"),
        ("edge", "0 < a"),
        ("bound", "0 < a"),
        ("edge", "a <= b"),
        ("bound", "a <= b"),
        ("operand", "a != 7"),
        ("remove", "isinstance(value, str)"),
        ("call", "_check(value)"),
    ]


def test_a_key_outlives_lines_that_move() -> None:
    moved = rewrite("import os\n\n\n" + SAMPLE, "parties/sample.py")[1]
    assert [each.key for each in moved] == [each.key for each in sites()]
    assert moved[0].line == sites()[0].line + 3


@pytest.mark.parametrize(
    ("kind", "text", "act", "off", "on"),
    [
        ("remove", "number > most", lambda s: raises(lambda: s["limited"](11)), True, False),
        ("edge", "number > most", lambda s: raises(lambda: s["limited"](10)), False, True),
        ("bound", "number > most", lambda s: raises(lambda: s["limited"](11)), True, False),
        ("operand", "name is None", lambda s: s["refused"](None, [None]), "unknown", None),
        ("operand", "name not in known", lambda s: s["refused"]("a", []), "unknown", None),
        ("operand", "a != 7", lambda s: s["fits"](7, 9), False, True),
        ("edge", "a <= b", lambda s: s["fits"](3, 3), True, False),
        ("bound", "0 < a", lambda s: s["fits"](1, 3), True, False),
        ("remove", "isinstance(value, str)", lambda s: raises(lambda: s["_check"](1)), True, False),
        ("call", "_check(value)", lambda s: raises(lambda: s["checked"](1)), True, False),
    ],
)
def test_a_switch_does_what_its_kind_says_and_nothing_while_it_is_off(
    sample: dict[str, Any],
    switches: Switches,
    kind: str,
    text: str,
    act: Callable[[dict[str, Any]], object],
    off: object,
    on: object,
) -> None:
    switch = site(kind, text).switch
    assert act(sample) == off
    assert (switch in switches.differences) == (off != on)
    switches.on = switch
    assert act(sample) == on


TESTS = """
def test_one():
    limited(1)


def test_two():
    limited(2)
"""


def results_in(tree: Path) -> Results:
    (tree / "tests").mkdir(exist_ok=True)
    if not (tree / "tests" / "test_a.py").exists():
        (tree / "tests" / "test_a.py").write_text(TESTS)
    return Results(tree / "results.tsv", TextsOfTests(tree))


def test_an_entry_counts_until_its_function_changes(tmp_path: Path) -> None:
    results = results_in(tmp_path)
    first, second = sites()[0], sites()[3]
    results.put(first, "tests/test_a.py::test_one", 1)
    results.put(second, None, 0)
    again = results_in(tmp_path)
    assert again.survivors(sites()) == [second]
    assert not again.is_open(first)
    changed = rewrite(SAMPLE.replace('"too large"', '"larger"'), "parties/sample.py")[1]
    assert again.is_open(changed[0])
    assert not again.is_open(changed[3])
    again.forget_all_but(changed)
    assert again.survivors(sites()) == [second]
    again.forget_all_but(changed[:1])
    assert results_in(tmp_path).survivors(sites()) == []


@pytest.mark.parametrize(
    ("tests", "is_open"),
    [
        (f"import pytest\n{TESTS}", False),
        (TESTS.replace("limited(2)", "limited(3)"), False),
        (TESTS.replace("limited(1)", "limited(0)"), True),
        (TESTS.replace("def test_one", "@pytest.mark.anyio\ndef test_one"), True),
        (TESTS.replace("test_one", "test_first"), True),
        ("", True),
    ],
)
def test_an_entry_counts_until_the_test_that_found_it_changes(
    tmp_path: Path, tests: str, is_open: bool
) -> None:
    results_in(tmp_path).put(sites()[0], "tests/test_a.py::test_one[11]", 1)
    results_in(tmp_path).put(sites()[3], TIME_LIMIT, 1)
    (tmp_path / "tests" / "test_a.py").write_text(tests)
    assert results_in(tmp_path).is_open(sites()[0]) == is_open
    assert not results_in(tmp_path).is_open(sites()[3])


def test_the_page_shows_what_came_of_each_module(tmp_path: Path) -> None:
    results = results_in(tmp_path)
    results.put(site("remove", "number > most"), "tests/test_a.py::test_one", 1)
    results.put(site("operand", "a != 7"), None, 0)
    results.put(site("edge", "number > most"), None, 0)
    text = page.with_table(
        "before <!-- made by make mutate -->old<!-- end of what is made --> after", results
    )
    assert "| `parties/sample.py` | 2 | 1 | 1 | 1 |  | 1 |\n| all | 2 | 1 | 1 | 1 |  | 1 |" in text
    assert "old" not in text
    assert text.startswith("before ")
    assert text.endswith(" after")
    assert page.with_table(text, results) == text
    with pytest.raises(ValueError, match="no place"):
        page.with_table("before <!-- made by make mutate -->", results)


def test_an_explanation_covers_its_check_and_is_stale_without_it() -> None:
    explained = Explained("parties/sample.py", "refused", "because", check="name is None", kinds=("operand",))
    assert explained_of(sites(), [explained]) == {site("operand", "name is None").key}
    assert stale([explained], sites()) == []
    gone = Explained("parties/sample.py", "refused", "because", check="name == 1")
    assert stale([explained, gone], sites()) == [gone]


def test_the_committed_explanations_say_why() -> None:
    explained = read_explained(ROOT / "tests" / "mutation" / "survivors.toml")
    assert all(len(each.why) > 20 for each in explained)


def test_a_guard_that_no_test_notices_survives_and_one_that_is_tested_does_not(tmp_path: Path) -> None:
    tree, work = tmp_path / "tree", tmp_path / "work"
    shutil.copytree(ROOT / "tests" / "mutation", tree / "tests" / "mutation")
    (tree / "protocols").mkdir()
    (tree / "protocols" / "__init__.py").touch()
    (tree / "protocols" / "sample.py").write_text(SAMPLE)
    (tree / "tests" / "test_sample.py").write_text(
        "import subprocess, sys\n"
        "import pytest\n"
        "from protocols.sample import checked, limited, refused\n"
        "def test_limit():\n    pytest.raises(ValueError, limited, 11)\n"
        "def test_unnoticed():\n    refused('a', [])\n"
        "def test_elsewhere():\n"
        "    code = 'from protocols.sample import checked; checked(1)'\n"
        "    assert subprocess.run([sys.executable, '-c', code], env={}).returncode == 1\n"
    )
    (work / "code").mkdir(parents=True)
    plan = {
        "results": str(work / "results.tsv"),
        "looks": str(work / "looks.json"),
        "kinds": ["remove", "call"],
        "again": False,
        "at_a_time": 2,
        "only": [""],
        "until": time.time() + 100,
        "stages": [["tests/test_sample.py"]],
    }
    (work / "plan.json").write_text(json.dumps(plan))
    done = subprocess.run(
        [sys.executable, "-P", "-m", "tests.mutation.session", str(work)],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + (work / "pytest.txt").read_text()
    lines = [line.split("\t") for line in (work / "results.tsv").read_text().splitlines()[1:]]
    assert {tuple(line[1:4]): line[7] for line in lines} == {
        ("limited", "remove", "number > most"): "tests/test_sample.py::test_limit",
        ("refused", "remove", "name is None or name not in known"): "-",
        ("_check", "remove", "isinstance(value, str)"): "tests/test_sample.py::test_elsewhere",
        ("checked", "call", "_check(value)"): "tests/test_sample.py::test_elsewhere",
    }
    assert "survived: protocols/sample.py:9 refused" in done.stdout


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A file of tests and one that it imports."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text("from tests import helper")
    (tmp_path / "tests" / "helper.py").write_text("two")
    (tmp_path / "tests" / "test_b.py").write_text("three")
    return tmp_path


ABOUT = {"parties/sample.py"}
FOUND = {"tests/test_a.py::test_one": {"seconds": 1.0, "passed": True, "differences": [sites()[0].switch]}}


def looks(tree: Path, source: str = SAMPLE) -> Looks:
    sites = [*rewrite(source, "parties/sample.py")[1], *rewrite(SAMPLE, "parties/other.py")[1]]
    return Looks(tree / "looks.json", tree, sites)


def look(tree: Path) -> None:
    looks(tree).put("tests/test_a.py", FOUND, [sites()[0].switch])


def test_a_look_counts_while_lines_move_and_what_it_does_not_come_by_changes(tree: Path) -> None:
    look(tree)
    (tree / "tests" / "test_b.py").write_text("four")
    assert looks(tree).get("tests/test_a.py", ABOUT) == FOUND
    assert looks(tree, "\n" + SAMPLE).get("tests/test_a.py", ABOUT) == FOUND
    assert looks(tree, SAMPLE.replace('"unknown"', '"strange"')).get("tests/test_a.py", ABOUT) == FOUND


@pytest.mark.parametrize("changed", ["test_a.py", "helper.py", "conftest.py"])
def test_a_look_counts_until_its_tests_change_or_what_they_import(tree: Path, changed: str) -> None:
    look(tree)
    (tree / "tests" / changed).write_text("another")
    assert looks(tree).get("tests/test_a.py", ABOUT) is None


@pytest.mark.parametrize(
    "source",
    [
        SAMPLE.replace('"too large"', '"larger"'),
        SAMPLE.replace("def limited", "def bounded"),
        SAMPLE + "def more(value):\n    assert value\n",
    ],
)
def test_a_look_counts_until_a_function_changes_that_it_comes_by_or_one_is_added_beside_it(
    tree: Path, source: str
) -> None:
    look(tree)
    assert looks(tree, source).get("tests/test_a.py", ABOUT) is None
    assert looks(tree, source).get("tests/test_a.py", {"parties/other.py"}) is not None


def test_a_look_tells_nothing_of_a_module_that_came_later(tree: Path) -> None:
    look(tree)
    assert looks(tree).get("tests/test_a.py", {"parties/other.py"}) is not None
    assert looks(tree).get("tests/test_a.py", {"parties/other.py", "parties/new.py"}) is None


def test_a_file_is_changed_by_its_own_text_alone(tree: Path) -> None:
    look(tree)
    (tree / "tests" / "helper.py").write_text("another")
    assert not looks(tree).is_changed("tests/test_a.py")
    assert looks(tree).is_changed("tests/test_b.py")
    (tree / "tests" / "test_a.py").write_text("another")
    assert looks(tree).is_changed("tests/test_a.py")


def facts(*saw: Site, seconds: float = 1.0, passed: bool = True) -> dict[str, Any]:
    return {"seconds": seconds, "passed": passed, "differences": [each.switch for each in saw]}


class Scripted:
    """Tests that find what they are said to find, do not end with any mutant, or fail without one."""

    def __init__(
        self, seen: dict[str, Facts], found: dict[str, Sequence[Site]], dirty: str = "", endless: str = ""
    ) -> None:
        self._seen, self._found, self._dirty, self._endless = seen, found, dirty, endless
        self.looked_at: list[str] = []
        self.tried: list[tuple[Site, tuple[str, ...]]] = []

    def look(self, file: str) -> tuple[Facts, list[str]]:
        self.looked_at.append(file)
        return self._seen[file], [
            switch for each in self._seen[file].values() for switch in each["differences"]
        ]

    def try_all(self, trials: Sequence[Trial]) -> Iterator[tuple[Trial, str | None]]:
        for trial in trials:
            self.tried.append((trial.site, trial.tests))
            found = next((test for test in trial.tests if trial.site in self._found.get(test, ())), "")
            yield trial, None if self._endless in trial.tests else found

    def passes(self, tests: Sequence[str], limit_seconds: float) -> bool:
        return self._dirty not in tests


ONE, OTHER = site("remove", "number > most"), site("operand", "a != 7")
A, B = "tests/test_a.py", "tests/test_b.py"
IMPORTS = {A: {"parties/other.py"}, B: {"parties/sample.py"}}
FILES = (A, B)


def hunt(
    tree: Path,
    runner: Scripted,
    *todo: Site,
    explained: Sequence[Site] = (),
    stages: Sequence[int] = (0, 1),
    files: Sequence[str] = FILES,
) -> Results:
    results = results_in(tree)
    ground = Ground(
        dict(zip(files, stages, strict=False)),
        {file: IMPORTS.get(file, set()) for file in files},
        frozenset({f"{A}::test_one", f"{B}::test_one"}),
        looks(tree),
        results,
    )
    keys = frozenset(each.key for each in explained)
    Hunt(todo, ground, runner, explained=keys, until=time.time() + 60, say=lambda text: None).run()
    return results


def came_to(results: Results, of: Site) -> tuple[str | None, int]:
    entry = results.last(of)
    assert entry is not None
    return entry.found_by, entry.tests


def test_files_are_looked_at_stage_by_stage_until_no_mutant_is_open(tree: Path) -> None:
    runner = Scripted({A: {f"{A}::test_one": facts(ONE)}}, {f"{A}::test_one": [ONE]})
    assert came_to(hunt(tree, runner, ONE), ONE) == (f"{A}::test_one", 1)
    assert runner.looked_at == [A]


def test_within_a_stage_the_file_that_imports_the_module_comes_first(tree: Path) -> None:
    runner = Scripted({B: {f"{B}::test_one": facts(ONE)}}, {f"{B}::test_one": [ONE]})
    hunt(tree, runner, ONE, stages=(0, 0))
    assert runner.looked_at == [B]


def test_a_mutant_that_no_file_finds_has_survived(tree: Path) -> None:
    seen = {A: {f"{A}::test_one": facts(ONE)}, B: {f"{B}::test_one": facts(ONE, passed=False)}}
    runner = Scripted(seen, {f"{B}::test_one": [ONE]})
    assert came_to(hunt(tree, runner, ONE), ONE) == (None, 1)
    assert runner.looked_at == [A, B]


def test_for_an_explained_survivor_alone_nothing_is_looked_at(tree: Path) -> None:
    runner = Scripted({A: {f"{A}::test_one": facts(ONE, OTHER)}}, {f"{A}::test_one": [ONE]})
    results = hunt(tree, runner, ONE, OTHER, explained=[OTHER])
    assert came_to(results, OTHER) == (None, 1)
    assert runner.looked_at == [A]


@pytest.mark.parametrize(("dirty", "looked_at"), [("", []), (f"{B}::test_one", [A, B])])
def test_the_test_that_found_a_mutant_is_tried_first_if_it_passes_without_it(
    tree: Path, dirty: str, looked_at: list[str]
) -> None:
    results_in(tree).put(ONE, f"{B}::test_one", 3)
    seen: dict[str, Facts] = {A: {}, B: {}}
    runner = Scripted(seen, {f"{B}::test_one": [ONE]}, dirty)
    hunt(tree, runner, ONE)
    assert runner.tried == [(ONE, (f"{B}::test_one",))]
    assert runner.looked_at == looked_at


@pytest.mark.parametrize(("dirty", "found_by"), [("", TIME_LIMIT), (f"{A}::test_one", None)])
def test_tests_that_do_not_end_find_a_mutant_if_they_end_without_it(
    tree: Path, dirty: str, found_by: str | None
) -> None:
    seen: dict[str, Facts] = {A: {f"{A}::test_one": facts(ONE)}, B: {}}
    runner = Scripted(seen, {}, dirty, endless=f"{A}::test_one")
    assert came_to(hunt(tree, runner, ONE), ONE) == (found_by, 1)


def test_all_tests_of_the_modules_own_file_are_tried(tree: Path) -> None:
    own = own_tests_of(ONE.file)
    assert own == "tests/parties/test_sample.py"
    (tree / "tests" / "parties").mkdir()
    (tree / own).write_text("from tests import helper")
    seen = {f"{own}::test_{number}": facts(ONE, seconds=number) for number in range(30)}
    runner = Scripted({own: seen, A: {f"{A}::test_one": facts(ONE)}}, {f"{own}::test_29": [ONE]})
    assert came_to(hunt(tree, runner, ONE, files=(own,)), ONE) == (f"{own}::test_29", 30)
    unnoticed = Scripted({own: seen, A: {f"{A}::test_one": facts(ONE)}}, {})
    assert came_to(hunt(tree, unnoticed, ONE, files=(own, A)), ONE) == (None, 30)


def test_quick_tests_of_a_file_come_first_and_not_all_are_tried(tree: Path) -> None:
    seen = {f"{A}::test_{number}": facts(ONE, seconds=20 - number) for number in range(12)}
    runner = Scripted({A: seen, B: {}}, {})
    assert came_to(hunt(tree, runner, ONE), ONE) == (None, 10)
    assert runner.tried == [(ONE, tuple(f"{A}::test_{number}" for number in range(11, 1, -1)))]
