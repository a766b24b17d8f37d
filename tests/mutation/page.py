"""The table in docs/mutation.md, made from what is kept: `python -m tests.mutation --check` says if it is stale."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tests.mutation.results import Results

REMOVALS = ("remove", "operand", "call")
_BEGIN = "<!-- made by make mutate -->"
_END = "<!-- end of what is made -->"
_COLUMNS = "| module | removed | found | explained | bounds moved | found | explained |"


def table_of(came_to: Iterable[tuple[str, str, bool]]) -> str:
    """A line for each module, and the sum."""
    counts: dict[str, Counter[tuple[bool, bool]]] = {}
    for file, kind, is_found in came_to:
        counts.setdefault(file, Counter())[kind in REMOVALS, is_found] += 1
    rows = [_COLUMNS, "|---|--:|--:|--:|--:|--:|--:|"]
    rows += [_row(f"`{file}`", of_module) for file, of_module in sorted(counts.items())]
    return "\n".join([*rows, _row("all", sum(counts.values(), Counter()))])


def _row(name: str, counts: Counter[tuple[bool, bool]]) -> str:
    cells = [name]
    for is_removal in (True, False):
        found, survived = counts[is_removal, True], counts[is_removal, False]
        cells += [str(number or "") for number in (found + survived, found, survived)]
    return f"| {' | '.join(cells)} |"


def with_table(page: str, results: Results) -> str:
    """The page with the table as it is to be. Raises ValueError if it has no place for one."""
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        raise ValueError(f"the page has no place for the table: put {_BEGIN} and {_END} there")
    return f"{before}{_BEGIN}\n\n{table_of(results.came_to())}\n\n{_END}{after}"


def write(page: Path, results: Results) -> None:
    page.write_text(with_table(page.read_text("utf-8"), results), "utf-8")


def is_current(page: Path, results: Results) -> bool:
    text = page.read_text("utf-8")
    return with_table(text, results) == text
