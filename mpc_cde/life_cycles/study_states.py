"""The states of a study, and the plan that they all carry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar, TypeAlias

from mpc_cde.life_cycles.transitions import check_community_size

CLOSING_GRACE = timedelta(minutes=5)


def _later(moment: datetime, by: timedelta) -> datetime:
    """Never beyond the last moment that there is: "closes 9999-12-31" is a way to say never."""
    try:
        return moment + by
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """What the machine must know of a study: m, t, its times (aware) and for how long data is kept."""

    parties: int
    threshold: int
    opens: datetime
    closes: datetime
    retention: timedelta

    def __post_init__(self) -> None:
        check_community_size(self.parties, self.threshold)
        if self.opens.tzinfo is None or self.closes.tzinfo is None:
            raise ValueError("the times of a study carry a time zone")
        if self.opens >= self.closes:
            raise ValueError("a study opens before it closes")
        if self.retention < CLOSING_GRACE:
            raise ValueError(f"data is kept for at least {CLOSING_GRACE} after a study closes")

    @property
    def stops_accepting(self) -> datetime:
        """The moment from which no party accepts anything, without a closing signed by all."""
        return _later(self.closes, CLOSING_GRACE)

    @property
    def expires(self) -> datetime:
        """The moment from which every party must destroy what it holds."""
        return _later(self.closes, self.retention)

    @property
    def everybody(self) -> frozenset[int]:
        """The indices of all parties."""
        return frozenset(range(self.parties))


@dataclass(frozen=True, slots=True)
class CheckSignature:
    """One party's signature under a checked roster that names `computed_by` and removes `removed`."""

    party: int
    checked: bytes
    computed_by: frozenset[int]
    removed: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class Proposed:
    """A steward has signed it; `approvals` came so far."""

    name: ClassVar[str] = "proposed"
    plan: StudyPlan
    approvals: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Approved:
    """Every party has approved, with its sealing key; it waits for `opens`."""

    name: ClassVar[str] = "approved"
    plan: StudyPlan


@dataclass(frozen=True, slots=True)
class Open:
    """Members submit; `closings` are the parties that signed to close now."""

    name: ClassVar[str] = "open"
    plan: StudyPlan
    closings: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Closing:
    """Nothing more is accepted; the parties agree on the roster. One roster signature counts per party."""

    name: ClassVar[str] = "closing"
    plan: StudyPlan
    rosters: tuple[tuple[int, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Frozen:
    """All parties signed the same roster; the input checks run."""

    name: ClassVar[str] = "frozen"
    plan: StudyPlan
    roster: bytes
    checks: tuple[CheckSignature, ...] = ()


@dataclass(frozen=True, slots=True)
class Checked:
    """The parties that ran the input checks signed what they found."""

    name: ClassVar[str] = "checked"
    plan: StudyPlan
    roster: bytes
    checked: bytes
    removed: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class Answering:
    """At least one query has come."""

    name: ClassVar[str] = "answering"
    plan: StudyPlan
    roster: bytes
    checked: bytes
    removed: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class Expired:
    """The retention is over; `deletions` are the parties that logged theirs."""

    name: ClassVar[str] = "expired"
    plan: StudyPlan
    deletions: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Deleted:
    """Every party destroyed its sealing key for the study and its shares. Final."""

    name: ClassVar[str] = "deleted"
    plan: StudyPlan


@dataclass(frozen=True, slots=True)
class Refused:
    """Never approved by all; `party` is None when approvals were missing at `closes`. Final."""

    name: ClassVar[str] = "refused"
    plan: StudyPlan
    party: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A party took its approval back before the closing. Final."""

    name: ClassVar[str] = "cancelled"
    plan: StudyPlan
    party: int
    reason: str


State: TypeAlias = (
    Proposed
    | Approved
    | Open
    | Closing
    | Frozen
    | Checked
    | Answering
    | Expired
    | Deleted
    | Refused
    | Cancelled
)
CALLED_OFF = (Refused, Cancelled)
"""Of a study that ended before it closed and will never answer anything."""
