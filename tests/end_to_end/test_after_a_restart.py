"""A community that was stopped goes on from its directories: another question, its exact cost, the same answer.

The shops' gateway and nodes are started again from what the demo left; the researcher asks for nine deciles alone.
Counts, rounds and bytes are exact; how long it takes is measured by `python -m benchmarks.shops`, never asserted.
"""

from __future__ import annotations

import functools
import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest

from mpc_cde.client.verification import VerifiedResult
from mpc_cde.demo.organisations import Organisations
from tests.end_to_end.productions import PARTIES, Production
from tests.end_to_end.questions import ask_for_percentiles
from tests.end_to_end.secret_search import forms_of_secret, private_keys, search

COMPUTING = PARTIES[:3]
EXPECTED = {
    "cells": 1,
    "comparisons": 3_483,
    "multiplications": 756_308,
    "rounds": 85,
    "bytes_sent": 9_512_758,
}
"""Nine tenths are for judging the table of the three related figures, all of which every query of it judges."""


@dataclass(frozen=True, slots=True)
class Town:
    """The shops' community, running again."""

    directory: Path
    fingerprint: str
    gateway_url: str


@pytest.fixture(scope="module")
def town(shops: Production) -> Iterator[Town]:
    assert shops.status == 0, shops.told()
    directory = shops.organisations
    homes = {party: directory / party / "party" for party in COMPUTING}
    url = tomllib.loads((homes[COMPUTING[0]] / "party.toml").read_text())["gateway"]
    with Organisations(directory) as organisations:
        gateway = directory / "gateway"
        port = url.rpartition(":")[2]
        started = {
            "gateway": (
                gateway,
                organisations.start("gateway", "mpc_cde.gateway", "--home", str(gateway), "--port", port),
            ),
            **{
                party: (home, organisations.start(party, "parties", "run", "--home", str(home)))
                for party, home in homes.items()
            },
        }
        for name, (home, process) in started.items():
            organisations.wait_ready(name, process, home=home)
        yield Town(directory, (homes[COMPUTING[0]] / "pinned").read_text().strip(), url)


@pytest.fixture(scope="module")
def answer(town: Town) -> VerifiedResult:
    ask = functools.partial(
        ask_for_percentiles,
        town.directory,
        gateway_url=town.gateway_url,
        fingerprint=town.fingerprint,
        figure="annual_sales",
        quantiles=9,
    )
    return anyio.run(ask)


@pytest.fixture(scope="module")
def costs(shops: Production, town: Town, answer: VerifiedResult) -> list[dict[str, int]]:
    """What the last job cost, by each party's log."""
    found = []
    for party in COMPUTING:
        jobs = [entry["details"] for entry in shops.log(party) if entry["event"] == "job.computed"]
        found.append(jobs[-1])
    return found


def test_the_same_question_has_the_same_answer(shops: Production, answer: VerifiedResult) -> None:
    (cell,) = answer.cells
    (before,) = [
        found["values"]
        for found in shops.document["results"]
        if (found["figures"], found["group"]) == (["annual_sales"], None)
        and len(found["parameters"].get("quantiles", ())) == 9
    ]
    assert list(cell.values or ()) == before
    assert cell.contributors == 400


def test_nine_deciles_of_400_shops_cost_exactly_so_much(costs: list[dict[str, int]]) -> None:
    """From the job's acceptance to the opened answer, all randomness made inside."""
    counted = [{name: cost[name] for name in EXPECTED} for cost in costs]
    assert counted == [EXPECTED] * len(COMPUTING)
    assert len({cost["job"] for cost in costs}) == 1


def test_run_files_say_where_and_hold_no_secret(town: Town) -> None:
    files = sorted(town.directory.rglob("run.json"))
    assert [path.relative_to(town.directory).parts[0] for path in files] == sorted(["gateway", *COMPUTING])
    for path in files:
        facts = json.loads(path.read_bytes())
        assert set(facts) <= {"pid", "url", "home", "operations", "mesh", "gateway", "started"}
        assert path.stat().st_mode & 0o077 == 0
    keys = private_keys(town.directory)
    assert len(keys) == 3 * len(COMPUTING) + 5
    forms = {name: list(forms_of_secret(secret)) for name, secret in keys.items()}
    assert search(files, forms) == []
