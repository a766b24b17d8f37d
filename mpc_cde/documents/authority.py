"""Whose signatures a document needs: from an envelope to a document that may be relied on.

Which key counts is decided by the role in the pinned community version, or by a membership or researcher that
was itself opened here; never by a keyid. Every `open_*` raises BadSignature or BadDocument, naming whom.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from mpc_cde.documents.amendment import Amendment
from mpc_cde.documents.approval import Approval, Refusal
from mpc_cde.documents.checked_roster import CheckedRoster
from mpc_cde.documents.closing import Closing
from mpc_cde.documents.community import Community, fingerprint_of
from mpc_cde.documents.complaint import Complaint
from mpc_cde.documents.decision import Decision
from mpc_cde.documents.envelope import Envelope, has_signature, open_envelope, verify_signature
from mpc_cde.documents.log_checkpoint import LogCheckpoint
from mpc_cde.documents.membership import Membership
from mpc_cde.documents.party_card import PartyCard
from mpc_cde.documents.query import Query
from mpc_cde.documents.receipt import Receipt, WithdrawalReceipt
from mpc_cde.documents.researcher import Researcher
from mpc_cde.documents.result import Result
from mpc_cde.documents.revocation import Revocation
from mpc_cde.documents.roster import Roster
from mpc_cde.documents.roster_list import RosterList
from mpc_cde.documents.study import Study
from mpc_cde.documents.submission import Submission
from mpc_cde.documents.withdrawal import Withdrawal
from mpc_cde.errors import BadDocument, BadSignature

OnePartysT = TypeVar(
    "OnePartysT",
    Approval,
    Refusal,
    Receipt,
    WithdrawalReceipt,
    RosterList,
    Decision,
    Complaint,
    LogCheckpoint,
)
AllPartiesT = TypeVar("AllPartiesT", Researcher, Amendment, Closing, Roster)
SomePartiesT = TypeVar("SomePartiesT", CheckedRoster, Result)
MembersT = TypeVar("MembersT", Submission, Withdrawal)


def party_name(community: Community, index: int) -> str:
    """How messages call a party: "party 1 (Harbour University)"."""
    return f"party {index} ({community.cards[index].name})"


def signing_parties(envelope: Envelope, community: Community) -> frozenset[int]:
    """Indices of the parties whose valid signatures are there."""
    return frozenset(
        index for index, card in enumerate(community.cards) if has_signature(envelope, card.identity_key)
    )


def verify_parties(envelope: Envelope, community: Community, parties: Iterable[int]) -> None:
    """Returns if every one of these parties signed. Raises BadSignature naming the first that did not."""
    for index in parties:
        if not 0 <= index < community.party_count:
            raise BadDocument(f"{envelope.payload_type}: there is no party {index}")
        verify_signature(envelope, community.party_key(index), whom=party_name(community, index))


def open_party_card(envelope: Envelope) -> PartyCard:
    """A card that its own identity key signed."""
    card = open_envelope(envelope, PartyCard)
    verify_signature(envelope, card.identity_key, whom=card.name)
    return card


def open_first_community(envelope: Envelope, *, fingerprint: str) -> Community:
    """The community that was pinned by its fingerprint, once all its parties have signed.

    What is pinned may be any version; from there `open_next_community` follows.
    """
    if fingerprint_of(envelope.digest()) != fingerprint:
        raise BadDocument("the community's fingerprint is not the pinned one", whom="whoever served it")
    community = open_envelope(envelope, Community)
    verify_parties(envelope, community, range(community.party_count))
    return community


def open_next_community(current: Community, envelope: Envelope) -> Community:
    """Version v + 1, signed by every party of v and every party of v + 1."""
    following = open_envelope(envelope, Community)
    if following.version != current.version + 1 or following.previous != current.digest():
        raise BadDocument(
            f"expected version {current.version + 1} of the community, following version by digest"
        )
    for community in (current, following):
        verify_parties(envelope, community, range(community.party_count))
    return following


def open_membership(envelope: Envelope, community: Community) -> Membership:
    """A membership that its registrar signed and, where the community asks for it, others countersigned.

    Countersigned means: by a second registrar, or by t + 1 parties. A key that is a party's and a registrar's
    at once counts once.
    """
    membership = open_envelope(envelope, Membership)
    verify_certified(membership, community, lambda key: has_signature(envelope, key))
    return membership


def is_certified(membership: Envelope, community: Community) -> bool:
    """Whether a membership has the signatures that it needs in this version of the community."""
    try:
        open_membership(membership, community)
    except BadSignature:
        return False
    return True


def verify_certified(
    membership: Membership, community: Community, has_signed: Callable[[bytes], bool]
) -> None:
    """Returns if those whom a membership needs have signed it; `has_signed` knows which keys did.

    Raises BadSignature.
    """
    registrar = community.registrar(membership.registrar)
    if registrar is None:
        raise BadSignature(
            f"the community has no registrar {membership.registrar}", whom=membership.registrar
        )
    if not has_signed(registrar.key):
        raise BadSignature(
            f"{membership.payload_type()}: no valid signature by registrar {registrar.name}",
            whom=f"registrar {registrar.name}",
        )
    if community.membership_rule == "registrar_alone":
        return
    if any(role.key != registrar.key and has_signed(role.key) for role in community.registrars):
        return
    others = [card.identity_key for card in community.cards if card.identity_key != registrar.key]
    parties = sum(has_signed(key) for key in others)
    if parties <= community.threshold:
        needed = community.threshold + 1
        raise BadSignature(
            f"a membership needs a second registrar or {needed} parties, found {parties}",
            whom=f"registrar {registrar.name}",
        )


def open_revocation(envelope: Envelope, community: Community) -> Revocation:
    """A revocation that a registrar or t + 1 parties signed."""
    revocation = open_envelope(envelope, Revocation)
    by_registrar = any(has_signature(envelope, role.key) for role in community.registrars)
    if not by_registrar and len(signing_parties(envelope, community)) <= community.threshold:
        raise BadSignature(f"a revocation needs a registrar or {community.threshold + 1} parties")
    return revocation


def is_in_force(revocation: Envelope, community: Community) -> bool:
    """Whether a revocation has the signatures that it needs; one that parties are still signing has not."""
    try:
        open_revocation(revocation, community)
    except BadSignature:
        return False
    return True


def open_proposed_study(envelope: Envelope, community: Community) -> Study:
    """A study that the steward it names signed, for this version of the community."""
    study = open_envelope(envelope, Study)
    steward = community.steward(study.steward)
    if steward is None:
        raise BadSignature(f"the community has no steward {study.steward}", whom=study.steward)
    verify_signature(envelope, steward.key, whom=f"steward {steward.name}")
    if study.terms.community != community.digest():
        raise BadDocument("the study names another version of the community", whom=f"steward {steward.name}")
    return study


def open_proposed_closing(envelope: Envelope, community: Community) -> Closing:
    """A closing that the steward it names signed; it counts only as `open_from_all_parties`."""
    closing = open_envelope(envelope, Closing)
    steward = community.steward(closing.steward)
    if steward is None:
        raise BadSignature(f"the community has no steward {closing.steward}", whom=closing.steward)
    verify_signature(envelope, steward.key, whom=f"steward {steward.name}")
    return closing


def open_from_party(envelope: Envelope, document_class: type[OnePartysT], community: Community) -> OnePartysT:
    """A document of one party, signed by the very party it names inside."""
    document = open_envelope(envelope, document_class)
    verify_parties(envelope, community, (document.party,))
    return document


def open_from_all_parties(
    envelope: Envelope, document_class: type[AllPartiesT], community: Community
) -> AllPartiesT:
    """A document that counts only when every party has signed it."""
    verify_parties(envelope, community, range(community.party_count))
    return open_envelope(envelope, document_class)


def open_from_computing_parties(
    envelope: Envelope, document_class: type[SomePartiesT], community: Community
) -> SomePartiesT:
    """A checked roster or a result, signed by all it names: 2t + 1, a result perhaps by more."""
    document = open_envelope(envelope, document_class)
    named = len(document.parties)
    exact = document_class is CheckedRoster
    if named < community.session_size or (exact and named != community.session_size):
        raise BadSignature(
            f"{envelope.payload_type}: expected {community.session_size} parties, found {named}"
        )
    verify_parties(envelope, community, document.parties)
    return document


def open_from_member(envelope: Envelope, document_class: type[MembersT], membership: Membership) -> MembersT:
    """A submission or withdrawal of exactly this member, signed with its key."""
    document = open_envelope(envelope, document_class)
    if document.member != membership.member:
        raise BadSignature("the document names another member", whom="the submitting member")
    verify_signature(envelope, membership.signing_key, whom="the member it names")
    return document


def open_query(envelope: Envelope, asker: Researcher | Membership) -> Query:
    """A query of exactly this asker, signed with its key; whether it may ask is for a node's policy."""
    query = open_envelope(envelope, Query)
    kind = "researcher" if isinstance(asker, Researcher) else "member"
    if query.asker_kind != kind or query.asker != asker.digest():
        raise BadSignature("the query names another asker", whom="the asker")
    verify_signature(envelope, asker.signing_key, whom=f"the {kind} it names")
    return query
