"""One party's answer to what a member signed: to a submission, that it holds its seeds or why not; to a withdrawal,
that it has it.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from mpc_cde.documents.base import Document
from mpc_cde.documents.canonical import Digest, Identifier, PartyIndex, ShortText, base64url_bytes


class Receipt(Document):
    """Signed by the party; a submission it accepted and leaves out of its list proves a broken promise."""

    type: Literal["receipt/v1"] = "receipt/v1"
    study_terms: Digest
    submission: Digest
    party: PartyIndex
    verdict: Literal["accepted", "refused"]
    reason: Identifier | None = None
    explanation: ShortText | None = None

    @model_validator(mode="after")
    def _only_a_refusal_has_reasons(self) -> Self:
        given = (self.reason is not None, self.explanation is not None)
        if given != ((self.verdict == "refused"),) * 2:
            raise ValueError("reason and explanation are given exactly when the submission is refused")
        return self

    def payload_bytes(self) -> bytes:
        """As any part's, written at once where it holds no words: each party sends one for each submission."""
        if self.reason is not None or self.explanation is not None:
            return super().payload_bytes()
        return (
            b'{"explanation":null,"party":%d,"reason":null,"study_terms":"%b","submission":"%b",'
            b'"type":"%b","verdict":"%b"}'
        ) % (
            self.party,
            base64url_bytes(self.study_terms),
            base64url_bytes(self.submission),
            self.type.encode("ascii"),
            self.verdict.encode("ascii"),
        )

    @property
    def accepted(self) -> bool:
        return self.verdict == "accepted"


class WithdrawalReceipt(Document):
    """Signed by the party: it has this withdrawal, and signs no roster that holds what the withdrawal takes out.

    A party gives one or none, so there is no refusal; a roster with its signature and such a row proves a broken
    promise.
    """

    type: Literal["withdrawal-receipt/v1"] = "withdrawal-receipt/v1"
    study_terms: Digest
    withdrawal: Digest
    party: PartyIndex
