"""Which mutants each test can see, kept from one run to the next."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from tests.mutation.results import digest_of, digest_of_function
from tests.mutation.sites import Site


class Looks:
    """What each test can see, kept from one run to the next by file of tests, while nothing it rests on changes.

    A look counts while the file of tests is the same, and what it imports of tests/. For the mutants of a module also
    the functions must be the same whose guards it came by there, and none with guards added beside them, which it
    might come by; of a module that was not there then nothing is known. Switches are kept by the keys of their sites.
    """

    def __init__(self, path: Path, tree: Path, sites: Sequence[Site]) -> None:
        self._path, self._tree = path, tree
        self._site_of = {site.switch: site for site in sites}
        self._switch_of = {site.key: site.switch for site in sites}
        self._texts = {_function_of(site): digest_of_function(site) for site in sites}
        self._files: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
        self._closures: dict[str, str] = {}

    def get(self, file: str, about: AbstractSet[str]) -> dict[str, dict[str, Any]] | None:
        """Facts by test, with switches of now; None if the file has to be looked at for mutants of files `about`."""
        kept = self._files.get(file)
        if kept is None or kept["rests_on"] != self._rests_on(file):
            return None
        reached = {name: text for name, text in kept["reached"].items() if _file_of(name) in about}
        if not about <= set(kept.get("modules", ())):
            return None
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
            "text": self._text(file),
            "reached": {name: self._texts[name] for name in sorted(functions)},
            "modules": sorted({site.file for site in self._site_of.values()}),
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

    def is_changed(self, file: str) -> bool:
        """Whether the file itself is another than when it was last looked at, or never was."""
        kept = self._files.get(file)
        return kept is None or kept.get("text") != self._text(file)

    def hints(self, site: Site) -> list[tuple[float, str]]:
        """Tests in which the mutant made a difference once, quickest first."""
        return sorted(
            (facts["seconds"], name)
            for kept in self._files.values()
            for name, facts in kept["tests"].items()
            if facts["passed"] and site.key in facts["differences"]
        )

    def _text(self, file: str) -> str:
        return digest_of((self._tree / file).read_bytes())

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
