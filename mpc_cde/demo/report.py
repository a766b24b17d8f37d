"""What people and programs get from the demo: tables, one JSON document, a last line in plain words.

Progress goes to standard error, answers to standard output, so that `--json` prints one document and no more.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from mpc_cde.demo.comparison import Comparison
from mpc_cde.documents.query import GroupCell
from mpc_cde.documents.result import Cell
from mpc_cde.documents.study_terms import StudyTerms

PLAIN_WIDTH = 120
WIDE, MANY_COLUMNS, FEW_COLUMNS = 116, 9, 4
MEMBERS_WIDTH = 16
TELL_SECONDS = 10.0

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class DemoReport:
    """All that the demo found out; `verified` lists what the researcher's client checked, in words."""

    terms: StudyTerms
    cells: tuple[Cell, ...]
    comparison: Comparison
    seconds: Mapping[str, float]
    bytes_sent_per_party: Mapping[str, int]
    verified: tuple[str, ...] = ()

    @property
    def exit_status(self) -> int:
        """0 if every cell is what the plain calculation says, else 1."""
        return 0 if self.comparison.all_equal else 1

    def as_json(self) -> dict[str, Any]:
        """The document that `--json` prints."""
        return {
            "results": [_cell_json(cell) for cell in self.cells],
            "compared": self.comparison.compared,
            "withheld": self.comparison.withheld,
            "withheld_by": {rule: list(cells) for rule, cells in self.comparison.withheld_by.items()},
            "all_equal_to_plain": self.comparison.all_equal,
            "differences": [
                {"cell": difference.cell, "expected": difference.expected, "found": difference.found}
                for difference in self.comparison.differences
            ],
            "seconds": {phase: round(seconds, 3) for phase, seconds in self.seconds.items()},
            "bytes_sent_per_party": dict(self.bytes_sent_per_party),
        }


class Step:
    """The progress of one phase; where no bar can be drawn, a line now and then says how far it is."""

    def __init__(self, progress: Progress, task: TaskID, *, total: int | None, tell: Tell | None) -> None:
        self._progress = progress
        self._task = task
        self._total = total
        self._tell = tell
        self._done = 0
        self._began = self._told = time.monotonic()
        self.note = ""

    def reach(self, done: int) -> None:
        """So many are done."""
        self._done = done
        self._progress.update(self._task, completed=done)
        now = time.monotonic()
        if self._tell is not None and self._total is not None and now - self._told >= TELL_SECONDS:
            self._told = now
            self._tell(progress_line(done, self._total, now - self._began))

    def advance(self, count: int = 1) -> None:
        """So many more are done."""
        self.reach(self._done + count)


def progress_line(done: int, total: int, seconds: float) -> str:
    """ "3,400 of 10,000, 340 a second, 19 s to go"."""
    rate = done / seconds if seconds > 0 else 0.0
    left = f", {(total - done) / rate:.0f} s to go" if rate > 0 else ""
    return f"{done:,} of {total:,}, {rate:,.0f} a second{left}"


@dataclass(slots=True)
class Narrator:
    """Says what is going on, and how long each phase took; bars on a terminal, plain lines elsewhere."""

    console: Console
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str, text: str, *, total: int | None = None) -> Iterator[Step]:
        """One phase of the story; `seconds[name]` grows by what it took, even if it fails."""
        began = time.monotonic()
        columns = [TextColumn("  {task.description}"), BarColumn(bar_width=30)]
        counted = [MofNCompleteColumn()] if total else []
        left = [TimeRemainingColumn()] if total else []
        progress = Progress(
            *columns,
            *counted,
            TimeElapsedColumn(),
            *left,
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        tell = None if self.console.is_terminal else self.say
        try:
            with progress:
                step = Step(progress, progress.add_task(text, total=total), total=total, tell=tell)
                yield step
        finally:
            taken = time.monotonic() - began
            self.seconds[name] = self.seconds.get(name, 0.0) + taken
        ending = f": {step.note}" if step.note else ""
        self.console.print(Text(f"{taken:6.1f} s  {text}{ending}"), soft_wrap=True)

    def say(self, text: str) -> None:
        """One line that is no phase."""
        self.console.print(Text(f"          {text}"), soft_wrap=True)


def progress_console() -> Console:
    """Standard error."""
    return Console(stderr=True, highlight=False)


def answer_console() -> Console:
    """Standard output; wide enough for a table of deciles where there is no terminal to ask."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=PLAIN_WIDTH)


def print_json(report: DemoReport, console: Console) -> None:
    """One JSON document on standard output."""
    console.file.write(json.dumps(report.as_json(), indent=2, ensure_ascii=False) + "\n")


def print_report(report: DemoReport, console: Console) -> None:
    """Tables, what was verified, bytes, seconds, and whether everything is equal."""
    for table in tables_of(report.terms, report.cells, width=console.width):
        console.print(table)
    if report.comparison.withheld:
        console.print(
            Text("(minimum), (disclosure): withheld by that rule, here and in the plain calculation")
        )
    for line in report.verified:
        console.print(Text(f"verified: {line}"), soft_wrap=True)
    console.print(Text(f"seconds:  {_pairs(report.seconds, '{:.1f}')}"), soft_wrap=True)
    console.print(Text(f"bytes sent between the parties:  {_pairs(report.bytes_sent_per_party, '{:,}')}"))
    for difference in report.comparison.differences:
        console.print(
            Text(f"DIFFERS   {difference.cell}\n  plain:     {difference.expected}"), style="bold red"
        )
        console.print(Text(f"  published: {difference.found}"), style="bold red")
    console.print(Text(last_line(report)), style="bold green" if report.comparison.all_equal else "bold red")


def last_line(report: DemoReport) -> str:
    """The outcome in one sentence."""
    comparison = report.comparison
    if comparison.all_equal:
        return (
            f"All {comparison.compared} cells equal the plain calculation on the open figures; "
            f"{comparison.withheld} of them are withheld, each where the rules say so."
        )
    if not comparison.compared:
        return "Nothing was compared."
    wrong = len(comparison.differences)
    return f"{wrong} of {comparison.compared} cells differ from the plain calculation on the open figures."


def tables_of(terms: StudyTerms, cells: Sequence[Cell], *, width: int) -> list[Table]:
    """N, sums and the first percentiles in one table; every further list of percentiles in its own, or in
    several where a narrow terminal would cut it."""
    lists = list(dict.fromkeys(_quantiles(cell) for cell in cells if _quantiles(cell)))
    at_once = MANY_COLUMNS if width >= WIDE else FEW_COLUMNS
    pieces: list[tuple[tuple[str, ...], slice, bool]] = []
    for position, quantiles in enumerate(lists or [()]):
        starts = range(0, max(1, len(quantiles)), at_once)
        pieces += [(quantiles, slice(start, start + at_once), position + start == 0) for start in starts]
    return [_table(terms, cells, quantiles, part, with_totals=first) for quantiles, part, first in pieces]


def _table(
    terms: StudyTerms, cells: Sequence[Cell], quantiles: tuple[str, ...], part: slice, *, with_totals: bool
) -> Table:
    table = Table(header_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("figure", min_width=MEMBERS_WIDTH)
    heads = ["N", "sum"] if with_totals else []
    for head in [*heads, *(_percent(quantile) for quantile in quantiles[part])]:
        table.add_column(head, justify="right", no_wrap=True)
    rows = _rows(cells)
    for position, (figure, group) in enumerate(rows):
        own = [cell for cell in cells if (cell.figures[0], cell.group) == (figure, group)]
        if position == 0 or rows[position - 1][0] != figure:
            table.add_row(Text(_label(terms, figure), style="bold"))
        shown: list[str] = []
        if with_totals:
            shown = [_one(own, "count@1"), _one(own, "sum@1")]
        if quantiles:
            shown += _percentiles(own, quantiles, part)
        last_of_figure = position + 1 == len(rows) or rows[position + 1][0] != figure
        members = "all" if group is None else group.value
        table.add_row(f"  {members}", *shown, end_section=last_of_figure)
    return table


def _rows(cells: Sequence[Cell]) -> list[tuple[str, GroupCell | None]]:
    figures = list(dict.fromkeys(cell.figures[0] for cell in cells))
    groups = list(dict.fromkeys(cell.group for cell in cells))
    there = {(cell.figures[0], cell.group) for cell in cells}
    return [(figure, group) for figure in figures for group in groups if (figure, group) in there]


def _one(cells: Sequence[Cell], function: str) -> str:
    found = [cell for cell in cells if cell.function == function]
    if not found:
        return ""
    return _withheld(found[0]) or _grouped((found[0].values or ("",))[0])


def _percentiles(cells: Sequence[Cell], quantiles: tuple[str, ...], part: slice) -> list[str]:
    found = [cell for cell in cells if _quantiles(cell) == quantiles]
    columns = len(quantiles[part])
    if not found:
        return [""] * columns
    why = _withheld(found[0])
    if why is not None:
        return [why, *["·"] * (columns - 1)]
    return [_grouped(value) for value in (found[0].values or ())[part]]


def _withheld(cell: Cell) -> str | None:
    return None if cell.withheld is None else f"({cell.withheld})"


def _quantiles(cell: Cell) -> tuple[str, ...]:
    quantiles = cell.parameters.get("quantiles", ())
    return quantiles if isinstance(quantiles, tuple) else ()


def _label(terms: StudyTerms, name: str) -> str:
    figure = terms.figure(name)
    if figure is None:
        return name
    return f"{figure.label} ({figure.unit})" if figure.unit else figure.label


def _percent(quantile: str) -> str:
    return f"{float(100 * Fraction(quantile)):g} %"


def _grouped(number: str) -> str:
    """A decimal with thin groups of three before the point: 1234567.5 -> 1,234,567.5."""
    whole, point, rest = number.partition(".")
    return f"{int(whole):,}{point}{rest}" if whole not in ("-0", "") else number


def _pairs(values: Mapping[str, Any], form: str) -> str:
    return ", ".join(f"{name} {form.format(value)}" for name, value in values.items())


def _cell_json(cell: Cell) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "function": cell.function,
        "figures": list(cell.figures),
        "group": None
        if cell.group is None
        else {"attribute": cell.group.attribute, "value": cell.group.value},
        "parameters": {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in cell.parameters.items()
        },
    }
    if cell.withheld is None:
        answer["values"] = list(cell.values or ())
    else:
        answer["withheld"] = cell.withheld
    return answer | {"definition": cell.definition, "contributors": cell.contributors}
