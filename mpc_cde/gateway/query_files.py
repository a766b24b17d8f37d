"""Where a query stands, from the decisions and signatures that were kept; by `mpc_cde.life_cycles.query`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from mpc_cde.documents.canonical import datetime_of
from mpc_cde.documents.complaint import GIVEN_UP_STEP, Complaint
from mpc_cde.documents.decision import Decision
from mpc_cde.documents.query import Query
from mpc_cde.documents.result import Result
from mpc_cde.errors import NotFound
from mpc_cde.gateway.admission import Context
from mpc_cde.gateway.parsed import parse_stored
from mpc_cde.gateway.store_view import StoredDocument
from mpc_cde.gateway.study_files import StudyFile, get_study, parties_that_signed
from mpc_cde.life_cycles import query as life
from mpc_cde.life_cycles.query_events import DecisionGiven, Event, ResultServed, ResultSigned
from mpc_cde.life_cycles.query_states import Received, State, Subject
from mpc_cde.life_cycles.transitions import ClockReached, IllegalTransition

_FINAL = frozenset({"published", "withheld", "declined", "failed"})


@dataclass(frozen=True, slots=True)
class QueryFile:
    """A query and everything said about it."""

    stored: StoredDocument
    query: Query
    study: StudyFile
    decisions: tuple[StoredDocument, ...]
    results: tuple[StoredDocument, ...]
    state: State
    given_up: frozenset[int]

    @property
    def published(self) -> tuple[StoredDocument, ...]:
        """Results that every party they name has signed."""
        community = self.study.community
        return tuple(
            stored
            for stored in self.results
            if {community.party_key(party) for party in parse_stored(stored, Result).parties}
            <= stored.signers
        )

    @property
    def state_name(self) -> str:
        """One word; a complete result counts even if a decision is still on its way here.

        "failed" as well once t + 1 parties say that no attempt is left, so that no t of them can call it that.
        """
        if self.state.name in _FINAL:
            return self.state.name
        if self.published:
            return "published"
        return "failed" if len(self.given_up) > self.study.community.threshold else self.state.name

    @property
    def is_final(self) -> bool:
        return self.state_name in _FINAL

    @property
    def waiting_for(self) -> tuple[str, ...]:
        """Names of the parties whose decision, or signature of the result, is missing."""
        if self.is_final:
            return ()
        community = self.study.community
        if self.state_name == "received":
            decided = {parse_stored(stored, Decision).party for stored in self.decisions}
            return tuple(card.name for j, card in enumerate(community.cards) if j not in decided)
        for stored in self.results:
            signed = parties_that_signed(stored, community)
            named = parse_stored(stored, Result).parties
            return tuple(community.cards[party].name for party in named if party not in signed)
        return ()


def get_query(context: Context, digest: bytes, *, decision_seconds: float) -> QueryFile:
    """The query as it stands. Raises NotFound."""
    stored = context.view.document(digest)
    if stored is None or stored.type_name != Query.type_name() or stored.study is None:
        raise NotFound("this gateway knows no such query")
    query = parse_stored(stored, Query)
    study = get_study(context.view, context.chain, stored.study, context.now)
    community = study.community
    decisions = tuple(context.view.documents(Decision.type_name(), subject=digest))
    results = tuple(context.view.documents(Result.type_name(), subject=digest))
    subject = Subject(
        query=digest,
        parties=community.party_count,
        threshold=community.threshold,
        decide_by=datetime_of(stored.received) + timedelta(seconds=decision_seconds),
        expires=datetime_of(query.expires),
    )
    given_up = _given_up(context, stored.study, digest)
    file = QueryFile(stored, query, study, decisions, results, Received(subject), given_up)
    events: list[Event] = [_decision_event(parse_stored(decision, Decision)) for decision in decisions]
    for result in results:
        events += _signature_events(result, community_parties=parties_that_signed(result, community))
    state = _after(file.state, events)
    if file.published:
        state = _after(state, [ResultServed(file.published[0].digest)])
    state = _after(state, [ClockReached(context.now)])
    return QueryFile(stored, query, study, decisions, results, state, given_up)


def _given_up(context: Context, study: bytes, query: bytes) -> frozenset[int]:
    """Parties that say that the query has no attempt left."""
    complaints = (
        parse_stored(stored, Complaint)
        for stored in context.view.documents(Complaint.type_name(), study=study)
    )
    return frozenset(
        complaint.party
        for complaint in complaints
        if complaint.step == GIVEN_UP_STEP and query in complaint.evidence
    )


def _decision_event(decision: Decision) -> Event:
    return DecisionGiven(decision.party, decision.agrees, decision.rule, decision.explanation)


def _signature_events(stored: StoredDocument, *, community_parties: Iterable[int]) -> list[Event]:
    result = parse_stored(stored, Result)
    withheld = all(cell.withheld is not None for cell in result.cells)
    named = frozenset(result.parties)
    return [ResultSigned(party, result.job, stored.digest, named, withheld) for party in community_parties]


def _after(state: State, events: Iterable[Event]) -> State:
    for event in events:
        try:
            state, _ = life.advance(state, event)
        except IllegalTransition:
            continue
    return state
