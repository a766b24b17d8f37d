"""The runner of the documentation's commands finds what it must find."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mpc_cde.demo.tied_processes import start_tied
from tests.checks.doc_commands import ROOT, CommandFailedError, blocks_of, run_page

PROC = Path("/proc")

FENCE = "```"


def page_of(tmp_path: Path, *blocks: str) -> Path:
    page = tmp_path / "page.md"
    page.write_text("\n\n".join(f"{FENCE}console{block}\n{FENCE}" for block in blocks) + "\n")
    return page


def test_commands_share_a_shell_and_an_empty_directory(tmp_path: Path) -> None:
    run_page(
        page_of(
            tmp_path,
            "\n$ NAME=figures.csv\n$ echo 1 \\\n>   2 > $NAME",
            '\n$ test "$(ls)" = figures.csv\n$ cat "$NAME"\n1 2',
        )
    )


def test_a_command_that_fails_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(CommandFailedError, match=r"line 5: \$ false"):
        run_page(page_of(tmp_path, "\n$ true", "\n$ false\n$ true"))


def test_a_refusal_that_the_page_promises_is_expected(tmp_path: Path) -> None:
    run_page(page_of(tmp_path, " status=3\n$ (exit 3)"))
    with pytest.raises(CommandFailedError, match="expected exit status 3, found 0"):
        run_page(page_of(tmp_path, " status=3\n$ true"))


def test_a_background_command_runs_until_the_page_ends(tmp_path: Path) -> None:
    stopped = tmp_path / "stopped"
    block = f" background ready=up\n$ trap 'touch {stopped}; exit' TERM; touch up; sleep 60 & wait"
    run_page(page_of(tmp_path, block, "\n$ test -e up"))
    assert stopped.exists()


def test_ports_are_replaced_by_the_same_free_one_everywhere(tmp_path: Path) -> None:
    run_page(
        page_of(
            tmp_path,
            "\n$ A=127.0.0.1:7800\n$ B=7800\n$ C=7810",
            '\n$ test "$A" = "127.0.0.1:$B" -a "$B" != "$C" -a "$B" != "$(echo 78)00"',
        )
    )


def test_a_here_document_belongs_to_its_command(tmp_path: Path) -> None:
    run_page(page_of(tmp_path, "\n$ cat > a.toml <<'END'\nx = 1\n$ no command\nEND\n$ grep -c . a.toml\n2"))
    with pytest.raises(CommandFailedError, match="without its END"):
        run_page(page_of(tmp_path, "\n$ cat > a.toml <<'END'\nx = 1"))


def test_an_unknown_word_after_console_is_an_error() -> None:
    with pytest.raises(CommandFailedError, match="no meaning"):
        blocks_of(f"{FENCE}console backgruond\n$ true\n{FENCE}\n")


def test_what_a_page_started_ends_with_whoever_is_killed(tmp_path: Path) -> None:
    page = page_of(
        tmp_path,
        " background ready=pid\n$ sh -c 'echo $$ > pid.new; mv pid.new pid; exec sleep 60'",
        "\n$ sleep 1",
    )
    command = [sys.executable, "-m", "tests.checks.doc_commands", "--verbose", str(page)]
    with start_tied(command, stdout=subprocess.PIPE, cwd=ROOT, env={"TMPDIR": str(tmp_path)}) as running:
        assert running.stdout is not None
        (left,) = until(lambda: [int(each.read_text()) for each in tmp_path.rglob("pid")])
        assert (PROC / str(left)).exists()
        running.kill()
        running.wait()
        until(lambda: not (PROC / str(left)).exists())


def until(holds: Callable[[], Any]) -> Any:
    end = time.monotonic() + 20
    while not (found := holds()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found
