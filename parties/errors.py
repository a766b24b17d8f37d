"""What can go wrong between the nodes of a community, by whose fault.

PartyError
├── PeerFailure                 another party; `peer` and `name` say which, `step` where
│   ├── PeerUnreachable         no connection within the time to connect
│   ├── PeerSilent              connected, and nothing came within the time limit
│   ├── PeerLost                the connection ended
│   ├── PeerAborted             it ended the session itself; `blames` is the party that it accuses
│   ├── PeerProtocolViolation   it sent what no honest party sends
│   ├── PeerIdentityRefused     its certificate is not the one pinned for it
│   ├── SessionsDiffer          it is in another session: study, rosters, version or parties differ
│   └── JobsDiffer              it accepted another job than this party
├── DeadlinePassed              a time limit of this party passed, and no peer is to blame for it
├── SessionClosed               the session has ended, at somebody's wish
└── WorkerFailed                our own worker process
    ├── WorkerDied              it exited without a word; `status` as of waitpid (negative: a signal)
    ├── WorkerTooLarge          it used more memory than allowed
    ├── WorkerMisbehaved        it broke the rules of its pipe
    └── JobFailed               the computation was refused or failed in our own code; `kind` says how

No message holds a share, a key or a figure.
"""

from __future__ import annotations


class PartyError(Exception):
    """Root of the errors of `parties`."""


class PeerFailure(PartyError):
    """Another party failed; `expected` and `found` are plain words, never what it sent."""

    def __init__(
        self, peer: int, name: str, *, step: str, expected: str, found: str, blames: int | None = None
    ) -> None:
        accusation = "" if blames is None else f" (it blames party {blames})"
        super().__init__(f"party {peer} ({name}), {step}: expected {expected}, found {found}{accusation}")
        self.peer = peer
        self.name = name
        self.step = step
        self.expected = expected
        self.found = found
        self.blames = blames


class PeerUnreachable(PeerFailure):
    """No authenticated connection within the time to connect."""


class PeerSilent(PeerFailure):
    """Nothing was heard, or the awaited message did not come, within the time limit."""


class PeerLost(PeerFailure):
    """The connection ended without a word."""


class PeerAborted(PeerFailure):
    """The peer ended the session; `blames` names the party that it accuses, which is a claim, not a proof."""


class PeerProtocolViolation(PeerFailure):
    """A frame, label, length or content that no honest party sends."""


class PeerIdentityRefused(PeerFailure):
    """Whoever answers at the peer's address does not hold the key that is pinned for it."""


class SessionsDiffer(PeerFailure):
    """The peer's hello names another study, roster, version or set of parties."""


class JobsDiffer(PeerFailure):
    """The peer accepted a job whose public part differs from ours."""


class DeadlinePassed(PartyError):
    """A step of this party took longer than `deadline_seconds`."""

    def __init__(self, step: str, deadline_seconds: float) -> None:
        super().__init__(f"{step}: not done within {deadline_seconds:g} seconds")
        self.step = step
        self.deadline_seconds = deadline_seconds


class SessionClosed(PartyError):
    """The session has ended: at the wish of this party or because it failed before."""


class WorkerFailed(PartyError):
    """Root of the faults of our own worker process."""


class WorkerDied(WorkerFailed):
    """The worker process ended without saying why."""

    def __init__(self, status: int | None) -> None:
        super().__init__(f"the worker process ended with status {status}")
        self.status = status


class WorkerTooLarge(WorkerFailed):
    """The worker used more anonymous memory than `limit_bytes` and was ended."""

    def __init__(self, used_bytes: int, limit_bytes: int) -> None:
        super().__init__(f"the worker used {used_bytes} bytes of memory, allowed are {limit_bytes}")
        self.used_bytes = used_bytes
        self.limit_bytes = limit_bytes


class WorkerMisbehaved(WorkerFailed):
    """A message on the pipe between a node and its worker that does not fit there."""


class JobFailed(WorkerFailed):
    """The job did not run to its end at this party; `kind` is the name of the error in the worker."""

    def __init__(self, kind: str, step: str, found: str) -> None:
        super().__init__(f"{step}: {kind}: {found}")
        self.kind = kind
        self.step = step
        self.found = found
