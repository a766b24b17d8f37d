"""The benchmarks of intake at a small size: what they count is right, whatever the seconds."""

from __future__ import annotations

from pathlib import Path

from benchmarks import gateway_intake, node_intake


def test_a_page_is_one_commit_at_a_node(tmp_path: Path) -> None:
    few, many = tmp_path / "few", tmp_path / "many"
    for directory in (few, many):
        directory.mkdir(mode=0o700)
    found = node_intake.measure(12, 1, True, False, few)
    assert found["correct"]
    assert (found["pages"], found["commits"]) == (1, 1)
    more = node_intake.measure(30, 1, False, True, many)
    assert more["correct"]
    assert more["statements"] == found["statements"]  # whatever a page holds


def test_everything_that_a_real_gateway_acknowledged_is_in_its_store(tmp_path: Path) -> None:
    found = gateway_intake.measure(12, 1, 4, tmp_path)
    assert found["correct"]
    assert found["records"] == 12
