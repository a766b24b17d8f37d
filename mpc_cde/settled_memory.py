"""Memory of a process that runs for long: what it consists of stays, what comes and goes is seldom a ring."""

from __future__ import annotations

import gc

YOUNG_OBJECTS = 10_000


def settle_memory() -> None:
    """What there is by now is not looked through for garbage again and again; what comes and goes with requests or
    pages is hardly ever a ring, so it is looked for less often than after 700 objects."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 10, 10)
