"""Results and checked rosters as documents: deterministic functions of what the parties agreed on.

No local clock and no order of arrival enters, so every node that computed builds the same payload bytes and
posts only its signature. Time and log heads are those stated in the job's proposal and acceptances.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from mpc_cde.documents.base import Part
from mpc_cde.documents.canonical import Bytes32, Count, Digest, PartyIndex, Timestamp
from mpc_cde.documents.checked_roster import MALFORMED_ENCODING, CheckedRoster, RemovedSubmission
from mpc_cde.documents.query import Query, QueryItem
from mpc_cde.documents.result import Cell, LogHead, Result
from mpc_cde.documents.roster_rows import RosterRows
from mpc_cde.documents.study_terms import StudyTerms
from parties.worker_pipe import CellFound
from protocols import catalog


class FoundAnswer(Part):
    """What a job came to at this party, with all that was agreed on before it: its result can be built again.

    Kept on disk before anything that depends on it is signed or sent. `parties` are those of its session; `time` and
    `log_heads` stood in its proposal and acceptances, and so are the same at each of them.
    """

    max_payload_bytes: ClassVar[int] = 64 << 20

    job: Bytes32
    query: Digest
    checked_roster: Digest
    parties: tuple[PartyIndex, ...]
    attempt: Count
    time: Timestamp
    log_heads: tuple[LogHead, ...]
    cells: tuple[CellFound, ...]

    def says_the_same(self, other: FoundAnswer) -> bool:
        """Whether both attempts opened the same; sealed shares are made anew each time and say nothing."""
        return [cell.model_copy(update={"sealed": None}) for cell in self.cells] == [
            cell.model_copy(update={"sealed": None}) for cell in other.cells
        ]


def build_result(terms: StudyTerms, query: Query, answer: FoundAnswer) -> Result:
    """The result of a query job: one cell an item, in query order."""
    return Result(
        job=answer.job,
        study_terms=terms.digest(),
        checked_roster=answer.checked_roster,
        query=answer.query,
        cells=tuple(_cell(item, found) for item, found in zip(query.items, answer.cells, strict=True)),
        engine=terms.engine,
        parties=answer.parties,
        time=answer.time,
        log_heads=answer.log_heads,
    )


def _cell(item: QueryItem, found: CellFound) -> Cell:
    withheld = found.withheld is not None  # such a cell says by which rule and nothing else
    return Cell(
        function=item.function,
        figures=item.figures,
        group=item.group,
        parameters=item.parameters,
        values=None if withheld else found.values,
        sealed=None if withheld else found.sealed,
        withheld=None if not withheld else "minimum" if found.withheld == "minimum" else "disclosure",
        contributors=None if withheld else found.contributors,
        definition=catalog.specification(item.function).definition,
    )


def build_checked_roster(
    study_terms: bytes,
    roster: bytes,
    entries: RosterRows,
    faulty_rows: Sequence[int],
    session_parties: Sequence[int],
) -> CheckedRoster:
    """The checked roster of a finished input check; `entries` in row order."""
    removed = sorted(entries.submission(row) for row in faulty_rows)
    return CheckedRoster(
        study_terms=study_terms,
        roster=roster,
        removed=tuple(RemovedSubmission(submission=digest, fault=MALFORMED_ENCODING) for digest in removed),
        parties=tuple(sorted(session_parties)),
    )
