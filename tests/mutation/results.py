"""What each mutant came to, kept after each in a committed file, and which survivors are explained."""

from __future__ import annotations

import ast
import hashlib
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.sites import Site

TIME_LIMIT = "time limit"
_SURVIVED = "-"
_HEAD = "file\tfunction\tkind\tcheck\tplace\tfunction's text\ttests that saw it\tfound by\tits text"


@dataclass(frozen=True, slots=True)
class Entry:
    """`found_by` is the test that failed, or TIME_LIMIT; None for a survivor. `tests` is how many were tried.

    `test_text` is a digest of the text of the test that failed.
    """

    found_by: str | None
    tests: int
    test_text: str = ""


class TextsOfTests:
    """The texts of tests, by the name that pytest gives them."""

    def __init__(self, tree: Path) -> None:
        self._tree = tree
        self._files: dict[str, tuple[list[str], ast.Module] | None] = {}

    def text(self, name: str) -> str:
        """A digest of the function's lines, or of the whole file if it is no function there; empty without a file."""
        file, *inside = name.partition("[")[0].split("::")
        if file not in self._files:
            path = self._tree / file
            source = path.read_text("utf-8") if path.is_file() else None
            self._files[file] = None if source is None else (source.splitlines(True), ast.parse(source))
        kept = self._files[file]
        if kept is None:
            return ""
        lines, node = kept
        found: ast.AST | None = node
        for part in inside:
            found = next(
                (each for each in getattr(found, "body", ()) if getattr(each, "name", "") == part), None
            )
        if not isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef):
            return digest_of("".join(lines).encode())
        first = min([found.lineno, *(decorator.lineno for decorator in found.decorator_list)])
        return digest_of("".join(lines[first - 1 : found.end_lineno]).encode())


class Results:
    """A file with a line for each mutant that ran, in the order of their keys.

    An entry counts until the text of the guard's function changes, or that of the test which found it.
    """

    def __init__(self, path: Path, tests: TextsOfTests) -> None:
        self.path, self._tests = path, tests
        self._entries: dict[str, tuple[str, Entry]] = {}
        lines = path.read_text("utf-8").splitlines()[1:] if path.exists() else []
        for line in lines:
            *key, text, seen, found_by, test_text = line.split("\t")
            entry = Entry(None if found_by == _SURVIVED else found_by, int(seen), test_text)
            self._entries["::".join(key)] = (text, entry)

    def is_open(self, site: Site) -> bool:
        """Whether it is still to run."""
        text, entry = self._entries.get(site.key, ("", None))
        if entry is None or text != digest_of_function(site):
            return True
        return entry.found_by is not None and entry.test_text != self._tests.text(entry.found_by)

    def last(self, site: Site) -> Entry | None:
        """What it came to when it ran, whatever has changed since."""
        kept = self._entries.get(site.key)
        return None if kept is None else kept[1]

    def put(self, site: Site, found_by: str | None, tests: int) -> None:
        """Keep what a mutant came to, in the file too."""
        test_text = self._tests.text(found_by) if found_by else ""
        self._entries[site.key] = (digest_of_function(site), Entry(found_by, tests, test_text))
        self._write()

    def forget_all_but(self, sites: Iterable[Site]) -> None:
        """Drop entries of guards that are no longer there."""
        present = {site.key for site in sites}
        self._entries = {key: kept for key, kept in self._entries.items() if key in present}
        self._write()

    def survivors(self, sites: Iterable[Site]) -> list[Site]:
        """Those that ran on the text as it is now and that no test found."""
        return [
            site for site in sites if not self.is_open(site) and self._entries[site.key][1].found_by is None
        ]

    def left(self, sites: Iterable[Site]) -> list[Site]:
        return [site for site in sites if self.is_open(site)]

    def came_to(self) -> list[tuple[str, str, bool]]:
        """File, kind, and whether a test found it, of each that is kept."""
        found = []
        for key, (_, entry) in sorted(self._entries.items()):
            file, _, kind, *_ = _fields(key)
            found.append((file, kind, entry.found_by is not None))
        return found

    def _write(self) -> None:
        lines = [_HEAD]
        for key, (text, entry) in sorted(self._entries.items()):
            found_by = entry.found_by or _SURVIVED
            lines.append("\t".join([*_fields(key), text, str(entry.tests), found_by, entry.test_text]))
        draft = self.path.with_suffix(".draft")
        draft.write_text("\n".join(lines) + "\n", "utf-8")
        draft.rename(self.path)


def _fields(key: str) -> list[str]:
    """File, function, kind, check and occurrence."""
    file, function, kind, rest = key.split("::", 3)
    check, _, occurrence = rest.rpartition("::")
    return [file, function, kind, check, occurrence]


def digest_of_function(site: Site) -> str:
    return digest_of(site.function_text.encode())


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


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


def explained_of(sites: Iterable[Site], explained: Sequence[Explained]) -> frozenset[str]:
    """Keys of the sites that an explanation covers."""
    return frozenset(site.key for site in sites if any(each.covers(site) for each in explained))


def stale(explained: Sequence[Explained], sites: Sequence[Site]) -> list[Explained]:
    """Explanations of checks that no longer stand in the code."""
    return [each for each in explained if not any(each.covers(site) for site in sites)]
