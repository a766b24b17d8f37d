"""Ctrl-C at any moment of the demo: no process is left behind, and no directory with keys."""

from __future__ import annotations

import pytest

from tests.end_to_end.conftest import MOMENTS
from tests.end_to_end.productions import INTERRUPTED, Production, Stage

ALWAYS = "interrupted_start"  # the others are three more demos
NAMES = [
    pytest.param(moment.name, marks=() if moment.name == ALWAYS else pytest.mark.long) for moment in MOMENTS
]


@pytest.mark.parametrize("name", NAMES)
def test_an_interrupted_demo_leaves_no_process_and_no_directory(stage: Stage, name: str) -> None:
    ended = stage.see(name)
    assert ended.status == INTERRUPTED, ended.told()
    assert ended.left == {}
    assert list((ended.directory / "tmp").iterdir()) == []
    assert "Traceback" not in ended.said
    assert ended.said.rstrip().endswith("Interrupted; every process is ended.")


def test_a_demo_that_keeps_running_has_its_pages_and_ends_at_ctrl_c_with_no_process_left(
    bakeries: Production,
) -> None:
    assert bakeries.status == INTERRUPTED, bakeries.told()
    assert "until Ctrl-C" in bakeries.said
    assert bakeries.left == {}
    assert "Traceback" not in bakeries.said
    assert bakeries.said.rstrip().endswith("Interrupted; every process is ended.")
