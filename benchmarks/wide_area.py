"""Nine deciles over a slow network: `python -m benchmarks.wide_area --records 100000 --json`.

Every link between two parties goes through a relay (relay.py) that delays by `--delay-milliseconds` one way and
lets `--megabits` a second through in each direction. The relay runs on the same machine and takes processor time
from the workers, so the figures are rather too high.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from benchmarks.cases import Case, add_case_arguments, parse_case
from benchmarks.relay import Link, relays
from benchmarks.reports import print_report
from benchmarks.runs import add_run_arguments, cell_values, measure, query
from benchmarks.worker_sessions import cell

DECILES = ",".join(str(10 * k) for k in range(1, 10))


def run(case: Case, link: Link, warm: int, repeats: int) -> dict[str, Any]:
    """One JSON object."""
    items = [cell("percentiles@1", case.figure, quantiles=tuple(case.quantile_texts))]
    measured, report = measure(case, query(case, items), warm=warm, repeats=repeats, through=relays(link))
    wanted = tuple(str(u) for u in case.expected_percentiles())
    return {
        "benchmark": "wide_area",
        "delay_milliseconds": link.delay_seconds * 1000,
        "megabits": link.bits_per_second / 1e6,
        "percentiles": [str(q) for q in case.quantiles],
        **report,
        "correct": all(values == wanted for values in cell_values(measured)),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    add_case_arguments(parser)
    add_run_arguments(parser)
    parser.set_defaults(percentiles=DECILES, warm=0, repeats=1)
    parser.add_argument("--delay-milliseconds", type=float, default=25.0)
    parser.add_argument("--megabits", type=float, default=100.0)
    arguments = parser.parse_args()
    link = Link(arguments.delay_milliseconds / 1000, arguments.megabits * 1e6)
    return print_report(
        run(parse_case(arguments), link, arguments.warm, arguments.repeats), as_json=arguments.json
    )


if __name__ == "__main__":
    sys.exit(main())
