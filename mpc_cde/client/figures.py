"""A member's table -> the figures of a study, strictly: every cell is checked before anything is sent.

A number is plain digits with at most one decimal point and an optional minus sign: 1234.56. Nothing is
guessed. A comma decimal, a thousands separator, an exponent, NaN or a unit is refused with the way to write
it, since a guess that is wrong by a factor of a thousand is worse than a question. All faults of a file are
found in one go. Rows are counted as a spreadsheet counts them: the heading is row 1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from mpc_cde.client.derived import derive
from mpc_cde.client.tables import Row, Table
from mpc_cde.documents.canonical import decimal_text
from mpc_cde.documents.figure import Figure, Formula
from mpc_cde.documents.study_terms import StudyTerms
from mpc_cde.errors import BadFigure, CallerError, NotCanonical

MAX_FAULTS_SHOWN = 20
MAX_NUMBER_CHARACTERS = 40

Value = Decimal | str | None  # a number, a category, or a blank

_NUMBER = re.compile(r"-?(?:\d+(?:\.\d*)?|\.\d+)", re.ASCII)
_COMMA_DECIMAL = re.compile(r"-?\d+,\d+", re.ASCII)
_THOUSANDS = re.compile(r"-?\d{1,3}(?:[,.' \u00a0\u2009\u202f]\d{3})+(?:[.,]\d+)?", re.ASCII)
_EXPONENT = re.compile(r"[+-]?\d+(?:\.\d*)?[eE][+-]?\d+", re.ASCII)


@dataclass(frozen=True, slots=True)
class FigureColumn:
    """What a study asks for under one heading.

    A number lies between `minimum` and `maximum` on the grid minimum + k step, or is rounded to it (ties up)
    where the study `rounds`. A category is one of `categories`. With a `formula` it is computed from other
    cells of the row, always rounded, and has no heading of its own.
    """

    name: str
    categories: tuple[str, ...] = ()
    minimum: Fraction = Fraction(0)
    maximum: Fraction = Fraction(0)
    step: Fraction = Fraction(1)
    rounds: bool = False
    blank_allowed: bool = False
    formula: Formula | None = None

    @property
    def headings(self) -> tuple[str, ...]:
        """The headings of a table that it is read from."""
        return (self.name,) if self.formula is None else self.formula.operands

    def parse_cells(self, cells: Mapping[str, str | None], row: int | None = None) -> Value:
        """The value from the cells of one row. Raises BadFigure."""
        if self.formula is None:
            return self.parse(cells.get(self.name), row)
        operands = [_operand(cells.get(heading), heading, row) for heading in self.formula.operands]
        made_of = f"{self.formula.operation} of {' and '.join(self.formula.operands)}"
        try:
            value = derive(self.formula, operands)
        except ZeroDivisionError:
            raise BadFigure(row, self.name, f"{made_of}, found a division by zero") from None
        if value is None:
            if self.blank_allowed:
                return None
            raise BadFigure(row, self.name, f"{made_of}, found a blank among them")
        nearest = self.nearest(value)
        if abs(nearest - value) > self.step / 2:
            allowed = f"{_shown(self.minimum)} to {_shown(self.maximum)}"
            raise BadFigure(row, self.name, f"{made_of} to lie from {allowed}, found a value outside")
        return Decimal(decimal_text(nearest))

    def parse(self, text: str | None, row: int | None = None) -> Value:
        """The value of one cell. Raises BadFigure with row, column, what was expected and what was found."""
        shown = (text or "").strip()
        if not shown:
            if self.blank_allowed:
                return None
            raise BadFigure(row, self.name, f"{self.described()}, found a blank")
        return self._category(shown, row) if self.categories else self._number(shown, row)

    def described(self) -> str:
        """What belongs here, for a message: "a number from 0 to 20000 in steps of 0.5"."""
        if self.categories:
            shown = ", ".join(self.categories[:12]) + (", ..." if len(self.categories) > 12 else "")
            return f"one of {shown}"
        return (
            f"a number from {_shown(self.minimum)} to {_shown(self.maximum)} in steps of {_shown(self.step)}"
        )

    def nearest(self, number: Fraction) -> Fraction:
        """The closest allowed number; of two the higher."""
        steps = (number - self.minimum) / self.step
        last = (self.maximum - self.minimum) // self.step
        rounded = (2 * steps.numerator + steps.denominator) // (2 * steps.denominator)
        return self.minimum + self.step * min(max(rounded, 0), last)

    def _category(self, text: str, row: int | None) -> str:
        if text in self.categories:
            return text
        alike = [category for category in self.categories if category.casefold() == text.casefold()]
        raise BadFigure(
            row,
            self.name,
            f"{self.described()}, found {quoted(text)}",
            nearest=alike[0] if alike else None,
        )

    def _number(self, text: str, row: int | None) -> Decimal:
        number = Fraction(plain_number(text, self.name, row))
        slack = self.step / 2 if self.rounds else Fraction(0)
        inside = self.minimum - slack <= number < self.maximum + slack
        if not (inside or number == self.maximum):
            expected = f"a number from {_shown(self.minimum)} to {_shown(self.maximum)}, found {quoted(text)}"
            raise BadFigure(row, self.name, expected)
        nearest = self.nearest(number)
        if nearest != number and not self.rounds:
            expected = f"a number in steps of {_shown(self.step)}, found {quoted(text)}"
            raise BadFigure(row, self.name, expected, nearest=_shown(nearest))
        return Decimal(decimal_text(nearest))


@dataclass(frozen=True, slots=True)
class FigureRow:
    """The checked figures of one member; its repr names no value."""

    row: int
    values: Mapping[str, Value]

    def __repr__(self) -> str:
        return f"FigureRow(row={self.row}, figures={sorted(self.values)})"


@dataclass(frozen=True, slots=True)
class CheckedFigures:
    """All rows of a table, checked; `warnings` are for people and stop nothing."""

    rows: tuple[FigureRow, ...]
    warnings: tuple[str, ...]


class FiguresRefused(CallerError):
    """Some cells are not what the study asks for; `faults` lists the first 20 of `count`."""

    def __init__(self, faults: Sequence[BadFigure], count: int) -> None:
        lines = [str(fault) for fault in faults]
        if count > len(faults):
            lines.append(f"and {count - len(faults)} more")
        cells = "1 cell is" if count == 1 else f"{count} cells are"
        super().__init__(
            f"{cells} not what the study asks for; nothing was sent.\n" + "\n".join(lines),
            hint="Correct the file and try again.",
        )
        self.faults = tuple(faults)
        self.count = count


def columns_of(terms: StudyTerms) -> tuple[FigureColumn, ...]:
    """What a study asks for, in its order."""
    return tuple(_column_of(figure) for figure in terms.figures)


def _column_of(figure: Figure) -> FigureColumn:
    if figure.minimum is None or figure.step is None:
        return FigureColumn(
            name=figure.name, categories=figure.categories, blank_allowed=figure.blank_allowed
        )
    return FigureColumn(
        name=figure.name,
        minimum=Fraction(figure.minimum),
        maximum=figure.largest,
        step=Fraction(figure.step),
        rounds=figure.rounds,
        blank_allowed=figure.blank_allowed,
        formula=figure.derived,
    )


def check_figures(table: Table, columns: Sequence[FigureColumn]) -> CheckedFigures:
    """Every row of the table as figures of the study.

    Raises CallerError for a missing or doubled heading or a table without rows, and FiguresRefused with all
    the faults of the cells. A column that the study does not ask for is a warning.
    """
    wanted = list(dict.fromkeys(heading for column in columns for heading in column.headings))
    _check_headings(table, wanted)
    faults: list[BadFigure] = []
    rows = []
    for row in table.rows:
        values = {}
        if row.fault is not None:
            faults.append(BadFigure(row.number, row.fault_column or wanted[0], row.fault))
            continue
        for column in columns:
            try:
                values[column.name] = column.parse_cells(row.cells, row.number)
            except BadFigure as fault:
                faults.append(fault)
        rows.append(FigureRow(row.number, values))
    if faults:
        raise FiguresRefused(faults[:MAX_FAULTS_SHOWN], len(faults))
    extra = [heading for heading in table.headings if heading not in wanted]
    warnings = [f"not asked for by the study, not sent: {', '.join(extra)}"] if extra else []
    return CheckedFigures(tuple(rows), tuple(warnings))


def choose_row(table: Table, *, number: int | None) -> Table:
    """The table with one row: that of the spreadsheet's row `number`, or the only one. Raises CallerError."""
    _check_rows(table)
    if number is None:
        if len(table.rows) == 1:
            return table
        raise CallerError(
            f"the file holds {len(table.rows)} rows of figures, a member submits one",
            hint="Name the row as the spreadsheet counts it: --row 2 is the first below the heading.",
        )
    chosen: list[Row] = [row for row in table.rows if row.number == number]
    if not chosen:
        numbers = [row.number for row in table.rows]
        raise CallerError(
            f"the file has no figures in row {number}; it has rows {numbers[0]} to {numbers[-1]}",
            hint="Rows are counted as in a spreadsheet: the heading is row 1.",
        )
    return Table(headings=table.headings, rows=(chosen[0],))


def _check_headings(table: Table, wanted: Sequence[str]) -> None:
    doubled = sorted({heading for heading in table.headings if table.headings.count(heading) > 1})
    wanted_doubled = [heading for heading in doubled if heading in wanted]
    if wanted_doubled:
        raise CallerError(
            f"row 1: column {', '.join(wanted_doubled)} is there more than once",
            hint="Remove or rename one of them, so that it is clear which one counts.",
        )
    missing = [heading for heading in wanted if heading not in table.headings]
    if missing:
        found = ", ".join(table.headings[:30]) or "nothing"
        raise CallerError(
            f"row 1: missing column {', '.join(missing)}; found {found}",
            hint="The first row names the columns, spelled as in the study.",
        )
    _check_rows(table)


def _check_rows(table: Table) -> None:
    if not table.rows:
        raise CallerError(
            "the file holds no row of figures below its heading",
            hint='Put the figures into row 2; a single one that stays blank is written "".',
        )


def plain_number(text: str, column: str, row: int | None) -> str:
    """The text, if it is a number in the one form that is taken. Raises BadFigure saying how to write it."""
    if len(text) <= MAX_NUMBER_CHARACTERS and _NUMBER.fullmatch(text):
        return text
    if len(text) > MAX_NUMBER_CHARACTERS:
        expected = f"a number of at most {MAX_NUMBER_CHARACTERS} characters, found {len(text)} characters"
    elif _COMMA_DECIMAL.fullmatch(text) and not _THOUSANDS.fullmatch(text):
        expected = f"a decimal point: write {text.replace(',', '.')}, not {text}"
    elif _THOUSANDS.fullmatch(text):
        expected = f"a number without separators between thousands: write 1234567.89, found {quoted(text)}"
    elif _EXPONENT.fullmatch(text):
        expected = f"a number without an exponent: write 1200, not 1.2e3, found {quoted(text)}"
    else:
        expected = f"a plain number such as 1234.56, found {quoted(text)}"
    raise BadFigure(row, column, expected)


def quoted(text: str) -> str:
    """Text from a file, safe and short enough for a message."""
    cleaned = "".join(character if character.isprintable() else "?" for character in text)
    return repr(cleaned if len(cleaned) <= 44 else cleaned[:40] + "...")


def _shown(number: Fraction) -> str:
    try:
        return decimal_text(number)
    except NotCanonical:
        return f"{number.numerator}/{number.denominator}"


def _operand(text: str | None, heading: str, row: int | None) -> Fraction | None:
    shown = (text or "").strip()
    return Fraction(plain_number(shown, heading, row)) if shown else None
