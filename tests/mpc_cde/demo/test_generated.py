"""Stores drawn from the real ones: as many as asked for, always the same, and fit for their study."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpc_cde.demo.generated import generated_material
from mpc_cde.demo.report import progress_line
from mpc_cde.errors import CallerError


def test_as_many_stores_as_asked_for_and_always_the_same(tmp_path: Path) -> None:
    material = generated_material(50, tmp_path)
    first = material.path.read_bytes()
    assert len(material.members) == 50
    assert material.template.roster_cap == 50
    assert len({member.register_id for member in material.members}) == 50
    assert {len(member.figures) for member in material.members} == {5}
    assert generated_material(50, tmp_path).path.read_bytes() == first


@pytest.mark.parametrize("members", [0, 19, 1_000_001])
def test_too_few_and_too_many_are_refused(tmp_path: Path, members: int) -> None:
    with pytest.raises(CallerError, match="expected"):
        generated_material(members, tmp_path)


def test_progress_line_says_how_far_how_fast_how_long() -> None:
    assert progress_line(3400, 10_000, 10.0) == "3,400 of 10,000, 340 a second, 19 s to go"
    assert progress_line(0, 10, 5.0) == "0 of 10, 0 a second"
