"""What an operator signs in the organisation's name once the community stands.

Approving a study makes its sealing key; a study that asks for anything that this version cannot enforce is
never approved. Closings, amendments, researchers, memberships, revocations and checkpoints of others' logs get
this party's signature as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mpc_cde.coded_text import worded
from mpc_cde.documents.amendment import Amendment
from mpc_cde.documents.approval import Approval, Refusal
from mpc_cde.documents.authority import open_proposed_closing, open_proposed_study
from mpc_cde.documents.base import Document
from mpc_cde.documents.canonical import datetime_of, encode_base64url
from mpc_cde.documents.closing import Closing
from mpc_cde.documents.community import Community
from mpc_cde.documents.envelope import Envelope, add_signature, sign_document
from mpc_cde.documents.log_checkpoint import LogCheckpoint
from mpc_cde.documents.membership import Membership
from mpc_cde.documents.p_percent import PPercent
from mpc_cde.documents.registry import open_any
from mpc_cde.documents.researcher import Researcher
from mpc_cde.documents.revocation import Revocation
from mpc_cde.documents.study import Study
from mpc_cde.errors import BadDocument, CallerError, KeyFileRefused
from mpc_cde.keys import Passphrase, SigningKey
from mpc_cde.lookalikes import with_remarks
from mpc_cde.sealing import SealingPrivateKey
from parties.party_home import CommunityHome
from parties.policy import PartyPolicy
from parties.study_limits import unsupported
from protocols.randomness import Randomness

PATHS = {
    Community.type_name(): "/v1/communities",
    Study.type_name(): "/v1/studies",
    Approval.type_name(): "/v1/approvals",
    Refusal.type_name(): "/v1/approvals",
    Amendment.type_name(): "/v1/amendments",
    Closing.type_name(): "/v1/closings",
    Membership.type_name(): "/v1/memberships",
    Revocation.type_name(): "/v1/revocations",
    Researcher.type_name(): "/v1/researchers",
    LogCheckpoint.type_name(): "/v1/checkpoints",
}
"""Where the gateway takes each type of document."""

COSIGNED: tuple[type[Document], ...] = (
    Amendment,
    Closing,
    LogCheckpoint,
    Membership,
    Revocation,
    Researcher,
)
"""Documents that this party signs as they stand."""


class NotApproved(CallerError):
    """A study that this party cannot approve; `reasons` are sentences for operator and steward."""

    def __init__(self, reasons: tuple[str, ...]) -> None:
        listed = "\n".join(f"  - {reason}" for reason in reasons)
        super().__init__(
            f"this party cannot approve the study:\n{listed}",
            hint="ask the steward to change it, or sign a refusal with: mpc-party refuse",
        )
        self.reasons = reasons


@dataclass(frozen=True, slots=True)
class SigningPlace:
    """Who signs, for which community, and where this party keeps its keys."""

    home: CommunityHome
    community: Community
    own_index: int
    identity: SigningKey


def reasons_against(
    study: Study, community: Community, policy: PartyPolicy, now: datetime
) -> tuple[str, ...]:
    """Why this party may not approve the study, or nothing. Pure; the first reasons are about the rules."""
    terms = study.terms
    reasons = unsupported(terms)
    bundle = terms.disclosure
    if bundle.minimum_contributors < policy.minimum_contributors:
        reasons.append(
            worded(
                "own_minimum",
                "this organisation asks for at least {own} contributors, the study for {study}",
                own=policy.minimum_contributors,
                study=bundle.minimum_contributors,
            )
        )
    if bundle.minimum_contributors_group < policy.minimum_contributors_group:
        reasons.append(
            worded(
                "own_minimum_group",
                "this organisation asks for at least {own} contributors in a group, the study for {study}",
                own=policy.minimum_contributors_group,
                study=bundle.minimum_contributors_group,
            )
        )
    if terms.community != community.digest():
        reasons.append(worded("another_version", "it was made for another version of the community"))
    if now >= datetime_of(study.presentation.closes):
        closes = study.presentation.closes
        reasons.append(worded("closes_passed", "it closes at {closes}, which has passed", closes=closes))
    return tuple(dict.fromkeys(reasons))


def approve_study(
    place: SigningPlace,
    proposal: Envelope,
    *,
    policy: PartyPolicy,
    now: datetime,
    randomness: Randomness,
    passphrase: Passphrase | None,
    p_percent: PPercent | None = None,
) -> Envelope:
    """This party's approval, with a sealing key made (and on disk) for the study alone; again gives the same.

    `p_percent` is what the steward handed over for the study's p% rule, if it has one; it is kept.
    Raises NotApproved, BadSignature, BadDocument.
    """
    study = open_proposed_study(proposal, place.community)
    reasons = (
        *reasons_against(study, place.community, policy, now),
        *_reasons_about_p(place, study, p_percent),
    )
    if reasons:
        raise NotApproved(reasons)
    if p_percent is not None:
        place.home.write_p_percent(study.terms_digest(), p_percent)
    key = _sealing_key(place, study.terms_digest(), randomness, passphrase)
    approval = Approval(
        study=study.digest(),
        study_terms=study.terms_digest(),
        party=place.own_index,
        sealing_key=key.public,
    )
    return sign_document(approval, place.identity)


def _reasons_about_p(place: SigningPlace, study: Study, given: PPercent | None) -> tuple[str, ...]:
    commitment = study.terms.disclosure.p_percent
    if commitment is None:
        needless = worded("p_needless", "a p was given, but the study has no p% rule")
        return () if given is None else (needless,)
    if given is not None:
        holds = given.commitment() == commitment
        another = worded("p_differs", "the file holds another p than the study's terms stand for")
        return () if holds else (another,)
    try:
        place.home.load_p_percent(study.terms_digest(), commitment)
    except KeyFileRefused:
        missing = worded(
            "p_missing",
            "its p% rule is unpublished, and this party does not hold p: ask the steward for the file and give it "
            "with --p-percent FILE",
        )
        return (missing,)
    return ()


def _sealing_key(
    place: SigningPlace, terms_digest: bytes, randomness: Randomness, passphrase: Passphrase | None
) -> SealingPrivateKey:
    if place.home.has_sealing_key(terms_digest):
        return place.home.load_sealing_key(terms_digest, passphrase)
    key = SealingPrivateKey.generate(randomness, suite=place.community.suites[0])
    place.home.write_sealing_key(terms_digest, key, passphrase=passphrase, randomness=randomness)
    return key


def refuse_study(place: SigningPlace, proposal: Envelope, *, reason: str) -> Envelope:
    """This party's refusal; its sealing key for the study, if it made one, is destroyed. Raises BadSignature."""
    study = open_proposed_study(proposal, place.community)
    if place.home.has_sealing_key(study.terms_digest()):
        place.home.destroy_sealing_key(study.terms_digest())
    place.home.destroy_p_percent(study.terms_digest())
    refusal = Refusal(
        study=study.digest(),
        study_terms=study.terms_digest(),
        party=place.own_index,
        reason=reason,
    )
    return sign_document(refusal, place.identity)


def sign_closing(place: SigningPlace, proposed: Envelope) -> Envelope:
    """The steward's closing with this party's signature. Raises BadSignature."""
    open_proposed_closing(proposed, place.community)
    return add_signature(proposed, place.identity)


def cosign(place: SigningPlace, envelope: Envelope) -> tuple[Document, Envelope]:
    """A document with this party's signature added, and what it says. Raises CallerError, BadDocument."""
    document = open_any(envelope)
    if not isinstance(document, COSIGNED):
        known = ", ".join(kind.type_name().partition("/")[0] for kind in COSIGNED)
        raise CallerError(f"a {document.type} is not signed this way; this takes: {known}, community, study")
    if isinstance(document, Closing):
        return document, sign_closing(place, envelope)
    community = getattr(document, "community", None)
    if community is not None and community != place.community.digest():
        raise BadDocument(worded("another_version", "it was made for another version of the community"))
    return document, add_signature(envelope, place.identity)


def describe_for_operator(envelope: Envelope) -> str:
    """One line about a document that somebody is about to sign."""
    document = open_any(envelope)
    digest = encode_base64url(envelope.digest())[:11]
    match document:
        case Study():
            return f"study {encode_base64url(document.terms_digest())[:11]}: {with_remarks(document.terms.title)}"
        case Researcher():
            who, functions = with_remarks(document.name), ", ".join(document.functions)
            return f"researcher {digest}: {who}, may ask for {functions} until {document.valid_until}"
        case Membership():
            return f"membership {digest}: certified by registrar {document.registrar}"
        case Revocation():
            return f"revocation {digest}: of a {document.kind}, {with_remarks(document.reason)}"
        case Closing():
            return f"closing {digest}: proposed by {document.steward} at {document.time}"
        case LogCheckpoint():
            return f"log checkpoint {digest}: party {document.party}, {document.length} entries at {document.time}"
        case Amendment():
            return f"amendment {digest}: closes {document.presentation.closes}"
        case _:
            return f"{document.type} {digest}"
