"""Failures across the pipe: what a worker says of the error that ended its session, and what its node raises.

Only errors of our own making travel with their words, which never hold a share or a figure; of any other error
travel its class and its place.
"""

from __future__ import annotations

import os
import traceback

from parties import errors
from parties.errors import JobFailed, PartyError, PeerFailure, SessionClosed
from parties.worker_pipe import SessionFailed
from protocols.errors import ProtocolError

_PEER_FAILURES = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, PeerFailure) and kind is not PeerFailure
}


def describe_failure(error: Exception) -> SessionFailed:
    """The message about a failure; of an error that is not ours its kind and place, never its words."""
    kind = type(error).__name__
    if isinstance(error, PeerFailure):
        return SessionFailed(
            kind=kind,
            peer=error.peer,
            name=error.name[:500],
            step=error.step[:500],
            expected=error.expected[:500],
            found=error.found[:500],
            blames=error.blames,
        )
    if isinstance(error, PartyError | ProtocolError):
        return SessionFailed(kind=kind, step="the session", found=str(error)[:500])
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else "nowhere"
    return SessionFailed(kind=kind, step="the session", found=f"at {place}")


def abort_code_of(error: Exception) -> str:
    """The short word about an error that peers are told."""
    name = type(error).__name__
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).strip("_")[:40]


def failure_of(message: SessionFailed) -> PartyError:
    """The typed error that a worker's last message describes."""
    kind = _PEER_FAILURES.get(message.kind)
    if kind is not None and message.peer is not None:
        return kind(
            message.peer,
            message.name,
            step=message.step,
            expected=message.expected,
            found=message.found,
            blames=message.blames,
        )
    if message.kind == SessionClosed.__name__:
        return SessionClosed(message.found)
    return JobFailed(message.kind, message.step, message.found)
