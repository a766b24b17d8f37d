"""A study as it is proposed: terms that never change, and a presentation that amendments may replace."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mpc_cde.documents.base import Document, Part
from mpc_cde.documents.canonical import Identifier, LongText, ShortText, Timestamp
from mpc_cde.documents.study_terms import Language, StudyTerms


class Translation(Part):
    """The study in another language; `labels` by figure or attribute name."""

    title: ShortText
    purpose: LongText
    consent: LongText
    labels: Annotated[dict[Identifier, ShortText], Field(max_length=512)] = Field(default_factory=dict)
    help: Annotated[dict[Identifier, LongText], Field(max_length=512)] = Field(default_factory=dict)


class Presentation(Part):
    """Help texts by figure name, translations by language, and when the study opens and closes."""

    help: Annotated[dict[Identifier, LongText], Field(max_length=512)] = Field(default_factory=dict)
    translations: Annotated[dict[Language, Translation], Field(max_length=32)] = Field(default_factory=dict)
    opens: Timestamp
    closes: Timestamp

    @model_validator(mode="after")
    def _opens_before_it_closes(self) -> Self:
        if self.opens >= self.closes:
            raise ValueError("closes must come after opens")
        return self


class Study(Document):
    """Proposed by the steward it names; every party approves it or refuses."""

    type: Literal["study/v1"] = "study/v1"
    terms: StudyTerms
    presentation: Presentation
    steward: Identifier

    def terms_digest(self) -> bytes:
        """Digest of the canonical bytes of the terms alone: the name of the study everywhere else."""
        return self.terms.digest()
