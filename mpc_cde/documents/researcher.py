"""Who may ask, what, and for how long."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mpc_cde.documents.base import Document, verify_unique
from mpc_cde.documents.canonical import Digest, FunctionName, PublicKeyBytes, ShortText, Timestamp
from mpc_cde.documents.suites import PublicSealingKey


class Researcher(Document):
    """Signed by every party; `studies` are digests of terms, None means every study of the community."""

    type: Literal["researcher/v1"] = "researcher/v1"
    community: Digest
    name: ShortText
    signing_key: PublicKeyBytes
    sealing_key: PublicSealingKey
    functions: Annotated[tuple[FunctionName, ...], Field(min_length=1, max_length=64)]
    studies: Annotated[tuple[Digest, ...], Field(max_length=256)] | None = None
    valid_from: Timestamp
    valid_until: Timestamp

    @model_validator(mode="after")
    def _permissions_are_sound(self) -> Self:
        verify_unique(list(self.functions), "functions")
        if self.studies is not None:
            verify_unique(list(self.studies), "studies")
        if self.valid_from >= self.valid_until:
            raise ValueError("valid_until must come after valid_from")
        return self

    def is_valid_at(self, moment: str) -> bool:
        """Whether a `Timestamp` lies in the validity; its end is excluded."""
        return self.valid_from <= moment < self.valid_until

    def may_ask(self, function: str, study_terms: bytes) -> bool:
        """Whether this function of the study with these terms is among its permissions."""
        return function in self.functions and (self.studies is None or study_terms in self.studies)
