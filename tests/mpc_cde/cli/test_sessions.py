"""Command-line sessions as text: what a person types, and what it answers.

A file in sessions/ is run in an empty directory with an own home. `$ ` begins a command for sh (`> ` continues
it); the lines below are what it prints, `...` standing for anything; `[exit 2]` follows where it is not 0.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

SESSIONS = sorted((Path(__file__).parent / "sessions").glob("*.txt"))


@dataclass(frozen=True)
class Step:
    command: str
    expected: str
    code: int


def parse_session(text: str) -> list[Step]:
    steps: list[Step] = []
    command: list[str] = []
    expected: list[str] = []
    code = 0
    for line in [*text.splitlines(), "$ "]:
        if line.startswith("$ "):
            if command:
                steps.append(Step("\n".join(command), "\n".join(expected).strip("\n"), code))
            command, expected, code = [line[2:]], [], 0
        elif line.startswith("> ") and not expected:
            command.append(line[2:])
        elif match := re.fullmatch(r"\[exit (\d+)\]", line):
            code = int(match[1])
        elif line.startswith("# ") and not expected:
            continue
        else:
            expected.append(line)
    return steps


def matches(expected: str, found: str) -> bool:
    pattern = ".*".join(re.escape(piece) for piece in expected.split("..."))
    return re.fullmatch(pattern, found, re.DOTALL) is not None


@pytest.mark.parametrize("session", SESSIONS, ids=lambda path: path.stem)
def test_session(session: Path, tmp_path: Path) -> None:
    binaries = Path(sys.executable).parent
    environment = {
        "PATH": f"{binaries}:{os.environ.get('PATH', '/usr/bin:/bin')}",
        "HOME": str(tmp_path),
        "MPC_CDE_HOME": str(tmp_path / "home"),
        "DATA": str(Path(__file__).parents[3] / "mpc_cde" / "demo" / "data"),
        "COLUMNS": "100",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "LC_ALL": "C.UTF-8",
    }
    for step in parse_session(session.read_text()):
        done = subprocess.run(
            ["/bin/sh", "-c", step.command],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )
        found = done.stdout.strip("\n")
        assert done.returncode == step.code, f"$ {step.command}\n{found}"
        assert matches(step.expected, found), f"$ {step.command}\n{found}\n--- expected\n{step.expected}"
        assert "Traceback" not in found


def test_runner_finds_another_answer() -> None:
    assert matches("a...c", "a b c")
    assert not matches("a...c", "a b d")
    steps = parse_session("$ one\n> two\nout\n[exit 3]\n$ three\n")
    assert steps == [Step("one\ntwo", "out", 3), Step("three", "", 0)]
