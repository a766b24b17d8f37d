"""What happens to a submission (events), and what must then be done in the world (commands)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from mpc_cde.life_cycles.roster_rules import WhyLeftOut
from mpc_cde.life_cycles.transitions import RaiseComplaint


@dataclass(frozen=True, slots=True)
class Accepted:
    """A party's receipt: it holds its share."""

    party: int


@dataclass(frozen=True, slots=True)
class RefusedBy:
    """A party's receipt: it does not, and why."""

    party: int
    reason: str


@dataclass(frozen=True, slots=True)
class LaterAccepted:
    """Every party has accepted a submission of the same member with a higher sequence."""

    submission: bytes
    sequence: int


@dataclass(frozen=True, slots=True)
class WithdrawalStored:
    """The member's withdrawal of everything up to and including `sequence`."""

    sequence: int


@dataclass(frozen=True, slots=True)
class WithdrawalKnown:
    """A party's receipt: it has the member's withdrawal, and signs no roster that holds this submission."""

    party: int


@dataclass(frozen=True, slots=True)
class RosterFrozen:
    """Every party signed this roster; `left_out` is None if it holds this submission."""

    roster: bytes
    left_out: WhyLeftOut | None


@dataclass(frozen=True, slots=True)
class InputsChecked:
    """The checked roster is signed; `fault` is None unless it removes this submission."""

    checked: bytes
    fault: str | None


@dataclass(frozen=True, slots=True)
class StudyEnded:
    """The study was refused, cancelled or expired."""

    how: str


Event: TypeAlias = (
    Accepted
    | RefusedBy
    | LaterAccepted
    | WithdrawalStored
    | WithdrawalKnown
    | RosterFrozen
    | InputsChecked
    | StudyEnded
)


class News(StrEnum):
    """What a member is told about its submission."""

    HELD_BY_ALL = "held_by_all"
    COUNTED = "counted"
    REFUSED = "refused"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"
    WITHDRAWAL_KNOWN_TO_ALL = "withdrawal_known_to_all"
    WITHDRAWAL_TOO_LATE = "withdrawal_too_late"
    LEFT_OUT = "left_out"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class TellMember:
    """Tell the member."""

    news: News


@dataclass(frozen=True, slots=True)
class DestroyShares:
    """Destroy what is held of this submission; it can no longer be needed."""

    submission: bytes


Command: TypeAlias = TellMember | DestroyShares | RaiseComplaint
