"""Attacks as `docs/attacks.md` lists them, and how a module of tests tells of its own.

A module whose tests go over a table keeps a `Row` for each case and lists them in a constant `ATTACKS`, made by
`attacks_of`; `attacks.toml` names the module under `rows`. The other attacks stand in `attacks.toml` itself.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Attack:
    """What is attempted, what it comes to, and the ids of its tests."""

    named: str
    comes_to: str
    tests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One case of a table: `name` is the id of its parameter; `tries` and `ends` are for people."""

    name: str
    tries: str
    ends: str


Test = Callable[..., object]


def id_of(test: Test, name: str | None = None) -> str:
    """pytest's id of a test function, or of its case `name`."""
    file = Path(inspect.getfile(test)).relative_to(ROOT)  # pytest and python name modules differently
    found = f"{file}::{test.__name__}"
    return found if name is None else f"{found}[{name}]"


def attacks_of(rows: Iterable[Row], *tests: Test) -> tuple[Attack, ...]:
    """An attack for each row: each of these tests has a case of its name."""
    return tuple(Attack(row.tries, row.ends, tuple(id_of(test, row.name) for test in tests)) for row in rows)


def attack_of(named: str, comes_to: str, *tests: Test) -> Attack:
    """One attack that stands for all cases of these tests."""
    return Attack(named, comes_to, tuple(id_of(test) for test in tests))


def attacks_in(module: str) -> tuple[Attack, ...]:
    """The constant ATTACKS of a module of tests, such as "tests.hostile.test_feeds"."""
    return tuple(importlib.import_module(module).ATTACKS)
