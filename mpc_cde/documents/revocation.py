"""Takes a member's or a researcher's keys out; a member is out of every roster that is not signed yet."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from mpc_cde.documents.base import Document
from mpc_cde.documents.canonical import Base64Url, Digest, ShortText, Timestamp


class Revocation(Document):
    """Signed by a registrar or t + 1 parties; `subject` is a member id (16) or a researcher's digest (32)."""

    type: Literal["revocation/v1"] = "revocation/v1"
    community: Digest
    kind: Literal["member", "researcher"]
    subject: Base64Url
    reason: ShortText
    time: Timestamp

    @model_validator(mode="after")
    def _subject_fits_kind(self) -> Self:
        expected = 16 if self.kind == "member" else 32
        if len(self.subject) != expected:
            raise ValueError(f"subject of a {self.kind} has {expected} bytes")
        return self
