"""What can go wrong for those who use or run the product, by whose fault.

MpcCdeError
├── CallerError             the request or the input is wrong; `hint` says what to do
│   ├── BadFigure           one cell of a member's figures; names row, column and what was expected
│   ├── NotCanonical        a value that no document may hold (a float, an integer of 2^53 or more, ...)
│   ├── NotFound            what was asked for does not exist
│   ├── Conflict            it contradicts what is already there
│   └── KeyFileRefused      a key file or directory that is missing, too open, damaged or locked
├── PeerError               somebody else's document or message is wrong; `whom` names them
│   ├── BadDocument         not canonical, not the promised type, or a field is out of bounds
│   ├── BadSignature        no valid signature by the key that the role requires
│   ├── BadProof            a Merkle proof or a chain of digests does not lead to the signed root
│   └── SealRefused         a sealed envelope does not open in this place
├── TransportError          the way between us failed; nothing is known about the other side
│   ├── DeadlinePassed      no answer within `deadline_seconds`
│   └── TooLarge            more than `max_bytes`
└── OwnError                our own process or disk is in a state it must not be in
    ├── StoreDamaged        what we wrote is not what we read
    └── StoreUnavailable    nothing can be written now: no room, a disk that fails; what is kept is sound

No message holds a share, a key or somebody's figure.
"""

from __future__ import annotations


class MpcCdeError(Exception):
    """Root of the errors of `mpc_cde`."""


class CallerError(MpcCdeError):
    """What was handed in is wrong; `hint` is one sentence that says what to do next, or None."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class BadFigure(CallerError):
    """One cell of the member's own table; `row` counts from 1 below the heading, or is None for a form.

    `nearest` is the closest allowed value as text, where there is one.
    """

    def __init__(
        self,
        row: int | None,
        column: str,
        expected: str,
        *,
        nearest: str | None = None,
        hint: str | None = None,
    ) -> None:
        place = column if row is None else f"row {row}, column {column}"
        ending = "" if nearest is None else f"; the nearest allowed value is {nearest}"
        super().__init__(f"{place}: expected {expected}{ending}", hint=hint)
        self.row = row
        self.column = column
        self.expected = expected
        self.nearest = nearest


class NotCanonical(CallerError):
    """A value has no canonical form that every party and browser would write alike."""


class NotFound(CallerError):
    """What was asked for does not exist, or not for this reader."""


class Conflict(CallerError):
    """It contradicts what is already there, such as another submission with the same sequence."""


class KeyFileRefused(CallerError):
    """A key file or its directory is missing, open to others, damaged, or locked by a passphrase."""


class PeerError(MpcCdeError):
    """Somebody else's document or message is wrong; `whom` names them as far as that is known."""

    def __init__(self, message: str, *, whom: str = "its sender") -> None:
        super().__init__(message)
        self.whom = whom


class BadDocument(PeerError):
    """The bytes are no document of the promised type: not canonical, or a field is out of bounds."""


class BadSignature(PeerError):
    """There is no valid signature by the key that the role requires."""


class BadProof(PeerError):
    """A Merkle proof or a chain of digests does not lead to the root that was signed."""


class SealRefused(PeerError):
    """A sealed envelope does not open here: altered, or made for another study, member, round or party."""


class TransportError(MpcCdeError):
    """The way to `address` failed; whether the other side acted is not known."""

    def __init__(self, message: str, *, address: str | None = None) -> None:
        super().__init__(message)
        self.address = address


class DeadlinePassed(TransportError):
    """No answer within `deadline_seconds`."""

    def __init__(self, message: str, *, deadline_seconds: float, address: str | None = None) -> None:
        super().__init__(message, address=address)
        self.deadline_seconds = deadline_seconds


class TooLarge(TransportError):
    """More bytes than `max_bytes` were sent or announced."""

    def __init__(self, message: str, *, max_bytes: int, address: str | None = None) -> None:
        super().__init__(message, address=address)
        self.max_bytes = max_bytes


class OwnError(MpcCdeError):
    """Our own process or disk is in a state that it must not be in."""


class StoreDamaged(OwnError):
    """What is read back is not what was written."""


class StoreUnavailable(OwnError):
    """Nothing can be written now; what was kept before is as it was, and so is all that was acknowledged."""
