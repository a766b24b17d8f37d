"""What each mutant came to, kept after each in a committed file, and which survivors are explained."""

from __future__ import annotations

import ast
import hashlib
import json
import tomllib
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
        if entry is None or text != _digest(site):
            return True
        return entry.found_by is not None and entry.test_text != self._tests.text(entry.found_by)

    def last(self, site: Site) -> Entry | None:
        """What it came to when it ran, whatever has changed since."""
        kept = self._entries.get(site.key)
        return None if kept is None else kept[1]

    def put(self, site: Site, found_by: str | None, tests: int) -> None:
        """Keep what a mutant came to, in the file too."""
        test_text = self._tests.text(found_by) if found_by else ""
        self._entries[site.key] = (_digest(site), Entry(found_by, tests, test_text))
        self._write()

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


def _digest(site: Site) -> str:
    return digest_of(site.function_text.encode())


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


class Looks:
    """What each test can see, kept from one run to the next by file of tests, while nothing it rests on changes.

    A look counts while the file of tests is the same, and what it imports of tests/. For the mutants of a module also
    the functions must be the same whose guards it came by there, and none with guards added beside them, which it
    might come by. Switches are kept by the keys of their sites.
    """

    def __init__(self, path: Path, tree: Path, sites: Sequence[Site]) -> None:
        self._path, self._tree = path, tree
        self._site_of = {site.switch: site for site in sites}
        self._switch_of = {site.key: site.switch for site in sites}
        self._texts = {_function_of(site): _digest(site) for site in sites}
        self._files: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
        self._closures: dict[str, str] = {}

    def get(self, file: str, about: AbstractSet[str]) -> dict[str, dict[str, Any]] | None:
        """Facts by test, with switches of now; None if the file has to be looked at for mutants of files `about`."""
        kept = self._files.get(file)
        if kept is None or kept["rests_on"] != self._rests_on(file):
            return None
        reached = {name: text for name, text in kept["reached"].items() if _file_of(name) in about}
        if any(self._texts.get(name) != text for name, text in reached.items()):
            return None
        if any(kept["beside"][module] != self._beside(module) for module in map(_file_of, reached)):
            return None
        return {
            name: {
                **facts,
                "differences": [
                    self._switch_of[key] for key in facts["differences"] if key in self._switch_of
                ],
            }
            for name, facts in kept["tests"].items()
        }

    def put(self, file: str, tests: dict[str, dict[str, Any]], reached: Iterable[str]) -> None:
        """`reached` are the switches that any of the tests came by."""
        by_key = {
            name: {**facts, "differences": [self._site_of[switch].key for switch in facts["differences"]]}
            for name, facts in tests.items()
        }
        functions = {_function_of(self._site_of[switch]) for switch in reached}
        self._files[file] = {
            "rests_on": self._rests_on(file),
            "reached": {name: self._texts[name] for name in sorted(functions)},
            "beside": {module: self._beside(module) for module in set(map(_file_of, functions))},
            "tests": by_key,
        }
        draft = self._path.with_suffix(".draft")
        draft.write_text(json.dumps(self._files), "utf-8")
        draft.rename(self._path)

    def forget_failed(self) -> None:
        """Look again at files in which a test failed without any mutant."""
        for file, kept in list(self._files.items()):
            if not all(facts["passed"] for facts in kept["tests"].values()):
                del self._files[file]

    def seconds(self, file: str) -> float | None:
        """How long the file of tests took when it was last looked at, whatever has changed since."""
        kept = self._files.get(file)
        return None if kept is None else sum(facts["seconds"] for facts in kept["tests"].values())

    def may_reach(self, file: str, modules: AbstractSet[str]) -> bool:
        """Whether it came by guards of these files when it was last looked at; true if it never was."""
        kept = self._files.get(file)
        return kept is None or any(_file_of(name) in modules for name in kept["reached"])

    def hints(self, site: Site) -> list[tuple[float, str]]:
        """Tests in which the mutant made a difference once, quickest first."""
        return sorted(
            (facts["seconds"], name)
            for kept in self._files.values()
            for name, facts in kept["tests"].items()
            if facts["passed"] and site.key in facts["differences"]
        )

    def _beside(self, module: str) -> str:
        """Which functions with guards there are in a file."""
        return digest_of("\n".join(sorted(name for name in self._texts if _file_of(name) == module)).encode())

    def _rests_on(self, file: str) -> str:
        if file not in self._closures:
            texts = [(self._tree / each).read_bytes() for each in imported_of_tests(self._tree, file)]
            self._closures[file] = digest_of(b"\0".join(texts))
        return self._closures[file]


def _function_of(site: Site) -> str:
    return f"{site.file}::{site.function}"


def _file_of(function: str) -> str:
    return function.partition("::")[0]


def imports_of(path: Path) -> set[str]:
    """Paths that what a file imports may have, relative to the tree."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        modules: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        for module in modules:
            path_of_module = module.replace(".", "/")
            found |= {f"{path_of_module}.py", f"{path_of_module}/__init__.py"}
    return found


def imported_of_tests(tree: Path, file: str) -> list[str]:
    """The file and what it imports of tests/, directly or not, and the conftest.py above each."""
    found: set[str] = set()
    waiting = [file]
    while waiting:
        name = waiting.pop()
        if name in found or not (tree / name).is_file():
            continue
        found.add(name)
        waiting += [f"{above}/conftest.py" for above in Path(name).parents]
        waiting += [path for path in imports_of(tree / name) if path.startswith("tests/")]
    return sorted(found)


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
