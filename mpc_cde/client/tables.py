"""Files that people make -> rows of text cells: CSV as spreadsheets write it, or JSON.

Nothing is interpreted. A byte order mark is taken off; the delimiter (comma, semicolon or tab) is the one
that the heading uses.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mpc_cde.coded_text import worded
from mpc_cde.errors import CallerError

MAX_FILE_BYTES = 256 << 20
DELIMITERS = (",", ";", "\t")


@dataclass(frozen=True, slots=True)
class Row:
    """One record: its number as a spreadsheet counts, its cells by heading, or the fault of its shape."""

    number: int
    cells: Mapping[str, str | None]
    fault: str | None = None
    fault_column: str | None = None

    def __repr__(self) -> str:
        return f"Row(number={self.number})"


@dataclass(frozen=True, slots=True)
class Table:
    """Headings in the order of the file, and the rows below them that are not empty."""

    headings: tuple[str, ...]
    rows: tuple[Row, ...]


def read_table(path: Path) -> Table:
    """The table in a file: JSON if its name ends so, else CSV. Raises CallerError."""
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise CallerError(f"{path} has {size} bytes, more than {MAX_FILE_BYTES}")
        data = path.read_bytes()
    except OSError as error:
        raise CallerError(f"cannot read {path}: {error.strerror or 'not readable'}") from None
    try:
        return parse_json_table(data) if path.suffix.lower() == ".json" else parse_csv_table(data)
    except CallerError as error:
        raise type(error)(f"{path.name}: {error}", hint=error.hint) from None


def parse_csv_table(data: bytes) -> Table:
    """The table in CSV bytes. Raises CallerError for other encodings, or quotes that never close."""
    text = _decode(data)
    delimiter = _delimiter_of(text)
    records = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    headings: tuple[str, ...] = ()
    rows = []
    number = 0
    try:
        for record in records:
            number += 1
            cells = [cell.strip() for cell in record]
            if number == 1:
                headings = _headings_of(cells)
                if not headings:
                    raise CallerError(
                        worded(
                            "table_empty_row", "row 1: expected the names of the columns, found an empty row"
                        ),
                        hint=worded(
                            "table_empty_row_hint", "Delete empty rows above the table and try again."
                        ),
                    )
            elif any(cells) or record == [""]:  # "" alone is one blank cell, an empty line is none
                rows.append(_row_of(number, cells, headings, delimiter))
    except csv.Error as error:
        raise CallerError(
            worded("table_no_csv", "row {row}: not CSV ({why})", row=number + 1, why=error),
            hint=worded("table_csv_hint", "Save the sheet as CSV (UTF-8) and try again."),
        ) from None
    return Table(headings, tuple(rows))


def parse_json_table(data: bytes) -> Table:
    """One object (one row) or a list of them; numbers stay the text they were. Raises CallerError."""
    try:
        value = json.loads(
            _decode(data),
            object_pairs_hook=_object_without_duplicates,
            parse_int=str,
            parse_float=str,
            parse_constant=str,
        )
    except RecursionError:
        raise CallerError("not JSON: nested too deeply") from None
    except json.JSONDecodeError as error:
        raise CallerError(f"line {error.lineno}: not JSON ({error.msg})") from None
    records = [value] if isinstance(value, dict) else value
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise CallerError(
            "expected one object, or a list of objects", hint='Such as {"annual_sales": 750000, "hours": 76}.'
        )
    headings = tuple(dict.fromkeys(heading for record in records for heading in record))
    return Table(headings, tuple(_json_row(number, record) for number, record in enumerate(records, start=1)))


def _json_row(number: int, record: dict[str, Any]) -> Row:
    cells: dict[str, str | None] = {}
    for heading, value in record.items():
        if value is None or isinstance(value, str):
            cells[heading] = value
        else:  # numbers came as text, so what is left is true, false, a list or an object
            kind = "true or false" if isinstance(value, bool) else "a list or an object"
            return Row(number, {}, fault=f"a number or text, found {kind}", fault_column=heading)
    return Row(number, cells)


def _row_of(number: int, cells: list[str], headings: tuple[str, ...], delimiter: str) -> Row:
    spare = cells[len(headings) :]
    if any(spare):
        fault = f"{len(headings)} cell{'s' if len(headings) > 1 else ''}, found {len(cells)}"
        if delimiter == ",":
            fault += " (a decimal comma splits a cell: write 1234.56, not 1234,56)"
        return Row(number, {}, fault=fault, fault_column=headings[-1])
    return Row(number, dict(zip(headings, cells, strict=False)))


def _headings_of(cells: list[str]) -> tuple[str, ...]:
    while cells and not cells[-1]:
        cells.pop()
    return tuple(cells)


def _delimiter_of(text: str) -> str:
    first_line = text.lstrip("\r\n").split("\n", 1)[0]
    counts = {}
    for delimiter in DELIMITERS:
        try:
            counts[delimiter] = len(next(csv.reader([first_line], delimiter=delimiter), []))
        except (
            csv.Error
        ):  # a heading with a line break inside quotes; another delimiter decides, or the comma
            counts[delimiter] = 0
    return max(DELIMITERS, key=lambda delimiter: counts[delimiter])


def _decode(data: bytes) -> str:
    if data[:4] in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0"):  # .xlsx and .ods; .xls
        raise CallerError(worded("table_workbook", "the file is a workbook, not CSV"), hint=_as_csv())
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise CallerError(
            worded("table_no_utf8", "row {row}: the file is not UTF-8 text", row=line), hint=_as_csv()
        ) from None
    if "\x00" in text:
        raise CallerError(worded("table_no_text", "the file is not text"), hint=_as_csv())
    return text


def _object_without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        heading = next(key for key, _ in pairs if sum(key == other for other, _ in pairs) > 1)
        raise CallerError(f"column {heading} is there more than once in one object")
    return result


def _as_csv() -> str:
    return worded("table_utf8_hint", 'Save the sheet as "CSV UTF-8" and try again.')
