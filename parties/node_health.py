"""What the tasks of a node say of themselves, for its operator."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry, Counter, Gauge

from parties.clock import Clock

STALE_AFTER = timedelta(minutes=3)
"""A feed that has not answered for this long is not being followed."""


@dataclass(slots=True)
class NodeHealth:
    """Of the feed, the outbox and the work; `phase` is free text of whoever computes."""

    clock: Clock
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    community_stands: bool = False
    waiting_for: str = "the community"
    feed_number: int = 0
    feed_answered_at: datetime | None = None
    feed_problem: str | None = None
    is_catching_up: bool = False
    """From the start until the feed was read to its end, or the limit for that passed."""
    phase: str = "idle"
    _feed_gauge: Gauge = field(init=False)
    _outbox_gauge: Gauge = field(init=False)
    _failures: Counter = field(init=False)

    def __post_init__(self) -> None:
        self._feed_gauge = Gauge(
            "mpc_party_feed_number", "Number of the last feed item taken in", registry=self.registry
        )
        self._outbox_gauge = Gauge(
            "mpc_party_outbox_messages", "Messages to the gateway by state", ["state"], registry=self.registry
        )
        self._failures = Counter(
            "mpc_party_feed_failures", "Polls of the feed that failed", registry=self.registry
        )

    def feed_answered(self, number: int) -> None:
        self.feed_number = number
        self.feed_answered_at = self.clock()
        self.feed_problem = None
        self._feed_gauge.set(number)

    def feed_failed(self, problem: str) -> None:
        self.feed_problem = problem
        self._failures.inc()

    def outbox_counted(self, counts: dict[str, int]) -> None:
        for state, count in counts.items():
            self._outbox_gauge.labels(state).set(count)

    def not_ready(self) -> str | None:
        """Why the node is not ready, or None."""
        if not self.community_stands:
            return f"waiting for {self.waiting_for}"
        answered = self.feed_answered_at
        if answered is None or self.clock() - answered > STALE_AFTER:
            return f"the feed does not answer: {self.feed_problem or 'no answer yet'}"
        if self.is_catching_up:
            return f"reading what came before it started, up to {self.feed_number} so far"
        return None
