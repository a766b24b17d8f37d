"""Answering queries: every query that this party has not decided gets its signed yes or no.

Reads verified documents and the ledger, asks `policy`, and keeps the decision and the message that carries it in
one transaction. A query decided before is never decided again: the signed decision stands.
"""

from __future__ import annotations

from dataclasses import dataclass

from mpc_cde.documents.authority import open_from_all_parties, open_membership
from mpc_cde.documents.canonical import timestamp_of
from mpc_cde.documents.decision import Decision
from mpc_cde.documents.envelope import sign_document
from mpc_cde.documents.membership import Membership
from mpc_cde.documents.query import Query
from mpc_cde.documents.researcher import Researcher
from mpc_cde.documents.roster import RosterEntry
from mpc_cde.errors import PeerError
from mpc_cde.keys import SigningKey
from mpc_cde.life_cycles import study as life
from parties import roster_table
from parties.document_checks import DocumentContext, is_revoked
from parties.ledger_table import read_ledger
from parties.policy import PartyPolicy, QueryContext, Verdict, decide
from parties.share_store import StoredDocument, StoreTransaction, StoreView
from parties.studies import KnownStudy

DECISIONS_PATH = "/v1/decisions"


@dataclass(frozen=True, slots=True)
class MadeDecision:
    """A decision just made, for the log."""

    query: bytes
    verdict: Verdict


def decide_pending(
    transaction: StoreTransaction,
    context: DocumentContext,
    known: KnownStudy,
    policy: PartyPolicy,
    *,
    party: int,
    signing_key: SigningKey,
) -> list[MadeDecision]:
    """Decide every undecided query of a study whose inputs are checked; queues the signed decisions."""
    if not isinstance(known.state, life.Checked | life.Answering):
        return []
    made = []
    agreed = _agreed(transaction, known, party)
    for stored in transaction.documents(Query.type_name(), study=known.terms_digest):
        if transaction.documents(Decision.type_name(), subject=stored.digest, party=party):
            continue
        query = stored.parse(Query)
        asker = _asker(context, query)
        verdict = decide(
            policy,
            QueryContext(
                query=query,
                query_digest=stored.digest,
                terms=known.terms,
                terms_digest=known.terms_digest,
                checked_roster=known.state.checked,
                asker=asker,
                asker_revoked=_asker_is_revoked(context, query, asker),
                contribution=_contribution(transaction, known, asker),
                agreed=agreed,
                ledger=read_ledger(transaction, known.terms_digest),
                now=timestamp_of(context.now),
            ),
        )
        decision = Decision(
            study_terms=known.terms_digest,
            query=stored.digest,
            checked_roster=known.state.checked,
            party=party,
            answer="yes" if verdict.agrees else "no",
            rule=verdict.rule,
            explanation=verdict.explanation,
        )
        envelope = sign_document(decision, signing_key)
        transaction.put_document(
            StoredDocument(
                envelope.digest(),
                Decision.type_name(),
                envelope,
                study=known.terms_digest,
                subject=stored.digest,
                party=party,
            )
        )
        transaction.enqueue(DECISIONS_PATH, envelope, queued=timestamp_of(context.now))
        made.append(MadeDecision(stored.digest, verdict))
        if verdict.agrees:
            agreed.append((query, _member_of(transaction, query)))
    return made


def _asker(context: DocumentContext, query: Query) -> Researcher | Membership | None:
    """The asker's document with all the signatures it needs, or None."""
    stored = context.view.document(query.asker)
    if stored is None:
        return None
    try:
        if stored.type_name == Researcher.type_name() and query.asker_kind == "researcher":
            return open_from_all_parties(stored.envelope, Researcher, context.community)
        if stored.type_name == Membership.type_name() and query.asker_kind == "member":
            return open_membership(stored.envelope, context.community)
    except PeerError:
        return None
    return None


def _asker_is_revoked(context: DocumentContext, query: Query, asker: Researcher | Membership | None) -> bool:
    subject = asker.member if isinstance(asker, Membership) else query.asker
    return is_revoked(context, subject)


def _contribution(
    view: StoreView, known: KnownStudy, asker: Researcher | Membership | None
) -> RosterEntry | None:
    """The row of the asking member in the checked roster, or None."""
    if not isinstance(asker, Membership):
        return None
    found = find_contribution(view, known, asker.member)
    return None if found is None else found[1]


def find_contribution(view: StoreView, known: KnownStudy, member: bytes) -> tuple[int, RosterEntry] | None:
    """Where a member stands in the roster, unless the input checks removed it: the same at every party."""
    if not isinstance(known.state, life.Checked | life.Answering):
        return None
    accepted = [r.digest for r in view.submissions(known.terms_digest, member=member, state="accepted")]
    found = roster_table.find_entry(view, known.state.roster, accepted)
    return None if found is None or found[1].submission in known.state.removed else found


def _agreed(view: StoreView, known: KnownStudy, party: int) -> list[tuple[Query, bytes | None]]:
    """Queries about the study that this party said yes to, and the member that asked, if one did."""
    decisions = view.documents(Decision.type_name(), study=known.terms_digest, party=party)
    yes = {stored.subject for stored in decisions if stored.parse(Decision).agrees}
    queries = [
        s.parse(Query) for s in view.documents(Query.type_name(), study=known.terms_digest) if s.digest in yes
    ]
    return [(query, _member_of(view, query)) for query in queries]


def _member_of(view: StoreView, query: Query) -> bytes | None:
    stored = view.document(query.asker)
    if stored is None or stored.type_name != Membership.type_name():
        return None
    return stored.parse(Membership).member
