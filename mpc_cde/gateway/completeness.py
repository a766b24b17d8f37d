"""Whose signature a kept document still lacks before it counts."""

from __future__ import annotations

from mpc_cde.documents.amendment import Amendment
from mpc_cde.documents.authority import verify_certified
from mpc_cde.documents.checked_roster import CheckedRoster
from mpc_cde.documents.closing import Closing
from mpc_cde.documents.community import Community
from mpc_cde.documents.membership import Membership
from mpc_cde.documents.researcher import Researcher
from mpc_cde.documents.result import Result
from mpc_cde.documents.roster import Roster
from mpc_cde.errors import BadSignature
from mpc_cde.gateway.admission import Context
from mpc_cde.gateway.admission_parties import community_of_study
from mpc_cde.gateway.communities import missing_signers
from mpc_cde.gateway.parsed import parse_stored
from mpc_cde.gateway.store_view import StoredDocument

_BY_ALL_PARTIES = (Amendment.type_name(), Closing.type_name(), Roster.type_name())
NEED_SEVERAL = frozenset(
    (
        *_BY_ALL_PARTIES,
        *(each.type_name() for each in (Community, Membership, Researcher, CheckedRoster, Result)),
    )
)
"""What one signature does not complete."""


def waiting_for(stored: StoredDocument, context: Context) -> tuple[str, ...]:
    """Names of those whose signature is missing; none for a document that counts as it is."""
    if stored.type_name == Community.type_name():
        return missing_signers(parse_stored(stored, Community), stored.digest, stored.signers, context.chain)
    if stored.type_name == Membership.type_name():
        return _countersigners(stored, context)
    if stored.type_name == Researcher.type_name():
        community = context.chain.named(parse_stored(stored, Researcher).community)
        return _unsigned(stored, community, range(community.party_count))
    if stored.study is None:
        return ()
    if stored.type_name in _BY_ALL_PARTIES:
        community = community_of_study(context, stored.study)
        return _unsigned(stored, community, range(community.party_count))
    if stored.type_name in (CheckedRoster.type_name(), Result.type_name()):
        return unsigned_by_named(stored, community_of_study(context, stored.study))
    return ()


def unsigned_by_named(stored: StoredDocument, community: Community) -> tuple[str, ...]:
    """Names of the parties that a checked roster or result names and that have not signed it."""
    if stored.type_name == CheckedRoster.type_name():
        return _unsigned(stored, community, parse_stored(stored, CheckedRoster).parties)
    return _unsigned(stored, community, parse_stored(stored, Result).parties)


def _unsigned(
    stored: StoredDocument, community: Community, parties: range | tuple[int, ...]
) -> tuple[str, ...]:
    return tuple(
        community.cards[party].name for party in parties if community.party_key(party) not in stored.signers
    )


def _countersigners(stored: StoredDocument, context: Context) -> tuple[str, ...]:
    membership = parse_stored(stored, Membership)
    community = context.chain.named(membership.community)
    try:
        verify_certified(membership, community, stored.signers.__contains__)
    except BadSignature:
        return (f"a second registrar, or {community.threshold + 1} parties",)
    return ()
