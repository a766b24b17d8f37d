"""Ctrl-C at any moment of the demo: no process is left behind, and no directory with keys."""

from __future__ import annotations

import pytest

from tests.end_to_end.conftest import MOMENTS
from tests.end_to_end.productions import Stage

INTERRUPTED = 130


ALWAYS = {"interrupted_start", "interrupted_serving"}  # the others are two more demos
NAMES = [
    pytest.param(moment.name, marks=() if moment.name in ALWAYS else pytest.mark.long) for moment in MOMENTS
]


@pytest.mark.parametrize("name", NAMES)
def test_an_interrupted_demo_leaves_no_process_and_no_directory(stage: Stage, name: str) -> None:
    ended = stage.see(name)
    assert ended.status == INTERRUPTED, ended.told()
    assert ended.left == {}
    assert list((ended.directory / "tmp").iterdir()) == []
    assert "Traceback" not in ended.said
    assert ended.said.rstrip().endswith("Interrupted; every process is ended.")
