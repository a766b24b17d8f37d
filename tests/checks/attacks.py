"""`docs/attacks.md` from the table of attacks: `python -m tests.checks.attacks [--check]`.

With --check nothing is written: exit status 1 and a list of faults if the page is not what the table makes, if
pytest does not collect a test that the table names, or if an attack names none.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.checks.attack_tables import ROOT, Attack, attacks_in

TABLE = Path(__file__).with_name("attacks.toml")
PAGE = ROOT / "docs" / "attacks.md"
THREAT_MODEL = ROOT / "docs" / "threat-model.md"
HEAD = (
    "# Attacks, and the tests named after them\n\n"
    "What bad input and hostile parties come to. The page is made from `tests/checks/attacks.toml`, and from the "
    "tables of the tests that it names, by `python -m tests.checks.attacks`; `make check` verifies that every test "
    "named here exists. "
    "Run one of them with `.venv/bin/python -m pytest 'TEST'`.\n"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Attacks at one place."""

    name: str
    intro: str
    attacks: tuple[Attack, ...]


def read_table(text: str, rows_of: Callable[[str], tuple[Attack, ...]] = attacks_in) -> list[Place]:
    """The table; a place has attacks of its own and those that modules of tests tell of, named under `rows`.

    Raises KeyError or TypeError for a key that is missing or unknown.
    """
    return [_place(rows_of, **place) for place in tomllib.loads(text)["place"]]


def _place(
    rows_of: Callable[[str], tuple[Attack, ...]],
    *,
    name: str,
    intro: str,
    attack: Sequence[dict[str, Any]] = (),
    rows: Sequence[str] = (),
) -> Place:
    own = tuple(_attack(**facts) for facts in attack)
    return Place(name, intro, own + tuple(told for module in rows for told in rows_of(module)))


def _attack(**facts: Any) -> Attack:
    return Attack(**{**facts, "tests": tuple(facts["tests"])})


def page_of(places: Sequence[Place]) -> str:
    """The Markdown page."""
    lines = [HEAD]
    for place in places:
        lines += [f"## {place.name}", "", place.intro, "", "| attack | comes to | tests |", "|---|---|---|"]
        for attack in place.attacks:
            tests = "<br>".join(f"`{_cell(test)}`" for test in attack.tests)
            lines.append(f"| {attack.named} | {attack.comes_to} | {tests} |")
        lines.append("")
    return "\n".join(lines)


def faults_of(places: Sequence[Place], collected: Iterable[str], page: str | None) -> list[str]:
    """What is wrong, one sentence each; `collected` are pytest's ids, `page` is what docs/attacks.md holds."""
    known = set(collected)
    known |= {test.partition("[")[0] for test in known}
    faults = []
    for place in places:
        for attack in place.attacks:
            if not attack.tests:
                faults.append(f"{attack.named}: no test is named after it")
            faults += [
                f"{attack.named}: pytest collects no {test}" for test in attack.tests if test not in known
            ]
    if page != page_of(places):
        faults.append(
            f"{PAGE.relative_to(ROOT)} is not what the table makes: run python -m tests.checks.attacks"
        )
    return faults


def named_tests(page: str) -> set[str]:
    """The tests that a page for people names, as `tests/FILE.py::NAME`."""
    return set(re.findall(r"`(tests/[\w/]+\.py::\w+)`", page))


def unknown(named: Iterable[str], collected: Iterable[str]) -> list[str]:
    """Those of them that pytest does not collect, under any parameters."""
    known = {test.partition("[")[0] for test in collected}
    return sorted(set(named) - known)


def collected_tests(files: Iterable[str]) -> list[str]:
    """The ids of all tests in these files, long ones too. Raises RuntimeError if pytest cannot collect them."""
    present = [file for file in files if (ROOT / file).exists()]
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "--run-long", *present]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"pytest cannot collect: {done.stdout[-2000:]}{done.stderr[-1000:]}")
    return [line for line in done.stdout.splitlines() if "::" in line]


def _cell(test: str) -> str:
    return test.replace("|", "\\|")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.checks.attacks", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; verify page and tests")
    checking = parser.parse_args(arguments).check
    places = read_table(TABLE.read_text("utf-8"))
    if not checking:
        PAGE.write_text(page_of(places), "utf-8")
    named = {test for place in places for attack in place.attacks for test in attack.tests}
    told = named_tests(THREAT_MODEL.read_text("utf-8"))
    collected = collected_tests(sorted({test.partition("::")[0] for test in named | told}))
    page = PAGE.read_text("utf-8") if PAGE.exists() else None
    faults = faults_of(places, collected, page)
    faults += [f"{THREAT_MODEL.relative_to(ROOT)}: no test {test}" for test in unknown(told, collected)]
    sys.stdout.writelines(f"{fault}\n" for fault in faults)
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
