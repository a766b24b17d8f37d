"""Rules for what single parties sign: approvals, receipts, decisions, rosters and results, complaints, checkpoints.

What a party has once said stands: a second word of it on the same thing is a conflict. Rosters, checked rosters
and results of another digest are kept all the same, so that a disagreement is seen by everybody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from mpc_cde.documents.approval import Approval, Refusal
from mpc_cde.documents.authority import party_name
from mpc_cde.documents.base import Document
from mpc_cde.documents.checked_roster import CheckedRoster
from mpc_cde.documents.community import Community
from mpc_cde.documents.complaint import Complaint
from mpc_cde.documents.decision import Decision
from mpc_cde.documents.envelope import Envelope, open_envelope
from mpc_cde.documents.log_checkpoint import LogCheckpoint
from mpc_cde.documents.query import Query
from mpc_cde.documents.receipt import Receipt, WithdrawalReceipt
from mpc_cde.documents.result import Result
from mpc_cde.documents.roster import Roster
from mpc_cde.documents.study import Study
from mpc_cde.documents.withdrawal import Withdrawal
from mpc_cde.errors import BadDocument, BadSignature, NotFound
from mpc_cde.gateway.admission import Context, Rule
from mpc_cde.gateway.communities import party_keys
from mpc_cde.gateway.parsed import parse_stored
from mpc_cde.gateway.problems import ProblemKind, RequestRefused
from mpc_cde.gateway.store_view import StoreView
from mpc_cde.gateway.study_files import get_study

AnswerT = TypeVar("AnswerT", Approval, Refusal)


def approval_rule(envelope: Envelope, context: Context) -> Rule:
    """The party it names, once for each study; not after its refusal."""
    return _answer_to_study(envelope, context, Approval, (Approval, Refusal))


def refusal_rule(envelope: Envelope, context: Context) -> Rule:
    """The party it names, once for each study; it may follow the party's approval."""
    return _answer_to_study(envelope, context, Refusal, (Refusal,))


def _answer_to_study(
    envelope: Envelope,
    context: Context,
    document_class: type[AnswerT],
    excluding: Sequence[type[Document]],
) -> Rule:
    answer = open_envelope(envelope, document_class)
    stored = context.view.document(answer.study)
    if stored is None or stored.type_name != Study.type_name():
        raise NotFound("this gateway knows no such study")
    study = parse_stored(stored, Study)
    if not answer.concerns(study):
        raise BadDocument("the digests of study and terms do not belong together", whom="the party")
    community = context.chain.named(study.terms.community)
    return _of_one_party(
        document_class,
        community,
        answer.party,
        study=answer.study_terms,
        subject=answer.study,
        guard=_said_once(excluding, answer.party, answer.study),
    )


def receipt_rule(envelope: Envelope, context: Context) -> Rule:
    """The party it names, once for each submission that is kept here."""
    receipt = open_envelope(envelope, Receipt)
    submission = context.view.submission(receipt.submission)
    return _answer_rule(
        receipt, context, "submission", receipt.submission, None if submission is None else submission.study
    )


def withdrawal_receipt_rule(envelope: Envelope, context: Context) -> Rule:
    """The party it names, once for each withdrawal that is kept here."""
    receipt = open_envelope(envelope, WithdrawalReceipt)
    study = _study_of(context, receipt.withdrawal, Withdrawal)
    return _answer_rule(receipt, context, "withdrawal", receipt.withdrawal, study)


def decision_rule(envelope: Envelope, context: Context) -> Rule:
    """The party it names, once for each query that is kept here."""
    decision = open_envelope(envelope, Decision)
    study = _study_of(context, decision.query, Query)
    return _answer_rule(decision, context, "query", decision.query, study)


def complaint_rule(envelope: Envelope, context: Context) -> Rule:
    """The party it names; anything may be complained about."""
    complaint = open_envelope(envelope, Complaint)
    community = context.chain.named(complaint.community)
    return _of_one_party(
        Complaint, community, complaint.party, study=complaint.study_terms, subject=complaint.job
    )


def checkpoint_rule(envelope: Envelope, context: Context) -> Rule:
    """The party whose log it is; others countersign."""
    checkpoint = open_envelope(envelope, LogCheckpoint)
    community = context.chain.named(checkpoint.community)
    rule = _of_one_party(LogCheckpoint, community, checkpoint.party)
    return Rule(rule.type_name, party_keys(community), rule.must_sign, party=rule.party)


def roster_rule(envelope: Envelope, context: Context) -> Rule:
    """Any party begins; it counts when every party has signed."""
    roster = open_envelope(envelope, Roster)
    community = community_of_study(context, roster.study_terms)
    return Rule(Roster.type_name(), party_keys(community), (), study=roster.study_terms)


def checked_roster_rule(envelope: Envelope, context: Context) -> Rule:
    """Any of the 2t + 1 parties it names begins; it counts when all of them have signed."""
    checked = open_envelope(envelope, CheckedRoster)
    community = community_of_study(context, checked.study_terms)
    if len(checked.parties) != community.session_size:
        raise BadDocument(f"expected {community.session_size} parties, found {len(checked.parties)}")
    keys = _named_keys(community, checked.parties)
    return Rule(CheckedRoster.type_name(), keys, (), study=checked.study_terms, subject=checked.roster)


def result_rule(envelope: Envelope, context: Context) -> Rule:
    """Any of the parties it names begins; it is published when all of them have signed."""
    result = open_envelope(envelope, Result)
    community = community_of_study(context, result.study_terms)
    if len(result.parties) < community.session_size:
        raise BadDocument(f"expected at least {community.session_size} parties, found {len(result.parties)}")
    if result.query is not None:
        query = context.view.document(result.query)
        if query is None or query.type_name != Query.type_name():
            raise NotFound("this gateway knows no such query")
        if query.study != result.study_terms:
            raise BadDocument("the query belongs to another study")
    keys = _named_keys(community, result.parties)
    return Rule(Result.type_name(), keys, (), study=result.study_terms, subject=result.query)


def community_of_study(context: Context, terms_digest: bytes) -> Community:
    """The version of the community that the study names. Raises NotFound."""
    return get_study(context.view, context.chain, terms_digest, context.now).community


def _study_of(context: Context, digest: bytes, document_class: type[Document]) -> bytes | None:
    """The study of a document of this type that is kept here, or None."""
    stored = context.view.document(digest)
    return None if stored is None or stored.type_name != document_class.type_name() else stored.study


def _answer_rule(
    answer: Receipt | WithdrawalReceipt | Decision,
    context: Context,
    what: str,
    subject: bytes,
    study: bytes | None,
) -> Rule:
    """One party's one answer to `subject`, which is kept here as of `study`; None: it is not."""
    if study is None:
        raise NotFound(f"this gateway knows no such {what}")
    if study != answer.study_terms:
        raise BadDocument(f"the {what} belongs to another study", whom="the party")
    return _of_one_party(
        type(answer),
        community_of_study(context, study),
        answer.party,
        study=study,
        subject=subject,
        guard=_said_once((type(answer),), answer.party, subject),
    )


def _of_one_party(
    document_class: type[Document],
    community: Community,
    party: int,
    *,
    study: bytes | None = None,
    subject: bytes | None = None,
    guard: Callable[[StoreView], None] | None = None,
) -> Rule:
    if party >= community.party_count:
        raise BadSignature(f"there is no party {party}", whom=f"party {party}")
    key = community.party_key(party)
    return Rule(
        document_class.type_name(),
        (key,),
        ((key, party_name(community, party)),),
        study=study,
        subject=subject,
        party=party,
        guard=guard,
    )


def _said_once(
    document_classes: Sequence[type[Document]], party: int, subject: bytes
) -> Callable[[StoreView], None]:
    def guard(view: StoreView) -> None:
        for document_class in document_classes:
            if view.documents(document_class.type_name(), party=party, subject=subject):
                name = document_class.type_name().partition("/")[0]
                raise RequestRefused(
                    ProblemKind.CONFLICT, f"party {party} has sent another {name} about this already"
                )

    return guard


def _named_keys(community: Community, parties: Sequence[int]) -> frozenset[bytes]:
    if any(party >= community.party_count for party in parties):
        raise BadDocument("it names a party that the community does not have")
    return frozenset(community.party_key(party) for party in parties)
