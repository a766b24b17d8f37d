"""Exact percentiles of generated figures: `python -m benchmarks.order_statistics --records 100000 --json`.

`compute_seconds` runs from the job's start to the opened result at all parties, all randomness made inside; the
median of `--repeats` runs after `--warm` ones, in one session. `--engine mpyc`, the product: a worker process a
party over TLS, under supervisors, with mapped columns; seconds and memory are the slowest and largest party's.
`--engine local` runs every party one after another in one process: its seconds are the sum over the parties.
`--engine cleartext` runs the same code on plain numbers. `correct` compares with numpy's sort in exact fractions.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from benchmarks.cases import (
    Case,
    add_case_arguments,
    indicators,
    parse_case,
    shared_columns,
)
from benchmarks.reports import print_report
from benchmarks.runs import add_run_arguments, cell_values, measure, query
from benchmarks.worker_sessions import cell
from protocols.cleartext_engine import CleartextEngine
from protocols.engine import Engine
from protocols.local_engine import LocalNetwork
from protocols.order_statistics import Walk, percentiles
from protocols.randomness import ScriptedRandomness
from protocols.records import Records, arrange, everyone

Answers = list[tuple[int, ...]]


async def compute(engine: Engine, records: Records, case: Case) -> tuple[int, ...]:
    """The measured computation."""
    walk = Walk(records["figure"], everyone(records), case.records, case.quantiles)
    return (await percentiles(engine, [walk]))[0]


def run_cleartext(case: Case) -> tuple[Answers, dict[str, Any]]:
    engine = CleartextEngine(ScriptedRandomness(b"cleartext"))
    matrix = indicators(case, case.figures())
    computation = compute(engine, arrange(matrix, [("figure", case.encoding)]), case)
    start = time.perf_counter()
    try:
        while True:
            computation.send(None)
    except StopIteration as stop:
        seconds = time.perf_counter() - start
        return [stop.value], {"compute_seconds": seconds, "rounds": 0, "bytes_sent_per_party": 0}


def run_local(case: Case) -> tuple[Answers, dict[str, Any]]:
    session = tuple(range(2 * case.threshold + 1))
    columns = shared_columns(case)
    records = [arrange(columns[party], [("figure", case.encoding)]) for party in session]
    network = LocalNetwork(session, case.threshold, ScriptedRandomness(b"local"))
    start = time.perf_counter()
    results = network.run(lambda engine, party: compute(engine, records[party], case))
    seconds = time.perf_counter() - start
    counts = network.engines[0].counts
    return list(results.values()), {
        "compute_seconds": seconds,
        "rounds": network.rounds,
        "bytes_sent_per_party": max(network.bytes_sent.values()),
        "multiplications": counts.multiplications,
        "comparisons": counts.comparisons,
        "random_bits": counts.random_bits,
    }


def run_workers(case: Case, warm: int, repeats: int) -> tuple[Answers, dict[str, Any]]:
    items = [cell("percentiles@1", case.figure, quantiles=tuple(case.quantile_texts))]
    measured, report = measure(case, query(case, items), warm=warm, repeats=repeats)
    return [tuple(int(value) for value in values) for values in cell_values(measured)], report


def run(case: Case, engine: str, warm: int, repeats: int) -> dict[str, Any]:
    """One JSON object."""
    if engine == "mpyc":
        answers, measured = run_workers(case, warm, repeats)
    else:
        runner = {"local": run_local, "cleartext": run_cleartext}[engine]
        for _ in range(warm):
            runner(case.smaller(1000))
        answers, measured = runner(case)
    expected = case.expected_percentiles()
    return {
        "benchmark": "order_statistics",
        "engine": engine,
        "records": case.records,
        "bits": case.bits,
        "radices": list(case.radices),
        "percentiles": [str(q) for q in case.quantiles],
        "parties": case.parties,
        "threshold": case.threshold,
        "distribution": case.distribution,
        **measured,
        "correct": bool(answers) and all(answer == expected for answer in answers),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_case_arguments(parser)
    parser.add_argument("--engine", choices=("local", "cleartext", "mpyc"), default="mpyc")
    add_run_arguments(parser)
    arguments = parser.parse_args()
    report = run(parse_case(arguments), arguments.engine, arguments.warm, arguments.repeats)
    return print_report(report, as_json=arguments.json)


if __name__ == "__main__":
    sys.exit(main())
