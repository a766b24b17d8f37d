"""The states of a query, each with the query and what has been said about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, TypeAlias

from mpc_cde.life_cycles.transitions import check_community_size

MAX_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Subject:
    """Which query: its digest, m and t, when every party must have answered, when the question lapses
    (aware)."""

    query: bytes
    parties: int
    threshold: int
    decide_by: datetime
    expires: datetime

    def __post_init__(self) -> None:
        check_community_size(self.parties, self.threshold)
        if self.decide_by.tzinfo is None or self.expires.tzinfo is None:
            raise ValueError("the times of a query carry a time zone")

    @property
    def everybody(self) -> frozenset[int]:
        """The indices of all parties."""
        return frozenset(range(self.parties))


@dataclass(frozen=True, slots=True)
class Decision:
    """One party's yes or no, the rule it followed and what that means in words."""

    party: int
    agrees: bool
    rule: str
    explanation: str


@dataclass(frozen=True, slots=True)
class ResultSignature:
    """One party's signature under a result of one job; `all_withheld` if no cell of it has values."""

    party: int
    job: bytes
    result: bytes
    computed_by: frozenset[int]
    all_withheld: bool


@dataclass(frozen=True, slots=True)
class Work:
    """What was said and tried so far: decisions by party, signatures in order of arrival, attempts and
    failures."""

    decisions: tuple[Decision, ...] = ()
    signatures: tuple[ResultSignature, ...] = ()
    attempt: int = 0
    failures: tuple[str, ...] = ()

    def decision_of(self, party: int) -> Decision | None:
        """What this party decided, if it did."""
        return next((decision for decision in self.decisions if decision.party == party), None)


@dataclass(frozen=True, slots=True)
class Received:
    """Signed by its asker; the parties decide."""

    name: ClassVar[str] = "received"
    subject: Subject
    work: Work = Work()


@dataclass(frozen=True, slots=True)
class Decided:
    """All m parties said yes; the first job is to be proposed."""

    name: ClassVar[str] = "decided"
    subject: Subject
    work: Work


@dataclass(frozen=True, slots=True)
class Running:
    """All 2t + 1 parties of a session accepted the job."""

    name: ClassVar[str] = "running"
    subject: Subject
    work: Work
    job: bytes
    session: frozenset[int]


@dataclass(frozen=True, slots=True)
class Retrying:
    """An attempt failed and another is allowed."""

    name: ClassVar[str] = "retrying"
    subject: Subject
    work: Work


@dataclass(frozen=True, slots=True)
class Computed:
    """There is a result of `job`; those that computed it sign."""

    name: ClassVar[str] = "computed"
    subject: Subject
    work: Work
    job: bytes
    result: bytes


@dataclass(frozen=True, slots=True)
class Signed:
    """Every party that computed has signed the same result; it is to be published."""

    name: ClassVar[str] = "signed"
    subject: Subject
    work: Work
    job: bytes
    result: bytes
    all_withheld: bool


@dataclass(frozen=True, slots=True)
class Published:
    """Its audience can read it; at least one cell has values. Final."""

    name: ClassVar[str] = "published"
    subject: Subject
    work: Work
    job: bytes
    result: bytes


@dataclass(frozen=True, slots=True)
class Withheld:
    """Its audience can read that a rule withholds every cell. Final."""

    name: ClassVar[str] = "withheld"
    subject: Subject
    work: Work
    job: bytes
    result: bytes


@dataclass(frozen=True, slots=True)
class Declined:
    """At least one party said no, or nothing within the time limit. Final."""

    name: ClassVar[str] = "declined"
    subject: Subject
    work: Work


@dataclass(frozen=True, slots=True)
class Failed:
    """Three attempts failed, or the question lapsed before its job ran; `why` is the last reason. Final."""

    name: ClassVar[str] = "failed"
    subject: Subject
    work: Work
    why: str


State: TypeAlias = (
    Received | Decided | Running | Retrying | Computed | Signed | Published | Withheld | Declined | Failed
)
