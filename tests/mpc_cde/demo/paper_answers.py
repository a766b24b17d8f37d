"""A query answered on paper: terms, roster and query become a job as at a node, computed within the test.

No process and no document travels; everything between the documents and the mathematics is the parties' own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np

from mpc_cde.demo.material import Material
from mpc_cde.documents.query import Query, QueryItem
from mpc_cde.documents.result import Cell
from mpc_cde.documents.roster import RosterEntry
from mpc_cde.documents.roster_rows import RosterRows
from mpc_cde.documents.study_terms import StudyTerms
from mpc_cde.encodings import encodings_of
from parties.job_proposals import released_by
from parties.job_runner import request_of, unpack_masks
from parties.job_specifications import query_specification
from parties.release_ledger import LedgerEntry, ledger_of
from parties.results import FoundAnswer, build_result
from parties.worker_pipe import CellFound
from protocols.cells import CellOutcome
from protocols.computations import answer_query
from protocols.encoding import FigureEncoding
from protocols.engine import Engine
from protocols.records import arrange
from tests.protocols.engines import SETTINGS, Ran, Setting, Share

NOWHERE = bytes(32)
EARLY, LATE = "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"

Value = Decimal | str | None


@dataclass(frozen=True)
class PaperRoster:
    """Members by row: their figures and what is certified of them."""

    terms: StudyTerms
    figures: Sequence[Mapping[str, Value]]
    attributes: Sequence[Mapping[str, str]]
    p_percent: int | None = None

    def answer(
        self,
        items: Sequence[QueryItem],
        *,
        before: Sequence[tuple[Cell, ...]] = (),
        row: int | None = None,
        setting: Setting = SETTINGS[0],
    ) -> tuple[tuple[Cell, ...], Ran]:
        """The cells of the result, and what computing them cost; `before` are the results so far.

        `row` asks for its own place, which stands in the cell as only the member will read it.
        """
        entries = RosterRows.pack(
            RosterEntry(submission=_name(row), membership=_name(row), groups=dict(own))
            for row, own in enumerate(self.attributes)
        )
        query = Query(
            study_terms=self.terms.digest(), items=tuple(items), asker=NOWHERE, nonce=bytes(16), expires=LATE
        )
        ledger = ledger_of(
            LedgerEntry(NOWHERE, NOWHERE, _name(n), _name(n), 1, _item_of(cell), cell.withheld is not None)
            for n, cells in enumerate(before)
            for cell in cells
        )
        job = query_specification(
            NOWHERE,
            NOWHERE,
            self.terms,
            entries,
            frozenset(),
            query,
            released_by(ledger, query.digest(), query.items),
            self.p_percent,
        )
        names = [figure.name for figure in self.terms.figures]
        encodings = list(zip(names, encodings_of(self.terms), strict=True))

        async def computation(engine: Engine, share: Share) -> list[CellOutcome]:
            return await answer_query(
                engine,
                arrange(share(self._matrix(encodings)).values, encodings),
                unpack_masks(job),
                [replace(request_of(cell), row=row) for cell in job.cells],
                [request_of(cell) for cell in job.siblings],
            )

        outcomes, ran = setting.run(computation)
        found = FoundAnswer(
            job=NOWHERE,
            query=query.digest(),
            checked_roster=NOWHERE,
            parties=(0, 1, 2),
            attempt=1,
            time=EARLY,
            log_heads=(),
            cells=tuple(_found(outcome) for outcome in outcomes),
        )
        return build_result(self.terms, query, found).cells, ran

    def _matrix(self, encodings: Sequence[tuple[str, FigureEncoding]]) -> np.ndarray:
        columns = [
            [element for name, encoding in encodings for element in self._elements(row[name], name, encoding)]
            for row in self.figures
        ]
        return np.array(columns, dtype=np.uint64).T.copy()

    def _elements(self, value: Value, name: str, encoding: FigureEncoding) -> list[int]:
        figure = self.terms.figure(name)
        if isinstance(value, str):
            assert figure is not None
            return encoding.indicators(figure.categories.index(value))
        return encoding.indicators(encoding.encode(value))


def paper_roster(material: Material, *, count: int | None = None) -> PaperRoster:
    """The members of a demo, or the first of them."""
    members = material.members[:count]
    study = material.study(
        community=NOWHERE,
        steward="steward",
        opens=EARLY,
        closes=LATE,
        p_percent=NOWHERE if material.p_percent else None,
    )
    return PaperRoster(
        study.terms,
        [member.figures for member in members],
        [member.attributes for member in members],
        material.p_percent,
    )


def _found(outcome: CellOutcome) -> CellFound:
    values = outcome.values
    if outcome.own_share is not None:
        values = tuple(str(value) for value in outcome.own_share.values)
    return CellFound(contributors=outcome.contributors, values=values, withheld=outcome.withheld)


def _item_of(cell: Cell) -> QueryItem:
    return QueryItem(
        function=cell.function, figures=cell.figures, group=cell.group, parameters=cell.parameters
    )


def _name(number: int) -> bytes:
    return number.to_bytes(32, "big")
