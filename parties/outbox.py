"""Sends what the store's outbox holds, until the gateway has it.

What it refuses is set aside and tried again every hour, and so is a receipt or decision that it acknowledged and
does not show in the feed: what a broken or hostile gateway, or one restored from an old copy, did not keep would
else never reach its reader, whoever runs the gateway later.

A message is put in the outbox in the transaction that caused it, so a crash loses none; sending one twice
is harmless since the gateway knows it by its digest. Messages to one path go together or side by side,
another path waits its turn: a receipt never overtakes what it answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Protocol

import anyio
from anyio import to_thread

from mpc_cde.body_parts import DOCUMENT_PART, JSON_MEDIA_TYPE, MAX_DOCUMENTS
from mpc_cde.client.http import GatewayRefused
from mpc_cde.documents.canonical import encode_base64url
from mpc_cde.documents.envelope import Envelope
from mpc_cde.errors import Conflict, MpcCdeError, NotFound, TransportError
from parties.doorbell import Doorbell
from parties.log import NodeLog
from parties.share_store import OutboxItem, OutboxState, ShareStore

BATCH = MAX_DOCUMENTS
SENT_TOGETHER = frozenset({"/v1/receipts"})
SIDE_BY_SIDE = 8
POLL_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
MAX_NOT_FOUND = 100
"""A gateway may learn of a study or query after this node did, so "not found" is tried again, but not for ever."""
MAX_HOLDING_UP = 20
REFUSED_AGAIN_SECONDS = 3600.0
_TRY_LATER = frozenset({408, 425, 429})
_SETTLED: dict[str, OutboxState] = {"delivered": "delivered", "refused": "refused"}


class Poster(Protocol):
    """Whoever hands a signed document to the gateway; raises as mpc_cde.client.http does."""

    async def post(self, path: str, envelope: Envelope) -> Any: ...

    async def post_several(self, path: str, envelopes: Sequence[Envelope]) -> list[Exception | None]: ...

    async def post_parts(self, path: str, parts: Sequence[tuple[str, bytes, str]]) -> Any: ...


@dataclass(frozen=True, slots=True)
class Flushed:
    """How one pass over the outbox ended; `problem` is what kept messages back."""

    delivered: int = 0
    refused: int = 0
    kept: int = 0
    problem: str | None = None


class Outbox:
    """The one task that sends; others put messages into the store and ring `doorbell`."""

    def __init__(self, store: ShareStore, poster: Poster, log: NodeLog) -> None:
        self._store = store
        self._poster = poster
        self._log = log
        self.doorbell = Doorbell()
        self._unseen: frozenset[int] = frozenset()

    async def run(self) -> None:
        """Send for ever, with longer pauses while the gateway does not answer."""
        pause = POLL_SECONDS
        refused_again = 0.0
        while True:
            if anyio.current_time() >= refused_again:
                await to_thread.run_sync(self._send_again)
                refused_again = anyio.current_time() + REFUSED_AGAIN_SECONDS
            flushed = await self.flush()
            pause = POLL_SECONDS if flushed.problem is None else min(2 * pause, LONGEST_PAUSE_SECONDS)
            if flushed.problem is not None:
                await anyio.sleep(pause)
            else:
                await self.doorbell.wait(pause)

    async def flush(self) -> Flushed:
        """One pass over everything pending; ends early when the gateway does not answer."""
        delivered = refused = kept = 0
        seen = 0
        while True:
            batch = await to_thread.run_sync(self._pending_after, seen)
            if not batch:
                return Flushed(delivered, refused, kept)
            for _, same_path in groupby(batch, key=lambda item: item.path):
                outcomes = await self._send_all(list(same_path))
                states = [state for _, state, _ in outcomes]
                delivered += states.count("delivered")
                refused += states.count("refused")
                kept += states.count("pending")
                unreachable = [problem for _, state, problem in outcomes if state == "unreachable"]
                if unreachable:
                    return Flushed(delivered, refused, kept + len(unreachable), unreachable[0])
            seen = batch[-1].number

    def _send_again(self) -> None:
        """What was refused, and what was acknowledged before the last time and is in no feed yet."""
        with self._store.writing() as transaction:
            transaction.retry_refused()
            unseen = transaction.unseen_messages()
            transaction.retry_unseen(unseen & self._unseen)
            self._unseen = unseen

    def _pending_after(self, number: int) -> list[OutboxItem]:
        with self._store.reading() as view:
            return view.outbox("pending", after=number, limit=BATCH)

    async def _send_all(self, items: Sequence[OutboxItem]) -> list[tuple[OutboxItem, str, str | None]]:
        alone = len(items) == 1 or any(item.attempts >= MAX_HOLDING_UP for item in items)
        if not alone and items[0].path in SENT_TOGETHER:
            outcomes = await self._send_together(items)
        else:
            outcomes = await self._send_side_by_side(items)
        await to_thread.run_sync(self._settle, outcomes)
        return outcomes

    async def _send_side_by_side(
        self, items: Sequence[OutboxItem]
    ) -> list[tuple[OutboxItem, str, str | None]]:
        outcomes: list[tuple[OutboxItem, str, str | None]] = []
        limiter = anyio.CapacityLimiter(SIDE_BY_SIDE)

        async def send(item: OutboxItem) -> None:
            async with limiter:
                outcomes.append((item, *_state_after(item, await self._send(item))))

        async with anyio.create_task_group() as tasks:
            for item in items:
                tasks.start_soon(send, item)
        return outcomes

    async def _send_together(self, items: Sequence[OutboxItem]) -> list[tuple[OutboxItem, str, str | None]]:
        """Many documents with one request, each settled by what became of it; if the request is refused as a
        whole, one by one."""
        errors: list[Exception | None]
        try:
            errors = await self._poster.post_several(
                items[0].path, [Envelope.parse_json(item.body) for item in items]
            )
        except TransportError as error:
            errors = [error] * len(items)
        except MpcCdeError:
            return await self._send_side_by_side(items)
        return [(item, *_state_after(item, error)) for item, error in zip(items, errors, strict=True)]

    async def _send(self, item: OutboxItem) -> Exception | None:
        try:
            if item.attachment_name is None or item.attachment is None:
                await self._poster.post(item.path, Envelope.parse_json(item.body))
            else:
                document = (DOCUMENT_PART, item.body, JSON_MEDIA_TYPE)
                attached = (item.attachment_name, item.attachment, JSON_MEDIA_TYPE)
                await self._poster.post_parts(item.path, [document, attached])
        except MpcCdeError as error:
            return error
        return None

    def _settle(self, outcomes: Sequence[tuple[OutboxItem, str, str | None]]) -> None:
        with self._store.writing() as transaction:
            transaction.settle_all(
                [
                    (item.number, _SETTLED.get(outcome, "pending"), problem)
                    for item, outcome, problem in outcomes
                ]
            )
            self._log.append_all(
                [
                    (
                        "outbox.refused_by_gateway",
                        {"path": item.path, "digest": encode_base64url(item.digest), "problem": problem},
                    )
                    for item, outcome, problem in outcomes
                    if outcome == "refused" and problem != item.problem  # else it was noted before
                ]
            )


def _state_after(item: OutboxItem, error: Exception | None) -> tuple[str, str | None]:
    """What one attempt to send came to, and what went wrong."""
    match error:
        case None:
            return "delivered", None
        case TransportError():
            # Messages keep their order, but one that a gateway fails on each time must not hold up all others.
            return ("unreachable" if item.attempts < MAX_HOLDING_UP else "pending"), str(error)
        case NotFound():
            return ("pending" if item.attempts < MAX_NOT_FOUND else "refused"), str(error)
        case Conflict():
            return "refused", str(error)
        case GatewayRefused():
            return ("pending" if error.status in _TRY_LATER else "refused"), str(error)
        case _:
            return "pending", str(error)
