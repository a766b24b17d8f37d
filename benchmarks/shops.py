"""What questions about the 400 shops cost in a whole community: `python -m benchmarks.shops --json`.

The demo's story with real processes and the five figures of many_stores.toml, whose study has no groups and so
nothing else to judge; before its own query the researcher asks for nine deciles of each figure, one query after
another in one session. `compute_seconds` are the slowest party's, from its log (`job.computed`): from
a job's acceptance to its opened answer, all randomness made inside. `answer_seconds` are what the researcher waits:
from sending the query, through all parties' decisions, to the verified answer. `equal_to_plain` compares the demo's
cells, asked last, with the plain calculation. With other work on the machine (`load_before`) seconds say little.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mpc_cde.client.connection import connect
from mpc_cde.client.query import EnrolledResearcher, choose_items, make_query, run_query
from mpc_cde.demo.cast import Cast
from mpc_cde.demo.material import DATA
from mpc_cde.demo.options import DemoOptions, play
from mpc_cde.demo.report import Narrator, progress_console
from mpc_cde.keys import load_signing_key
from mpc_cde.reader_signatures import SignedReader
from protocols.randomness import SystemRandomness

DECILES = 9
TARGET_SECONDS = 0.3
COSTS = ("rounds", "bytes_sent", "multiplications", "comparisons")


@dataclass(slots=True)
class Questions:
    """The researcher's questions before the demo's own; `answer_seconds` by figure, in the order asked."""

    answer_seconds: dict[str, float] = field(default_factory=dict)

    async def ask(self, cast: Cast) -> None:
        """Nine deciles of each figure over all shops, each in a query of its own."""
        randomness = SystemRandomness()
        home = cast.organisations.home("researcher") / cast.fingerprint / "researcher"
        key = load_signing_key(home / "signing.key")
        reader = SignedReader(key, randomness=randomness)
        async with connect(cast.gateway_url, fingerprint=cast.fingerprint) as connection:
            study = await connection.verified_study((await connection.find_study(None)).terms)
            asker = EnrolledResearcher.enrolled(key, await connection.calls.enrolment(reader), connection)
            for item in choose_items(study, functions=["percentiles"], groups=False):
                quantiles = item.parameters["quantiles"]
                if not isinstance(quantiles, tuple) or len(quantiles) != DECILES:
                    continue
                query = make_query(study, asker, (item,), randomness=randomness)
                began = time.perf_counter()
                await run_query(connection, study, asker, query, reader=reader)
                self.answer_seconds[item.figures[0]] = time.perf_counter() - began


def jobs_of(log: Path) -> list[dict[str, Any]]:
    """The finished jobs in a party's log, in order."""
    entries = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    return [entry["details"] for entry in entries if entry["event"] == "job.computed"]


def measure() -> dict[str, Any]:
    """Play the demo once; what each job cost."""
    questions, load = Questions(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="mpc-cde-benchmark-") as directory:
        kept = Path(directory) / "demo"
        with contextlib.redirect_stdout(sys.stderr):  # the demo's own report is progress here
            report = play(
                DemoOptions(figures=DATA / "clothing_stores.csv", study=DATA / "many_stores.toml", keep=kept),
                narrator=Narrator(progress_console()),
                randomness=SystemRandomness(),
                before_query=questions.ask,
            )
        logs = sorted(kept.glob("*/party/*/log.jsonl"))
        by_party = [jobs_of(log) for log in logs]
    names = ["input checks", *questions.answer_seconds, f"{report.comparison.compared} cells"]
    jobs = []
    for name, costs in zip(names, zip(*by_party, strict=True), strict=True):
        job = {"job": name, "compute_seconds": max(cost["microseconds"] for cost in costs) / 1e6}
        if name in questions.answer_seconds:
            job["job"] = f"nine deciles of {name}"
            job["answer_seconds"] = round(questions.answer_seconds[name], 3)
        jobs.append(job | {cost: max(each[cost] for each in costs) for cost in COSTS})
    slowest = max(job["compute_seconds"] for job in jobs if "answer_seconds" in job)
    return {
        "benchmark": "shops",
        "cores": os.cpu_count(),
        "load_before": round(load, 2),
        "jobs": jobs,
        "slowest_deciles_seconds": slowest,
        "target_seconds": TARGET_SECONDS,
        "within_target": slowest < TARGET_SECONDS,
        "equal_to_plain": report.comparison.all_equal,
    }


def main() -> int:
    """Print what was measured; 1 if a value was wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shops", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    arguments = parser.parse_args()
    found = measure()
    if arguments.json:
        print(json.dumps(found, indent=2))
    else:
        for job in found["jobs"]:
            waited = f", answered in {job['answer_seconds']:.2f} s" if "answer_seconds" in job else ""
            print(
                f"{job['compute_seconds']:7.3f} s  {job['job']}: {job['rounds']} rounds, "
                f"{job['bytes_sent']:,} bytes sent per party{waited}"
            )
    return 0 if found["equal_to_plain"] else 1


if __name__ == "__main__":
    sys.exit(main())
