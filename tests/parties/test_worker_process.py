"""A worker that cannot start: its node's standard error says why."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from parties.errors import WorkerDied
from parties.worker_process import WorkerProcess
from tests.parties.communities import QUICK

BROKEN = """#!/bin/sh
echo "ImportError: a library is damaged" >&2
exit 1
"""


async def test_a_worker_that_cannot_start_says_why_in_the_nodes_standard_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "python"
    broken.write_text(BROKEN)
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with socket.socket() as listening:
        process = await WorkerProcess.start(listening, QUICK, jobs=True)
        try:
            assert isinstance(await process.ended, WorkerDied)
        finally:
            await process.stop()
    assert capfd.readouterr().err == "ImportError: a library is damaged\n"
