"""The product beside what a user would pick instead, in one run: `python -m benchmarks.side_by_side --json`.

Rows: the product's median, three workers over TLS; MPyC's own `np_sort` and `statistics.median_low` among three
processes, with sizes that end in a minute; numpy in the clear, the floor. `times_faster_than_sort` compares at the
size of the sort. `machine`: memory and loopback bandwidth, the limits of any of them.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import order_statistics
from benchmarks.cases import Case
from benchmarks.reports import print_report

_MEBI = 1 << 20


def best_of(action: Callable[[], object], repeats: int = 5) -> float:
    """The shortest of several runs, in seconds."""
    found = []
    for _ in range(repeats):
        started = time.perf_counter()
        action()
        found.append(time.perf_counter() - started)
    return min(found)


def memory_bytes_per_second() -> float:
    """One thread that reads 256 MiB."""
    words = np.ones(32 * _MEBI, dtype=np.uint64)
    return words.nbytes / best_of(words.sum)


def loopback_bytes_per_second() -> float:
    """One plain TCP connection on loopback, 256 MiB one way."""
    size, piece = 256 * _MEBI, bytes(_MEBI)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def send() -> None:
            with socket.create_connection(server.getsockname()) as out:
                for _ in range(size // len(piece)):
                    out.sendall(piece)

        sending = threading.Thread(target=send)
        started = time.perf_counter()
        sending.start()
        received, room = 0, bytearray(_MEBI)
        with server.accept()[0] as incoming:
            while count := incoming.recv_into(room):
                received += count
        seconds = time.perf_counter() - started
        sending.join()
    return received / seconds


def mpyc_itself(what: str, records: int) -> dict[str, Any]:
    """MPyC's own function among three processes of its own."""
    script = Path(__file__).with_name("mpyc_itself.py")
    command = [sys.executable, str(script), what, str(records), "-M3", "--no-log"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    found: dict[str, Any] = json.loads(next(line for line in done.stdout.splitlines() if line[:1] == "{"))
    return {"who": f"MPyC {what}", **found}


def run(sort_records: int, median_records: int, largest: int, repeats: int) -> dict[str, Any]:
    """One JSON object."""
    case = Case(sort_records, 32, (Fraction(1, 2),), 3, 1, "uniform", 1)
    rows: list[dict[str, Any]] = []
    for records in sorted({sort_records, largest}):
        ours = order_statistics.run(replace(case, records=records), "mpyc", 1, repeats)
        rows.append(
            {
                "who": "mpc-cde percentiles",
                "records": records,
                "seconds": ours["compute_seconds"],
                "correct": ours["correct"],
            }
        )
    rows.append(mpyc_itself("sort", sort_records))
    rows.append(mpyc_itself("median", median_records))
    figures = replace(case, records=largest).figures()
    rows.append(
        {
            "who": "numpy in the clear",
            "records": largest,
            "seconds": best_of(lambda: np.partition(figures, largest // 2)),
            "correct": True,
        }
    )
    ours_small = next(row["seconds"] for row in rows if row["records"] == sort_records)
    sort = next(row["seconds"] for row in rows if row["who"] == "MPyC sort")
    return {
        "benchmark": "side_by_side",
        "rows": rows,
        "times_faster_than_sort": sort / ours_small,
        "machine": {
            "memory_bytes_per_second": memory_bytes_per_second(),
            "loopback_bytes_per_second": loopback_bytes_per_second(),
        },
        "compute_seconds": ours_small,
        "correct": all(row["correct"] for row in rows),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sort-records", type=int, default=1000)
    parser.add_argument("--median-records", type=int, default=100)
    parser.add_argument("--records", type=int, default=100_000, help="the largest size, ours and numpy's")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    report = run(arguments.sort_records, arguments.median_records, arguments.records, arguments.repeats)
    return print_report(report, as_json=arguments.json)


if __name__ == "__main__":
    sys.exit(main())
