"""The agreed list of inputs: row i of every column is entry i.

What is signed names the entries by their Merkle root and number. Parties hold the entries; a member sees
root, count, its own entry and the proof for it, so nobody learns from a roster who else took part.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mpc_cde.documents.base import Document, Part, verify_sorted
from mpc_cde.documents.canonical import (
    Count,
    Digest,
    Identifier,
    ShortText,
    base64url_bytes,
    canonical_bytes,
)
from mpc_cde.documents.merkle import MerkleTree, merkle_root, verify_inclusion
from mpc_cde.errors import BadProof


class RosterEntry(Part):
    """One row: whose submission it is by digest, and what is certified about it; holds no member id."""

    submission: Digest
    membership: Digest
    holding: ShortText | None = None
    groups: Annotated[dict[Identifier, ShortText], Field(max_length=64)] = Field(default_factory=dict)

    def payload_bytes(self) -> bytes:
        """As any part's, but for what may be any text written at once: a roster has one for each member."""
        return b'{"groups":%b,"holding":%b,"membership":"%b","submission":"%b"}' % (
            canonical_bytes(self.groups),
            canonical_bytes(self.holding),
            base64url_bytes(self.membership),
            base64url_bytes(self.submission),
        )


class RegistrarCount(Part):
    """How many of the rows one registrar has certified: a registrar that invents members shows here."""

    registrar: Identifier
    count: Count


class Roster(Document):
    """Signed by every party; a deterministic function of the lists. Build it with `roster_of`."""

    type: Literal["roster/v1"] = "roster/v1"
    study_terms: Digest
    count: Count
    merkle_root: Digest
    registrars: Annotated[tuple[RegistrarCount, ...], Field(max_length=64)] = ()

    @model_validator(mode="after")
    def _counts_add_up(self) -> Self:
        verify_sorted([entry.registrar.encode() for entry in self.registrars], "registrars")
        if self.registrars and sum(entry.count for entry in self.registrars) != self.count:
            raise ValueError("registrars: their counts must add up to the count of the roster")
        return self


class RosterProof(Part):
    """What a member gets: its own entry, its row, and the way from there to the signed root."""

    entry: RosterEntry
    row: Count
    proof: Annotated[tuple[Digest, ...], Field(max_length=32)]


def sorted_entries(entries: Sequence[RosterEntry]) -> tuple[RosterEntry, ...]:
    """Entries in row order, by raw bytes of the submission digest. Raises ValueError if one is repeated."""
    ordered = tuple(sorted(entries, key=lambda entry: entry.submission))
    verify_sorted([entry.submission for entry in ordered], "submissions of a roster")
    return ordered


def roster_tree(entries: Sequence[RosterEntry]) -> MerkleTree:
    """The tree over canonical entries in row order; serves any number of proofs."""
    return MerkleTree([entry.payload_bytes() for entry in sorted_entries(entries)])


def roster_of(
    study_terms: bytes, entries: Sequence[RosterEntry], *, registrars: Mapping[str, int] | None = None
) -> Roster:
    """The one roster of these entries, in whatever order they come."""
    ordered = sorted_entries(entries)
    return roster_document(study_terms, len(ordered), map(RosterEntry.payload_bytes, ordered), registrars)


def roster_document(
    study_terms: bytes, count: int, payloads: Iterable[bytes], registrars: Mapping[str, int] | None = None
) -> Roster:
    """The roster of `count` entries, whose canonical bytes come in row order."""
    return Roster(
        study_terms=study_terms,
        count=count,
        merkle_root=merkle_root(payloads),
        registrars=tuple(
            RegistrarCount(registrar=name, count=count) for name, count in sorted((registrars or {}).items())
        ),
    )


def verify_payloads(roster: Roster, count: int, payloads: Iterable[bytes]) -> None:
    """Returns if these are the canonical bytes of the roster's entries, in row order. Raises BadProof."""
    if count != roster.count or merkle_root(payloads) != roster.merkle_root:
        raise BadProof("the entries are not those of the signed roster")


def verify_member_row(roster: Roster, proof: RosterProof, *, submission: bytes) -> None:
    """Returns if this very submission is in the signed roster. Raises BadProof."""
    if proof.entry.submission != submission:
        raise BadProof("the proof is about another submission")
    verify_inclusion(
        proof.entry.payload_bytes(),
        index=proof.row,
        count=roster.count,
        proof=proof.proof,
        root=roster.merkle_root,
    )
