"""From specification to code: the jobs that a worker runs.

A query is one job. Its items share phases, so that rounds do not grow with items: contributors of all cells,
then totals, then one walk for all percentiles. Cells of one figure and group are judged in query order: what an
earlier item releases counts as released for a later one.

What a party learns: for each cell either that it is withheld and by which rule, or N and the published values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from protocols import catalog, disclosure, input_checks, moments, order_statistics
from protocols.encoding import exact_text
from protocols.engine import Engine, PublicMask
from protocols.errors import OutOfRange
from protocols.records import Records

WITHHELD_MINIMUM = "minimum"
WITHHELD_DISCLOSURE = "disclosure"


@dataclass(frozen=True, slots=True)
class CellRequest:
    """One cell of a query: a function of one figure over one group.

    `mask_name` names a public mask of the records; `minimum` the contributors that the study demands there;
    `released` the quantiles of this figure and group that were released before.
    """

    function: str
    figure: str
    mask_name: str
    parameters: Mapping[str, Any]
    minimum: int
    released: tuple[Fraction, ...] = ()


@dataclass(frozen=True, slots=True)
class CellOutcome:
    """`values` as exact decimal text, or `withheld` by which rule; `contributors` only where the minimum holds."""

    contributors: int | None
    values: tuple[str, ...] | None
    withheld: str | None


@dataclass(slots=True)
class _Cell:
    request: CellRequest
    contributors: int | None = None
    quantiles: tuple[Fraction, ...] = ()
    values: tuple[str, ...] | None = None
    withheld: str | None = field(default=None)


async def check_inputs(engine: Engine, records: Records, roster_digest: bytes) -> tuple[int, ...]:
    """The rows whose submissions are not well formed (input_checks.py)."""
    return await input_checks.find_faulty(engine, records, roster_digest)


async def answer_query(
    engine: Engine, records: Records, masks: Mapping[str, PublicMask], requests: Sequence[CellRequest]
) -> list[CellOutcome]:
    """The outcome of each cell, in the order of `requests`."""
    cells = [_parse(request, records, masks) for request in requests]
    await _find_contributors(engine, records, masks, cells)
    _judge_ranks(cells)
    await _answer_sums(engine, records, masks, cells)
    await _answer_percentiles(engine, records, masks, cells)
    for cell in cells:
        if cell.withheld is None and cell.request.function == "count@1":
            cell.values = (str(cell.contributors),)
    return [CellOutcome(cell.contributors, cell.values, cell.withheld) for cell in cells]


def _parse(request: CellRequest, records: Records, masks: Mapping[str, PublicMask]) -> _Cell:
    catalog.check_parameters(request.function, request.parameters)
    if request.figure not in records.figures or request.mask_name not in masks:
        raise OutOfRange(f"no figure {request.figure!r} or no group {request.mask_name!r} in this study")
    cell = _Cell(request)
    if request.function == "percentiles@1":
        cell.quantiles = catalog.parse_quantiles(request.parameters)
    return cell


async def _find_contributors(
    engine: Engine, records: Records, masks: Mapping[str, PublicMask], cells: list[_Cell]
) -> None:
    """One bit, then N, for each distinct figure, group and minimum."""
    keys = list(dict.fromkeys((c.request.figure, c.request.mask_name, c.request.minimum) for c in cells))
    presences = [
        moments.count_present(engine, records[figure], masks[mask_name]) for figure, mask_name, _ in keys
    ]
    numbers = await disclosure.contributors(engine, presences, [minimum for _, _, minimum in keys])
    found = dict(zip(keys, numbers, strict=True))
    for cell in cells:
        cell.contributors = found[cell.request.figure, cell.request.mask_name, cell.request.minimum]
        if cell.contributors is None:
            cell.withheld = WITHHELD_MINIMUM


def _judge_ranks(cells: list[_Cell]) -> None:
    """Withhold percentiles that stand too close to an end or to each other, in query order."""
    released: dict[tuple[str, str], set[Fraction]] = {}
    for cell in cells:
        if not cell.quantiles or cell.contributors is None:
            continue
        before = released.setdefault((cell.request.figure, cell.request.mask_name), set())
        before |= set(cell.request.released)
        if disclosure.ranks_are_safe(cell.quantiles, before, cell.contributors, cell.request.minimum):
            before |= set(cell.quantiles)
        else:
            cell.withheld = WITHHELD_DISCLOSURE


async def _answer_sums(
    engine: Engine, records: Records, masks: Mapping[str, PublicMask], cells: list[_Cell]
) -> None:
    summed = [cell for cell in cells if cell.request.function == "sum@1" and cell.withheld is None]
    if not summed:
        return
    totals = await moments.reveal_totals(
        engine,
        [
            moments.shared_total(engine, records[cell.request.figure], masks[cell.request.mask_name])
            for cell in summed
        ],
    )
    for cell, total in zip(summed, totals, strict=True):
        encoding = records[cell.request.figure].encoding
        cell.values = (exact_text(moments.sum_of(encoding, total, cell.contributors or 0)),)


async def _answer_percentiles(
    engine: Engine, records: Records, masks: Mapping[str, PublicMask], cells: list[_Cell]
) -> None:
    """One walk for each figure and group, over the union of what its items ask for."""
    wanted: dict[tuple[str, str], set[Fraction]] = {}
    for cell in cells:
        if cell.quantiles and cell.withheld is None:
            wanted.setdefault((cell.request.figure, cell.request.mask_name), set()).update(cell.quantiles)
    if not wanted:
        return
    numbers = {(c.request.figure, c.request.mask_name): c.contributors for c in cells}
    walks = [
        order_statistics.Walk(records[figure], masks[mask], numbers[figure, mask] or 0, tuple(sorted(qs)))
        for (figure, mask), qs in wanted.items()
    ]
    prefixes = await order_statistics.percentiles(engine, walks)
    found = {
        key: dict(zip(walk.quantiles, own, strict=True))
        for key, walk, own in zip(wanted, walks, prefixes, strict=True)
    }
    for cell in cells:
        if cell.quantiles and cell.withheld is None:
            encoding = records[cell.request.figure].encoding
            own = found[cell.request.figure, cell.request.mask_name]
            cell.values = tuple(exact_text(encoding.published_value(own[q])) for q in cell.quantiles)
