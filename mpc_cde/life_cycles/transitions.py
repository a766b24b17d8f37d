"""What the life cycles share: the clock as an event, a complaint as a command, an event that does not fit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mpc_cde.errors import Conflict


class IllegalTransition(Conflict):
    """An event that does not fit the state; `early` means that the same event may fit later.

    A receiver keeps or retries an early event, and refuses any other. The state is unchanged.
    """

    def __init__(self, state: object, event: object, why: str, *, early: bool = False) -> None:
        super().__init__(f"{type(event).__name__} does not fit {type(state).__name__}: {why}")
        self.state = state
        self.event = event
        self.why = why
        self.early = early


@dataclass(frozen=True, slots=True)
class ClockReached:
    """The caller's own clock shows `now` (aware). A clock that goes back changes nothing."""

    now: datetime


@dataclass(frozen=True, slots=True)
class RaiseComplaint:
    """Sign and post a complaint: `party` said `found` where `expected` stood. Maybe not the guilty one."""

    step: str
    party: int | None
    expected: bytes | str
    found: bytes | str


def refuse_unknown_party(state: object, event: object, party: int, parties: int) -> None:
    """Raise IllegalTransition unless `party` is an index of the community."""
    if not 0 <= party < parties:
        raise IllegalTransition(state, event, f"party {party} is none of the {parties} parties")


def check_community_size(parties: int, threshold: int) -> None:
    """Raise ValueError unless 1 <= t and 2t + 1 <= m."""
    if threshold < 1 or 2 * threshold + 1 > parties:
        raise ValueError(f"threshold must satisfy 1 <= t and 2t + 1 <= m, found t={threshold}, m={parties}")


def is_computing_set(named: frozenset[int], parties: int, threshold: int) -> bool:
    """True for exactly 2t + 1 parties of the community: the only sets that compute."""
    return len(named) == 2 * threshold + 1 and named <= frozenset(range(parties))
