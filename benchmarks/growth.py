"""How the cost of percentiles grows, drawn as SVG: `python -m benchmarks.growth --directory docs/charts`.

Each point is one run of `benchmarks.order_statistics` after a warm one. Drawn are processor seconds a party, which
other work on the machine disturbs less than wall time, and bytes sent, which nothing disturbs.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from benchmarks import order_statistics
from benchmarks.cases import Case
from benchmarks.charts import line_chart

MEDIAN = (Fraction(1, 2),)
DECILES = tuple(Fraction(k, 10) for k in range(1, 10))
BASE = Case(100_000, 32, MEDIAN, 3, 1, "uniform", 1)


def sweeps(largest: int) -> dict[str, list[tuple[str, float, Case]]]:
    """By chart: (series, what is varied, case)."""
    sizes = [n for n in (1000, 10_000, 100_000, 1_000_000) if n <= largest]
    middle = min(largest, BASE.records)
    return {
        "records": [
            (name, n, replace(BASE, records=n, quantiles=quantiles))
            for name, quantiles in (("median", MEDIAN), ("nine deciles", DECILES))
            for n in sizes
        ],
        "digits": [
            ("median", bits // 4, replace(BASE, records=middle, bits=bits)) for bits in (8, 16, 24, 32, 40)
        ],
        "parties": [
            ("median", m, replace(BASE, records=middle, parties=m, threshold=(m - 1) // 2)) for m in (3, 5, 7)
        ],
        "percentiles": [
            ("median and more", k, replace(BASE, records=middle, quantiles=DECILES[:k])) for k in (1, 3, 5, 9)
        ],
    }


def measure_point(case: Case) -> dict[str, Any]:
    found = order_statistics.run(case, "mpyc", 1, 1)
    if not found["correct"]:
        raise SystemExit(f"a wrong percentile of {case.records} records")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", type=Path, default=Path("benchmarks/results/local"))
    parser.add_argument("--records", type=int, default=1_000_000, help="the largest number of records")
    arguments = parser.parse_args()
    arguments.directory.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[dict[str, Any]]] = {}
    for varied, points in sweeps(arguments.records).items():
        seconds: dict[str, list[tuple[float, float]]] = {}
        sent: dict[str, list[tuple[float, float]]] = {}
        for series, across, case in points:
            report = measure_point(case)
            found.setdefault(varied, []).append({"series": series, varied: across, **report})
            seconds.setdefault(series, []).append((across, max(0.01, report["processor_seconds_per_party"])))
            sent.setdefault(series, []).append((across, report["bytes_sent_per_party"] / 1e6))
            print(f"{varied} {across:g} {series}: {report['compute_seconds']:.3f} s", flush=True)
        for name, up, series_found in (
            ("seconds", "processor seconds a party", seconds),
            ("sent", "megabytes sent a party", sent),
        ):
            chart = line_chart(f"{up} by {varied}", varied, up, series_found)
            (arguments.directory / f"{varied}-{name}.svg").write_text(chart, "utf-8")
    (arguments.directory / "growth.json").write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
