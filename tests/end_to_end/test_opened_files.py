"""No gateway or node process opens the figures, and no node another organisation's directory."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.file_trace import (
    STRACE_MISSING,
    AuditedPython,
    TracedProcess,
    read_strace,
    strace_command,
)
from tests.end_to_end.productions import PARTIES, ROOT, Production

HANDED_OVER = {"community.json", "study.json", "researcher.json", "p-percent.json"}


def owner_of(process: TracedProcess, organisations: Path) -> str | None:
    """The organisation in whose directory a process works."""
    if not process.place.is_relative_to(organisations) or process.place == organisations:
        return None
    return process.place.relative_to(organisations).parts[0]


def faults_of(process: TracedProcess, organisations: Path) -> list[str]:
    """Files that a process of an organisation must not open. A command may open the documents it was given."""
    owner = owner_of(process, organisations)
    faults = []
    for path in sorted(process.opened):
        if path.suffix == ".csv":
            faults.append(f"{owner}: {path}")
        elif path.is_relative_to(organisations) and path != organisations:
            given = not process.is_node and path.name in HANDED_OVER and str(path) in process.arguments
            if path.relative_to(organisations).parts[0] != owner and not given:
                faults.append(f"{owner}: {path}")
    return faults


def verify_trace(processes: list[TracedProcess], production: Production, parties: tuple[str, ...]) -> None:
    """Nothing forbidden was opened, and the trace did see what each organisation opens of its own."""
    organisations = production.organisations
    owned = [process for process in processes if owner_of(process, organisations) is not None]
    assert [fault for process in owned for fault in faults_of(process, organisations)] == []
    for party in parties:
        own = [process for process in owned if owner_of(process, organisations) == party]
        running = {path.name for process in own if process.is_node for path in process.opened}
        assert {"party.toml", "identity.key", "node.sqlite3"} <= running
        called = " ".join(argument for process in own for argument in process.arguments)
        assert "parties.worker" in called
        assert "parties.column_builder" in called
    gateway = [process for process in owned if owner_of(process, organisations) == "gateway"]
    assert any("sqlite" in path.name for process in gateway for path in process.opened)
    assert all(process.is_gateway for process in gateway)


def test_audit_no_gateway_or_node_opens_the_figures_and_no_node_anothers_directory(
    shops: Production, shops_python: AuditedPython
) -> None:
    assert shops.status == 0, shops.told()
    verify_trace(shops_python.processes(), shops, PARTIES[:3])


def test_strace_no_gateway_or_node_opens_the_figures_and_no_node_anothers_directory(
    rebuilt: Production,
) -> None:
    if shutil.which("strace") is None:
        pytest.skip(STRACE_MISSING)
    assert rebuilt.ended_well, rebuilt.told()
    verify_trace(read_strace(rebuilt.directory / "strace.txt", ROOT), rebuilt, PARTIES[:3])


def test_the_figures_were_opened_by_the_members_side_alone(
    shops: Production, shops_python: AuditedPython
) -> None:
    readers = [
        process
        for process in shops_python.processes()
        if any(path.name == "clothing_stores.csv" for path in process.opened)
    ]
    assert [process.arguments[1:4] for process in readers] == [("-m", "mpc_cde.cli", "demo")]


NOSY = """
import os, subprocess, sys
open({csv!r}).close()
os.listdir({other!r})
subprocess.run([sys.executable, "-c", "open({key!r})"], env={{}})
"""


@pytest.fixture
def nosy(tmp_path: Path) -> tuple[Path, list[str]]:
    """A program of one organisation that reads what it must not, itself and by a child."""
    organisations = tmp_path / "kept"
    for name in ("university", "chamber"):
        (organisations / name).mkdir(parents=True)
    (organisations / "chamber" / "identity.key").write_text("{}")
    (tmp_path / "figures.csv").write_text("1")
    source = NOSY.format(
        csv=str(tmp_path / "figures.csv"),
        other=str(organisations / "chamber"),
        key=str(organisations / "chamber" / "identity.key"),
    )
    return organisations, ["-c", source]


def found_faults(processes: list[TracedProcess], organisations: Path) -> set[str]:
    return {
        Path(fault.split(": ")[1]).name
        for process in processes
        if owner_of(process, organisations)
        for fault in faults_of(process, organisations)
    }


def test_the_audit_finds_a_process_that_opens_what_it_must_not(
    tmp_path: Path, nosy: tuple[Path, list[str]]
) -> None:
    organisations, program = nosy
    python = AuditedPython.make(tmp_path / "python")
    subprocess.run([python.executable, *program], cwd=organisations / "university", env={}, check=True)
    assert found_faults(python.processes(), organisations) == {"figures.csv", "chamber", "identity.key"}


@pytest.mark.skipif(shutil.which("strace") is None, reason=STRACE_MISSING)
def test_strace_finds_a_process_that_opens_what_it_must_not(
    tmp_path: Path, nosy: tuple[Path, list[str]]
) -> None:
    organisations, program = nosy
    python = AuditedPython.make(tmp_path / "python")
    trace = tmp_path / "strace.txt"
    command = [*strace_command(trace), python.executable, *program]
    subprocess.run(command, cwd=organisations / "university", check=True)
    processes = read_strace(trace, organisations / "university")
    assert found_faults(processes, organisations) == {"figures.csv", "chamber", "identity.key"}


def test_audited_processes_need_no_environment(tmp_path: Path) -> None:
    python = AuditedPython.make(tmp_path / "python")
    done = subprocess.run(
        [python.executable, "-P", "-c", "import parties, os, json; print(json.dumps(dict(os.environ)))"],
        cwd=tmp_path,
        env={},
        capture_output=True,
        check=True,
    )
    assert set(json.loads(done.stdout)) <= {"LC_CTYPE"}
    assert len(python.processes()) == 1
