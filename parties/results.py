"""Results and checked rosters as documents: deterministic functions of what the parties agreed on.

No local clock and no order of arrival enters, so every node that computed builds the same payload bytes and
posts only its signature. Time and log heads are those stated in the job's proposal and acceptances.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mpc_cde.documents.checked_roster import MALFORMED_ENCODING, CheckedRoster, RemovedSubmission
from mpc_cde.documents.query import Query, QueryItem
from mpc_cde.documents.result import Cell, LogHead, Result
from mpc_cde.documents.roster import RosterEntry
from mpc_cde.documents.study_terms import StudyTerms
from protocols import catalog


@dataclass(frozen=True, slots=True)
class CellValues:
    """What a worker found for one item: exact decimal text, or by which rule it is withheld."""

    contributors: int | None
    values: tuple[str, ...] | None
    withheld: str | None


@dataclass(frozen=True, slots=True)
class AgreedJob:
    """What all parties of the session accepted before the job began; same bytes at each of them."""

    job_id: bytes
    session_parties: tuple[int, ...]
    attempt: int
    time: str
    log_heads: tuple[LogHead, ...]


def build_result(
    terms: StudyTerms, query: Query, checked_roster: bytes, job: AgreedJob, outcomes: Sequence[CellValues]
) -> Result:
    """The result of a query job: one cell an item, in query order."""
    return Result(
        job=job.job_id,
        study_terms=terms.digest(),
        checked_roster=checked_roster,
        query=query.digest(),
        cells=tuple(_cell(item, outcome) for item, outcome in zip(query.items, outcomes, strict=True)),
        engine=terms.engine,
        parties=job.session_parties,
        time=job.time,
        log_heads=job.log_heads,
    )


def _cell(item: QueryItem, outcome: CellValues) -> Cell:
    definition = catalog.specification(item.function).definition
    if outcome.withheld is not None:  # a withheld cell says by which rule and nothing else
        return Cell(
            function=item.function,
            figures=item.figures,
            group=item.group,
            parameters=item.parameters,
            withheld="minimum" if outcome.withheld == "minimum" else "disclosure",
            definition=definition,
        )
    return Cell(
        function=item.function,
        figures=item.figures,
        group=item.group,
        parameters=item.parameters,
        values=outcome.values,
        contributors=outcome.contributors,
        definition=definition,
    )


def build_checked_roster(
    study_terms: bytes,
    roster: bytes,
    entries: Sequence[RosterEntry],
    faulty_rows: Sequence[int],
    session_parties: Sequence[int],
) -> CheckedRoster:
    """The checked roster of a finished input check; `entries` in row order."""
    removed = sorted(entries[row].submission for row in faulty_rows)
    return CheckedRoster(
        study_terms=study_terms,
        roster=roster,
        removed=tuple(RemovedSubmission(submission=digest, fault=MALFORMED_ENCODING) for digest in removed),
        parties=tuple(sorted(session_parties)),
    )
