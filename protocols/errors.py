"""What can go wrong in the mathematics, by whose fault.

ProtocolError
├── ProtocolMisuse          ours or the caller's: an operation used outside its conditions
│   └── OutOfRange          a bound that must hold in public does not (field, radices, roster size)
├── EncodingError           the figure does not fit its encoding (the member's to correct)
└── PeerDeviation           what a peer sent cannot come from an honest run
    ├── MalformedMessage    not canonical: wrong length, or an element of p or more
    ├── SharesDisagree      opened shares lie on no polynomial of the promised degree
    └── SeedMismatch        a seed or correction is not the one that was signed

No message holds a share, a key or a figure.
"""

from __future__ import annotations


class ProtocolError(Exception):
    """Root of the errors of `protocols`."""


class ProtocolMisuse(ProtocolError):
    """An operation was asked for outside its conditions; the code that asked is wrong."""


class OutOfRange(ProtocolMisuse):
    """A public bound does not hold."""


class EncodingError(ProtocolError):
    """A figure does not fit the encoding of its study; `nearest` is the closest allowed value, if any."""

    def __init__(self, message: str, *, nearest: str | None = None) -> None:
        super().__init__(message)
        self.nearest = nearest


class PeerDeviation(ProtocolError):
    """What arrived cannot come from peers that all follow the protocol; `peer` names one where that is known."""

    def __init__(self, message: str, *, peer: int | None = None) -> None:
        super().__init__(message)
        self.peer = peer


class MalformedMessage(PeerDeviation):
    """A message of another length than agreed, or holding a number that is not a field element."""


class SharesDisagree(PeerDeviation):
    """Shares of one opening do not lie on a polynomial of the promised degree."""


class SeedMismatch(PeerDeviation):
    """A seed or a correction differs from the digest that its sender signed."""
