"""A result and everything under it, from the pinned fingerprint up; values come out only when all holds.

Community versions -> study, signed by its steward and approved by every party -> roster, signed by every
party -> checked roster, signed by the 2t + 1 parties it names -> result, signed by every party it names. Each
names the digest of the one below. A member's own way in: membership -> submission -> a receipt of every party
-> its row under the roster's Merkle root, and not among the removed ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from mpc_cde.client.release_rules import verify_cells
from mpc_cde.client.trust import TrustedCommunity, verify_community
from mpc_cde.documents.amendment import Amendment
from mpc_cde.documents.approval import Approval
from mpc_cde.documents.authority import (
    open_from_all_parties,
    open_from_computing_parties,
    open_from_member,
    open_from_party,
    open_membership,
    open_proposed_study,
    open_query,
)
from mpc_cde.documents.checked_roster import CheckedRoster
from mpc_cde.documents.community import Community
from mpc_cde.documents.envelope import Envelope, open_envelope
from mpc_cde.documents.membership import Membership
from mpc_cde.documents.query import Query
from mpc_cde.documents.receipt import Receipt, WithdrawalReceipt
from mpc_cde.documents.researcher import Researcher
from mpc_cde.documents.result import Cell, Result
from mpc_cde.documents.roster import Roster, RosterProof, verify_member_row
from mpc_cde.documents.study import Presentation, Study
from mpc_cde.documents.submission import Submission
from mpc_cde.errors import BadDocument, BadProof, BadSignature, PeerError


@dataclass(frozen=True, slots=True)
class OwnEvidence:
    """A member's own way into the roster; `receipts` in any order."""

    membership: Envelope
    submission: Envelope
    receipts: tuple[Envelope, ...]
    proof: RosterProof


@dataclass(frozen=True, slots=True)
class Evidence:
    """All envelopes that a result rests on; nothing in here is verified yet.

    `query` and `asker` are None for a scheduled release; `asker` is the document of the researcher, or the
    membership of the member, that asked.
    """

    communities: tuple[Envelope, ...]
    study: Envelope
    approvals: tuple[Envelope, ...]
    roster: Envelope
    checked_roster: Envelope
    result: Envelope
    amendments: tuple[Envelope, ...] = ()
    query: Envelope | None = None
    asker: Envelope | None = None
    own: OwnEvidence | None = None


@dataclass(frozen=True, slots=True)
class VerifiedStudy:
    """A study that its steward signed and every party approved; `approvals` in party order.

    `terms_digest` is the name of the study everywhere else, 32 bytes, worked out once.
    """

    community: Community
    study: Study
    presentation: Presentation
    approvals: tuple[Approval, ...]
    terms_digest: bytes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "terms_digest", self.study.terms_digest())  # frozen for everybody else


@dataclass(frozen=True, slots=True)
class VerifiedResult:
    """A result after everything under it was verified: only from here may a value be shown."""

    trusted: TrustedCommunity
    study: VerifiedStudy
    roster: Roster
    checked_roster: CheckedRoster
    result: Result
    query: Query | None
    own_row: int | None
    evidence: Evidence

    @property
    def cells(self) -> tuple[Cell, ...]:
        return self.result.cells

    @property
    def signers(self) -> tuple[str, ...]:
        """Names of the parties that computed and signed."""
        return tuple(self.study.community.cards[party].name for party in self.result.parties)


class NotCounted(PeerError):
    """The member's own submission is no part of what was computed."""


def verify_result(evidence: Evidence, fingerprint: str) -> VerifiedResult:
    """Everything under a result, then the result. Raises BadDocument, BadSignature, BadProof, NotCounted."""
    with _checking("community"):
        trusted = verify_community(evidence.communities, fingerprint)
    study = verify_study(trusted, evidence.study, evidence.approvals, evidence.amendments)
    roster = verify_roster(study, evidence.roster)
    checked = verify_checked_roster(study, roster, evidence.checked_roster)
    query = _verify_query(trusted, study, evidence)
    rows = roster.count - len(checked.removed)
    result = _verify_result_document(study, checked, evidence.result, query, rows=rows)
    own_row = None if evidence.own is None else verify_own_place(study, roster, checked, evidence.own)
    return VerifiedResult(
        trusted=trusted,
        study=study,
        roster=roster,
        checked_roster=checked,
        result=result,
        query=query,
        own_row=own_row,
        evidence=evidence,
    )


def verify_study(
    trusted: TrustedCommunity,
    envelope: Envelope,
    approvals: Sequence[Envelope],
    amendments: Sequence[Envelope] = (),
) -> VerifiedStudy:
    """A study that its steward signed and every party approved, with its presentation after all amendments.

    Raises BadDocument, BadSignature.
    """
    community, study = verify_proposed_study(trusted, envelope)
    presentation, previous = study.presentation, study.digest()
    for number, amendment_envelope in enumerate(amendments, start=1):
        with _checking(f"amendment {number}"):
            amendment = open_from_all_parties(amendment_envelope, Amendment, community)
            _require(amendment.study_terms == study.terms_digest(), "it is about another study")
            _require(amendment.previous == previous, "it does not follow the document before it")
            _require(amendment.follows(presentation), "it moves the opening, or an earlier closing")
            presentation, previous = amendment.presentation, amendment.digest()
    return VerifiedStudy(community, study, presentation, _verify_approvals(community, study, approvals))


def verify_proposed_study(trusted: TrustedCommunity, envelope: Envelope) -> tuple[Community, Study]:
    """A study that its steward signed, and the community version it is for. Raises as above."""
    with _checking("study"):
        named = open_envelope(envelope, Study).terms.community
        community = trusted.version_named(named, what="it")
        return community, open_proposed_study(envelope, community)


def verify_roster(study: VerifiedStudy, envelope: Envelope) -> Roster:
    """The roster of the study, signed by every party. Raises BadDocument, BadSignature."""
    with _checking("roster"):
        roster = open_from_all_parties(envelope, Roster, study.community)
        _require(roster.study_terms == study.terms_digest, "it is about another study")
        _require(roster.count <= study.study.terms.roster_cap, "it has more rows than the study allows")
        return roster


def verify_checked_roster(study: VerifiedStudy, roster: Roster, envelope: Envelope) -> CheckedRoster:
    """The roster after the input checks, signed by the 2t + 1 parties it names. Raises as above."""
    with _checking("checked roster"):
        checked = open_from_computing_parties(envelope, CheckedRoster, study.community)
        _require(checked.study_terms == study.terms_digest, "it is about another study")
        _require(checked.roster == roster.digest(), "it is about another roster")
        _require(len(checked.removed) <= roster.count, "it removes more rows than the roster has")
        return checked


def verify_own_place(study: VerifiedStudy, roster: Roster, checked: CheckedRoster, own: OwnEvidence) -> int:
    """The row of the member's own submission. Raises BadProof, NotCounted and as above."""
    with _checking("membership"):
        membership = open_membership(own.membership, study.community)
    with _checking("submission"):
        submission = open_from_member(own.submission, Submission, membership)
        _require(submission.study_terms == study.terms_digest, "it is about another study")
    digest = submission.digest()
    receipts = verify_receipts(study, digest, own.receipts)
    for party, card in enumerate(study.community.cards):
        if party not in receipts:
            raise BadProof(f"there is no receipt of {card.name} for the submission", whom=card.name)
        if not receipts[party].accepted:
            explanation = receipts[party].explanation
            raise NotCounted(f"{card.name} refused the submission: {explanation}", whom=card.name)
    with _checking("proof of the own row"):
        verify_member_row(roster, own.proof, submission=digest)
        entry = own.proof.entry
        _require(
            entry.membership == membership.digest(),
            "it counts by another membership than the one shown: whoever was certified again shows the earlier one",
        )
        certified = all(membership.attributes.get(name) == value for name, value in entry.groups.items())
        _require(certified, "a group is not as the registrar certified it")
        _require(entry.holding == membership.holding, "the holding is not as the registrar certified it")
    fault = checked.fault_of(digest)
    if fault is not None:
        raise NotCounted(f"the submission was removed by the input checks: {fault}")
    return own.proof.row


def verify_receipts(
    study: VerifiedStudy, submission: bytes, envelopes: Sequence[Envelope]
) -> dict[int, Receipt]:
    """Receipts by party, accepting or not. Raises BadDocument, BadSignature."""
    found: dict[int, Receipt] = {}
    for envelope in envelopes:
        with _checking("receipt"):
            receipt = open_from_party(envelope, Receipt, study.community)
            _require(receipt.study_terms == study.terms_digest, "it is about another study")
            _require(receipt.submission == submission, "it is about another submission")
            found[receipt.party] = receipt
    return found


def verify_withdrawal_receipts(
    study: VerifiedStudy, withdrawal: bytes, envelopes: Sequence[Envelope]
) -> dict[int, Envelope]:
    """Receipts of a withdrawal by party, as envelopes: they are what proves. Raises BadDocument, BadSignature."""
    found: dict[int, Envelope] = {}
    for envelope in envelopes:
        with _checking("receipt of the withdrawal"):
            receipt = open_from_party(envelope, WithdrawalReceipt, study.community)
            _require(receipt.study_terms == study.terms_digest, "it is about another study")
            _require(receipt.withdrawal == withdrawal, "it is about another withdrawal")
            found[receipt.party] = envelope
    return found


def _verify_approvals(
    community: Community, study: Study, envelopes: Sequence[Envelope]
) -> tuple[Approval, ...]:
    found: dict[int, Approval] = {}
    for envelope in envelopes:
        with _checking("approval"):
            approval = open_from_party(envelope, Approval, community)
            name = community.cards[approval.party].name
            _require(approval.concerns(study), f"that of {name} is about another study")
            known = found.setdefault(approval.party, approval)
            _require(known == approval, f"there are two different ones of {name}")
    for party, card in enumerate(community.cards):
        if party not in found:
            raise BadSignature(f"the study lacks the approval of {card.name}", whom=card.name)
    return tuple(found[party] for party in sorted(found))


def _verify_query(trusted: TrustedCommunity, study: VerifiedStudy, evidence: Evidence) -> Query | None:
    if evidence.query is None:
        return None
    if evidence.asker is None:
        raise BadDocument("query: the document of who asked is missing")
    with _checking("asker"):
        asker: Researcher | Membership
        if evidence.asker.payload_type == Membership.payload_type():
            asker = open_membership(evidence.asker, study.community)
        else:
            named = open_envelope(evidence.asker, Researcher).community
            community = trusted.version_named(named, what="it")
            asker = open_from_all_parties(evidence.asker, Researcher, community)
    with _checking("query"):
        query = open_query(evidence.query, asker)
        _require(query.study_terms == study.terms_digest, "it is about another study")
        return query


def _verify_result_document(
    study: VerifiedStudy, checked: CheckedRoster, envelope: Envelope, query: Query | None, *, rows: int
) -> Result:
    with _checking("result"):
        result = open_from_computing_parties(envelope, Result, study.community)
        terms = study.study.terms
        _require(result.study_terms == study.terms_digest, "it is about another study")
        _require(result.checked_roster == checked.digest(), "it is about another checked roster")
        asked = None if query is None else query.digest()
        _require(result.query == asked, "it answers another query")
        _require(result.engine == terms.engine, f"it was not made by the {terms.engine} engine")
        verify_cells(result, terms, query, rows=rows)
        return result


@contextmanager
def _checking(what: str) -> Iterator[None]:
    """Errors inside name the document that is wrong."""
    try:
        yield
    except (BadDocument, BadSignature, BadProof) as error:
        raise type(error)(f"{what}: {error}", whom=error.whom) from None


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise BadDocument(otherwise)
