"""Every time limit and size limit of the mesh and the worker, in one table."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Seconds unless the name says otherwise; the defaults suit organisations on the open internet."""

    connect_seconds: float = 10.0  # from a worker's start of connecting until every peer is there
    handshake_seconds: float = 5.0  # one TCP and TLS handshake
    heartbeat_seconds: float = 2.0  # between two signs of life
    silent_peer_seconds: float = 15.0  # without any byte from a peer
    agreement_seconds: float = 60.0  # for every party to take one step of an agreement
    proposal_seconds: float = 20.0  # for every party to answer a proposed job
    job_base_seconds: float = 30.0
    job_seconds_per_million: float = 60.0  # for each million record-figures
    worker_start_seconds: float = 60.0  # importing and compiling on a slow machine
    opener_seconds: float = (
        10.0  # for the process that opens envelopes to answer, before the node does it itself
    )
    stop_seconds: float = 2.0  # between asking a worker to end and killing it
    retry_seconds: float = 0.5  # before the session after a failed one; doubles with each failure in a row
    retry_max_seconds: float = 15.0
    decision_seconds: float = 24 * 3600.0  # for every party to decide a query
    long_poll_seconds: float = 25.0
    catch_up_seconds: float = 600.0  # for a node that starts to read its feed to the end before it computes
    max_frame_bytes: int = 16 << 20
    max_message_bytes: int = 1 << 30  # one message of a computation, in all its frames
    max_agreement_bytes: int = 64 << 20  # what one party shows the others in a step
    worker_memory_bytes: int = 4 << 30  # anonymous memory; mapped columns do not count

    def __post_init__(self) -> None:
        for entry in fields(self):
            if getattr(self, entry.name) <= 0:
                raise ValueError(f"{entry.name} must be above zero")
        if self.silent_peer_seconds <= self.heartbeat_seconds:
            raise ValueError("silent_peer_seconds must be longer than heartbeat_seconds")

    def job_seconds(self, record_figures: int) -> float:
        """How long a job over so many records times figures may take."""
        return self.job_base_seconds + self.job_seconds_per_million * record_figures / 1_000_000

    def scaled(self, factor: float) -> TimeLimits:
        """The same table with every time multiplied; sizes stay. For tests and slow machines."""
        times = {
            entry.name: getattr(self, entry.name) * factor
            for entry in fields(self)
            if not entry.name.endswith("_bytes")
        }
        return replace(self, **times)


DEFAULT_LIMITS = TimeLimits()
