"""One party's account of what it accepted and saw, from which all compute the same roster."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from mpc_cde.documents.base import Document, verify_sorted
from mpc_cde.documents.canonical import Digest, PartyIndex
from mpc_cde.documents.envelope import Envelope
from mpc_cde.documents.roster_lines import MAX_LINES, PARTS

MAX_LIST_BYTES = 64 << 20


class RosterList(Document):
    """Signed by the party, its digest committed to before any list is shown.

    The submissions stand in `count` lines (`roster_lines`); their parts are named by digest and shown only where
    lists differ. Withdrawals and revocations travel whole, in envelopes, and with withdrawals the memberships whose
    keys signed them, so that a party from which the gateway kept them can check them, and no list can take a member
    out without proof. Envelopes are sorted by digest.
    """

    max_payload_bytes: ClassVar[int] = MAX_LIST_BYTES

    type: Literal["roster-list/v1"] = "roster-list/v1"
    study_terms: Digest
    party: PartyIndex
    count: Annotated[int, Field(ge=0, le=MAX_LINES)]
    parts: Annotated[tuple[Digest, ...], Field(min_length=PARTS, max_length=PARTS)]
    withdrawals: Annotated[tuple[Envelope, ...], Field(max_length=1 << 16)] = ()
    revocations: Annotated[tuple[Envelope, ...], Field(max_length=1 << 16)] = ()
    memberships: Annotated[tuple[Envelope, ...], Field(max_length=1 << 16)] = ()

    @model_validator(mode="after")
    def _everything_is_sorted(self) -> Self:
        verify_sorted([envelope.digest() for envelope in self.withdrawals], "withdrawals")
        verify_sorted([envelope.digest() for envelope in self.revocations], "revocations")
        verify_sorted([envelope.digest() for envelope in self.memberships], "memberships")
        return self
