"""What happens to a query (events), and what must then be done in the world (commands)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from mpc_cde.life_cycles.transitions import ClockReached, RaiseComplaint


@dataclass(frozen=True, slots=True)
class DecisionGiven:
    """A party's signed decision."""

    party: int
    agrees: bool
    rule: str
    explanation: str


@dataclass(frozen=True, slots=True)
class JobAccepted:
    """All 2t + 1 parties of the session accepted this job as attempt 1, 2 or 3."""

    attempt: int
    job: bytes
    session: frozenset[int]


@dataclass(frozen=True, slots=True)
class JobComputed:
    """The own worker finished the job."""

    job: bytes
    result: bytes
    all_withheld: bool


@dataclass(frozen=True, slots=True)
class JobFailed:
    """An attempt ended without a result that all its parties signed; `why` names the peer where one is
    known."""

    attempt: int
    why: str


@dataclass(frozen=True, slots=True)
class ResultSigned:
    """A party signed a result; whom it names and what it withholds is read from the document itself."""

    party: int
    job: bytes
    result: bytes
    computed_by: frozenset[int]
    all_withheld: bool


@dataclass(frozen=True, slots=True)
class ResultServed:
    """The gateway serves the signed result."""

    result: bytes


Event: TypeAlias = (
    DecisionGiven | JobAccepted | JobComputed | JobFailed | ResultSigned | ResultServed | ClockReached
)


class News(StrEnum):
    """What an asker is told about its query."""

    DECLINED = "declined"
    PUBLISHED = "published"
    WITHHELD = "withheld"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ProposeJob:
    """Propose (the lowest-numbered live party) or await the proposal of this attempt."""

    attempt: int


@dataclass(frozen=True, slots=True)
class ChargeLedger:
    """Enter the job in ledger and budget, on disk, before its first message; it stays charged whatever
    happens."""

    job: bytes


@dataclass(frozen=True, slots=True)
class RunJob:
    """Hand the job to the worker, if this party is of the session."""

    job: bytes
    session: frozenset[int]


@dataclass(frozen=True, slots=True)
class SignResult:
    """Sign the own result and post the signature."""

    result: bytes


@dataclass(frozen=True, slots=True)
class PublishResult:
    """Serve the result to its audience."""

    result: bytes


@dataclass(frozen=True, slots=True)
class TellAsker:
    """Tell the asker."""

    news: News


Command: TypeAlias = (
    ProposeJob | ChargeLedger | RunJob | SignResult | PublishResult | TellAsker | RaiseComplaint
)
