"""One party's account of what it accepted and saw, from which all compute the same roster."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from mpc_cde.documents.base import Document, Part, verify_sorted
from mpc_cde.documents.canonical import Digest, MemberId, PartyIndex, Sequence, base64url_bytes
from mpc_cde.documents.envelope import Envelope

MAX_LIST_BYTES = 64 << 20


class ListedSubmission(Part):
    """A submission that the party accepted, of any sequence."""

    submission: Digest
    membership: Digest
    member: MemberId
    sequence: Sequence

    def payload_bytes(self) -> bytes:
        """As any part's, written at once: a list holds one for each member."""
        return b'{"member":"%b","membership":"%b","sequence":%d,"submission":"%b"}' % (
            base64url_bytes(self.member),
            base64url_bytes(self.membership),
            self.sequence,
            base64url_bytes(self.submission),
        )


class RosterList(Document):
    """Signed by the party, its digest committed to before any list is shown.

    Everything is sorted by digest. Withdrawals and revocations travel whole, in envelopes, and with withdrawals the
    memberships whose keys signed them, so that a party from which the gateway kept them can check them, and no
    list can take a member out without proof.
    """

    max_payload_bytes: ClassVar[int] = MAX_LIST_BYTES

    type: Literal["roster-list/v1"] = "roster-list/v1"
    study_terms: Digest
    party: PartyIndex
    submissions: Annotated[tuple[ListedSubmission, ...], Field(max_length=1 << 20)]
    withdrawals: Annotated[tuple[Envelope, ...], Field(max_length=1 << 16)] = ()
    revocations: Annotated[tuple[Envelope, ...], Field(max_length=1 << 16)] = ()
    memberships: Annotated[tuple[Envelope, ...], Field(max_length=1 << 16)] = ()

    def payload_bytes(self) -> bytes:
        """As any document's, without a second copy of everything on the way."""
        return (
            b'{"memberships":[%b],"party":%d,"revocations":[%b],"study_terms":"%b",'
            b'"submissions":[%b],"type":"roster-list/v1","withdrawals":[%b]}'
        ) % (
            _joined(self.memberships),
            self.party,
            _joined(self.revocations),
            base64url_bytes(self.study_terms),
            _joined(self.submissions),
            _joined(self.withdrawals),
        )

    @model_validator(mode="after")
    def _everything_is_sorted(self) -> Self:
        verify_sorted([entry.submission for entry in self.submissions], "submissions")
        verify_sorted([envelope.digest() for envelope in self.withdrawals], "withdrawals")
        verify_sorted([envelope.digest() for envelope in self.revocations], "revocations")
        verify_sorted([envelope.digest() for envelope in self.memberships], "memberships")
        return self


def _joined(parts: Iterable[Part]) -> bytes:
    return b",".join(part.payload_bytes() for part in parts)
