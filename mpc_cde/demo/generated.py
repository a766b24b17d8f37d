"""Stores as many as wanted, drawn from the 400 real ones: each is one of them with every figure moved a little.

The same number of stores gives the same table. What is asked of them is in many_stores.toml: five figures, deciles.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np

from mpc_cde.demo.material import DATA, Material, load_material
from mpc_cde.demo.plain_table import read_rows
from mpc_cde.errors import CallerError, OwnError
from mpc_cde.study_templates import StudyTemplate, read_template
from protocols.decimals import exact_text

FEWEST, MOST = 20, 1_000_000
SEED = 1985
SPREAD = 0.08
"""Of the logarithm of a figure around that of the real store."""


def generated_material(members: int, directory: Path) -> Material:
    """`members` stores in a table in `directory`, and their study. Raises CallerError."""
    if not FEWEST <= members <= MOST:
        raise CallerError(f"--members {members}: expected {FEWEST} to {MOST}")
    template = replace(read_template(DATA / "many_stores.toml"), roster_cap=members)
    path = directory / "many_stores.csv"
    _write_table(path, template, members)
    return load_material(path, template)


def _write_table(path: Path, template: StudyTemplate, members: int) -> None:
    real = read_rows(str(DATA / "clothing_stores.csv"))
    generator = np.random.default_rng(SEED)  # draws an invented table, no secret
    columns: list[list[str]] = []
    chosen = generator.integers(0, len(real), members)
    for figure in template.figures:
        known = np.array([float(row[figure.name]) for row in real])
        moved = known[chosen] * np.exp(generator.normal(0.0, SPREAD, members))
        if figure.minimum is None or figure.maximum is None or figure.step is None:
            raise OwnError(f"{figure.name}: only numbers are drawn")
        within = np.clip(moved, float(figure.minimum), float(figure.maximum))
        steps = np.rint(within / float(figure.step)).astype(np.int64)
        columns.append([exact_text(figure.step * int(number)) for number in steps])
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["store", *(figure.name for figure in template.figures)])
        table.writerows(zip((f"store {number}" for number in range(1, members + 1)), *columns, strict=True))
