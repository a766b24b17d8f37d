"""What each mutant came to, kept on disk after each, and which survivors are explained."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.sites import Site


@dataclass(frozen=True, slots=True)
class Entry:
    """`found_by` is the test that failed, or "time limit"; None for a survivor. `tests` is how many could see it."""

    found_by: str | None
    tests: int


class Results:
    """A JSON file of entries by the key of their site. An entry counts until the text of its function changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[str, dict[str, str | int | None]] = {}
        if path.exists():
            self._entries = json.loads(path.read_text("utf-8"))

    def is_open(self, site: Site, *, again: bool) -> bool:
        """Whether it is still to run; with `again` survivors are too."""
        entry = self._entries.get(site.key)
        return entry is None or entry["text"] != _digest(site) or (again and entry["found_by"] is None)

    def put(self, site: Site, entry: Entry) -> None:
        self._entries[site.key] = {
            "line": site.line,
            "found_by": entry.found_by,
            "tests": entry.tests,
            "text": _digest(site),
        }
        draft = self._path.with_suffix(".draft")
        draft.write_text(json.dumps(self._entries, indent=1), "utf-8")
        draft.rename(self._path)

    def forget_all_but(self, sites: Iterable[Site]) -> None:
        """Drop entries of guards that are no longer there, in the files and of the kinds of these sites."""
        sites = list(sites)
        present, files = {site.key for site in sites}, {(site.file, site.kind) for site in sites}
        for key in list(self._entries):
            file, _, kind = key.split("::")[:3]
            if key not in present and (file, kind) in files:
                del self._entries[key]

    def survivors(self, sites: Iterable[Site]) -> list[Site]:
        """Those that ran on the text as it is now and that no test found."""
        entries = self._entries
        return [
            site
            for site in sites
            if not self.is_open(site, again=False) and entries[site.key]["found_by"] is None
        ]

    def left(self, sites: Iterable[Site]) -> int:
        return sum(self.is_open(site, again=False) for site in sites)


def _digest(site: Site) -> str:
    return hashlib.sha256(site.function_text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Explained:
    """Survivors that stay, and why. Without `check` all of the function, without `kinds` all kinds are meant."""

    file: str
    function: str
    why: str
    check: str = ""
    kinds: tuple[str, ...] = ()

    def covers(self, site: Site) -> bool:
        return (
            site.file == self.file
            and site.function == self.function
            and self.check in ("", site.text)
            and (not self.kinds or site.kind in self.kinds)
        )


def read_explained(path: Path) -> list[Explained]:
    """The committed list. Raises TypeError for a key that is missing or unknown."""
    table = tomllib.loads(path.read_text("utf-8"))
    return [
        Explained(**{**facts, "kinds": tuple(facts.get("kinds", ()))}) for facts in table.get("survivor", [])
    ]


def stale(explained: Sequence[Explained], sites: Sequence[Site]) -> list[Explained]:
    """Explanations of checks that no longer stand in the code."""
    return [each for each in explained if not any(each.covers(site) for site in sites)]
