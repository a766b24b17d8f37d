"""A party says that something went wrong, where, and by whom; evidence by digest."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mpc_cde.documents.base import Document
from mpc_cde.documents.canonical import (
    Bytes32,
    Digest,
    Identifier,
    MemberId,
    PartyIndex,
    ShortText,
    Timestamp,
)

GIVEN_UP_STEP = "attempts"
"""The step of a complaint that a query, its evidence, has no attempt left."""


class Complaint(Document):
    """Signed by the party that complains; `expected` and `found` never hold a share, key or figure.

    `evidence` are digests of signed documents that prove it, such as a receipt and the list that lacks it.
    """

    type: Literal["complaint/v1"] = "complaint/v1"
    community: Digest
    study_terms: Digest | None = None
    job: Bytes32 | None = None
    party: PartyIndex
    step: Identifier
    accused_party: PartyIndex | None = None
    accused_member: MemberId | None = None
    expected: ShortText
    found: ShortText
    evidence: Annotated[tuple[Digest, ...], Field(max_length=32)] = ()
    time: Timestamp
