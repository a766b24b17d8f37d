"""The roster after the input checks: who was taken out because the shared figures were no figures."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from mpc_cde.documents.base import Document, Part, verify_sorted
from mpc_cde.documents.canonical import Digest, Identifier, PartyIndex

MALFORMED_ENCODING: Identifier = "malformed_encoding"
"""Some digit was neither one symbol nor blank."""


class RemovedSubmission(Part):
    """A submission whose row stays, with the public selector 0, and the kind of fault its member sees."""

    submission: Digest
    fault: Identifier


class CheckedRoster(Document):
    """Signed by the 2t + 1 parties that ran the checks, which it names."""

    max_payload_bytes: ClassVar[int] = 16 << 20

    type: Literal["checked-roster/v1"] = "checked-roster/v1"
    study_terms: Digest
    roster: Digest
    removed: Annotated[tuple[RemovedSubmission, ...], Field(max_length=1 << 17)] = ()
    parties: Annotated[tuple[PartyIndex, ...], Field(min_length=3, max_length=15)]

    @model_validator(mode="after")
    def _lists_are_sorted(self) -> Self:
        verify_sorted([entry.submission for entry in self.removed], "removed")
        verify_sorted([bytes([party]) for party in self.parties], "parties")
        if len(self.parties) % 2 == 0:
            raise ValueError("parties: exactly 2 t + 1 run the checks")
        return self

    def fault_of(self, submission: bytes) -> str | None:
        """The kind of fault for which this submission was removed, or None."""
        return next((entry.fault for entry in self.removed if entry.submission == submission), None)
