"""`mpc-cde result show`: what is verified is shown, as a table or as CSV; what is not, is not."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mpc_cde.cli.app import app
from mpc_cde.client.export import export_result
from mpc_cde.client.verification import verify_result
from tests.mpc_cde.client.paper import PaperCommunity

PAPER = PaperCommunity()


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    path = tmp_path / "result.json"
    path.write_bytes(export_result(verify_result(PAPER.evidence(), PAPER.fingerprint)))
    return path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["result", *arguments, "--fingerprint", PAPER.fingerprint])


def test_a_table_names_each_value_and_says_what_it_means(exported: Path) -> None:
    shown = run("show", str(exported))
    assert shown.exit_code == 0, shown.output
    assert "every signature and digest verified" in shown.output
    assert "120" in shown.output
    assert "450" in shown.output
    assert "\npercentiles: " in shown.output
    assert run("verify", str(exported)).output == shown.output


def test_a_spreadsheet_gets_a_line_for_each_value(exported: Path, tmp_path: Path) -> None:
    shown = run("show", str(exported), "--csv")
    lines = list(csv.DictReader(io.StringIO(shown.output)))
    assert shown.exit_code == 0, shown.output
    assert {"120", "450"} <= {line["value"] for line in lines}
    assert all(line["definition"] for line in lines)
    written = run("show", str(exported), "--csv", "-o", str(tmp_path / "table.csv"))
    assert written.exit_code == 0, written.output
    text = (tmp_path / "table.csv").read_bytes().decode("utf-8")
    assert list(csv.DictReader(io.StringIO(text))) == lines


def test_an_altered_result_is_not_shown(exported: Path) -> None:
    text = exported.read_bytes()
    place = text.rindex(b'"sig":"') + 10
    other = b"A" if text[place : place + 1] != b"A" else b"B"
    exported.write_bytes(text[:place] + other + text[place + 1 :])
    for options in ((), ("--csv",), ("--json",)):
        shown = run("show", str(exported), *options)
        assert shown.exit_code != 0
        assert "120" not in shown.output
