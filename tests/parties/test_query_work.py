"""A party starts or signs nothing for a query when something that it rests on is not there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from mpc_cde.documents.checked_roster import CheckedRoster
from mpc_cde.documents.envelope import Envelope
from mpc_cde.documents.query import Query, QueryItem
from mpc_cde.documents.study_terms import StudyTerms
from mpc_cde.errors import OwnError
from mpc_cde.life_cycles import study as life
from parties import answers_table, roster_table
from parties.desk import Desk
from parties.job_proposals import Proposal
from parties.query_work import AnswersDiffer, QueryWork
from parties.session_supervisor import JobOutcome
from parties.share_store import StoredDocument
from parties.worker_pipe import CellFound, JobSpecification
from tests.mpc_cde.client.paper import PaperCommunity, paper_terms, signed
from tests.parties.memory_sessions import MemoryMesh, MemorySession
from tests.parties.paper_node import ManualClock, PaperNode, make_submission
from tests.parties.test_column_builder import agreed_roster
from tests.parties.test_conductor import AFTER_CLOSING
from tests.parties.test_study_limits import of

LATER = "2027-06-01T00:00:00Z"
OWN_PLACE = QueryItem(function="own_rank@1", figures=("sales",))


def terms_with_own_place(community: bytes) -> StudyTerms:
    terms = paper_terms(community)
    return terms.model_copy(
        update={"functions": (*terms.functions, of("own_rank@1", "sales", audience="self"))}
    )


class NothingIsSigned(Exception):
    """What comes after all that is looked at here."""


class Room:
    """One party in a session about a study whose inputs are checked; its worker finds `cells`."""

    def __init__(self, path: Path, submitted: Sequence[int] = (0, 1)) -> None:
        self.paper = PaperCommunity(terms_of=terms_with_own_place)
        self.cells: tuple[CellFound, ...] | None = None
        node = PaperNode(self.paper, path, clock=ManualClock())
        self.desk = Desk(
            store=node.store,
            log=node.log,
            intake=node.intake,
            identity=self.paper.party_keys[0],
            clock=node.clock,
            wake_outbox=lambda: None,
        )
        node.open_study()
        submissions = [make_submission(self.paper, number) for number in submitted]
        roster, entries = agreed_roster(self.paper, submissions)
        checked = CheckedRoster(
            study_terms=roster.study_terms, roster=roster.digest(), removed=(), parties=(0, 1, 2)
        )
        node.take(*submissions)
        node.clock.now = AFTER_CLOSING
        node.take(signed(roster, self.paper.party_keys), signed(checked, self.paper.party_keys))
        with node.store.writing() as transaction:
            roster_table.put_entries(transaction, roster.digest(), entries)
            known = self.desk.know(transaction, roster.study_terms)
        self.node, self.roster, self.checked = node, roster, checked
        table = MemoryMesh(3, 1).table("computing", b"", 3)
        self.work = QueryWork(
            desk=self.desk,
            session=MemorySession(table, 0, None),
            known=known,
            roster=roster.digest(),
            entries=entries,
            p_percent=None,
            compute=self._compute,
            sign_together=self._sign,
        )

    async def _compute(self, job: JobSpecification) -> JobOutcome:
        return JobOutcome(job.job_id, None, self.cells, 0, 0, 0.0, 0, 0, 0, 0)

    async def _sign(self, envelope: Envelope) -> Envelope:
        raise NothingIsSigned

    def own_query(self, number: int) -> Query:
        asker = self.paper.membership(number).digest()
        return self.paper.query().model_copy(update={"items": (OWN_PLACE,), "asker": asker, "expires": LATER})

    def proposal(self, query: Query, **changes: object) -> Proposal:
        return Proposal.model_validate(
            {
                "kind": "query",
                "study_terms": query.study_terms,
                "subject": query.digest(),
                "roster": self.checked.digest(),
                "attempt": 1,
                "time": "2027-01-01T01:00:00Z",
                "released": tuple({} for _ in query.items),
                **changes,
            }
        )

    def began(self) -> bool:
        return "job.started" in self.node.events()


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


@pytest.mark.parametrize(
    "cells", [None, (), (CellFound(contributors=None, values=None, withheld="minimum"),)]
)
async def test_a_worker_that_answers_with_other_than_the_cells_asked_for_gets_nothing_signed(
    room: Room, cells: tuple[CellFound, ...] | None
) -> None:
    query = room.paper.query().model_copy(update={"expires": LATER})
    room.node.take(
        signed(room.paper.researcher(), room.paper.party_keys), signed(query, [room.paper.researcher_key])
    )
    room.cells = cells
    with pytest.raises(OwnError, match="with something else"):
        await room.work.run(room.proposal(query), {})
    assert room.node.events()[-1] == "job.started"


async def test_a_second_attempt_that_comes_to_something_else_gets_nothing_signed(room: Room) -> None:
    query = room.paper.query().model_copy(update={"expires": LATER})
    room.node.take(
        signed(room.paper.researcher(), room.paper.party_keys), signed(query, [room.paper.researcher_key])
    )
    room.cells = (CellFound(contributors=5, values=("5",), withheld=None),) * len(query.items)
    with pytest.raises(NothingIsSigned):
        await room.work.run(room.proposal(query), {})
    room.cells = (CellFound(contributors=5, values=("6",), withheld=None), *room.cells[1:])
    with pytest.raises(AnswersDiffer):
        await room.work.run(room.proposal(query, attempt=2), {})
    assert room.node.events()[-1] == "job.differs"
    with room.node.store.reading() as view:
        (kept,) = answers_table.read_answers(view, query.digest())
    assert kept.attempt == 1


async def test_an_answer_that_is_not_on_disk_is_not_signed(room: Room) -> None:
    with pytest.raises(OwnError, match="what the job came to vanished"):
        await room.work.finish(room.proposal(room.paper.query(), kind="answered", answer=bytes(32)))


async def test_a_query_that_is_not_in_the_store_is_not_begun(room: Room) -> None:
    with pytest.raises(OwnError, match="the query vanished"):
        await room.work.run(room.proposal(room.paper.query()), {})
    assert not room.began()


async def test_no_query_is_begun_before_the_inputs_are_checked(room: Room) -> None:
    before = replace(room.work.known, state=life.Proposed(room.work.known.state.plan))
    with pytest.raises(OwnError, match="without checked inputs"):
        await replace(room.work, known=before).run(room.proposal(room.paper.query()), {})
    assert not room.began()


@pytest.mark.parametrize(("known", "reason"), [(True, "without a row"), (False, "membership vanished")])
async def test_a_place_of_a_member_that_is_not_in_the_roster_is_not_looked_for(
    room: Room, known: bool, reason: str
) -> None:
    query = room.own_query(2 if known else 20)
    envelope = signed(query, [room.paper.member_key(2)])
    with room.node.store.writing() as transaction:
        transaction.put_document(StoredDocument(query.digest(), Query.type_name(), envelope))
    with pytest.raises(OwnError, match=reason):
        await room.work.run(room.proposal(query), {})
    assert not room.began()
