"""The states of a submission, each with the submission that it is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias


@dataclass(frozen=True, slots=True)
class Subject:
    """Which submission: its digest and sequence, and the number m of parties."""

    submission: bytes
    sequence: int
    parties: int


@dataclass(frozen=True, slots=True)
class Stored:
    """Acknowledged: it is on the gateway's disk."""

    name: ClassVar[str] = "stored"
    subject: Subject


@dataclass(frozen=True, slots=True)
class Receipted:
    """`accepted` are the parties that hold their share and said so, at least one."""

    name: ClassVar[str] = "receipted"
    subject: Subject
    accepted: frozenset[int]


@dataclass(frozen=True, slots=True)
class WithdrawalAsked:
    """The member has withdrawn it, and these parties have signed that they know; final once a roster without it is
    signed."""

    name: ClassVar[str] = "withdrawal_asked"
    subject: Subject
    accepted: frozenset[int]
    known_to: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class InRoster:
    """All parties signed a roster that holds it, but not every receipt is here yet."""

    name: ClassVar[str] = "in_roster"
    subject: Subject
    accepted: frozenset[int]
    roster: bytes
    checked: bytes | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """All m parties accepted it and it is in the roster; `checked` once the input checks passed it."""

    name: ClassVar[str] = "counted"
    subject: Subject
    roster: bytes
    checked: bytes | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A party refused it, so it can be in no roster. Final."""

    name: ClassVar[str] = "refused"
    subject: Subject
    party: int
    reason: str
    accepted: frozenset[int]


@dataclass(frozen=True, slots=True)
class Superseded:
    """A later submission of the member was accepted by all parties (`by`, where known). Final."""

    name: ClassVar[str] = "superseded"
    subject: Subject
    by: bytes | None


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The roster was signed without it, as its member asked. Final."""

    name: ClassVar[str] = "withdrawn"
    subject: Subject


@dataclass(frozen=True, slots=True)
class LeftOut:
    """It counts nowhere, and why: a rule of who counts, or the end of the study. Final."""

    name: ClassVar[str] = "left_out"
    subject: Subject
    why: str


@dataclass(frozen=True, slots=True)
class Removed:
    """The input checks found a fault of this kind in what was shared; its row is not selected. Final."""

    name: ClassVar[str] = "removed"
    subject: Subject
    roster: bytes
    fault: str


State: TypeAlias = (
    Stored
    | Receipted
    | WithdrawalAsked
    | InRoster
    | Counted
    | Refused
    | Superseded
    | Withdrawn
    | LeftOut
    | Removed
)
