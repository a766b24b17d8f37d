"""What happens to a study (events), and what must then be done in the world (commands)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from mpc_cde.life_cycles.transitions import ClockReached, RaiseComplaint


@dataclass(frozen=True, slots=True)
class ApprovalGiven:
    """A party's approval, which carries its sealing key for the study."""

    party: int


@dataclass(frozen=True, slots=True)
class RefusalGiven:
    """A party's refusal with its reason."""

    party: int
    reason: str


@dataclass(frozen=True, slots=True)
class Amended:
    """An amendment signed by every party moves `closes`, later only."""

    closes: datetime


@dataclass(frozen=True, slots=True)
class ClosingSigned:
    """A party signed the closing that a steward proposed."""

    party: int


@dataclass(frozen=True, slots=True)
class RosterSigned:
    """A party signed a roster of this digest."""

    party: int
    roster: bytes


@dataclass(frozen=True, slots=True)
class CheckedRosterSigned:
    """A party signed a checked roster; what it names and removes is read from the document itself."""

    party: int
    checked: bytes
    roster: bytes
    computed_by: frozenset[int]
    removed: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class QueryReceived:
    """A query about this study arrived."""

    query: bytes


@dataclass(frozen=True, slots=True)
class DeletionLogged:
    """A party logged that it destroyed its sealing key for the study and its shares."""

    party: int


Event: TypeAlias = (
    ApprovalGiven
    | RefusalGiven
    | Amended
    | ClosingSigned
    | RosterSigned
    | CheckedRosterSigned
    | QueryReceived
    | DeletionLogged
    | ClockReached
)


@dataclass(frozen=True, slots=True)
class StartAccepting:
    """Members may submit from now on."""


@dataclass(frozen=True, slots=True)
class StopAccepting:
    """Refuse every submission and withdrawal that comes from now on."""


@dataclass(frozen=True, slots=True)
class ExchangeRosterLists:
    """Commit to the own roster list, then show it to the other parties over the mesh."""


@dataclass(frozen=True, slots=True)
class RunInputChecks:
    """Check the inputs on the roster that all parties signed."""

    roster: bytes


@dataclass(frozen=True, slots=True)
class AcceptQueries:
    """Queries on this checked roster can be decided."""

    checked: bytes


@dataclass(frozen=True, slots=True)
class DecideQuery:
    """Let the own policy answer the query."""

    query: bytes


@dataclass(frozen=True, slots=True)
class DestroyStudySecrets:
    """Destroy the sealing key for the study and every share of it, and log that."""


Command: TypeAlias = (
    StartAccepting
    | StopAccepting
    | ExchangeRosterLists
    | RunInputChecks
    | AcceptQueries
    | DecideQuery
    | DestroyStudySecrets
    | RaiseComplaint
)
