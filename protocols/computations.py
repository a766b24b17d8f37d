"""From specification to code: the jobs that a worker runs.

A query is one job. Its items share phases, so that rounds do not grow with items: contributors of all cells; the
rules about ranks; then every family of functions answers its cells, all side by side. Cells of one figure and group
are judged in query order: what an earlier item releases counts as released for a later one.

What a party learns: for each cell either that it is withheld and by which rule, or N and the published values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import partial

from protocols import (
    catalog,
    correlations,
    histograms,
    input_checks,
    interpolated_percentiles,
    judgement,
    means,
    moments,
    order_statistics,
    own_rank,
    ratios,
    selection,
    variances,
)
from protocols.cells import (
    Cell,
    CellOutcome,
    CellRequest,
    Group,
    figures_of,
)
from protocols.concentration_rules import verify_concentration
from protocols.decimals import exact_text
from protocols.effects import Computation, together
from protocols.engine import Engine, PublicMask
from protocols.errors import OutOfRange
from protocols.plans import verify_plan
from protocols.records import Records

Family = Callable[[Engine, Sequence[Cell]], Computation[None]]
"""Answers the open cells of one function, or of several that share their work: sets their `values`."""

FindPercentiles = Callable[[Engine, Sequence[order_statistics.Walk]], Computation[list[tuple[int, ...]]]]
"""The prefix of every percentile of each walk, by one definition."""


async def check_inputs(engine: Engine, records: Records, roster_digest: bytes) -> tuple[int, ...]:
    """The rows whose submissions are not well formed (input_checks.py)."""
    return await input_checks.find_faulty(engine, records, roster_digest)


async def answer_query(
    engine: Engine,
    records: Records,
    masks: Mapping[str, PublicMask],
    requests: Sequence[CellRequest],
    siblings: Sequence[CellRequest] = (),
) -> list[CellOutcome]:
    """The outcome of each cell, in the order of `requests`.

    `siblings` are the other cells of their tables: judged with those asked for and answered to nobody, so that what
    is withheld does not depend on what a query asks. In the same order in every query of a study.
    """
    cells = [_parse(request, records, masks) for request in requests]
    beside = [_parse(request, records, masks) for request in siblings]
    for cell in beside:
        cell.is_asked = False
    await selection.select_contributors(engine, records, [*cells, *beside])
    await judgement.judge(engine, cells, beside)
    answered = [cell for cell in cells if cell.is_open]
    answered += [cell for cell in beside if cell.is_open and cell.needs_siblings]
    derived = _means_of_open_totals(answered)
    left = [cell for cell in answered if all(cell is not other for other in derived)]
    shares = [
        (family, [cell for cell in left if FAMILIES[cell.request.function] is family]) for family in _ORDER
    ]
    await together(*(family(engine, own) for family, own in shares if own))
    totals = {_figure_and_group(cell): cell.total for cell in left if cell.total is not None}
    for cell in derived:
        means.answer_from_total(cell, totals[_figure_and_group(cell)])
    return [cell.outcome() for cell in cells]


def _means_of_open_totals(cells: Sequence[Cell]) -> list[Cell]:
    """The means whose total another of the cells opens."""
    opening = {_figure_and_group(cell) for cell in cells if cell.request.function in _OPENING_TOTALS}
    return [
        cell for cell in cells if cell.request.function == "mean@1" and _figure_and_group(cell) in opening
    ]


def _figure_and_group(cell: Cell) -> tuple[str, Group]:
    return cell.request.figure, cell.request.group


def _parse(request: CellRequest, records: Records, masks: Mapping[str, PublicMask]) -> Cell:
    catalog.check_parameters(request.function, request.parameters)
    if len(request.figures) != catalog.specification(request.function).figures:
        raise OutOfRange(f"{request.function} takes another number of figures than {len(request.figures)}")
    if any(name not in records.figures for name in request.figures) or request.mask_name not in masks:
        raise OutOfRange(f"no figure {request.figures} or no group {request.mask_name!r} in this study")
    cell = Cell(request, masks[request.mask_name], figures_of(request, records))
    if request.category is not None:
        selection.verify_category(records, request.category)
        category = records[request.category[0]].encoding
        cell.category_cells = category.size + category.blank_allowed
    encodings = [figure.encoding for figure in cell.figures]
    if request.function == "own_rank@1":
        own_rank.verify_request(request, cell.figure, cell.mask)
    if cell.rules:
        for encoding in encodings:
            verify_concentration(encoding, request.minimum, records.count)
    verify_plan(request.function, encodings, request.parameters, records.count)
    if "quantiles" in request.parameters:
        cell.quantiles = catalog.parse_quantiles(request.parameters)
    return cell


async def _answer_counts(engine: Engine, cells: Sequence[Cell]) -> None:
    for cell in cells:
        cell.values = (str(cell.number),)


async def _answer_sums(engine: Engine, cells: Sequence[Cell]) -> None:
    totals = await moments.reveal_totals(
        engine, [moments.shared_total(engine, cell.figure, cell.mask, cell.selector) for cell in cells]
    )
    for cell, total in zip(cells, totals, strict=True):
        cell.total = total
        cell.values = (exact_text(moments.sum_of(cell.figure.encoding, total, cell.number)),)


async def _answer_percentiles(find: FindPercentiles, engine: Engine, cells: Sequence[Cell]) -> None:
    """One walk for each figure and group, over the union of what its items ask for."""
    wanted: dict[tuple[str, Group], set[Fraction]] = {}
    first: dict[tuple[str, Group], Cell] = {}
    for cell in cells:
        key = cell.request.figure, cell.request.group
        wanted.setdefault(key, set()).update(cell.quantiles)
        first.setdefault(key, cell)
    walks = [
        order_statistics.Walk(
            first[key].figure,
            first[key].mask,
            first[key].number,
            tuple(sorted(quantiles)),
            first[key].selector,
        )
        for key, quantiles in wanted.items()
    ]
    prefixes = await find(engine, walks)
    found = {
        key: dict(zip(walk.quantiles, own, strict=True))
        for key, walk, own in zip(wanted, walks, prefixes, strict=True)
    }
    for cell in cells:
        encoding = cell.figure.encoding
        own = found[cell.request.figure, cell.request.group]
        cell.values = tuple(exact_text(encoding.published_value(own[q])) for q in cell.quantiles)


FAMILIES: Mapping[str, Family] = {
    "count@1": _answer_counts,
    "sum@1": _answer_sums,
    "mean@1": means.answer,
    "ratio_of_totals@1": ratios.answer,
    "correlation@1": correlations.answer,
    "histogram@1": histograms.answer,
    "variance@1": variances.answer,
    "standard_deviation@1": variances.answer,
    "own_rank@1": own_rank.answer,
    "percentiles@1": partial(_answer_percentiles, order_statistics.percentiles),
    "percentiles_linear@1": partial(_answer_percentiles, interpolated_percentiles.percentiles),
}
"""Which code answers which function of the catalogue."""

_ORDER = tuple(dict.fromkeys([variances.answer, *FAMILIES.values()]))
"""Variances first: on their way through the columns they meet the sums that others ask for."""

_OPENING_TOTALS = frozenset({"sum@1", "variance@1", "standard_deviation@1"})
