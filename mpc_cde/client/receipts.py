"""What the parties say about one submission, in the words that its member reads."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import anyio

from mpc_cde.client.connection import Connection
from mpc_cde.client.verification import VerifiedStudy, verify_receipts
from mpc_cde.documents.envelope import Envelope
from mpc_cde.errors import DeadlinePassed

POLL_SECONDS = 0.25
WAIT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class ReceiptStatus:
    """Verified receipts of one submission, by name of party; `envelopes` are the evidence."""

    submission: bytes
    parties: tuple[str, ...]
    accepted: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]
    envelopes: tuple[Envelope, ...]

    @property
    def waiting(self) -> tuple[str, ...]:
        """Parties that have not answered yet."""
        answered = {*self.accepted, *(name for name, _ in self.refused)}
        return tuple(name for name in self.parties if name not in answered)

    @property
    def is_complete(self) -> bool:
        """Whether every party holds the figures, so that they count once the roster is signed."""
        return len(self.accepted) == len(self.parties)

    @property
    def is_final(self) -> bool:
        """Whether waiting longer changes nothing."""
        return bool(self.refused) or not self.waiting

    def describe(self) -> str:
        """One or two plain sentences."""
        text = f"{len(self.accepted)} of {len(self.parties)} parties hold your figures."
        if self.refused:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in self.refused)
            return f"{text} Refused by {reasons}"
        if self.waiting:
            return f"{text} Waiting for {', '.join(self.waiting)}."
        return text


async def read_receipts(
    connection: Connection,
    study: VerifiedStudy,
    submission: bytes,
    *,
    known: int = 0,
    wait_seconds: float = 0.0,
) -> ReceiptStatus:
    """The receipts that are there, each verified against its party's key; asks the gateway to wait for more than
    `known`. Raises BadSignature."""
    envelopes = await connection.calls.receipts(submission, known=known, wait_seconds=wait_seconds)
    receipts = verify_receipts(study, submission, envelopes)
    names = tuple(card.name for card in study.community.cards)
    return ReceiptStatus(
        submission=submission,
        parties=names,
        accepted=tuple(names[party] for party in sorted(receipts) if receipts[party].accepted),
        refused=tuple(
            (names[party], receipts[party].explanation or "no reason given")
            for party in sorted(receipts)
            if not receipts[party].accepted
        ),
        envelopes=envelopes,
    )


async def wait_for_receipts(
    connection: Connection,
    study: VerifiedStudy,
    submission: bytes,
    *,
    deadline_seconds: float,
    on_change: Callable[[ReceiptStatus], None] | None = None,
) -> ReceiptStatus:
    """Wait until every party has answered, or one refused. Raises DeadlinePassed naming who is missing."""
    return await wait_until_final(
        lambda known, seconds: read_receipts(
            connection, study, submission, known=known, wait_seconds=seconds
        ),
        deadline_seconds=deadline_seconds,
        on_change=on_change,
    )


class Receipted(Protocol):
    """Receipts of one document of a member, so far."""

    @property
    def envelopes(self) -> tuple[Envelope, ...]: ...

    @property
    def waiting(self) -> tuple[str, ...]: ...

    @property
    def is_final(self) -> bool: ...


StatusT = TypeVar("StatusT", bound=Receipted)


async def wait_until_final(
    read: Callable[[int, float], Awaitable[StatusT]],
    *,
    deadline_seconds: float,
    on_change: Callable[[StatusT], None] | None = None,
) -> StatusT:
    """Ask again, each time for more receipts than there were. Raises DeadlinePassed naming who is missing."""
    end = time.monotonic() + deadline_seconds
    shown: StatusT | None = None
    while True:
        asked = time.monotonic()
        known = 0 if shown is None else len(shown.envelopes)
        status = await read(known, max(0.0, min(WAIT_SECONDS, end - asked)))
        if on_change is not None and (shown is None or len(status.envelopes) != known):
            on_change(status)
        shown = status
        if status.is_final:
            return status
        now = time.monotonic()
        if now + POLL_SECONDS > end:
            raise DeadlinePassed(
                f"no receipt of {', '.join(status.waiting)} within {deadline_seconds:.0f} s",
                deadline_seconds=deadline_seconds,
            )
        await anyio.sleep(
            max(0.0, POLL_SECONDS - (now - asked))
        )  # a gateway that does not wait is not pressed
