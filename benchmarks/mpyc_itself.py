"""MPyC's own sort and median among three processes: `python benchmarks/mpyc_itself.py sort 1000 -M3`.

A script, not a module of the package: MPyC reads the command line while it is imported, and starts the other
parties itself. Party 0 prints one JSON object; its seconds are from shared input to opened median.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
from mpyc.runtime import mpc
from mpyc.statistics import median_low


async def main(what: str, records: int) -> None:
    figures = np.random.default_rng(1).integers(0, 1 << 31, records, dtype=np.int64)
    secret_integer = mpc.SecInt(32)
    async with mpc:
        started = time.perf_counter()
        if what == "sort":
            ordered = mpc.np_sort(mpc.input(secret_integer.array(figures.astype(object)), senders=0))
            found = int(await mpc.output(ordered[(records - 1) // 2]))
        else:
            values = mpc.input([secret_integer(int(figure)) for figure in figures], senders=0)
            found = int(await mpc.output(median_low(values)))
        seconds = time.perf_counter() - started
    if mpc.pid == 0:
        correct = found == int(np.sort(figures)[(records - 1) // 2])
        print(json.dumps({"what": what, "records": records, "seconds": seconds, "correct": correct}))


if __name__ == "__main__":
    mpc.run(main(sys.argv[1], int(sys.argv[2])))
