"""Input checks of generated figures: `python -m benchmarks.input_checks --records 1000000 --json`.

`correct`: every party found every record sound, as they are.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from benchmarks.cases import Case, add_case_arguments, parse_case
from benchmarks.reports import print_report
from benchmarks.runs import add_run_arguments, checks, measure


def run(case: Case, warm: int, repeats: int) -> dict[str, Any]:
    """One JSON object."""
    measured, report = measure(case, checks(case), warm=warm, repeats=repeats)
    sound = all(outcome.faulty_rows == () for job in measured for outcome in job.outcomes)
    return {"benchmark": "input_checks", **report, "correct": sound}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    add_case_arguments(parser)
    add_run_arguments(parser)
    arguments = parser.parse_args()
    return print_report(run(parse_case(arguments), arguments.warm, arguments.repeats), as_json=arguments.json)


if __name__ == "__main__":
    sys.exit(main())
