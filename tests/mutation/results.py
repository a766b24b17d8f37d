"""What each mutant came to, kept on disk after each, and which survivors are explained."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.mutation.sites import Site


@dataclass(frozen=True, slots=True)
class Entry:
    """`found_by` is the test that failed, or "time limit"; None for a survivor. `tests` is how many could see it."""

    found_by: str | None
    tests: int


class Results:
    """A JSON file of entries by the key of their site. An entry counts until the text of its function changes."""

    def __init__(self, path: Path) -> None:
        self.path = path
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
        draft = self.path.with_suffix(".draft")
        draft.write_text(json.dumps(self._entries, indent=1), "utf-8")
        draft.rename(self.path)

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
    return _digest_of(site.function_text.encode())


def _digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


class Looks:
    """What each test can see, kept from one run to the next: by file of tests, while nothing it rests on changes.

    A look counts while the file of tests is the same, and the files beside it that hold no tests, and the text of
    every function with a guard; switches are kept by the keys of their sites.
    """

    def __init__(self, path: Path, tree: Path, sites: Sequence[Site]) -> None:
        self._path, self._tree = path, tree
        beside = sorted(p for p in (tree / "tests").rglob("*.py") if not p.name.startswith("test_"))
        rests_on = [_digest_of(p.read_bytes()) for p in beside] + [f"{s.key} {_digest(s)}" for s in sites]
        self._basis = _digest_of("\n".join(rests_on).encode())
        self._key_of = {site.switch: site.key for site in sites}
        self._switch_of = {site.key: site.switch for site in sites}
        kept = json.loads(path.read_text("utf-8")) if path.exists() else {}
        self._files: dict[str, Any] = kept.get("files", {}) if kept.get("basis") == self._basis else {}

    def get(self, file: str) -> dict[str, dict[str, Any]] | None:
        """Facts by test, with switches of now; None if the file has to be looked at."""
        kept = self._files.get(file)
        if kept is None or kept["digest"] != self._digest_of_file(file):
            return None
        return {
            name: {**facts, "differences": [self._switch_of[key] for key in facts["differences"]]}
            for name, facts in kept["tests"].items()
        }

    def put(self, file: str, tests: dict[str, dict[str, Any]]) -> None:
        by_key = {
            name: {
                **facts,
                "differences": [self._key_of[s] for s in facts["differences"] if s in self._key_of],
            }
            for name, facts in tests.items()
        }
        self._files[file] = {"digest": self._digest_of_file(file), "tests": by_key}
        self._path.write_text(json.dumps({"basis": self._basis, "files": self._files}), "utf-8")

    def _digest_of_file(self, file: str) -> str:
        return _digest_of((self._tree / file).read_bytes())


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
