"""Events of a study or a query, as they come (server-sent events over a plain GET).

Streams are bounded in number, by address too, and in time: a reader asks again where one ends. One that does not
read, so that nothing more can be written to it, loses its stream.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from mpc_cde.documents.canonical import canonical_bytes
from mpc_cde.gateway.bell import wait_for_ring
from mpc_cde.gateway.desk import Desk, DeskOf, address_of
from mpc_cde.gateway.open_streams import TooManyStreams
from mpc_cde.gateway.problems import ProblemKind, RequestRefused
from mpc_cde.gateway.progress_views import progress_of
from mpc_cde.gateway.routes.described import PROBLEMS, digest_in_path

router = APIRouter(prefix="/v1", tags=["progress"])
MEDIA_TYPE = "text/event-stream"
HEARTBEAT_SECONDS = 10.0
LEAST_PAUSE_SECONDS = 0.1


class EventStream(StreamingResponse):
    """The answer that holds a slot of the desk, already taken for `address`, and gives it back however it ends."""

    def __init__(self, desk: Desk, digest: bytes, address: str) -> None:
        super().__init__(_events(desk, digest), 200, {"Cache-Control": "no-store"}, MEDIA_TYPE)
        self._desk = desk
        self._address = address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._desk.metrics.waiting.inc()
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._desk.streams.give_back(self._address)
            self._desk.metrics.waiting.dec()

    async def stream_response(self, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            with anyio.fail_after(self._desk.limits.stream_write_seconds):
                await send(message)

        try:
            await super().stream_response(send_in_time)
        except TimeoutError:
            return  # whoever does not read has lost it: the server closes what is not complete


@router.get(
    "/progress/{subject}",
    responses={
        200: {
            "description": "One event at once, then one at each change, until nothing more can change",
            "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
        },
        **PROBLEMS,
    },
)
async def get_progress(subject: str, request: Request, desk: DeskOf) -> Response:
    """How far a study (digest of its terms) or a query (its digest) has come."""
    digest = digest_in_path(subject)
    address = address_of(request.scope)
    try:
        desk.streams.take(address)
    except TooManyStreams:
        raise RequestRefused(
            ProblemKind.TOO_MANY_REQUESTS, "too many streams are open", retry_after_seconds=5
        ) from None
    with desk.streams.given_back_on_failure(address):
        await _look(desk, digest)  # what is not there is a problem document, not a stream
    return EventStream(desk, digest, address)


async def _events(desk: Desk, digest: bytes) -> AsyncIterator[bytes]:
    sent: dict[str, Any] | None = None
    end = anyio.current_time() + desk.limits.stream_seconds
    while not desk.bell.is_stopping:
        ring = desk.bell.next_ring()
        event, is_last = await _look(desk, digest)
        if event != sent:
            sent = event
            yield b"data: " + canonical_bytes(event) + b"\n\n"
        else:
            yield b": still here\n\n"
        left = end - anyio.current_time()
        if is_last or left <= 0:
            return
        await anyio.sleep(LEAST_PAUSE_SECONDS)  # a burst of receipts becomes a few events
        await wait_for_ring(ring, min(HEARTBEAT_SECONDS, left))


async def _look(desk: Desk, digest: bytes) -> tuple[dict[str, Any], bool]:
    return await desk.read(
        lambda view: progress_of(desk.context(view), digest, decision_seconds=desk.limits.decision_seconds)
    )
