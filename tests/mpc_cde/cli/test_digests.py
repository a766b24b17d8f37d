"""What begins with "-" is a digest where one is due, and an option everywhere else."""

from __future__ import annotations

import json
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from mpc_cde.cli.digests import NamesADigest

app = typer.Typer()


@app.command(cls=NamesADigest)
def look(
    what: str,
    yes: Annotated[bool, typer.Option("--yes")] = False,
    study: Annotated[str, typer.Option("--study")] = "",
    output: Annotated[str, typer.Option("--output", "-o")] = "",
) -> None:
    typer.echo(json.dumps([what, yes, study, output]))


@pytest.mark.parametrize(
    ("arguments", "understood"),
    [
        (["-TOhINKV", "--yes"], ["-TOhINKV", True, "", ""]),
        (["--yes", "-TOhINKV"], ["-TOhINKV", True, "", ""]),
        (["--yes", "--", "-TOhINKV"], ["-TOhINKV", True, "", ""]),
        (["--study", "-abcdefg", "-TOhINKV"], ["-TOhINKV", False, "-abcdefg", ""]),
        (["TOhINKV", "--study", "-abcdefg"], ["TOhINKV", False, "-abcdefg", ""]),
        (["TOhINKV", "-oresult.json"], ["TOhINKV", False, "", "result.json"]),
        (["-TOhINKV", "-o", "-strange"], ["-TOhINKV", False, "", "-strange"]),
    ],
)
def test_digest_that_begins_with_a_hyphen_is_no_option(
    arguments: list[str], understood: list[object]
) -> None:
    assert json.loads(CliRunner().invoke(app, arguments).stdout) == understood


@pytest.mark.parametrize("mistyped", ["--yess", "-x", "--studdy"])
def test_mistyped_option_is_still_refused(mistyped: str) -> None:
    outcome = CliRunner().invoke(app, ["TOhINKV", mistyped])
    assert outcome.exit_code == 2
    assert "No such option" in outcome.output
