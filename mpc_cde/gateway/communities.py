"""Which versions of the community are in force: every party of both sides has signed each step.

Before the first version is complete it is only a proposal, signed by some of the parties it names itself. A
gateway that is pinned to a fingerprint takes no other; one that is not serves the first that becomes complete.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from mpc_cde.documents.community import Community, fingerprint_of
from mpc_cde.errors import NotFound
from mpc_cde.gateway.parsed import parse_stored
from mpc_cde.gateway.problems import ProblemKind, RequestRefused
from mpc_cde.gateway.store_view import StoredDocument, StoreView


@dataclass(frozen=True, slots=True)
class CommunityChain:
    """The versions in force, oldest first; empty before the first is complete."""

    stored: tuple[StoredDocument, ...]
    versions: tuple[Community, ...]

    @property
    def current(self) -> Community:
        """The newest version. Raises RequestRefused if there is none yet."""
        if not self.versions:
            raise RequestRefused(ProblemKind.NO_COMMUNITY, "no community document is complete here yet")
        return self.versions[-1]

    def named(self, digest: bytes) -> Community:
        """The version with this digest. Raises NotFound."""
        for stored, version in zip(self.stored, self.versions, strict=True):
            if stored.digest == digest:
                return version
        raise NotFound("no version of the community in force here has the digest that the document names")


def read_chain(view: StoreView, *, fingerprint: str | None) -> CommunityChain:
    """The chain under the pin, or under the first community that was complete."""
    stamp = (view.fact("community"), fingerprint)
    return view.recall("chain", b"", stamp, lambda: _read_chain(view, fingerprint))


def _read_chain(view: StoreView, fingerprint: str | None) -> CommunityChain:
    proposals = view.documents(Community.type_name())
    parsed = [(stored, parse_stored(stored, Community)) for stored in proposals]
    chain: list[tuple[StoredDocument, Community]] = []
    for stored, community in parsed:
        if _may_be_first(stored, community, fingerprint) and party_keys(community) <= stored.signers:
            chain.append((stored, community))
            break
    while chain:
        following = _next_of(chain[-1], parsed)
        if following is None:
            break
        chain.append(following)
    return CommunityChain(tuple(stored for stored, _ in chain), tuple(version for _, version in chain))


def may_be_kept(
    community: Community, digest: bytes, chain: CommunityChain, *, fingerprint: str | None
) -> Collection[bytes]:
    """Keys that may sign this proposal. Raises RequestRefused if it has no place in the chain."""
    if any(stored.digest == digest for stored in chain.stored):
        place = next(i for i, stored in enumerate(chain.stored) if stored.digest == digest)
        before = chain.versions[place - 1] if place else None
        return party_keys(community) | (party_keys(before) if before else frozenset())
    if not chain.versions:
        if fingerprint is not None and fingerprint_of(digest) != fingerprint:
            raise RequestRefused(
                ProblemKind.ANOTHER_COMMUNITY, "the document is not the one this gateway is pinned to"
            )
        if fingerprint is None and community.version != 1:
            raise RequestRefused(ProblemKind.CONFLICT, "a community begins with version 1")
        return party_keys(community)
    current = chain.current
    if community.version != current.version + 1 or community.previous != chain.stored[-1].digest:
        raise RequestRefused(
            ProblemKind.ANOTHER_COMMUNITY,
            f"expected version {current.version + 1} of the community that is served here",
        )
    return party_keys(current) | party_keys(community)


def missing_signers(
    community: Community, digest: bytes, signers: Collection[bytes], chain: CommunityChain
) -> tuple[str, ...]:
    """Names of the parties whose signature a version still needs."""
    cards = {card.identity_key: card.name for card in community.cards}
    before = next((v for v in chain.versions if v.digest() == community.previous), None)
    if before is not None and digest != before.digest():
        cards |= {card.identity_key: card.name for card in before.cards}
    return tuple(sorted(name for key, name in cards.items() if key not in signers))


def party_keys(community: Community) -> frozenset[bytes]:
    return frozenset(card.identity_key for card in community.cards)


def registrar_keys(community: Community) -> frozenset[bytes]:
    return frozenset(role.key for role in community.registrars)


def page_origins(community: Community) -> frozenset[str]:
    """Where the parties serve their pages."""
    return frozenset(card.pages_origin for card in community.cards if card.pages_origin is not None)


def _may_be_first(stored: StoredDocument, community: Community, fingerprint: str | None) -> bool:
    if fingerprint is None:
        return community.version == 1
    return fingerprint_of(stored.digest) == fingerprint


def _next_of(
    last: tuple[StoredDocument, Community], proposals: list[tuple[StoredDocument, Community]]
) -> tuple[StoredDocument, Community] | None:
    stored_before, before = last
    for stored, community in proposals:
        follows = community.version == before.version + 1 and community.previous == stored_before.digest
        if follows and (party_keys(before) | party_keys(community)) <= stored.signers:
            return stored, community
    return None
