"""Exact percentiles of generated figures: `python -m benchmarks.order_statistics --records 100000 --json`.

`compute_seconds` runs from the job's start to the opened result at all parties, all randomness made inside.
`--engine local` runs every party one after another in one process: its seconds are the sum over the parties.
`--engine cleartext` runs the same code on plain numbers. `--engine mpyc` runs a worker process a party over TLS,
under supervisors, with columns mapped from temporary files: seconds and memory are the slowest and largest party's.
`correct` compares with numpy's sort in exact fractions.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.worker_sessions import percentile_job, run_jobs, write_columns
from mpc_cde.documents.figure import Figure
from protocols import field as fp
from protocols import keystream
from protocols.cleartext_engine import CleartextEngine
from protocols.encoding import FigureEncoding
from protocols.engine import Engine
from protocols.local_engine import LocalNetwork
from protocols.order_statistics import Walk, percentiles
from protocols.randomness import ScriptedRandomness
from protocols.records import Records, arrange, everyone


@dataclass(frozen=True, slots=True)
class Case:
    """What is measured; `figures` are encoded numbers in 0 .. 2^bits - 1."""

    records: int
    bits: int
    quantiles: tuple[Fraction, ...]
    parties: int
    threshold: int
    distribution: str
    seed: int

    @property
    def encoding(self) -> FigureEncoding:
        digits, rest = divmod(self.bits, 4)
        radices = ([1 << rest] if rest else []) + [16] * digits
        return FigureEncoding.create(
            minimum="0", step="1", publish_step="1", radices=radices, allow_exact=True, blank_allowed=False
        )

    def figures(self) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
        generator = np.random.default_rng(self.seed)
        size = 1 << self.bits
        if self.distribution == "uniform":
            return generator.integers(0, size, self.records, dtype=np.uint64)
        if self.distribution == "skewed":
            numbers = np.exp(generator.normal(self.bits * 0.45, 1.2, self.records))
            return np.minimum(numbers, size - 1).astype(np.uint64)
        return generator.integers(0, min(size, 7), self.records, dtype=np.uint64)  # tied


def indicators(case: Case, figures: np.ndarray[Any, np.dtype[np.uint64]]) -> fp.FieldVector:
    """The plain indicator matrix (L, n) of all records."""
    rows = []
    weight = case.encoding.size
    for radix in case.encoding.radices:
        weight //= radix
        digit = figures // np.uint64(weight) % np.uint64(radix)
        rows.append(digit[np.newaxis, :] == np.arange(radix - 1, dtype=np.uint64)[:, np.newaxis])
    return np.concatenate(rows).astype(np.uint64)


def shares(matrix: fp.FieldVector, case: Case) -> list[fp.FieldVector]:
    """Each party's matrix of degree-t shares, from scripted randomness."""
    randomness = ScriptedRandomness(b"benchmark")
    masks = [
        keystream.expand_seed(randomness.random_bytes(32), matrix.size).reshape(matrix.shape)
        for _ in range(case.threshold)
    ]
    own = []
    for party in range(case.parties):
        share = matrix
        for power, mask in enumerate(masks, start=1):
            factor = np.array(pow(party + 1, power, fp.P), dtype=np.uint64)
            share = fp.add(share, fp.multiply(mask, factor))
        own.append(share)
    return own


def expected(case: Case, figures: np.ndarray[Any, np.dtype[np.uint64]]) -> tuple[int, ...]:
    """The exact percentiles in the clear (inverted_cdf)."""
    ordered = np.sort(figures)
    return tuple(int(ordered[-(-q.numerator * case.records // q.denominator) - 1]) for q in case.quantiles)


async def compute(engine: Engine, records: Records, case: Case) -> tuple[int, ...]:
    """The measured computation."""
    walk = Walk(records["figure"], everyone(records), case.records, case.quantiles)
    return (await percentiles(engine, [walk]))[0]


def run_cleartext(case: Case, matrix: fp.FieldVector) -> tuple[list[tuple[int, ...]], dict[str, Any]]:
    engine = CleartextEngine(ScriptedRandomness(b"cleartext"))
    computation = compute(engine, arrange(matrix, [("figure", case.encoding)]), case)
    start = time.perf_counter()
    try:
        while True:
            computation.send(None)
    except StopIteration as stop:
        seconds = time.perf_counter() - start
        return [stop.value], {"compute_seconds": seconds, "rounds": 0, "bytes_sent_per_party": 0}


def run_local(case: Case, matrix: fp.FieldVector) -> tuple[list[tuple[int, ...]], dict[str, Any]]:
    session = tuple(range(2 * case.threshold + 1))
    columns = shares(matrix, case)
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


def run_workers(
    case: Case, matrix: fp.FieldVector, warm: int
) -> tuple[list[tuple[int, ...]], dict[str, Any]]:
    """Warm runs take a thousand records at most and come first, in the same session."""
    figure = Figure(
        name="figure",
        label="Figure",
        minimum="0",
        step="1",
        publish_step="1",
        radices=case.encoding.radices,
        blank_allowed=False,
    )
    quantiles = [f"{q.numerator}/{q.denominator}" for q in case.quantiles]
    with tempfile.TemporaryDirectory(prefix="mpc-cde-benchmark-") as directory:
        columns = write_columns(shares(matrix, case), Path(directory), "full")
        small = min(case.records, 1000)
        first = np.ascontiguousarray(matrix[:, :small])
        warm_columns = write_columns(shares(first, case), Path(directory), "warm")
        jobs = [(percentile_job(figure, small, quantiles, number), warm_columns) for number in range(warm)]
        jobs.append((percentile_job(figure, case.records, quantiles, warm), columns))
        measured = asyncio.run(run_jobs(jobs, case.parties, case.threshold))[-1]
    results = []
    for outcome in measured.outcomes:
        values = outcome.cells[0].values if outcome.cells else None
        results.append(tuple(int(value) for value in values or ()))
    first_outcome = measured.outcomes[0]
    return results, {
        "compute_seconds": max(outcome.seconds for outcome in measured.outcomes),
        "node_seconds": measured.node_seconds,
        "rounds": first_outcome.rounds,
        "bytes_sent_per_party": max(outcome.bytes_sent for outcome in measured.outcomes),
        "multiplications": first_outcome.multiplications,
        "comparisons": first_outcome.comparisons,
        "random_bits": first_outcome.random_bits,
        "peak_anonymous_bytes": max(outcome.peak_anonymous_bytes for outcome in measured.outcomes),
    }


def anonymous_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


def parse_case(arguments: argparse.Namespace) -> Case:
    quantiles = tuple(Fraction(text) / 100 for text in arguments.percentiles.split(","))
    threshold = arguments.threshold or (arguments.parties - 1) // 2
    return Case(
        arguments.records,
        arguments.bits,
        quantiles,
        arguments.parties,
        threshold,
        arguments.distribution,
        arguments.seed,
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", choices=("local", "cleartext", "mpyc"), default="mpyc")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--bits", type=int, default=32)
    parser.add_argument("--percentiles", default="50", help="comma-separated, for example 10,20,50")
    parser.add_argument("--parties", type=int, default=3)
    parser.add_argument("--threshold", type=int, default=None)
    parser.add_argument("--distribution", choices=("uniform", "skewed", "tied"), default="uniform")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--warm", type=int, default=1, help="runs before the one that is reported")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    case = parse_case(arguments)

    started = time.perf_counter()
    figures = case.figures()
    matrix = indicators(case, figures)
    prepared = time.perf_counter()
    if arguments.engine == "mpyc":
        results, measured = run_workers(case, matrix, arguments.warm)
    else:
        runner = {"local": run_local, "cleartext": run_cleartext}[arguments.engine]
        small = replace(case, records=min(case.records, 1000))
        for _ in range(arguments.warm):
            runner(small, np.ascontiguousarray(matrix[:, : small.records]))
        results, measured = runner(case, matrix)
    report = {
        "benchmark": "order_statistics",
        "engine": arguments.engine,
        "records": case.records,
        "bits": case.bits,
        "percentiles": [str(q) for q in case.quantiles],
        "parties": case.parties,
        "threshold": case.threshold,
        "distribution": case.distribution,
        "peak_anonymous_bytes": anonymous_bytes(),
        **measured,
        "seconds": {"prepare": prepared - started, "compute": measured["compute_seconds"]},
        "peak_resident_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "correct": all(result == expected(case, figures) for result in results),
    }
    if arguments.json:
        print(json.dumps(report, indent=2))
    else:
        for key, value in report.items():
            print(f"{key:>24}  {value}")
    return 0 if report["correct"] else 1


if __name__ == "__main__":
    sys.exit(main())
