"""What a key stands for here: a party, a member, a researcher; through documents that are kept, and only while
they are in force."""

from __future__ import annotations

from dataclasses import dataclass

from mpc_cde.coded_text import worded
from mpc_cde.documents.authority import verify_certified
from mpc_cde.documents.community import Community, RoleKey
from mpc_cde.documents.membership import Membership
from mpc_cde.documents.researcher import Researcher
from mpc_cde.documents.revocation import Revocation
from mpc_cde.errors import BadSignature, NotFound
from mpc_cde.gateway.communities import CommunityChain, party_keys, registrar_keys
from mpc_cde.gateway.parsed import parse_stored
from mpc_cde.gateway.problems import ProblemKind, RequestRefused
from mpc_cde.gateway.store_view import StoredDocument, StoreView


@dataclass(frozen=True, slots=True)
class Reader:
    """A key that signed this very request, just now."""

    key: bytes


def party_of(chain: CommunityChain, reader: Reader) -> int | None:
    """The index of the party that reads, or None."""
    return chain.current.party_index(reader.key) if chain.versions else None


def registrar_of(chain: CommunityChain, reader: Reader) -> RoleKey | None:
    """The registrar that reads, by its key in the version in force, or None."""
    registrars = chain.current.registrars if chain.versions else ()
    return next((role for role in registrars if role.key == reader.key), None)


def is_revoked(view: StoreView, chain: CommunityChain, subject: bytes) -> bool:
    """Whether a registrar or t + 1 parties have revoked this member id or researcher's digest."""
    for stored in view.documents(Revocation.type_name(), subject=subject):
        for community in chain.versions:
            signed = len(party_keys(community) & stored.signers)
            if registrar_keys(community) & stored.signers or signed > community.threshold:
                return True
    return False


def valid_membership(view: StoreView, chain: CommunityChain, stored: StoredDocument, now: str) -> Membership:
    """The membership, countersigned, in force and not revoked. Raises RequestRefused saying what it lacks."""
    membership = parse_stored(stored, Membership)
    try:
        verify_certified(membership, chain.named(membership.community), stored.signers.__contains__)
    except BadSignature as error:
        raise RequestRefused(ProblemKind.MEMBERSHIP_NOT_VALID, str(error)) from None
    if not membership.is_valid_at(now):
        raise RequestRefused(
            ProblemKind.MEMBERSHIP_NOT_VALID,
            worded(
                "membership_dates",
                "it is valid from {valid_from} until {valid_until}, not at {now}",
                valid_from=membership.valid_from,
                valid_until=membership.valid_until,
                now=now,
            ),
        )
    if is_revoked(view, chain, membership.member):
        raise RequestRefused(
            ProblemKind.MEMBERSHIP_NOT_VALID, worded("membership_revoked", "the membership was revoked")
        )
    return membership


def memberships_of_key(view: StoreView, key: bytes) -> list[StoredDocument]:
    """Memberships with this signing key, newest first."""
    return list(reversed(view.documents(Membership.type_name(), reader_key=key)))


def member_of(view: StoreView, chain: CommunityChain, reader: Reader, now: str) -> Membership | None:
    """The valid membership of the key that reads, or None."""
    for stored in memberships_of_key(view, reader.key):
        try:
            return valid_membership(view, chain, stored, now)
        except (RequestRefused, NotFound):
            continue
    return None


def enrolled_researcher(
    view: StoreView, chain: CommunityChain, stored: StoredDocument, now: str
) -> Researcher:
    """The researcher whom every party enrolled. Raises RequestRefused saying what is missing."""
    researcher = parse_stored(stored, Researcher)
    community = chain.named(researcher.community)
    waiting = waiting_parties(community, stored)
    if waiting:
        raise RequestRefused(
            ProblemKind.ASKER_NOT_ENROLLED,
            worded("asker_unsigned", "not yet signed by {names}", names=", ".join(waiting)),
        )
    if not researcher.is_valid_at(now):
        raise RequestRefused(
            ProblemKind.ASKER_NOT_ENROLLED,
            worded(
                "asker_dates",
                "enrolled from {valid_from} until {valid_until}, not at {now}",
                valid_from=researcher.valid_from,
                valid_until=researcher.valid_until,
                now=now,
            ),
        )
    if is_revoked(view, chain, stored.digest):
        raise RequestRefused(
            ProblemKind.ASKER_NOT_ENROLLED, worded("asker_revoked", "the enrolment was revoked")
        )
    return researcher


def researchers_of_key(view: StoreView, key: bytes) -> list[StoredDocument]:
    """Researcher documents with this signing key, newest first."""
    return list(reversed(view.documents(Researcher.type_name(), reader_key=key)))


def researcher_digest_of(view: StoreView, chain: CommunityChain, reader: Reader, now: str) -> bytes | None:
    """The digest of the reader's enrolment in force, or None."""
    for stored in researchers_of_key(view, reader.key):
        try:
            enrolled_researcher(view, chain, stored, now)
        except (RequestRefused, NotFound):
            continue
        return stored.digest
    return None


def waiting_parties(community: Community, stored: StoredDocument) -> tuple[str, ...]:
    """Names of the parties that have not signed."""
    return tuple(card.name for card in community.cards if card.identity_key not in stored.signers)
