"""The switches at run time, and the import hook that brings modules with switches.

At most one switch is on in a process. Each also notes when it would make a difference, whether it is on or not;
a process that is no test session writes its notes to a file at once, since it may be killed.
"""

from __future__ import annotations

import builtins
import hashlib
import importlib.machinery
import marshal
import operator
import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from tests.mutation.sites import LEFT_OUT, PACKAGES, rewrite

_ORDER = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_OTHER_EDGE = {"<": operator.le, "<=": operator.lt, ">": operator.ge, ">=": operator.gt}
_WIDER = {"<": -1, "<=": -1, ">": 1, ">=": 1}
"""What is added to the right side of a comparison, so that it holds for less."""


class Switches:
    """`on` is the switch that is on; `differences` are those that would have made a difference so far.

    `reached` are all that were come by.
    """

    def __init__(self, notes: Path | None) -> None:
        self.on = ""
        self.differences: set[str] = set()
        self.reached: set[str] = set()
        self._notes = notes

    def forget(self) -> None:
        self.differences.clear()
        self.reached.clear()

    def read_notes(self, notes: Path) -> None:
        """Add what other processes noted, and remove their notes."""
        if not notes.exists():
            return
        lines = notes.read_text("utf-8").split()
        notes.unlink()
        self.differences.update(line for line in lines if line[0] != "+")
        self.reached.update(line[1:] for line in lines if line[0] == "+")

    def _note(self, line: str) -> None:
        if self._notes is not None:
            with self._notes.open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")

    def _differs(self, name: str) -> bool:
        if name not in self.differences:
            self.differences.add(name)
            self._note(name)
        return name == self.on

    def passed(self, name: str) -> None:
        """The program comes by this switch."""
        if name not in self.reached:
            self.reached.add(name)
            self._note(f"+{name}")

    def removed(self, name: str, condition: Any) -> Any:
        """What is true becomes false."""
        self.passed(name)
        return False if condition and self._differs(name) else condition

    def granted(self, name: str, condition: Any) -> Any:
        """What is false becomes true."""
        self.passed(name)
        return True if not condition and self._differs(name) else condition

    def dropped(self, name: str) -> bool:
        """Whether what a check raised is dropped."""
        return self._differs(name)

    def ordered(self, edge: str, bound: str, sign: str, left: Any, right: Any) -> Any:
        """A comparison, at its other edge or with its bound moved by one."""
        self.passed(edge)
        held = _ORDER[sign](left, right)
        other = _OTHER_EDGE[sign](left, right)
        if _differ(held, other) and self._differs(edge):
            return other
        if isinstance(right, int) and not isinstance(right, bool):
            other = _ORDER[sign](left, right + _WIDER[sign])
            if _differ(held, other) and self._differs(bound):
                return other
        return held


def _differ(one: Any, other: Any) -> bool:
    different = one != other
    return bool(different.any() if hasattr(different, "any") else different)


class _Loader(importlib.machinery.SourceFileLoader):
    """Compiles the module with its switches; what was compiled is kept beside the notes."""

    def __init__(self, name: str, path: str, file: str, kept: Path) -> None:
        super().__init__(name, path)
        self._file, self._kept = file, kept

    def get_code(self, fullname: str) -> CodeType:
        source = self.get_data(self.path)
        kept = self._kept / f"{hashlib.sha256(self._file.encode() + source).hexdigest()}.{sys.hexversion:x}"
        try:
            code = marshal.loads(kept.read_bytes())  # noqa: S302  # what this tool wrote itself
        except FileNotFoundError:
            tree, _ = rewrite(source.decode("utf-8"), self._file)
            code = compile(tree, self.path, "exec", dont_inherit=True)
            draft = kept.with_name(f"{kept.name}.{os.getpid()}")
            draft.write_bytes(marshal.dumps(code))
            draft.rename(kept)
        if not isinstance(code, CodeType):
            raise TypeError(f"{kept} holds no code")
        return code


class _Finder(MetaPathFinder):
    def __init__(self, kept: Path) -> None:
        self._kept = kept

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        path_of_module = fullname.replace(".", "/")
        file = f"{path_of_module}.py"
        if path_of_module.rpartition("/")[0] not in PACKAGES or file in LEFT_OUT:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.origin is not None:
            spec.loader = _Loader(fullname, spec.origin, file, self._kept)
        return spec


def install(kept: Path, notes: Path | None = None) -> Switches:
    """Let modules be imported with switches from now on, as `python -m` does too."""
    switches = Switches(notes)
    for name, helper in {
        "__removed__": switches.removed,
        "__granted__": switches.granted,
        "__dropped__": switches.dropped,
        "__passed__": switches.passed,
        "__ordered__": switches.ordered,
    }.items():
        setattr(builtins, name, helper)
    sys.meta_path.insert(0, _Finder(kept))
    return switches
