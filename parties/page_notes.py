"""What a page of the feed leaves in the log: an entry for each thing, but many of one kind share one.

An entry is signed, and a study of many members brings each of them five. What came in one page was written with one
time and one sync anyway: where there are MANY of a kind, one entry names them all, in the order of the feed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MANY = 16
MOST_IN_AN_ENTRY = 256

Note = tuple[str, Mapping[str, Any]]
"""An event and its details."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """`common` is a detail that all in an entry share; `each` are those of one thing, listed under `name`."""

    common: str
    name: str
    each: tuple[str, ...]


_IN_BULK = {
    "document.kept": _Kind("type", "documents", ("digest", "number")),
    "submission.accepted": _Kind("study", "submissions", ("submission", "sequence")),
}


def together(notes: Sequence[Note]) -> list[Note]:
    """The entries to be written for what was noted of one page."""
    counts = Counter(_kind_of(note) for note in notes)
    lists: dict[tuple[str, str], list[list[Any]]] = {}
    entries: list[Note] = []
    for note in notes:
        kind = _kind_of(note)
        if kind is None or counts[kind] < MANY:
            entries.append(note)
            continue
        event, details = note
        how = _IN_BULK[event]
        listed = lists.get(kind)
        if listed is None or len(listed) == MOST_IN_AN_ENTRY:
            listed = lists[kind] = []
            entries.append((event, {how.common: details[how.common], how.name: listed}))
        listed.append([details[name] for name in how.each])
    return entries


def _kind_of(note: Note) -> tuple[str, str] | None:
    event, details = note
    how = _IN_BULK.get(event)
    return None if how is None else (event, details[how.common])
