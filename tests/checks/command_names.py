"""Every command of ours that a page shows exists, with its options: `python -m tests.checks.command_names`.

A command is what follows `mpc-cde` or `mpc-party` in code, inline or in a block. Words are followed down the tree
of commands as far as they are commands; each `--option` must be one of the command that they lead to.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from mpc_cde.cli.app import app as mpc_cde
from parties.__main__ import app as mpc_party

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "deploy" / "README.md")
TREES = {"mpc-cde": typer.main.get_command(mpc_cde), "mpc-party": typer.main.get_command(mpc_party)}
CODE = re.compile(r"```.*?```|^ {4}\S.*$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
DRAWING = re.compile(r"```text.*?```", re.DOTALL)
COMMAND = re.compile(r"(?<![\w/.=\"-])(mpc-cde|mpc-party)((?: +(?!\||&|;|\))(?:\\\n +)?[^\s`;)]+)*)")


def shown_in(page: str) -> Iterator[tuple[str, list[str]]]:
    """Program and words of each command in the code of a page."""
    for code in CODE.findall(DRAWING.sub("", page)):
        for program, words in COMMAND.findall(code):
            yield program, words.replace("\\\n", " ").split()


def fault_of(program: str, words: list[str]) -> str | None:
    """What is wrong with a command, or None."""
    command: Any = TREES[program]
    rest = list(words)
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        following = command.commands.get(rest[0])
        if following is None:
            return f"{program} {' '.join(words)}: there is no command {rest[0]!r}"
        command, rest = following, rest[1:]
    if command.context_settings.get("ignore_unknown_options"):
        return None  # it explains its own options
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    for word in rest:
        option = word.partition("=")[0].strip("[],.")
        if option.startswith("--") and option not in known | {"--help"}:
            return f"{program} {' '.join(words)}: there is no option {option}"
    return None


def main() -> int:
    """Exit status 1 if a page shows a command that does not exist."""
    faults = [
        f"{page.relative_to(ROOT)}: {fault}"
        for page in PAGES
        for program, words in shown_in(page.read_text("utf-8"))
        if (fault := fault_of(program, words)) is not None
    ]
    sys.stdout.writelines(f"{fault}\n" for fault in faults)
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
