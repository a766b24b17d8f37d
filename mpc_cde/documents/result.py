"""What was computed and released, signed by all who computed it; verifies offline for ever."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from mpc_cde.documents.base import Document, Part, verify_sorted
from mpc_cde.documents.canonical import (
    WIRE_BYTES,
    Bytes32,
    Count,
    DecimalString,
    Digest,
    FunctionName,
    Identifier,
    LongText,
    PartyIndex,
    Timestamp,
)
from mpc_cde.documents.query import GroupCell
from mpc_cde.documents.study_terms import Parameters

SealedShare = Annotated[bytes, Field(min_length=48, max_length=1 << 16), *WIRE_BYTES]


class Cell(Part):
    """One answer: values, or sealed shares for audience self, or by which rule it is withheld; one of these.

    A withheld cell says `minimum` or `disclosure` and nothing else, not even how many contributed.
    """

    function: FunctionName
    figures: Annotated[tuple[Identifier, ...], Field(min_length=1, max_length=64)]
    group: GroupCell | None = None
    parameters: Parameters = Field(default_factory=dict)
    values: Annotated[tuple[DecimalString, ...], Field(min_length=1, max_length=1024)] | None = None
    sealed: Annotated[tuple[SealedShare, ...], Field(min_length=3, max_length=15)] | None = None
    withheld: Literal["minimum", "disclosure"] | None = None
    contributors: Count | None = None
    definition: LongText

    @model_validator(mode="after")
    def _is_answered_or_withheld(self) -> Self:
        if sum(part is not None for part in (self.values, self.sealed, self.withheld)) != 1:
            raise ValueError("a cell has values, or sealed shares, or the rule that withholds it")
        if self.withheld is not None and self.contributors is not None:
            raise ValueError("a withheld cell does not say how many contributed")
        return self


class LogHead(Part):
    """Where a party's log stood when it accepted the job."""

    party: PartyIndex
    head: Digest
    length: Count


class Result(Document):
    """Signed by every party it names, at least 2t + 1; a deterministic function of agreed inputs.

    `time` and `log_heads` are those stated in the job's proposal and acceptances. `query` is None for a
    scheduled release, whose `scheduled_function` then says which function of the study it is.
    """

    max_payload_bytes: ClassVar[int] = 8 << 20

    type: Literal["result/v1"] = "result/v1"
    job: Bytes32
    study_terms: Digest
    checked_roster: Digest
    query: Digest | None
    scheduled_function: Count | None = None
    cells: Annotated[tuple[Cell, ...], Field(min_length=1, max_length=4096)]
    engine: Literal["passive", "verified"]
    parties: Annotated[tuple[PartyIndex, ...], Field(min_length=3, max_length=16)]
    time: Timestamp
    log_heads: Annotated[tuple[LogHead, ...], Field(max_length=16)] = ()

    @model_validator(mode="after")
    def _parties_are_sorted(self) -> Self:
        verify_sorted([bytes([party]) for party in self.parties], "parties")
        verify_sorted([bytes([head.party]) for head in self.log_heads], "log_heads")
        if (self.query is None) != (self.scheduled_function is not None):
            raise ValueError("a result names its query, or the function that was scheduled")
        return self
