"""A community that was stopped goes on from its directories: another question, its exact cost, the same answer.

The shops' gateway and nodes are started again from what the demo left; the researcher asks for nine deciles alone.
Counts, rounds and bytes are exact; how long it takes is measured by `python -m benchmarks.shops`, never asserted.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest

from mpc_cde.client.connection import connect
from mpc_cde.client.query import EnrolledResearcher, choose_items, make_query, run_query
from mpc_cde.client.verification import VerifiedResult
from mpc_cde.demo.organisations import Organisations
from mpc_cde.keys import load_signing_key
from mpc_cde.reader_signatures import SignedReader
from protocols.randomness import SystemRandomness
from tests.end_to_end.productions import PARTIES, Production
from tests.end_to_end.secret_search import forms_of_secret, private_keys, search

COMPUTING = PARTIES[:3]
RESULT_SECONDS = 120.0
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


async def ask_for_deciles(town: Town) -> VerifiedResult:
    """Nine deciles of annual sales over all shops, and nothing else."""
    place = town.directory / "researcher" / town.fingerprint / "researcher"
    key = load_signing_key(place / "signing.key")
    reader = SignedReader(key, randomness=SystemRandomness())
    async with connect(town.gateway_url, fingerprint=town.fingerprint) as connection:
        study = await connection.verified_study((await connection.find_study(None)).terms)
        asker = EnrolledResearcher.enrolled(key, await connection.calls.enrolment(reader), connection)
        items = choose_items(study, functions=["percentiles"], figures=["annual_sales"], groups=False)
        (deciles,) = [item for item in items if len(item.parameters["quantiles"]) == 9]  # type: ignore[arg-type]  # quantiles are a tuple
        query = make_query(study, asker, (deciles,), randomness=SystemRandomness())
        return await run_query(
            connection, study, asker, query, reader=reader, deadline_seconds=RESULT_SECONDS
        )


@pytest.fixture(scope="module")
def answer(town: Town) -> VerifiedResult:
    return anyio.run(ask_for_deciles, town)


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
