"""Finding bad submissions without learning figures (protocol.md section 4).

A hostile member may share an indicator of 5, or two symbols at once. After all parties have signed the roster a
coin gives coefficients, and one claim is checked: the sum over records i and elements e of rho_i r_e e (e - 1) is
zero, over every presence and every indicator, the implied last ones included. Then all are bits; and since the
last symbol is presence less the others, exactly one symbol is set, or none for a blank. Degree and range hold by
construction (sharing.py, encoding.py).

What a party learns: that the batch is clean; or, of a batch that is not, which records are bad. Claim and verdicts
are multiplied by random numbers before they open, so that what shows of one that is not zero is that it is not: the
claim itself would tell which indicator of a single bad record is what, and so the figure of a member whose client
has a fault.
Cost: clean, 3 rounds (coin, resharing, claim) of one element; else 2 more with n elements reshared and n opened.
Error: a bad record passes with probability below 2^-58, over a coin drawn after the shares were fixed.
"""

from __future__ import annotations

import numpy as np

from protocols import effects
from protocols import field as fp
from protocols.engine import Engine, Shared
from protocols.keystream import expand_seed
from protocols.records import Records


async def find_faulty(engine: Engine, records: Records, roster_digest: bytes) -> tuple[int, ...]:
    """The row numbers of records whose indicators are not what an encoding gives, ascending."""
    coin = await engine.coin(b"input checks\x00" + roster_digest)
    elements = sum(
        sum(figure.encoding.radices) + (figure.presence is not None) for figure in records.figures.values()
    )
    coefficients = expand_seed(coin, records.count + elements)
    per_record, per_element = coefficients[: records.count], coefficients[records.count :]
    defects = _defects(engine, records, per_element)
    claim = await _masked(engine, engine.weighted_sum(defects, per_record))
    if not (await engine.reveal(claim, "input checks: claim")).any():
        return ()
    verdicts = await engine.open(await _masked(engine, defects), "input checks: zero or not")
    faulty = tuple(int(row) for row in np.flatnonzero(verdicts))
    await effects.record("input checks: faulty rows", faulty)
    return faulty


async def _masked(engine: Engine, values: Shared) -> Shared:
    """Of degree 2t: zero where a value of degree 2t is zero, else uniform (and zero once in 2^61); one round."""
    return engine.product(await engine.reshare(values), await engine.random(len(values)))


def _defects(engine: Engine, records: Records, weights: fp.FieldVector) -> Shared:
    """Per record the weighted sum of e (e - 1) over all its elements: (n,), degree 2t."""
    used = 0
    total = Shared(np.zeros(records.count, dtype=np.uint64), 2)

    def add(matrix: Shared) -> None:
        nonlocal used, total
        rows = matrix.values.shape[0]
        total = total + engine.bit_defects(matrix, weights[used : used + rows])
        used += rows

    for figure in records.figures.values():
        if figure.presence is not None:
            add(figure.presence.reshape(1, -1))
        for digit, rows in enumerate(figure.digits):
            add(rows)
            add(figure.implied_symbol(digit).reshape(1, -1))
    return total
