"""Runs every check, two at a time, and names each that fails; exit status 1 if any does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mpc_cde.demo.tied_processes import tied_to
from tests.memory_disk import use_memory_disk

ROOT = Path(__file__).resolve().parents[2]
REGISTRY_HOSTS = re.compile(
    rb"(?:https?://|git\+)[^\s\"'>]*(?:" + rb"pypi|pythonhosted|npm" + rb"js|registry\.|artifactory|/simple)",
    re.I,
)


def the_format_is_ruffs() -> list[str]:
    """The formatter would change nothing."""
    return tool("ruff", "format", "--check", ".")


def the_linter_is_content() -> list[str]:
    """Rules and their exceptions: pyproject.toml."""
    return tool("ruff", "check", ".")


def types_are_right() -> list[str]:
    """mypy, strict over the three packages."""
    return tool("mypy")


def imports_run_one_way() -> list[str]:
    """The contracts in pyproject.toml."""
    return tool("lint-imports", "--no-cache")


def generated_files_are_current() -> list[str]:
    """Each generator of vectors or documents, run with --check."""
    faults = []
    for generator in sorted((ROOT / "tests" / "vectors").glob("generate_*.py")):
        faults += run(f"tests.vectors.{generator.stem}", "--check")
    for generator_of_a_page in ("mpc_cde.gateway.openapi", "tests.checks.functions"):
        faults += run(generator_of_a_page, "--check")
    return faults


def run(module: str, *arguments: str) -> list[str]:
    """What one of our own modules says against the tree."""
    return call([sys.executable, "-m", module, *arguments])


def tool(name: str, *arguments: str) -> list[str]:
    """The same of a tool in our environment."""
    return call([str(Path(sys.executable).with_name(name)), *arguments])


def call(command: Sequence[str]) -> list[str]:
    status, said = said_by(command)
    return [] if status == 0 else [f"{' '.join([Path(command[0]).name, *command[1:]])}: {said}"]


def said_by(command: Sequence[str]) -> tuple[int, str]:
    """The exit status, and what it wrote."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=tied_to(os.getpid()),  # a check that is stopped leaves nobody running
    )
    return done.returncode, (done.stdout + done.stderr).strip()


class Note(str):
    """Said, and no fault."""


def no_registry_addresses() -> list[str]:
    """No committed file names a package registry's address."""
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    faults = []
    for name in tracked.decode().split("\0"):
        path = ROOT / name
        if name and path.is_file() and REGISTRY_HOSTS.search(path.read_bytes()):
            faults.append(f"{name}: holds the address of a package registry")
    return faults


def links_in_docs_exist() -> list[str]:
    """Relative links of Markdown pages lead to files."""
    faults = []
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            if not (page.parent / target).exists():
                faults.append(f"{page.relative_to(ROOT)}: no file {target}")
    return faults


def commands_in_docs_work() -> list[str]:
    """The story of docs/start-a-community.md, run in an empty directory."""
    if not (ROOT / "tests" / "checks" / "doc_commands.py").exists():
        return []
    return run("tests.checks.doc_commands")


def pages_bundle_comes_from_its_lock_file() -> list[str]:
    """The HPKE bundle of the pages, rebuilt and compared where npm is there; its SHA-256 everywhere."""
    return run("tests.checks.hpke_bundle", "--check")


def commands_in_docs_exist() -> list[str]:
    """What pages show of our commands, whether or not it is run, are commands and options that there are."""
    return run("tests.checks.command_names")


def every_attack_has_its_tests() -> list[str]:
    """docs/attacks.md is what the table of attacks makes; every test that it or the threat model names exists."""
    return run("tests.checks.attacks", "--check")


def what_mutants_came_to_is_shown() -> list[str]:
    """docs/mutation.md has the table of the last run; how many guards changed since then is said, and no fault."""
    status, said = said_by([sys.executable, "-m", "tests.mutation", "--check"])
    return [said if status else Note(said)] if said else []


CHECKS: tuple[Callable[[], list[str]], ...] = (
    commands_in_docs_work,
    the_format_is_ruffs,
    the_linter_is_content,
    types_are_right,
    imports_run_one_way,
    no_registry_addresses,
    links_in_docs_exist,
    commands_in_docs_exist,
    generated_files_are_current,
    pages_bundle_comes_from_its_lock_file,
    every_attack_has_its_tests,
    what_mutants_came_to_is_shown,
)
"""The first takes as long as all others."""
AT_ONCE = 2


def main() -> int:
    use_memory_disk()
    failed = False
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = {check: pool.submit(check) for check in CHECKS}
        for check in (*CHECKS[1:], CHECKS[0]):
            faults = running[check].result()
            is_fault = any(not isinstance(fault, Note) for fault in faults)
            failed = failed or is_fault
            sys.stdout.write(f"{'FAIL' if is_fault else 'ok':>4}  {check.__name__.replace('_', ' ')}\n")
            for fault in faults:
                sys.stdout.write(f"      {fault}\n")
            sys.stdout.flush()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
