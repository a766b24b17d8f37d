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

RESULTS = Path(__file__).parent / "results" / "local"
DECILES = ",".join(str(10 * k) for k in range(1, 10))
ROWS: tuple[tuple[str, ...], ...] = (
    ("benchmarks.order_statistics", "--engine", "cleartext", "--records", "100000"),
    ("benchmarks.order_statistics", "--engine", "local", "--records", "100000"),
    ("benchmarks.order_statistics", "--engine", "mpyc", "--records", "400", "--percentiles", DECILES),
    ("benchmarks.order_statistics", "--engine", "mpyc", "--records", "10000", "--percentiles", DECILES),
    ("benchmarks.order_statistics", "--engine", "mpyc", "--records", "100000"),
    ("benchmarks.order_statistics", "--engine", "mpyc", "--records", "1000000"),
)


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
        print(
            f"      {found['compute_seconds']:.3f} s, {found['rounds']} rounds, correct: {found['correct']}"
        )
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
        "| command | seconds | rounds | bytes sent per party | correct |",
        "|---|---|---|---|---|",
    ]
    for row in report["rows"]:
        lines.append(
            f"| `{row['command']}` | {row['compute_seconds']:.3f} | {row['rounds']} "
            f"| {row['bytes_sent_per_party']:,} | {row['correct']} |"
        )
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main())
