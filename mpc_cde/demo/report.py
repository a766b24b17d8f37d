"""What people and programs get from the demo: tables, one JSON document, a last line in plain words.

Progress goes to standard error, answers to standard output, so that `--json` prints one document and no more.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

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
from rich.text import Text

from mpc_cde.demo.comparison import Comparison
from mpc_cde.demo.places import AskedPlaces
from mpc_cde.demo.report_tables import all_tables, headline_tables
from mpc_cde.documents.result import Cell
from mpc_cde.documents.study_terms import StudyTerms
from mpc_cde.result_words import function_words

PLAIN_WIDTH = 120
TELL_SECONDS = 10.0

Tell = Callable[[str], None]

RULE_WORDS = {
    "minimum": "fewer contributors than the minimum",
    "dominance": "the largest contributions are too much of the total",
    "p_percent": "the two largest contributors could estimate each other (p %)",
    "complementary": "would fall out of published cells by subtraction",
    "ranks": "percentiles too close to an end or to each other",
    "bucket": "a histogram with a bucket that is too small",
    "remainder": "a histogram whose groups leave a bucket that is too small",
    "undefined": "not defined for these figures",
}
"""Which rule it was the plain calculation says; a result says `minimum` or `disclosure`."""


@dataclass(frozen=True, slots=True)
class DemoReport:
    """All that the demo found out; `verified` lists what the researcher's client checked, in words."""

    terms: StudyTerms
    cells: tuple[Cell, ...]
    comparison: Comparison
    seconds: Mapping[str, float]
    bytes_sent_per_party: Mapping[str, int]
    verified: tuple[str, ...] = ()
    places: tuple[AskedPlaces, ...] = ()

    @property
    def exit_status(self) -> int:
        """0 if every cell is what the plain calculation says, else 1."""
        return 0 if self.comparison.all_equal else 1

    def as_json(self) -> dict[str, Any]:
        """The document that `--json` prints."""
        return {
            "results": [_cell_json(cell) for cell in self.cells],
            "own_places": [
                {"member": asked.number + 1, **_cell_json(place.cell), "percent_below": place.percent}
                for asked in self.places
                for place in asked.places
            ],
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
        waited = now - self._told >= TELL_SECONDS
        if self._tell is not None and self._total is not None and waited and done < self._total:
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


def print_report(report: DemoReport, console: Console, *, everything: bool = False) -> None:
    """Headline tables (or all), which rules withheld what, what was verified, and whether everything is equal."""
    tables = all_tables if everything else headline_tables
    for table in tables(report.terms, report.cells, width=console.width):
        console.print(table)
    if everything:
        for function, definition in {cell.function: cell.definition for cell in report.cells}.items():
            console.print(Text(f"{function_words(function)}: {definition}"), soft_wrap=True)
    elif len(report.cells):
        console.print(
            Text(f"{len(report.cells)} cells in all: --all shows them in tables, --json with definitions")
        )
    for rule, cells in report.comparison.withheld_by.items():
        words = RULE_WORDS.get(rule, rule)
        console.print(Text(f"withheld: {len(cells):3}  {words}, such as {cells[0]}"), soft_wrap=True)
    for asked in report.places:
        console.print(Text(f"own place: {_place_words(asked)}"), soft_wrap=True)
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


def _pairs(values: Mapping[str, Any], form: str) -> str:
    return ", ".join(f"{name} {form.format(value)}" for name, value in values.items())


def _place_words(asked: AskedPlaces) -> str:
    """ "member 101 alone reads: 45 % of all have less annual_sales, ..."."""
    places = [
        f"{place.percent} % of {'all' if place.cell.group is None else place.cell.group.value} have less "
        f"{place.cell.figures[0]}"
        for place in asked.places
        if place.percent is not None
    ]
    return f"member {asked.number + 1} alone reads: {', '.join(places) or 'withheld'}"


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
    if cell.values is not None:
        answer["values"] = list(cell.values)
    elif cell.withheld is not None:
        answer["withheld"] = cell.withheld
    return answer | {"definition": cell.definition, "contributors": cell.contributors}
