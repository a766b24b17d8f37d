"""What a registrar certifies about one member; served to parties only, never by a public address."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mpc_cde.documents.base import Document
from mpc_cde.documents.canonical import Digest, Identifier, MemberId, PublicKeyBytes, ShortText, Timestamp
from mpc_cde.documents.suites import PublicSealingKey

Attributes = Annotated[dict[Identifier, ShortText], Field(max_length=64)]


class Membership(Document):
    """Signed by the registrar it names, countersigned by a second registrar or t + 1 parties.

    `holding` joins members that count as one contributor; `register_id` is the digest of an id in an external
    register, so that one organisation gets one membership; a sole trader's figures are personal data.
    """

    type: Literal["membership/v1"] = "membership/v1"
    community: Digest
    member: MemberId
    signing_key: PublicKeyBytes
    sealing_key: PublicSealingKey
    attributes: Attributes = Field(default_factory=dict)
    holding: ShortText | None = None
    sole_trader: bool = False
    valid_from: Timestamp
    valid_until: Timestamp
    registrar: Identifier
    register_id: Digest

    @model_validator(mode="after")
    def _validity_has_length(self) -> Self:
        if self.valid_from >= self.valid_until:
            raise ValueError("valid_until must come after valid_from")
        return self

    def is_valid_at(self, moment: str) -> bool:
        """Whether a `Timestamp` lies in the validity; its end is excluded."""
        return self.valid_from <= moment < self.valid_until
