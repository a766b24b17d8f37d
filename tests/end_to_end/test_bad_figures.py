"""A table that is wrong is refused with row, column and what was expected, before any process is started."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mpc_cde.demo.material import load_material
from tests.end_to_end.productions import REAL_DEMO, ROOT
from tests.end_to_end.tables import FigureFiles, few_members

GOOD = [f"{100 * n}" for n in range(1, 11)]
REFUSED = 1


def refusal(tmp_path: Path, files: FigureFiles) -> str:
    """What the demo says about these files; it must end with status 1 and have made nothing."""
    kept = tmp_path / "kept"
    command = [sys.executable, *REAL_DEMO, "--figures", files.figures, "--study", files.study, "--keep", kept]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == REFUSED, done.stderr
    assert done.stdout == ""
    assert not kept.exists()
    assert "Traceback" not in done.stderr
    return " ".join(done.stderr.split())


BAD = {
    "wrong type": ("many", "expected a plain number such as 1234.56, found 'many'"),
    "beyond the range": ("1195", "expected a number from 0 to 1194"),
    "below the range": ("-1", "expected a number from 0 to 1194"),
    "off the grid": (
        "100.4",
        "expected a number in steps of 1, found '100.4'; the nearest allowed value is 100",
    ),
    "NaN": ("NaN", "expected a plain number"),
    "infinity": ("inf", "expected a plain number"),
    "10^40": ("1e40", "without an exponent"),
    "10^40 in digits": ("1" + "0" * 40, "at most 40 characters, found 41 characters"),
    "comma decimal": ('"100,5"', "a decimal point: write 100.5, not 100,5"),
}


ALWAYS = {"off the grid", "NaN"}  # the parser's own tests have every case
NAMES = [pytest.param(name, marks=() if name in ALWAYS else pytest.mark.long) for name in BAD]


@pytest.mark.parametrize("attack", NAMES)
def test_a_bad_figure_is_told_with_row_column_and_what_was_expected(tmp_path: Path, attack: str) -> None:
    cell, said = BAD[attack]
    files = few_members(tmp_path)
    files.figures.write_text("\n".join(["sales", *GOOD[:4], cell, *GOOD[5:]]) + "\n")
    found = refusal(tmp_path, files)
    assert "row 6, column sales" in found
    assert said in found


def test_a_missing_column_is_named_with_what_was_found(tmp_path: Path) -> None:
    files = few_members(tmp_path)
    files.figures.write_text("\n".join(["turnover", *GOOD]) + "\n")
    assert "missing column sales; found turnover" in refusal(tmp_path, files)


def test_all_bad_cells_are_told_at_once(tmp_path: Path) -> None:
    files = few_members(tmp_path)
    files.figures.write_text("\n".join(["sales", "x", *GOOD[1:8], "y", "-5"]) + "\n")
    found = refusal(tmp_path, files)
    assert all(f"row {row}, column sales" in found for row in (2, 10, 11))


def test_a_blank_is_fine(tmp_path: Path) -> None:
    """Tables with blanks are run to the end in `test_other_figures`; here one is only not refused."""
    files = few_members(tmp_path)
    files.figures.write_text("member,sales\n" + "".join(f"{n},\n" for n in range(3)) + "3,100\n")
    material = load_material(files.figures, files.study)
    assert [row.figures["sales"] for row in material.members[:3]] == [None, None, None]
