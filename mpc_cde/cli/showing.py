"""What people read: fingerprints, tables, amounts of time; JSON where a program reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import typer


def say(text: str = "") -> None:
    """A line of the answer, on standard output."""
    typer.echo(text)


def remark(text: str) -> None:
    """A line beside the answer, on standard error: progress, warnings, what to do next."""
    typer.echo(text, err=True)


def say_json(value: Any) -> None:
    """One JSON document on standard output."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def say_table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """Columns padded to their widest cell; those numbered in `right` align to the right."""
    widths = [max(len(row[column]) for row in (headings, *rows)) for column in range(len(headings))]
    for row in (headings, ["-" * width for width in widths], *rows):
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        say("  ".join(cells).rstrip())
