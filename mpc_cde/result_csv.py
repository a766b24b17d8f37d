"""A result as a table for spreadsheets: one line a value, or one for a cell that is withheld.

The gateway serves it, and a client makes it from what it has verified.
"""

from __future__ import annotations

import csv
import io

from mpc_cde.documents.result import Cell, Result
from mpc_cde.result_words import value_words

MEDIA_TYPE = "text/csv"
COLUMNS = (
    "function",
    "figures",
    "group",
    "group_value",
    "parameter",
    "value",
    "withheld",
    "contributors",
    "definition",
)
_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


def csv_of_result(result: Result) -> bytes:
    """UTF-8 with a heading; text that a spreadsheet would run as a formula is quoted. Sealed cells have no line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for cell in result.cells:
        if cell.sealed is None:
            writer.writerows(_lines(cell))
    return text.getvalue().encode("utf-8")


def _lines(cell: Cell) -> list[list[str]]:
    begin = [
        cell.function,
        " ".join(cell.figures),
        harmless_cell(cell.group.attribute) if cell.group else "",
        harmless_cell(cell.group.value) if cell.group else "",
    ]
    end = [
        cell.withheld or "",
        "" if cell.contributors is None else str(cell.contributors),
        harmless_cell(cell.definition),
    ]
    values = cell.values or ("",)
    return [
        [*begin, harmless_cell(name), value, *end]
        for name, value in zip(_names(cell, values), values, strict=True)
    ]


def _names(cell: Cell, values: tuple[str, ...]) -> tuple[str, ...]:
    """The percentile or bucket of each value; for one value, and for a withheld cell, all parameters."""
    quantiles = cell.parameters.get("quantiles")
    if isinstance(quantiles, tuple) and len(quantiles) == len(values):
        return quantiles
    names = value_words(cell)
    if cell.values is None or names == ("",):
        shown = (f"{name}={_shown(value)}" for name, value in sorted(cell.parameters.items()))
        return ("; ".join(shown),) * len(values)
    return names


def _shown(value: object) -> str:
    return " ".join(value) if isinstance(value, tuple) else str(value)


def harmless_cell(text: str) -> str:
    """The text, with a quote before what a spreadsheet would run as a formula."""
    return "'" + text if text.startswith(_FORMULA_SIGNS) else text
