"""`make bench`: every benchmark once, written to benchmarks/results/local as JSON and as a Markdown table.

Each row is a command of its own, which anyone can run; the report says which machine, versions and commit.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.cases import DISTRIBUTIONS

RESULTS = Path(__file__).parent / "results" / "local"
DECILES = ",".join(str(10 * k) for k in range(1, 10))
MILLION = ("--records", "1000000")
ROWS: tuple[tuple[str, ...], ...] = (
    *(("benchmarks.order_statistics", *MILLION, "--distribution", kind) for kind in DISTRIBUTIONS),
    *(
        ("benchmarks.order_statistics", *MILLION, "--percentiles", DECILES, "--distribution", kind)
        for kind in DISTRIBUTIONS
    ),
    ("benchmarks.order_statistics", "--records", "10000", "--percentiles", DECILES),
    ("benchmarks.order_statistics", "--records", "400", "--percentiles", DECILES),
    ("benchmarks.input_checks", *MILLION),
    ("benchmarks.moments", *MILLION),
    ("benchmarks.wide_area", "--records", "100000"),
    ("benchmarks.side_by_side",),
)
"""What the targets are about, in the order of the table."""


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S607
    versions = {
        name: importlib.metadata.version(name)
        for name in ("mpc-cde", "mpyc", "numba", "numpy", "cryptography")
    }
    return {
        "commit": commit.stdout.strip() or "not a checkout",
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "versions": versions,
    }


def main() -> int:
    RESULTS.mkdir(parents=True, exist_ok=True)
    report: dict[str, Any] = {"machine": machine(), "rows": []}
    failed = False
    for number, row in enumerate(ROWS, start=1):
        command = f"python -m {' '.join(row)} --json"
        print(f"[{number}/{len(ROWS)}] {command}", flush=True)
        done = subprocess.run(
            [sys.executable, "-m", *row, "--json"], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            failed = True
            print(done.stderr.strip()[-500:])
            continue
        found = json.loads(done.stdout)
        report["rows"].append({"command": command, **found})
        print(f"      {found['compute_seconds']:.3f} s, correct: {found['correct']}", flush=True)
    (RESULTS / "report.json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    (RESULTS / "report.md").write_text(as_markdown(report), "utf-8")
    print(f"written: {RESULTS / 'report.json'}, {RESULTS / 'report.md'}")
    return int(failed)


def as_markdown(report: dict[str, Any]) -> str:
    where = report["machine"]
    lines = [
        f"Measured {where['time']} on {where['cores']} cores, load {where['load'][0]:.1f}, "
        f"Python {where['python']}, commit {where['commit']}.",
        "",
        "| command | seconds | processor seconds a party | rounds | bytes sent a party | peak anonymous | correct |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in report["rows"]:
        lines.append(
            f"| `{row['command'].removesuffix(' --json')}` | {row['compute_seconds']:.3f} "
            f"| {_or_dash(row, 'processor_seconds_per_party', '.3f')} | {_or_dash(row, 'rounds', 'd')} "
            f"| {_or_dash(row, 'bytes_sent_per_party', ',d')} | {_or_dash(row, 'peak_anonymous_bytes', ',d')} "
            f"| {row['correct']} |"
        )
    for row in report["rows"]:
        if row["benchmark"] == "side_by_side":
            lines += ["", "| side by side | records | seconds | correct |", "|---|---|---|---|"]
            lines += [
                f"| {each['who']} | {each['records']:,} | {each['seconds']:.3f} | {each['correct']} |"
                for each in row["rows"]
            ]
            limits = row["machine"]
            lines += [
                "",
                f"At the size of the sort {row['times_faster_than_sort']:.0f} times faster. One thread reads memory "
                f"at {limits['memory_bytes_per_second'] / 1e9:.1f} GB/s; a plain TCP connection on loopback carries "
                f"{limits['loopback_bytes_per_second'] / 1e9:.1f} GB/s.",
            ]
    return "\n".join([*lines, ""])


def _or_dash(row: dict[str, Any], key: str, form: str) -> str:
    return format(row[key], form) if key in row else "-"


if __name__ == "__main__":
    sys.exit(main())
