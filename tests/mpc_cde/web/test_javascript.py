"""The pages' modules under node: every vector that Python makes, and what only a browser has."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

TESTS = Path(__file__).parent / "javascript"
NODE = shutil.which("node")

pytestmark = pytest.mark.skipif(NODE is None, reason="node is missing; `make test-tools` installs it")


@pytest.mark.parametrize("file", sorted(TESTS.glob("*.test.mjs")), ids=lambda file: file.name)
def test_modules_under_node(file: Path) -> None:
    done = subprocess.run(
        [str(NODE), "--no-warnings", "--test", "--test-reporter=tap", str(file)],
        capture_output=True,
        text=True,
    )
    failed = re.findall(r"not ok.*|error: .*", done.stdout)
    assert done.returncode == 0, "\n".join(failed) or done.stderr
    assert int(re.findall(r"^# pass (\d+)$", done.stdout, re.M)[-1]) > 0
