"""Tables of cells for people: rows are the groups of a figure, or figures without groups; columns the functions.

A wide table is cut into several. The first part of the first figure of each kind of group is the headline; everything
is shown on demand.
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
from mpc_cde.result_words import function_words, value_words

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
"""A function, its figures but the first, and its parameters: what the cells of one column share."""


@dataclass(frozen=True, slots=True)
class _Column:
    """One value of the cells with this key."""

    key: Key
    place: int
    head: str


@dataclass(frozen=True, slots=True)
class _Frame:
    """A table before it is cut: rows by name. `attribute` is that of its groups, if it has any."""

    heading: str
    attribute: str | None
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]

    @property
    def cells(self) -> tuple[Cell, ...]:
        return tuple(cell for _, own in self.rows for cell in own)

    def aligned(self, texts: Sequence[str]) -> list[str]:
        """Numbers with groups of three; of one figure, with the same places behind the point."""
        behind = [len(text.partition(".")[2]) for text in texts if _is_number(text)]
        places = max(behind, default=0) if self.attribute is not None else 0
        return [_grouped(text, places) if _is_number(text) else text for text in texts]


def headline_tables(terms: StudyTerms, cells: Sequence[Cell], *, width: int) -> list[Table]:
    """For each kind of group the first part of its first figure, and of the first that has a histogram."""
    frames = _frames(terms, cells)
    shown: dict[tuple[str | None, bool], Table] = {}
    for frame in [frame for frame in frames if frame.attribute is not None] or frames:
        drawn = any(cell.function == "histogram@1" for cell in frame.cells)
        if (frame.attribute, drawn) not in shown and (drawn or (frame.attribute, True) not in shown):
            shown[frame.attribute, drawn] = _tables(terms, frame, width=width)[0]
    return list(shown.values())


def all_tables(terms: StudyTerms, cells: Sequence[Cell], *, width: int) -> list[Table]:
    """Every cell."""
    return [table for frame in _frames(terms, cells) for table in _tables(terms, frame, width=width)]


def _frames(terms: StudyTerms, cells: Iterable[Cell]) -> list[_Frame]:
    """One for each figure that is asked for by groups, one for all that are not."""
    by_figure: dict[str, list[Cell]] = {}
    for cell in cells:
        by_figure.setdefault(cell.figures[0], []).append(cell)
    frames, alone = [], []
    for figure, own in by_figure.items():
        group = next((cell.group for cell in own if cell.group is not None), None)
        if group is None:
            alone.append((_label(terms, figure), tuple(own)))
        else:
            rows = dict.fromkeys(cell.group for cell in own)
            named = tuple(
                (
                    "all" if each is None else f"  {each.value}",
                    tuple(cell for cell in own if cell.group == each),
                )
                for each in rows
            )
            heading = f"{_label(terms, figure)}\nby {_by(terms, group)}"
            frames.append(_Frame(heading, group.attribute, named))
    return [*frames, *([_Frame("all members", None, tuple(alone))] if alone else [])]


def _tables(terms: StudyTerms, frame: _Frame, *, width: int) -> list[Table]:
    """As many columns in each as fit."""
    by_key = [{_key(cell): cell for cell in own} for _, own in frame.rows]
    names = [name for name, _ in frame.rows]
    room = width - _width(frame.heading, names) - _width("N", ["1,000,000"])
    parts: list[list[tuple[_Column, list[str]]]] = [[]]
    left = room
    for column in _columns(terms, frame.cells):
        found = [row.get(column.key) for row in by_key]
        texts = frame.aligned([_text(cell, column, [other for other, _ in parts[-1]]) for cell in found])
        if _width(column.head, texts) > left and parts[-1]:
            parts.append([])
            left = room
            texts = frame.aligned([_text(cell, column, []) for cell in found])
        left -= _width(column.head, texts)
        parts[-1].append((column, texts))
    contributors = [_contributors(own) for _, own in frame.rows]
    return [_table(frame.heading, names, contributors, part) for part in parts]


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


def _label(terms: StudyTerms, name: str) -> str:
    figure = terms.figure(name)
    if figure is None:
        return name
    return f"{figure.label} ({figure.unit})" if figure.unit else figure.label


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
        return name.replace(" to below ", " to\nbelow ").replace(" and more", "\nand more")
    words = HEADS.get(cell.function, function_words(cell.function))
    if len(cell.figures) == 1:
        return words
    other = terms.figure(cell.figures[1])
    second = cell.figures[1] if other is None else other.label.lower()
    return f"{'per' if cell.function == 'ratio_of_totals@1' else 'r with'}\n{second}"


def _key(cell: Cell) -> Key:
    return cell.function, cell.figures[1:], repr(sorted(cell.parameters.items()))


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


def _grouped(number: str, places: int) -> str:
    sign, digits = ("-", number[1:]) if number.startswith("-") else ("", number)
    whole, _, rest = digits.partition(".")
    padded = rest.ljust(places, "0")
    return f"{sign}{int(whole):,}{'.' if padded else ''}{padded}"


def _is_number(text: str) -> bool:
    return text.lstrip("-")[:1].isdigit()
