"""Before the first job: every kernel compiled and loaded, by a small job in this process alone."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from protocols.encoding import FigureEncoding
from protocols.engine import Engine
from protocols.input_checks import find_faulty
from protocols.local_engine import LocalNetwork
from protocols.order_statistics import Walk, percentiles
from protocols.randomness import ScriptedRandomness
from protocols.records import arrange, everyone

_RECORDS = 8


def warm_up() -> None:
    """Find a median and check inputs among three parties in this process; the figures are 0 to 7."""
    encoding = FigureEncoding.create(
        minimum="0", step="1", publish_step="1", radices=(2, 4), allow_exact=True, blank_allowed=False
    )
    figures = np.arange(_RECORDS, dtype=np.uint64)
    rows = [figures // 4 == 0, *(figures % 4 == symbol for symbol in range(3))]
    records = arrange(np.array(rows, dtype=np.uint64), [("figure", encoding)])  # constants share themselves

    async def small_job(engine: Engine) -> None:
        await find_faulty(engine, records, bytes(32))
        await percentiles(engine, [Walk(records["figure"], everyone(records), _RECORDS, (Fraction(1, 2),))])

    LocalNetwork((0, 1, 2), 1, ScriptedRandomness(b"warm up")).run(lambda engine, _: small_job(engine))
