"""A query inside a computing session: from all answers being yes to a signed result, or from the log to it.

Steps, the same at every party: ledger on disk; the computation; sealed shares of a member's own place shown to all,
since all sign the same bytes; what it came to on disk and in the log; the result, signed by all. A party that fails
after the last but one finds there what was opened: the next session signs that, and computes nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from mpc_cde.documents.base import Part
from mpc_cde.documents.envelope import Envelope, sign_document
from mpc_cde.documents.job_names import job_id
from mpc_cde.documents.membership import Membership
from mpc_cde.documents.query import Query
from mpc_cde.documents.result import LogHead, Result, SealedShare
from mpc_cde.documents.roster_rows import RosterRows
from mpc_cde.errors import BadDocument, OwnError, PeerError
from mpc_cde.life_cycles import study as life
from parties import answers_table, ledger_table
from parties.decisions import find_contribution
from parties.desk import Desk
from parties.job_proposals import Answer, Proposal
from parties.job_specifications import query_specification
from parties.policy import is_about_oneself
from parties.results import FoundAnswer, build_result
from parties.session_supervisor import JobOutcome
from parties.sessions import ComputingSession
from parties.share_store import StoreTransaction, StoreView
from parties.studies import KnownStudy
from parties.worker_pipe import CellFound, JobAsker, JobSpecification

Compute = Callable[[JobSpecification], Awaitable[JobOutcome]]
SignTogether = Callable[[Envelope], Awaitable[Envelope]]


class PartyDisagrees(PeerError):
    """A party of the session showed something other than what all must come to; `party` is its index."""

    def __init__(self, party: int, expected: str, found: str) -> None:
        super().__init__(f"party {party}: expected {expected}, found {found}", whom=f"party {party}")
        self.party = party
        self.expected = expected
        self.found = found


class AnswersDiffer(OwnError):
    """A job came to another answer than an earlier attempt at the same query on the same roster."""


class SealedShares(Part):
    """One party's shares of what is for the asking member alone, in the order of the cells; all parties see them."""

    max_payload_bytes: ClassVar[int] = 8 << 20

    shares: Annotated[tuple[SealedShare, ...], Field(min_length=1, max_length=1024)]


@dataclass(frozen=True, slots=True)
class QueryWork:
    """One query at this party; `known` as it stands now, `entries` the rows of its roster."""

    desk: Desk
    session: ComputingSession
    known: KnownStudy
    roster: bytes
    entries: RosterRows
    p_percent: int | None
    compute: Compute
    sign_together: SignTogether

    async def run(self, proposal: Proposal, answers: Mapping[int, Answer]) -> None:
        """Compute what all parties of the session accepted, and sign the result. Raises PartyDisagrees."""
        state = self._checked()
        query = await self._query(proposal.subject)
        asker = await self.desk.read(lambda view: self._asker(view, query))
        name = job_id(
            session_id=self.session.session_id,
            query=proposal.subject,
            checked_roster=state.checked,
            functions=sorted({item.function for item in query.items}),
            attempt=proposal.attempt,
        )

        def begin(transaction: StoreTransaction) -> None:
            ledger_table.begin_job(
                transaction,
                study_terms=self.known.terms_digest,
                checked_roster=state.checked,
                query=proposal.subject,
                job=name,
                attempt=proposal.attempt,
                items=query.items,
            )

        await self.desk.write(begin)
        await self.desk.note("job.started", job=name, kind="query", query=proposal.subject)
        specification = query_specification(
            name,
            self.roster,
            self.known.terms,
            self.entries,
            state.removed,
            query,
            proposal.released,
            self.p_percent,
            asker,
        )
        found = await self.compute(specification)
        if found.cells is None or len(found.cells) != len(query.items):
            raise OwnError("the worker answered a query with something else")
        heads = [
            LogHead(party=party, head=each.log_head, length=each.log_length)
            for party, each in sorted(answers.items())
        ]
        answer = FoundAnswer(
            job=name,
            query=proposal.subject,
            checked_roster=state.checked,
            parties=self.session.parties,
            attempt=proposal.attempt,
            time=proposal.time,
            log_heads=tuple(heads),
            cells=await self._with_all_shares(found.cells),
        )
        await self._record(answer)
        await self._publish(query, answer)

    async def finish(self, proposal: Proposal) -> None:
        """Sign what an earlier job of the query came to, from this party's own store. Raises PartyDisagrees."""
        known = await self.desk.read(lambda view: answers_table.read_answers(view, proposal.subject))
        answer = next((each for each in known if each.digest() == proposal.answer), None)
        if answer is None:
            raise OwnError("what the job came to vanished from the store")
        await self._publish(await self._query(proposal.subject), answer)

    def _checked(self) -> life.Checked | life.Answering:
        state = self.known.state
        if not isinstance(state, life.Checked | life.Answering):
            raise OwnError("a query job without checked inputs")
        return state

    async def _query(self, digest: bytes) -> Query:
        stored = await self.desk.read(lambda view: view.document(digest))
        if stored is None:
            raise OwnError("the query vanished from the store")
        return stored.parse(Query)

    def _asker(self, view: StoreView, query: Query) -> JobAsker | None:
        """The member that asks for its own place, and its row: from the roster that every party has."""
        if not is_about_oneself(query, self.known.terms):
            return None
        stored = view.document(query.asker)
        if stored is None:
            raise OwnError("the asker's membership vanished from the store")
        membership = stored.parse(Membership)
        found = find_contribution(view, self.known, membership.member)
        if found is None:
            raise OwnError("a member without a row asks for its own place")
        return JobAsker(member=membership.member, row=found[0], sealing_key=membership.sealing_key)

    async def _with_all_shares(self, cells: Sequence[CellFound]) -> tuple[CellFound, ...]:
        """Every party's sealed shares in the place of this party's own: the result holds all, in session order."""
        own = tuple(share for cell in cells for share in cell.sealed or ())
        if not own:
            return tuple(cells)
        shown = await self.session.exchange("sealed shares", SealedShares(shares=own).payload_bytes())
        columns = []
        for party, payload in sorted(shown.items()):
            try:
                shares = SealedShares.parse_payload(payload).shares
            except BadDocument:
                shares = ()
            if len(shares) != len(own):
                raise PartyDisagrees(party, f"{len(own)} sealed shares", "something else")
            columns.append(shares)
        everybodys = zip(*columns, strict=True)
        return tuple(
            cell if cell.sealed is None else cell.model_copy(update={"sealed": next(everybodys)})
            for cell in cells
        )

    async def _record(self, answer: FoundAnswer) -> None:
        """What was opened is on disk and in the log before anything that depends on it leaves.

        Raises AnswersDiffer where an earlier attempt came to something else: then nothing is signed.
        """

        def keep(transaction: StoreTransaction) -> bool:
            before = answers_table.read_answers(transaction, answer.query)
            if any(not answer.says_the_same(other) for other in before):
                return False
            answers_table.put_answer(transaction, answer)
            withheld = [cell.withheld is not None for cell in answer.cells]
            ledger_table.note_outcomes(transaction, answer.job, withheld)
            return True

        same = await self.desk.write(keep)
        await self.desk.note(
            "job.answered" if same else "job.differs",
            job=answer.job,
            query=answer.query,
            answer=answer.digest(),
        )
        if not same:
            raise AnswersDiffer("a retry of a query came to another answer than this party has on disk")

    async def _publish(self, query: Query, answer: FoundAnswer) -> None:
        document = build_result(self.known.terms, query, answer)
        envelope = await self.sign_together(sign_document(document, self.desk.identity))
        await self.desk.note("result.signed", result=envelope.digest(), query=answer.query)
        await self.desk.write(
            lambda transaction: self.desk.keep_and_post(
                transaction, Result, envelope, study=self.known.terms_digest, subject=answer.query
            )
        )
