"""Sum, mean and variance in one query: `python -m benchmarks.moments --records 1000000 --json`.

`correct` compares with Python's integers: the exact sum, the mean rounded to whole numbers, ties up, and the
population variance rounded so.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from benchmarks.cases import Case, add_case_arguments, parse_case
from benchmarks.reports import print_report
from benchmarks.runs import add_run_arguments, cell_values, measure, query
from benchmarks.worker_sessions import cell


def expected(case: Case) -> tuple[tuple[str], tuple[str], tuple[str]]:
    numbers = [int(u) for u in case.figures()]
    n, first, second = len(numbers), sum(numbers), sum(u * u for u in numbers)
    spread = n * second - first * first
    return (
        (str(first),),
        (str((2 * first + n) // (2 * n)),),
        (str((2 * spread + n * n) // (2 * n * n)),),
    )


def run(case: Case, warm: int, repeats: int) -> dict[str, Any]:
    """One JSON object."""
    items = [
        cell("sum@1", case.figure),
        cell("mean@1", case.figure, grid="1"),
        cell("variance@1", case.figure, grid="1"),
    ]
    measured, report = measure(case, query(case, items), warm=warm, repeats=repeats)
    right = all(
        values == wanted
        for position, wanted in enumerate(expected(case))
        for values in cell_values(measured, position)
    )
    return {"benchmark": "moments", **report, "correct": right}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    add_case_arguments(parser)
    add_run_arguments(parser)
    arguments = parser.parse_args()
    return print_report(run(parse_case(arguments), arguments.warm, arguments.repeats), as_json=arguments.json)


if __name__ == "__main__":
    sys.exit(main())
