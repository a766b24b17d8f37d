"""Child processes: what they get, how they fail, and that none is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpc_cde.demo.organisations import OrganisationError, Organisations, free_addresses

READY = """
import json, os, subprocess, sys, time
from pathlib import Path
json.dump({"environment": sorted(os.environ)}, open("environment.json", "w"))
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
Path("run.json").write_text(json.dumps({"pid": os.getpid(), "url": "http://127.0.0.1:1"}))
time.sleep(60)
"""

DEMO = """
import sys, time
from pathlib import Path
from mpc_cde.demo.organisations import Organisations, ended_by_sigterm
directory = Path(sys.argv[1])
with ended_by_sigterm(), Organisations(directory / "demo") as organisations:
    home = organisations.home("node")
    (home / "ready.py").write_text((directory / "ready.py").read_text())
    process = organisations.start("node", "ready")
    organisations.wait_ready("node", process, home=home)
    print("up", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def organisations(tmp_path: Path) -> Iterator[Organisations]:
    with Organisations(tmp_path / "demo") as started:
        yield started


def install(organisations: Organisations, name: str, module: str, source: str) -> Path:
    home = organisations.home(name)
    (home / f"{module}.py").write_text(source)
    return home


def processes_in(session: int) -> list[int]:
    """Processes of a session that still run, zombies left out."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, _, _, owner = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
            except OSError:
                continue
            if int(owner) == session and state != "Z":
                found.append(int(entry.name))
    return found


def test_a_process_gets_an_empty_environment_and_a_private_directory(
    organisations: Organisations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_CALLER", "1")
    home = install(organisations, "node", "ready", READY)
    process = organisations.start("node", "ready")
    running = organisations.wait_ready("node", process, home=home)
    assert running.address["url"] == "http://127.0.0.1:1"
    assert home.stat().st_mode & 0o777 == 0o700
    assert set((home / "environment.json").read_text().split('"')) & {"SECRET_OF_THE_CALLER", "PATH"} == set()


def test_stop_ends_a_process_and_what_it_started(organisations: Organisations) -> None:
    home = install(organisations, "node", "ready", READY)
    process = organisations.start("node", "ready")
    organisations.wait_ready("node", process, home=home)
    assert len(processes_in(process.pid)) == 2
    organisations.stop()
    assert processes_in(process.pid) == []


def test_a_process_that_ignores_sigterm_is_killed(organisations: Organisations) -> None:
    deaf = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + READY
    home = install(organisations, "node", "ready", deaf)
    process = organisations.start("node", "ready")
    organisations.wait_ready("node", process, home=home)
    organisations.stop(grace_seconds=0.2)
    assert processes_in(process.pid) == []


def test_a_process_that_ends_early_shows_the_end_of_its_log(organisations: Organisations) -> None:
    home = install(organisations, "node", "broken", "raise SystemExit('the disk is full')")
    process = organisations.start("node", "broken")
    with pytest.raises(OrganisationError, match="the disk is full") as failure:
        organisations.wait_ready("node", process, home=home)
    assert "--keep" in failure.value.hint


def test_a_command_that_hangs_is_ended_at_its_deadline(organisations: Organisations) -> None:
    install(organisations, "node", "hanging", "import time; time.sleep(60)")
    with pytest.raises(OrganisationError, match="did not end within"):
        organisations.run("node", "hanging", deadline_seconds=0.5)


def test_a_run_file_left_by_another_process_is_not_taken_for_ready(organisations: Organisations) -> None:
    home = install(organisations, "node", "silent", "import time; time.sleep(60)")
    (home / "run.json").write_text('{"pid": 1, "url": "http://127.0.0.1:2"}')
    process = organisations.start("node", "silent")
    with pytest.raises(OrganisationError, match="was not ready"):
        organisations.wait_ready("node", process, home=home, deadline_seconds=0.5)


def test_a_directory_that_others_may_read_is_refused(tmp_path: Path) -> None:
    open_directory = tmp_path / "demo"
    open_directory.mkdir(mode=0o755)
    open_directory.chmod(0o755)
    with pytest.raises(Exception, match="0700"):
        Organisations(open_directory)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_demo_leaves_no_process_behind(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "ready.py").write_text(READY)
    demo = subprocess.Popen(
        [sys.executable, "-c", DEMO, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert demo.stdout is not None
    with demo.stdout as output:
        assert output.readline() == b"up\n"
        run_file = (tmp_path / "demo" / "node" / "run.json").read_text()
        session = int(run_file.split(":")[1].split(",")[0])
        assert len(processes_in(session)) == 2
        os.kill(demo.pid, number)
        assert demo.wait(20) != 0
    end = time.monotonic() + 5
    while processes_in(session) and time.monotonic() < end:
        time.sleep(0.05)
    assert processes_in(session) == []


def test_free_addresses_are_different() -> None:
    assert len(set(free_addresses(7))) == 7
