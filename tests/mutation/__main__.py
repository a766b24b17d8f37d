"""`python -m tests.mutation [FILE...]`: see the package. Goes on where the last run stopped.

Exit status 1 if a guard survives whose survival nobody explained in survivors.toml.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.mutation import page
from tests.mutation.results import Results, TextsOfTests, explained_of, read_explained, stale
from tests.mutation.sites import KINDS, Site, modules, rewrite

ROOT = Path(__file__).resolve().parents[2]
SURVIVORS = Path(__file__).with_name("survivors.toml")
RESULTS = Path(__file__).with_name("results.tsv")
LOOKS = ROOT / ".mutation.looks.json"
PAGE = ROOT / "docs" / "mutation.md"
TESTS = (
    (
        "tests/protocols",
        "tests/mpc_cde/documents",
        "tests/mpc_cde/life_cycles",
        "tests/parties",
        "tests/review",
        "tests/hostile/test_endless_gateway.py",
    ),
    ("tests/hostile",),
    ("tests/faults",),
)
"""First those in which most is found soon; what these do not notice is tried in the next."""


def all_sites(tree: Path) -> list[Site]:
    """Every mutant of the tree, in the order of files and lines."""
    return [site for file in modules(tree) for site in rewrite((tree / file).read_text("utf-8"), file)[1]]


def copy_tree(to: Path) -> None:
    """The files that git knows, as they are now."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    for name in filter(None, names.decode().split("\0")):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)


def run_session(plan: dict[str, object]) -> int:
    """Run mutants in a copy of the tree; the exit status, with what pytest said if it failed."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as temporary:
        work = Path(temporary)
        for name in ("tree", "code"):
            (work / name).mkdir()
        copy_tree(work / "tree")
        (work / "plan.json").write_text(json.dumps(plan), "utf-8")
        done = subprocess.run(  # this tool itself, in the copy
            [sys.executable, "-P", "-m", "tests.mutation.session", str(work)],
            cwd=work / "tree",
            env={**os.environ, "PYTHONPATH": str(work / "tree")},
            check=False,
        )
        if done.returncode != 0:
            sys.stdout.write((work / "pytest.txt").read_text("utf-8", errors="replace")[-3000:])
        return done.returncode


def report(sites: Sequence[Site], results: Results) -> int:
    """Say which are left or survive unexplained; 1 if any does, or if an explanation has lost its check."""
    survivors = results.survivors(sites)
    explained = explained_of(sites, read_explained(SURVIVORS))
    bare = [site for site in survivors if site.key not in explained]
    for site in bare:
        sys.stdout.write(f"survives: {site.describe()}\n")
    left = results.left(sites)
    for site in left:
        sys.stdout.write(f"did not run: {site.describe()}\n")
    lost = stale(read_explained(SURVIVORS), all_sites(ROOT))
    for each in lost:
        sys.stdout.write(f"survivors.toml: {each.file} {each.function} has no such check: {each.check}\n")
    ran = len(sites) - len(left)
    sys.stdout.write(
        f"{ran} of {len(sites)} mutants ran: {ran - len(survivors)} found by tests, "
        f"{len(survivors) - len(bare)} survive as explained, {len(bare)} survive\n"
    )
    return int(bool(bare or left or lost))


def check(sites: Sequence[Site], results: Results) -> int:
    """Whether the page shows what is kept; and a note, no more, of guards that changed since they ran."""
    left = results.left(sites)
    if left:
        files = ", ".join(sorted({site.file for site in left}))
        sys.stdout.write(f"{len(left)} mutants are new or changed since `make mutate` ran, in {files}\n")
    if page.is_current(PAGE, results):
        return 0
    sys.stdout.write("docs/mutation.md does not show results.tsv: run python -m tests.mutation --report\n")
    return 1


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("files", nargs="*", help="only these, for example parties/policy.py")
    parser.add_argument("--kinds", default=",".join(KINDS), help=f"of {', '.join(KINDS)}")
    parser.add_argument("--tests", nargs="*", default=None, help="only these tests")
    parser.add_argument(
        "--again", action="store_true", help="also explained survivors, and tests that failed"
    )
    parser.add_argument("--at-a-time", type=int, default=1, help="so many processes of tests")
    parser.add_argument("--minutes", type=float, default=600.0, help="stop after so many")
    parser.add_argument("--report", action="store_true", help="run nothing, say what was found")
    parser.add_argument(
        "--check", action="store_true", help="run nothing, say whether docs/mutation.md is stale"
    )
    asked = parser.parse_args(arguments)
    kinds = asked.kinds.split(",")
    sites = [s for s in all_sites(ROOT) if s.kind in kinds and s.file.startswith(tuple(asked.files or [""]))]
    if asked.check:
        return check(sites, Results(RESULTS, TextsOfTests(ROOT)))
    if not asked.report:
        plan = {
            "results": str(RESULTS),
            "looks": str(LOOKS),
            "kinds": kinds,
            "again": asked.again,
            "at_a_time": asked.at_a_time,
            "only": asked.files or [""],
            "until": time.time() + asked.minutes * 60,
            "stages": [asked.tests] if asked.tests else TESTS,
        }
        status = run_session(plan)
        if status != 0:
            return status
    results = Results(RESULTS, TextsOfTests(ROOT))
    page.write(PAGE, results)
    return report(sites, results)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
