"""One job in a worker: from its specification and this party's columns to a result.

The specification is public and the same at every party: its digest is compared before anything else is sent.
What a job reveals is what its computation opens; each part of the answer is reported, and durable at the node,
before anything that depends on it leaves.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc_cde.documents.study_terms import parse_quantile
from mpc_cde.encodings import encoding_of
from mpc_cde.sealing import ResultContext, seal
from parties.column_file import ColumnFile, column_rows
from parties.process_memory import anonymous_bytes
from parties.worker_pipe import CellFound, JobAsker, JobCell, JobMask, JobResult, JobSpecification
from protocols import field as fp
from protocols.cells import CellOutcome, CellRequest
from protocols.engine import Engine, Shared
from protocols.errors import OutOfRange
from protocols.records import Records, arrange

Outcome = tuple[int, ...] | list[Any] | None
"""Faulty rows, cell outcomes, or nothing (a rehearsal)."""


def open_records(
    job: JobSpecification, columns_path: str | None, column_file: ColumnFile | None = None
) -> Records:
    """Map this party's columns read-only and cut them into figures. Raises OutOfRange if the size differs."""
    figures = [(figure.name, encoding_of(figure, allow_exact=figure.is_exact)) for figure in job.figures]
    rows = column_rows([encoding for _, encoding in figures], job.records)
    if columns_path is None or not figures:
        raise OutOfRange("a job over figures needs figures and columns")
    if not job.records and not Path(columns_path).stat().st_size:  # nobody took part: no file to map
        return arrange(np.zeros((rows, 0), dtype=np.uint64), figures)
    return arrange((column_file or ColumnFile()).words(columns_path, rows, job.records), figures)


def unpack_mask(mask: JobMask, records: int) -> NDArray[np.uint8]:
    """One 0 or 1 a record, read-only. Raises OutOfRange for another number of bits, or bits past the records."""
    if len(mask.bits) != -(-records // 8):
        raise OutOfRange(f"mask {mask.name!r} has {len(mask.bits)} bytes for {records} records")
    bits = np.unpackbits(np.frombuffer(mask.bits, dtype=np.uint8), bitorder="little")
    if bits[records:].any():
        raise OutOfRange(f"mask {mask.name!r} selects beyond the last record")
    selected = bits[:records].copy()
    selected.setflags(write=False)
    return selected


def pack_mask(name: str, selected: NDArray[np.uint8]) -> JobMask:
    """The mask of a 0/1 vector (n,)."""
    return JobMask(name=name, bits=np.packbits(selected.astype(np.uint8), bitorder="little").tobytes())


def unpack_masks(job: JobSpecification) -> Mapping[str, NDArray[np.uint8]]:
    """All masks of a job by name. Raises OutOfRange if two have one name."""
    masks = {mask.name: unpack_mask(mask, job.records) for mask in job.masks}
    if len(masks) != len(job.masks):
        raise OutOfRange("two masks of a job have the same name")
    return masks


def request_of(cell: JobCell, asker: JobAsker | None = None) -> CellRequest:
    """A cell of a job as the computations take it. Raises OutOfRange for a released quantile that is none."""
    return CellRequest(
        function=cell.function,
        figures=cell.figures,
        mask_name=cell.mask,
        parameters=cell.parameters,
        minimum=cell.minimum,
        released=released_of(cell.released),
        released_linear=released_of(cell.released_linear),
        category=None if cell.category is None else (cell.category.figure, cell.category.symbol),
        dominance=cell.dominance,
        p_percent=cell.p_percent,
        complementary=cell.complementary,
        table=cell.table,
        row=None if asker is None else asker.row,
    )


def released_of(texts: tuple[str, ...]) -> tuple[Fraction, ...]:
    """Quantiles from texts such as "1/4". Raises OutOfRange."""
    try:
        return tuple(parse_quantile(text) for text in texts)  # Fraction itself would write 1e999999999 out
    except ValueError:
        raise OutOfRange("a released quantile is a fraction such as 1/4") from None


async def rehearse(engine: Engine, rounds: int) -> None:
    """Open so many public coins, one a round: shows that the mesh works, and uses nobody's data."""
    for number in range(rounds):
        await engine.coin(number.to_bytes(8, "big"))


class CostMeter:
    """Time, and the highest anonymous memory seen, of one job."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._looked = 0.0
        self.peak_anonymous_bytes = anonymous_bytes()

    @property
    def microseconds(self) -> int:
        return int((time.perf_counter() - self._started) * 1e6)

    def look(self) -> bool:
        """Sample the memory at most ten times a second; says whether it did."""
        now = time.perf_counter()
        if now - self._looked < 0.1:
            return False
        self._looked = now
        self.peak_anonymous_bytes = max(self.peak_anonymous_bytes, anonymous_bytes())
        return True


def cells_found(job: JobSpecification, outcomes: Sequence[CellOutcome], party: int) -> tuple[CellFound, ...]:
    """What the node may know: a share of a value that is for one member is sealed to it here."""
    return tuple(
        CellFound(
            contributors=cell.contributors,
            values=None if cell.own_share is not None else cell.values,
            sealed=None if cell.own_share is None else (_seal(job, cell.own_share, number, party),),
            withheld=cell.withheld,
        )
        for number, cell in enumerate(outcomes)
    )


def _seal(job: JobSpecification, share: Shared, cell: int, party: int) -> bytes:
    if job.asker is None:
        raise OutOfRange("a member's own place needs the member that asks")
    context = ResultContext(job.job_id, job.asker.member, party, cell)
    return seal(job.asker.sealing_key, fp.to_bytes(share.values), context)


def build_result(
    job: JobSpecification,
    outcome: Outcome,
    engine: Engine,
    meter: CostMeter,
    *,
    party: int,
    rounds: int,
    bytes_sent: int,
) -> JobResult:
    """The message for the node of `party`."""
    meter.look()
    faulty = outcome if isinstance(outcome, tuple) else None
    cells = cells_found(job, outcome, party) if isinstance(outcome, list) else None
    return JobResult(
        job_id=job.job_id,
        faulty_rows=faulty,
        cells=cells,
        rounds=rounds,
        bytes_sent=bytes_sent,
        microseconds=meter.microseconds,
        multiplications=engine.counts.multiplications,
        comparisons=engine.counts.comparisons,
        random_bits=engine.counts.random_bits,
        peak_anonymous_bytes=meter.peak_anonymous_bytes,
    )


Journal = Callable[[str, tuple[int, ...]], Awaitable[None]]
