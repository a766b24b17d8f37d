"""Whoever kills the tests, or the demo, kills the nodes that they run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mpc_cde.demo.tied_processes import start_tied

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells a process of its parent's end"
)

SLEEPER = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
STARTER = """
import sys, time
from mpc_cde.demo.tied_processes import start_tied
start_tied([sys.executable, "-c", sys.argv[1]], start_new_session=True)
time.sleep(60)
"""


def is_there(process: int) -> bool:
    try:
        return (Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(process: int) -> None:
    end = time.monotonic() + 10
    while is_there(process):
        assert time.monotonic() < end, "it outlived whoever started it"
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_tied_process_ends_with_its_starter(number: signal.Signals) -> None:
    starter = [sys.executable, "-c", STARTER, SLEEPER]
    with start_tied(starter, stdout=subprocess.PIPE, text=True, start_new_session=True) as started:
        assert started.stdout is not None
        process = int(started.stdout.readline())
        assert is_there(process)
        os.kill(started.pid, number)
        started.wait(10)
        gone(process)


def test_a_process_whose_starter_is_already_gone_ends_at_once() -> None:
    """The parent may end between fork and the call."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from mpc_cde.demo.tied_processes import tied_to; tied_to(1 << 22)(); print('on')",
        ],
        capture_output=True,
    )
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, b"")
