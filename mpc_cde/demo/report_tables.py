"""Tables of cells for people: one for the figures of each group, rows are the groups, columns the functions.

A figure that is asked for by groups gets a table; a wide one is cut into several. The first part of the first figure
of each group is the headline; everything is shown on demand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from mpc_cde.documents.query import GroupCell
from mpc_cde.documents.result import Cell
from mpc_cde.documents.study_terms import StudyTerms
from mpc_cde.result_words import figure_words, function_words, value_words

MEMBERS_WIDTH, COLUMN_GAP = 16, 3
ORDER = (
    "sum@1",
    "mean@1",
    "percentiles@1",
    "percentiles_linear@1",
    "histogram@1",
    "standard_deviation@1",
    "variance@1",
    "ratio_of_totals@1",
    "correlation@1",
)
HEADS = {"standard_deviation@1": "st. dev."}
Key = tuple[str, tuple[str, ...], str]
"""A function, its figures and its parameters: cells that differ in their group alone share it."""


@dataclass(frozen=True, slots=True)
class _Column:
    """One value of the cells with this key."""

    key: Key
    place: int
    head: str


def headline_tables(terms: StudyTerms, cells: Sequence[Cell], *, width: int) -> list[Table]:
    """For each group the first part of its first figure, and of the first that has a histogram."""
    shown: dict[tuple[str | None, bool], Table] = {}
    by_figure = _by_figure(cells)
    grouped = [each for each in by_figure if each[0] is not None]
    for attribute, figure, own in grouped or by_figure:
        drawn = any(cell.function == "histogram@1" for cell in own)
        if (attribute, drawn) not in shown and (drawn or (attribute, True) not in shown):
            shown[attribute, drawn] = _tables(terms, figure, own, width=width)[0]
    return list(shown.values())


def all_tables(terms: StudyTerms, cells: Sequence[Cell], *, width: int) -> list[Table]:
    """Every cell."""
    return [
        table for _, figure, own in _by_figure(cells) for table in _tables(terms, figure, own, width=width)
    ]


def _by_figure(cells: Iterable[Cell]) -> list[tuple[str | None, str, list[Cell]]]:
    """The cells of each first figure, with the attribute of its groups."""
    found: dict[str, list[Cell]] = {}
    for cell in cells:
        found.setdefault(cell.figures[0], []).append(cell)
    return [
        (next((cell.group.attribute for cell in own if cell.group), None), figure, own)
        for figure, own in found.items()
    ]


def _tables(terms: StudyTerms, figure: str, cells: Sequence[Cell], *, width: int) -> list[Table]:
    """As many columns in each as fit."""
    groups = list(dict.fromkeys(cell.group for cell in cells))
    by_key = {(_key(cell), cell.group): cell for cell in cells}
    heading = _heading(terms, figure, cells)
    members = ["all" if group is None else f"  {group.value}" for group in groups]
    room = width - _width(heading, members) - _width("N", ["1,000,000"])
    parts: list[list[tuple[_Column, list[str]]]] = [[]]
    left = room
    for column in _columns(terms, cells):
        found = [by_key.get((column.key, group)) for group in groups]
        texts = [_text(cell, column, [other for other, _ in parts[-1]]) for cell in found]
        if _width(column.head, _aligned(texts)) > left and parts[-1]:
            parts.append([])
            left = room
            texts = [_text(cell, column, []) for cell in found]
        left -= _width(column.head, _aligned(texts))
        parts[-1].append((column, _aligned(texts)))
    contributors = [_contributors([cell for cell in cells if cell.group == group]) for group in groups]
    return [_table(heading, members, contributors, part) for part in parts]


def _table(
    heading: str,
    members: Sequence[str],
    contributors: Sequence[str],
    columns: Sequence[tuple[_Column, Sequence[str]]],
) -> Table:
    table = Table(header_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(Text(heading), min_width=MEMBERS_WIDTH)
    table.add_column("N", justify="right", no_wrap=True)
    for column, _ in columns:
        table.add_column(Text(column.head), justify="right", no_wrap=True)
    for row, name in enumerate(members):
        table.add_row(Text(name), contributors[row], *(Text(texts[row]) for _, texts in columns))
    return table


def _width(head: str, texts: Iterable[str]) -> int:
    """What a column takes, with what lies between it and the next."""
    return max(len(line) for line in (*head.splitlines(), *texts)) + COLUMN_GAP


def _heading(terms: StudyTerms, figure: str, cells: Sequence[Cell]) -> str:
    by = next((cell.group for cell in cells if cell.group is not None), None)
    label = figure_words(next(cell.model_copy(update={"figures": (figure,)}) for cell in cells), terms)
    return label if by is None else f"{label}\nby {_by(terms, by)}"


def _by(terms: StudyTerms, group: GroupCell) -> str:
    certified, secret = terms.group(group.attribute), terms.figure(group.attribute)
    if certified is not None:
        return certified.label.lower()
    return f"{secret.label.lower()}, a secret answer" if secret is not None else group.attribute


def _columns(terms: StudyTerms, cells: Sequence[Cell]) -> list[_Column]:
    """Columns in a steady order; counts are the column N."""
    first: dict[Key, Cell] = {}
    for cell in cells:
        if cell.function in ORDER:
            first.setdefault(_key(cell), cell)
    ordered = sorted(first.items(), key=lambda pair: (_rank(first, pair[0]), ORDER.index(pair[1].function)))
    return [
        _Column(key, place, _head(terms, cell, name))
        for key, cell in ordered
        for place, name in enumerate(value_words(cell.model_copy(update={"values": None})))
    ]


def _rank(known: Iterable[Key], key: Key) -> int:
    """Second and further lists of percentiles come last."""
    alike = [other for other in known if other[:2] == key[:2]]
    return alike.index(key)


def _head(terms: StudyTerms, cell: Cell, name: str) -> str:
    if name:
        return name
    words = HEADS.get(cell.function, function_words(cell.function))
    if len(cell.figures) == 1:
        return words
    other = terms.figure(cell.figures[1])
    second = cell.figures[1] if other is None else other.label.lower()
    return f"{'per' if cell.function == 'ratio_of_totals@1' else 'r with'}\n{second}"


def _key(cell: Cell) -> Key:
    return cell.function, cell.figures, repr(sorted(cell.parameters.items()))


def _contributors(cells: Iterable[Cell]) -> str:
    numbers = [
        cell.contributors for cell in cells if len(cell.figures) == 1 and cell.contributors is not None
    ]
    return f"{numbers[0]:,}" if numbers else "·"


def _text(cell: Cell | None, column: _Column, before: Sequence[_Column]) -> str:
    """The value, or at the first column of a withheld cell why."""
    if cell is None:
        return ""
    if cell.values is not None:
        return cell.values[column.place] if column.place < len(cell.values) else "?"
    begun = any(other.key == column.key for other in before)
    return "·" if begun else f"({cell.withheld or 'sealed'})"


def _aligned(texts: Sequence[str]) -> list[str]:
    """Numbers with groups of three before the point and the same places behind it."""
    places = max((len(text.partition(".")[2]) for text in texts if _is_number(text)), default=0)
    return [f"{_grouped(text, places)}" if _is_number(text) else text for text in texts]


def _grouped(number: str, places: int) -> str:
    sign, digits = ("-", number[1:]) if number.startswith("-") else ("", number)
    whole, _, rest = digits.partition(".")
    point = "." if places else ""
    return f"{sign}{int(whole):,}{point}{rest.ljust(places, '0')}"


def _is_number(text: str) -> bool:
    return text.lstrip("-")[:1].isdigit()
