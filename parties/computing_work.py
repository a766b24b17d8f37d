"""What a party does inside a computing session: propose or answer, compute, sign, until the proposer ends it.

The lowest-numbered party of the session proposes. A job's steps are the same at every party: all answers are yes;
ledger and log on disk; the computation; what it opened in the log; the document built from agreed inputs, signed;
signatures exchanged inside the session, so that no party leaves it without the complete document.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from mpc_cde.documents.authority import verify_parties
from mpc_cde.documents.checked_roster import CheckedRoster
from mpc_cde.documents.envelope import Envelope, merge_signatures, sign_document
from mpc_cde.documents.job_names import input_check_job_id
from mpc_cde.documents.query import Query
from mpc_cde.documents.roster import Roster
from mpc_cde.documents.roster_rows import RosterRows
from mpc_cde.errors import BadDocument, OwnError, PeerError
from mpc_cde.life_cycles import study as life
from parties import answers_table, ledger_table
from parties.desk import Desk
from parties.job_proposals import (
    Answer,
    OwnView,
    Proposal,
    agreed_digest,
    next_attempt,
    refusal_of_answer,
    refusal_of_query,
    released_by,
    union,
)
from parties.job_specifications import check_specification
from parties.policy import MAX_ATTEMPTS
from parties.query_work import PartyDisagrees, QueryWork
from parties.release_ledger import Released
from parties.results import build_checked_roster
from parties.session_supervisor import JobOutcome
from parties.sessions import ComputingSession
from parties.share_store import StoreView
from parties.studies import KnownStudy
from parties.worker_pipe import JobSpecification

Said = TypeVar("Said", Proposal, Answer)
KEEP_SECONDS = 20.0
REFUSAL_PAUSE_SECONDS = 0.5
MAX_REFUSALS_IN_A_ROW = 60


@dataclass(slots=True)
class ComputingWork:
    """The work of one computing session at this party."""

    desk: Desk
    session: ComputingSession
    known: KnownStudy
    roster: Roster
    entries: RosterRows
    columns: Path
    p_percent: int | None
    wait_for_change: Callable[[float], Awaitable[None]]
    other_wants: Callable[[bytes], Awaitable[bool]]
    _unknown_elsewhere: set[bytes] = field(default_factory=set, init=False)
    _refusals: int = field(default=0, init=False)
    _refused: Counter[bytes] = field(default_factory=Counter, init=False)
    _attempts_known: dict[bytes, int] = field(default_factory=dict, init=False)
    _released_known: dict[bytes, tuple[Released, ...]] = field(default_factory=dict, init=False)

    @property
    def _leads(self) -> bool:
        return self.desk.own_index == self.session.parties[0]

    async def serve(self) -> None:
        """Jobs one after another. Returns when the proposer ends the session; raises when it fails."""
        while True:
            own = await self._next_proposal() if self._leads else None
            shown = await self.session.exchange(
                "proposal", own.payload_bytes() if own else b"", patience_seconds=None
            )
            leader = self.session.parties[0]
            for party, payload in sorted(shown.items()):
                if payload and party != leader:
                    raise PartyDisagrees(party, "one proposer, the lowest party", "a proposal")
            proposal = _parse(leader, Proposal, shown[leader])
            if proposal.kind == "end":
                return
            answer = await self._answer(proposal)
            shown = await self.session.exchange("answer", answer.payload_bytes())
            answers = {party: _parse(party, Answer, data) for party, data in sorted(shown.items())}
            if all(each.accepts for each in answers.values()):
                self._refusals = 0
                await self._run(proposal, answers)
            elif self._leads:
                await self._learn(proposal, answers)

    # proposing -------------------------------------------------------------------------------------------

    async def _next_proposal(self) -> Proposal:
        idle_since = time.monotonic()
        while True:
            self.known = await self.desk.read(lambda view: self.desk.know(view, self.known.terms_digest))
            proposal = await self.desk.read(self._find_proposal)
            if proposal is not None and self._refusals < MAX_REFUSALS_IN_A_ROW:
                return proposal
            idle = time.monotonic() - idle_since
            if (
                self._refusals >= MAX_REFUSALS_IN_A_ROW
                or idle > KEEP_SECONDS
                or await self.other_wants(self.known.terms_digest)
            ):
                return self._proposal("end", self.roster.digest(), self.roster.digest())
            await self.wait_for_change(1.0)

    def _proposal(
        self,
        kind: str,
        subject: bytes,
        roster: bytes,
        attempt: int = 1,
        released: tuple[Released, ...] = (),
        answer: bytes | None = None,
    ) -> Proposal:
        return Proposal.model_validate(
            {
                "kind": kind,
                "study_terms": self.known.terms_digest,
                "subject": subject,
                "roster": roster,
                "attempt": attempt,
                "time": self.desk.now(),
                "released": released,
                "answer": answer,
            }
        )

    def _find_proposal(self, view: StoreView) -> Proposal | None:
        state = self.known.state
        if isinstance(state, life.Frozen):
            return self._proposal("input_checks", self.roster.digest(), self.roster.digest())
        if not isinstance(state, life.Checked | life.Answering):
            return None
        ledger = ledger_table.read_ledger(view, self.known.terms_digest)
        pending_queries = self.desk.pending_queries(view, self.known)
        # One that some party keeps refusing (its feed lacks a decision, say) must not hold up the others.
        for pending in sorted(pending_queries, key=lambda found: self._refused[found.digest]):
            for answer in answers_table.read_answers(view, pending.digest):
                name = answer.digest()
                if answer.parties == self.session.parties and name not in self._unknown_elsewhere:
                    return self._proposal(
                        "answered", pending.digest, state.checked, answer.attempt, answer=name
                    )
            own = released_by(ledger, pending.digest, pending.query.items)
            heard = self._released_known.get(pending.digest, own)
            attempt = max(next_attempt(ledger, pending.digest), self._attempts_known.get(pending.digest, 1))
            if attempt <= MAX_ATTEMPTS:
                return self._proposal("query", pending.digest, state.checked, attempt, union([own, heard]))
        return None

    async def _learn(self, proposal: Proposal, answers: Mapping[int, Answer]) -> None:
        """Some party refused: propose what all can accept, after a pause for their feeds."""
        self._refusals += 1
        self._refused[proposal.subject] += 1
        no = {party: each for party, each in answers.items() if not each.accepts}
        if proposal.answer is not None:
            self._unknown_elsewhere.add(proposal.answer)
        for party, each in no.items():
            await self.desk.note("job.refused", by=party, reason=each.reason or "", subject=proposal.subject)
            if each.next_attempt > proposal.attempt:
                self._attempts_known[proposal.subject] = each.next_attempt
            if proposal.released and len(each.released) == len(proposal.released):
                self._released_known[proposal.subject] = union([proposal.released, each.released])
        await self.wait_for_change(REFUSAL_PAUSE_SECONDS)

    # answering -------------------------------------------------------------------------------------------

    async def _answer(self, proposal: Proposal) -> Answer:
        self.known = await self.desk.read(lambda view: self.desk.know(view, self.known.terms_digest))
        reason, attempt, released = await self.desk.read(lambda view: self._judge(view, proposal))
        head = self.desk.log.head
        return Answer(
            accepts=reason is None,
            reason=reason,
            next_attempt=min(attempt, MAX_ATTEMPTS + 1),
            released=released,
            log_head=head.digest,
            log_length=head.length,
        )

    def _judge(self, view: StoreView, proposal: Proposal) -> tuple[str | None, int, tuple[Released, ...]]:
        """Why not (None: yes), the attempt this party would start next, and what it has let out."""
        if proposal.study_terms != self.known.terms_digest:
            return "the proposal is about another study", 1, ()
        state = self.known.state
        if proposal.kind == "input_checks":
            fits = isinstance(state, life.Frozen) and proposal.subject == state.roster == proposal.roster
            return (None if fits else "the roster is not frozen here, or is another one"), 1, ()
        if not isinstance(state, life.Checked | life.Answering):
            return "the inputs are not checked here", 1, ()
        stored = view.document(proposal.subject)
        if stored is None or stored.type_name != Query.type_name():
            return "the query is not here yet", 1, ()
        query = stored.parse(Query)
        ledger = ledger_table.read_ledger(view, self.known.terms_digest)
        if proposal.kind == "answered":
            known = answers_table.read_answers(view, stored.digest)
            return (
                refusal_of_answer(proposal, self.session.parties, known),
                next_attempt(ledger, stored.digest),
                (),
            )
        own = OwnView(
            query=query,
            query_digest=stored.digest,
            decisions=self.desk.decisions(view, stored.digest),
            party_count=self.desk.community.party_count,
            checked_roster=state.checked,
            ledger=ledger,
            now=self.desk.now(),
        )
        return (
            refusal_of_query(proposal, own),
            next_attempt(ledger, stored.digest),
            released_by(ledger, stored.digest, query.items),
        )

    # running ---------------------------------------------------------------------------------------------

    async def _run(self, proposal: Proposal, answers: Mapping[int, Answer]) -> None:
        if proposal.kind == "input_checks":
            await self._run_checks(proposal, answers)
        elif proposal.kind == "query":
            await self._query_work(proposal, answers).run(proposal, answers)
        else:
            await self._query_work(proposal, answers).finish(proposal)

    async def _run_checks(self, proposal: Proposal, answers: Mapping[int, Answer]) -> None:
        roster = self.roster.digest()
        name = input_check_job_id(session_id=self.session.session_id, roster=roster, attempt=proposal.attempt)
        await self.desk.note("job.started", job=name, kind="input_checks", roster=roster)
        job = check_specification(name, roster, self.known.terms, self.entries)
        found = await self._compute(job, proposal, answers)
        if found.faulty_rows is None:
            raise OwnError("the worker answered input checks with something else")
        faulty = found.faulty_rows
        await self._note_cost(found, removed=len(faulty))
        document = build_checked_roster(
            self.known.terms_digest, roster, self.entries, faulty, self.session.parties
        )
        envelope = await self._sign_together(sign_document(document, self.desk.identity))
        await self.desk.note("checked_roster.signed", checked_roster=envelope.digest(), removed=len(faulty))
        await self.desk.write(
            lambda transaction: self.desk.keep_and_post(
                transaction, CheckedRoster, envelope, study=self.known.terms_digest, subject=roster
            )
        )

    def _query_work(self, proposal: Proposal, answers: Mapping[int, Answer]) -> QueryWork:
        async def compute(job: JobSpecification) -> JobOutcome:
            found = await self._compute(job, proposal, answers)
            await self._note_cost(found, cells=len(job.cells))
            return found

        return QueryWork(
            desk=self.desk,
            session=self.session,
            known=self.known,
            roster=self.roster.digest(),
            entries=self.entries,
            p_percent=self.p_percent,
            compute=compute,
            sign_together=self._sign_together,
        )

    async def _compute(
        self, job: JobSpecification, proposal: Proposal, answers: Mapping[int, Answer]
    ) -> JobOutcome:
        agreed = agreed_digest(proposal, answers)
        return await self.session.run_job(job.model_copy(update={"agreed": agreed}), self.columns)

    async def _note_cost(self, found: JobOutcome, **more: int) -> None:
        await self.desk.note(
            "job.computed",
            job=found.job_id,
            microseconds=round(found.seconds * 1e6),
            rounds=found.rounds,
            bytes_sent=found.bytes_sent,
            multiplications=found.multiplications,
            comparisons=found.comparisons,
            peak_anonymous_bytes=found.peak_anonymous_bytes,
            **more,
        )

    async def _sign_together(self, own: Envelope) -> Envelope:
        """The document with the signatures of all session parties. Raises PartyDisagrees."""
        shown = await self.session.exchange("signature", own.to_json())
        merged = own
        for party, data in sorted(shown.items()):
            try:
                envelope = Envelope.parse_json(data)
                if (envelope.payload_type, envelope.payload) != (own.payload_type, own.payload):
                    raise PartyDisagrees(party, "the document that the agreed inputs lead to", "another")
                verify_parties(envelope, self.desk.community, (party,))
            except PartyDisagrees:
                raise
            except PeerError as error:
                raise PartyDisagrees(party, "its signature", str(error)[:120]) from None
            merged = merge_signatures(merged, [envelope])
        return merged


def _parse(party: int, kind: type[Said], data: bytes) -> Said:
    try:
        return kind.parse_payload(data)
    except BadDocument:
        raise PartyDisagrees(party, f"a {kind.__name__.lower()}", "something else") from None
