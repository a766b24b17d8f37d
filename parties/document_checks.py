"""Who must have signed what, before a document from the feed is kept; one small function a type.

A document is kept as soon as somebody whom it needs has signed it, with valid signatures only; whether it
has all of them (a countersigned membership, a roster of all parties) is judged where it is used, since
signatures arrive one after another. Everything raises BadSignature or BadDocument, naming whom.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from mpc_cde.documents.amendment import Amendment
from mpc_cde.documents.approval import Approval, Refusal
from mpc_cde.documents.authority import (
    is_in_force,
    open_from_member,
    open_from_party,
    open_proposed_closing,
    open_proposed_study,
    open_query,
    party_name,
    signing_parties,
    verify_certified,
)
from mpc_cde.documents.checked_roster import CheckedRoster
from mpc_cde.documents.community import Community
from mpc_cde.documents.complaint import Complaint
from mpc_cde.documents.decision import Decision
from mpc_cde.documents.envelope import Envelope, has_signature, open_envelope, verify_signature
from mpc_cde.documents.log_checkpoint import LogCheckpoint
from mpc_cde.documents.membership import Membership
from mpc_cde.documents.query import Query
from mpc_cde.documents.receipt import Receipt, WithdrawalReceipt
from mpc_cde.documents.researcher import Researcher
from mpc_cde.documents.result import Result
from mpc_cde.documents.revocation import Revocation
from mpc_cde.documents.roster import Roster
from mpc_cde.documents.study import Study
from mpc_cde.documents.withdrawal import Withdrawal
from mpc_cde.errors import BadDocument, BadSignature
from mpc_cde.life_cycles import study as life
from mpc_cde.life_cycles.roster_rules import is_within_reach
from parties.log_checkpoints import contradicts, place_in_log
from parties.share_store import StoredDocument, StoreView
from parties.signature_filter import community_keys, keep_valid_signatures, party_keys
from parties.studies import find_study, know_study

MAX_WITHDRAWALS_EACH = 200
"""Of one member in one study: a roster list holds 65,536 of all members together, and carries each whole."""
LEAST_QUERIES_EACH = 100
"""Queries of one asker about one study that are kept at least; else as many as the study's whole budget."""


@dataclass(frozen=True, slots=True)
class DocumentContext:
    """What a check may look at: what is kept already, the community in force, this party's clock."""

    view: StoreView
    community: Community
    now: datetime


def verify_document(envelope: Envelope, context: DocumentContext) -> StoredDocument:
    """The document as it may be kept. Raises BadSignature, BadDocument.

    Communities and submissions have their own way in (intake.py); a party card and a roster list never come
    by feed.
    """
    check = _CHECKS.get(envelope.payload_type)
    if check is None:
        raise BadDocument("a type of document that does not come by the feed")
    return check(envelope, context)


def _kept(
    envelope: Envelope,
    type_name: str,
    *,
    study: bytes | None = None,
    subject: bytes | None = None,
    party: int | None = None,
) -> StoredDocument:
    return StoredDocument(envelope.digest(), type_name, envelope, study=study, subject=subject, party=party)


def _membership(envelope: Envelope, context: DocumentContext) -> StoredDocument:
    membership = open_envelope(envelope, Membership)
    registrar = context.community.registrar(membership.registrar)
    if registrar is None:
        raise BadSignature("the community has no registrar of that name", whom=membership.registrar)
    verify_signature(envelope, registrar.key, whom=f"registrar {registrar.name}")
    _same_community(membership.community, context)
    holder = context.view.registered_member(membership.register_id)
    if holder not in (None, membership.member) and not is_revoked(context, holder):
        raise BadDocument(
            "another member has this entry of the external register", whom=f"registrar {registrar.name}"
        )
    return _kept(
        keep_valid_signatures(envelope, community_keys(context.community)),
        Membership.type_name(),
        subject=membership.member,
    )


def _revocation(envelope: Envelope, context: DocumentContext) -> StoredDocument:
    revocation = open_envelope(envelope, Revocation)
    _same_community(revocation.community, context)
    registrars = [role.key for role in context.community.registrars]
    kept = keep_valid_signatures(envelope, [*party_keys(context.community), *registrars])
    return _kept(kept, Revocation.type_name(), subject=revocation.subject)


def _researcher(envelope: Envelope, context: DocumentContext) -> StoredDocument:
    _same_community(open_envelope(envelope, Researcher).community, context)
    return _kept(keep_valid_signatures(envelope, community_keys(context.community)), Researcher.type_name())


def _study(envelope: Envelope, context: DocumentContext) -> StoredDocument:
    study = open_proposed_study(envelope, context.community)
    kept = keep_valid_signatures(envelope, community_keys(context.community))
    return _kept(kept, study.type_name(), study=study.terms_digest())


def _amendment(envelope: Envelope, context: DocumentContext) -> StoredDocument:
    amendment = open_envelope(envelope, Amendment)
    kept = keep_valid_signatures(envelope, party_keys(context.community))
    return _kept(kept, Amendment.type_name(), study=amendment.study_terms, subject=amendment.previous)


def _approval(envelope: Envelope, context: DocumentContext) -> StoredDocument:
    document = open_from_party(envelope, Approval, context.community)
    return _from_party(envelope, context, document, document.study_terms, document.study)


def _refusal(envelope: Envelope, context: DocumentContext) -> StoredDocument:
    document = open_from_party(envelope, Refusal, context.community)
    return _from_party(envelope, context, document, document.study_terms, document.study)


def _closing(envelope: Envelope, context: DocumentContext) -> StoredDocument:
    closing = open_proposed_closing(envelope, context.community)
    steward = context.community.steward(closing.steward)
    keys = [*party_keys(context.community), *([] if steward is None else [steward.key])]
    return _kept(keep_valid_signatures(envelope, keys), closing.type_name(), study=closing.study_terms)


def _withdrawal(envelope: Envelope, context: DocumentContext) -> StoredDocument:
    claim = open_envelope(envelope, Withdrawal)
    membership, _, countersigned = membership_of(context, claim.member, envelope)
    if not countersigned:
        raise BadSignature("the membership whose key signed it lacks its countersignature", whom="the member")
    withdrawal = open_from_member(envelope, Withdrawal, membership)
    known = know_study(context.view, withdrawal.study_terms, context.community, context.now)
    if known is None or not isinstance(known.state, life.Open | life.Closing):
        raise BadDocument("a withdrawal counts until the roster is signed", whom="the member")
    before = withdrawn_sequences(context.view, withdrawal.study_terms, withdrawal.member)
    if withdrawal.sequence <= max(before, default=0):
        raise BadDocument("everything up to this sequence was withdrawn before", whom="the member")
    if len(before) >= MAX_WITHDRAWALS_EACH:
        raise BadDocument(f"more than {MAX_WITHDRAWALS_EACH} withdrawals of one member", whom="the member")
    used = used_sequences(context.view, withdrawal.study_terms, withdrawal.member)
    if not is_within_reach(withdrawal.sequence, used):
        raise BadDocument("the withdrawal's sequence grows by more than 1000 at once", whom="the member")
    return _kept(
        keep_valid_signatures(envelope, [membership.signing_key]),
        Withdrawal.type_name(),
        study=withdrawal.study_terms,
        subject=withdrawal.member,
    )


def _receipt(envelope: Envelope, context: DocumentContext) -> StoredDocument:
    document = open_from_party(envelope, Receipt, context.community)
    return _from_party(envelope, context, document, document.study_terms, document.submission)


def _withdrawal_receipt(envelope: Envelope, context: DocumentContext) -> StoredDocument:
    document = open_from_party(envelope, WithdrawalReceipt, context.community)
    return _from_party(envelope, context, document, document.study_terms, document.withdrawal)


def _decision(envelope: Envelope, context: DocumentContext) -> StoredDocument:
    document = open_from_party(envelope, Decision, context.community)
    return _from_party(envelope, context, document, document.study_terms, document.query)


def _complaint(envelope: Envelope, context: DocumentContext) -> StoredDocument:
    document = open_from_party(envelope, Complaint, context.community)
    return _from_party(envelope, context, document, document.study_terms, document.job)


def _checkpoint(envelope: Envelope, context: DocumentContext) -> StoredDocument:
    document = open_from_party(envelope, LogCheckpoint, context.community)
    if contradicts(context.view, document):
        raise BadDocument(
            f"it signed another head of its log's entry {document.length} before",
            whom=party_name(context.community, document.party),
        )
    return _from_party(envelope, context, document, None, place_in_log(document))


def _from_party(
    envelope: Envelope,
    context: DocumentContext,
    document: Approval | Refusal | Receipt | WithdrawalReceipt | Decision | Complaint | LogCheckpoint,
    study: bytes | None,
    subject: bytes | None,
) -> StoredDocument:
    kept = keep_valid_signatures(envelope, party_keys(context.community))
    return _kept(kept, document.type_name(), study=study, subject=subject, party=document.party)


def _roster(envelope: Envelope, context: DocumentContext) -> StoredDocument:
    roster = open_envelope(envelope, Roster)
    everybody = frozenset(range(context.community.party_count))
    for held in context.view.documents(Roster.type_name(), study=roster.study_terms):
        if (
            held.digest != envelope.digest()
            and signing_parties(held.envelope, context.community) == everybody
        ):
            # Whoever held its own signature back could complete an earlier one and take the study back to it.
            raise BadDocument("every party has signed another roster of this study", whom="the parties")
    kept = keep_valid_signatures(envelope, party_keys(context.community))
    return _kept(kept, Roster.type_name(), study=roster.study_terms)


def _checked_roster(envelope: Envelope, context: DocumentContext) -> StoredDocument:
    checked = open_envelope(envelope, CheckedRoster)
    kept = keep_valid_signatures(envelope, _named_keys(checked.parties, context.community))
    return _kept(kept, CheckedRoster.type_name(), study=checked.study_terms, subject=checked.roster)


def _result(envelope: Envelope, context: DocumentContext) -> StoredDocument:
    result = open_envelope(envelope, Result)
    kept = keep_valid_signatures(envelope, _named_keys(result.parties, context.community))
    return _kept(kept, Result.type_name(), study=result.study_terms, subject=result.query)


def _query(envelope: Envelope, context: DocumentContext) -> StoredDocument:
    claim = open_envelope(envelope, Query)
    stored = context.view.document(claim.asker)
    asker: Researcher | Membership
    if stored is not None and stored.type_name == Researcher.type_name():
        asker = stored.parse(Researcher)
    elif stored is not None and stored.type_name == Membership.type_name():
        asker = stored.parse(Membership)
    else:
        raise BadSignature("the query names an asker that is not known here", whom="the asker")
    query = open_query(envelope, asker)
    study = find_study(context.view, query.study_terms)
    if study is None:
        raise BadDocument("the query is about a study that is not known here", whom="the asker")
    most = max(LEAST_QUERIES_EACH, study.parse(Study).terms.budget.queries)
    before = context.view.count_documents(Query.type_name(), study=query.study_terms, subject=query.asker)
    if before >= most and context.view.document(envelope.digest()) is None:
        raise BadDocument(f"more than {most} queries of one asker about one study", whom="the asker")
    kept = keep_valid_signatures(envelope, [asker.signing_key])
    return _kept(kept, Query.type_name(), study=query.study_terms, subject=query.asker)


def _named_keys(parties: tuple[int, ...], community: Community) -> list[bytes]:
    if any(index >= community.party_count for index in parties):
        raise BadDocument("it names a party that the community does not have")
    return [community.party_key(index) for index in parties]


def _same_community(digest: bytes, context: DocumentContext) -> None:
    """Certificates of earlier versions of the community stay good; those of another community never were."""
    if digest == context.community.digest():
        return
    if context.view.document(digest) is None:
        raise BadDocument("it was made for another community")


class SignedBy(NamedTuple):
    """By which membership's key a member signed, its digest, and whether it is countersigned."""

    membership: Membership
    digest: bytes
    countersigned: bool


def membership_of(context: DocumentContext, member: bytes, envelope: Envelope) -> SignedBy:
    """The newest membership of this member whose key signed `envelope`; one that is countersigned goes first.

    Raises BadSignature if the member is unknown or did not sign.
    """
    fallback: SignedBy | None = None
    for stored in reversed(context.view.documents(Membership.type_name(), subject=member)):
        membership = stored.parse(Membership)
        if not has_signature(envelope, membership.signing_key):
            continue
        try:
            verify_certified(membership, context.community, stored.has_signature_of)
        except BadSignature:
            fallback = fallback or SignedBy(membership, stored.digest, False)
            continue
        return SignedBy(membership, stored.digest, True)
    if fallback is None:
        raise BadSignature("no membership known here has the key that signed it", whom="the member it names")
    return fallback


def is_revoked(context: DocumentContext, subject: bytes | None) -> bool:
    """Whether a registrar or t + 1 parties revoked this member id or researcher's digest."""
    if subject is None:
        return False
    revocations = context.view.documents(Revocation.type_name(), subject=subject)
    return any(is_in_force(stored.envelope, context.community) for stored in revocations)


def used_sequences(view: StoreView, study: bytes, member: bytes) -> frozenset[int]:
    """Sequences of the member's accepted submissions and kept withdrawals."""
    accepted = {record.sequence for record in view.submissions(study, member=member, state="accepted")}
    return frozenset(accepted) | withdrawn_sequences(view, study, member)


def withdrawn_sequences(view: StoreView, study: bytes, member: bytes) -> frozenset[int]:
    """Sequences of the member's kept withdrawals."""
    kept = view.documents(Withdrawal.type_name(), study=study, subject=member)
    return frozenset(stored.parse(Withdrawal).sequence for stored in kept)


Check = Callable[[Envelope, DocumentContext], StoredDocument]

_CHECKS: dict[str, Check] = {
    "application/vnd.mpc-cde.membership.v1+json": _membership,
    "application/vnd.mpc-cde.revocation.v1+json": _revocation,
    "application/vnd.mpc-cde.researcher.v1+json": _researcher,
    "application/vnd.mpc-cde.study.v1+json": _study,
    "application/vnd.mpc-cde.amendment.v1+json": _amendment,
    "application/vnd.mpc-cde.approval.v1+json": _approval,
    "application/vnd.mpc-cde.refusal.v1+json": _refusal,
    "application/vnd.mpc-cde.closing.v1+json": _closing,
    "application/vnd.mpc-cde.withdrawal.v1+json": _withdrawal,
    "application/vnd.mpc-cde.receipt.v1+json": _receipt,
    "application/vnd.mpc-cde.withdrawal-receipt.v1+json": _withdrawal_receipt,
    "application/vnd.mpc-cde.roster.v1+json": _roster,
    "application/vnd.mpc-cde.checked-roster.v1+json": _checked_roster,
    "application/vnd.mpc-cde.query.v1+json": _query,
    "application/vnd.mpc-cde.decision.v1+json": _decision,
    "application/vnd.mpc-cde.result.v1+json": _result,
    "application/vnd.mpc-cde.complaint.v1+json": _complaint,
    "application/vnd.mpc-cde.log-checkpoint.v1+json": _checkpoint,
}
