"""From agreed inputs to the public part of a job: the same bytes at every party of the session.

Masks select rows of the roster by certified values; a row that the input checks removed is in none of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mpc_cde.documents.query import GroupCell, Query
from mpc_cde.documents.roster import RosterEntry
from mpc_cde.documents.study_terms import StudyTerms
from parties.worker_pipe import JobCell, JobMask, JobSpecification

EVERYBODY = "all"


def check_specification(
    job_id: bytes, roster: bytes, terms: StudyTerms, entries: Sequence[RosterEntry]
) -> JobSpecification:
    """Input checks over every figure and row."""
    return JobSpecification(
        job_id=job_id, kind="check_inputs", roster=roster, figures=terms.figures, records=len(entries)
    )


def query_specification(
    job_id: bytes,
    roster: bytes,
    terms: StudyTerms,
    entries: Sequence[RosterEntry],
    removed: frozenset[bytes],
    query: Query,
    released: Sequence[tuple[str, ...]],
) -> JobSpecification:
    """The cells of a query, in its order; `released[i]` are quantiles that item i must keep clear of."""
    cells = tuple(
        JobCell(
            function=item.function,
            figures=item.figures,
            mask=mask_name(item.group),
            parameters=item.parameters,
            minimum=terms.disclosure.minimum_for(group=item.group is not None),
            released=own,
        )
        for item, own in zip(query.items, released, strict=True)
    )
    groups = {mask_name(item.group): item.group for item in query.items}
    return JobSpecification(
        job_id=job_id,
        kind="answer_query",
        roster=roster,
        figures=terms.figures,
        records=len(entries),
        masks=tuple(_mask(name, groups[name], entries, removed) for name in sorted(groups)),
        cells=cells,
    )


def mask_name(group: GroupCell | None) -> str:
    """What a group's mask is called in a job."""
    return EVERYBODY if group is None else f"{group.attribute}={group.value}"


def _mask(
    name: str, group: GroupCell | None, entries: Sequence[RosterEntry], removed: frozenset[bytes]
) -> JobMask:
    selected = np.fromiter(
        (
            entry.submission not in removed
            and (group is None or entry.groups.get(group.attribute) == group.value)
            for entry in entries
        ),
        dtype=np.uint8,
        count=len(entries),
    )
    return JobMask(name=name, bits=np.packbits(selected, bitorder="little").tobytes())
