"""From an error to what a person reads: one or two plain sentences, what to do next, an exit code.

1   the request or the input was refused, or something of our own is wrong
2   the command line itself is wrong
3   somebody else is at fault: a gateway, a party, a document that does not verify
"""

from __future__ import annotations

import os
import traceback

REFUSED = 1
USAGE = 2
NOT_OURS = 3
INTERRUPTED = 130


def describe(error: BaseException) -> tuple[str, int]:
    """The sentences and the exit code. Nothing is imported that the error did not import already."""
    from mpc_cde.errors import (
        CallerError,
        DeadlinePassed,
        MpcCdeError,
        OwnError,
        PeerError,
        StoreUnavailable,
        TransportError,
    )
    from protocols.errors import ProtocolError

    if isinstance(error, KeyboardInterrupt):
        return "Stopped.", INTERRUPTED
    if isinstance(error, CallerError):
        return _joined(str(error), error.hint), REFUSED
    if isinstance(error, PeerError):
        return _joined(_attributed(error), "Nothing was shown or accepted."), NOT_OURS
    if isinstance(error, DeadlinePassed):
        return _joined(str(error), "It may still come; look again later."), NOT_OURS
    if isinstance(error, TransportError):
        return _joined(str(error), "Check the address and your connection, then try again."), NOT_OURS
    if isinstance(error, StoreUnavailable):
        hint = "Make room or mend the disk; started again, it goes on where it stopped."
        return _joined(str(error), hint), REFUSED
    if isinstance(error, OwnError):
        return _joined(str(error), "Restore the data directory from a backup."), REFUSED
    if isinstance(error, ProtocolError | MpcCdeError):
        return _joined(str(error), None), REFUSED
    if isinstance(
        error, BaseExceptionGroup
    ):  # of several requests at once; the first failure ended the others
        return describe(error.exceptions[0])
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return _joined(f"{where}{error.strerror or type(error).__name__}", None), REFUSED
    if os.environ.get("MPC_CDE_DEBUG"):
        return "".join(traceback.format_exception(error)), REFUSED
    return (
        f"A fault of mpc-cde itself ({type(error).__name__}). Set MPC_CDE_DEBUG=1 and run it again to see "
        "where, and please report it.",
        REFUSED,
    )


def _attributed(error: BaseException) -> str:
    text = str(error)
    whom = getattr(error, "whom", "")
    return text if not whom or whom in text or whom == "its sender" else f"{text} (from {whom})"


def _joined(what: str, hint: str | None) -> str:
    sentence = what if what.endswith((".", "!", "?")) or "\n" in what else f"{what}."
    sentence = _capitalised(sentence)
    if not hint:
        return sentence
    separator = "\n" if "\n" in what else " "
    ending = hint if hint.endswith((".", "!", "?")) else f"{hint}."
    return f"{sentence}{separator}{_capitalised(ending)}"


def _capitalised(sentence: str) -> str:
    """With a capital, unless it begins with the name of a file or a field."""
    first = sentence.partition(" ")[0].rstrip(":,.")
    return sentence[:1].upper() + sentence[1:] if first.isalpha() else sentence
