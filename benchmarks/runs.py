"""Runs of one kind of job over a case's columns: what the benchmarks of workers have in common."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.cases import Case, write_columns
from benchmarks.worker_sessions import MeasuredJob, check_specification, job_specification, run_jobs, summary
from parties.worker_pipe import JobCell, JobSpecification

Through = Callable[[Mapping[int, int]], Any]


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--warm", type=int, default=1, help="runs before the ones that are reported")
    parser.add_argument("--repeats", type=int, default=5, help="runs of which the median is reported")
    parser.add_argument("--json", action="store_true")


def query(case: Case, cells: Sequence[JobCell]) -> Callable[[int], JobSpecification]:
    """The job number k that asks for `cells`."""
    return lambda number: job_specification(case.figure, case.records, cells, number)


def checks(case: Case) -> Callable[[int], JobSpecification]:
    """The job number k that checks the inputs."""
    return lambda number: check_specification(case.figure, case.records, number)


def measure(
    case: Case,
    job: Callable[[int], JobSpecification],
    *,
    warm: int,
    repeats: int,
    through: Through | None = None,
) -> tuple[list[MeasuredJob], dict[str, Any]]:
    """The runs, and the part of a report that all benchmarks have in common."""
    with tempfile.TemporaryDirectory(prefix="mpc-cde-benchmark-") as directory:
        started = time.perf_counter()
        columns = write_columns(case, Path(directory), "columns")
        written = time.perf_counter()
        jobs = [(job(number), columns) for number in range(warm + repeats)]
        measured = asyncio.run(run_jobs(jobs, case.parties, case.threshold, through=through))
    found = summary(measured[warm:] or measured)
    seconds = {
        "write columns": written - started,
        "first run": measured[0].compute_seconds,
        "compute": found["compute_seconds"],
    }
    described = {
        "records": case.records,
        "bits": case.bits,
        "radices": list(case.radices),
        "parties": case.parties,
        "threshold": case.threshold,
        "distribution": case.distribution,
    }
    return measured, {**described, **found, "seconds": seconds}


def cell_values(measured: Sequence[MeasuredJob], position: int = 0) -> list[tuple[str, ...]]:
    """What every party found in every run for one cell."""
    return [
        tuple(outcome.cells[position].values or ()) if outcome.cells else ()
        for job in measured
        for outcome in job.outcomes
    ]
