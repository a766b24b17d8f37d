"""A signed question inside an approved study, and the name of a release that nobody had to ask for."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mpc_cde.documents.base import Document, Part
from mpc_cde.documents.canonical import (
    Bytes16,
    Digest,
    FunctionName,
    Identifier,
    ShortText,
    Timestamp,
    canonical_bytes,
    digest_of,
    encode_base64url,
)
from mpc_cde.documents.study_terms import FunctionTerms, Parameters, StudyTerms


class GroupCell(Part):
    """One cell of a group: the members with this certified value, or with this category of a figure.

    The members that left the category blank are a cell like the others, of value "blank".
    """

    attribute: Identifier
    value: ShortText


class QueryItem(Part):
    """One cell asked for; function, figures and parameters must be those of a function of the study.

    `parameters` are the function's `asked_parameters`, grid and edges among them.
    """

    function: FunctionName
    figures: Annotated[tuple[Identifier, ...], Field(min_length=1, max_length=64)]
    group: GroupCell | None = None
    parameters: Parameters = Field(default_factory=dict)

    def matches(self, function: FunctionTerms) -> bool:
        """Whether this function of a study covers the item."""
        return (
            self.function == function.function
            and self.figures == function.figures
            and (None if self.group is None else self.group.attribute) == function.by
            and self.parameters == function.asked_parameters
        )


class Query(Document):
    """Signed by the asker: a researcher (digest of its document), or a member (digest of its membership)."""

    type: Literal["query/v1"] = "query/v1"
    study_terms: Digest
    items: Annotated[tuple[QueryItem, ...], Field(min_length=1, max_length=1024)]
    asker_kind: Literal["researcher", "member"] = "researcher"
    asker: Digest
    nonce: Bytes16
    expires: Timestamp

    @model_validator(mode="after")
    def _no_item_is_asked_twice(self) -> Self:
        items = [item.payload_bytes() for item in self.items]
        if len(set(items)) != len(items):
            raise ValueError("items must be different from each other")
        return self


def function_of(item: QueryItem, terms: StudyTerms) -> FunctionTerms | None:
    """The function of the study that covers the item, group value included, or None."""
    for function in terms.functions:
        if item.matches(function) and (
            item.group is None or item.group.value in terms.values_of(item.group.attribute)
        ):
            return function
    return None


def scheduled_query_digest(study_terms: bytes, function_index: int, checked_roster: bytes) -> bytes:
    """The name of a scheduled release, in the place of a query's digest; 32 bytes."""
    return digest_of(
        canonical_bytes(
            {
                "type": "scheduled-query/v1",
                "study_terms": encode_base64url(study_terms),
                "function": function_index,
                "checked_roster": encode_base64url(checked_roster),
            }
        )
    )
