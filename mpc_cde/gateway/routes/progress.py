"""Events of a study or a query, as they come (server-sent events over a plain GET)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from mpc_cde.documents.canonical import canonical_bytes
from mpc_cde.gateway.bell import wait_for_ring
from mpc_cde.gateway.desk import Desk, DeskOf
from mpc_cde.gateway.problems import ProblemKind, RequestRefused
from mpc_cde.gateway.progress_views import progress_of
from mpc_cde.gateway.routes.described import PROBLEMS, digest_in_path

router = APIRouter(prefix="/v1", tags=["progress"])
MEDIA_TYPE = "text/event-stream"
HEARTBEAT_SECONDS = 10.0
LEAST_PAUSE_SECONDS = 0.1


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
async def get_progress(subject: str, desk: DeskOf) -> Response:
    """How far a study (digest of its terms) or a query (its digest) has come."""
    digest = digest_in_path(subject)
    if desk.streams >= desk.limits.streams:
        raise RequestRefused(
            ProblemKind.TOO_MANY_REQUESTS, "too many streams are open", retry_after_seconds=5
        )
    await _look(desk, digest)  # what is not there is a problem document, not a stream
    return StreamingResponse(_events(desk, digest), 200, {"Cache-Control": "no-store"}, MEDIA_TYPE)


async def _events(desk: Desk, digest: bytes) -> AsyncIterator[bytes]:
    desk.streams += 1
    desk.metrics.waiting.inc()
    try:
        sent: dict[str, Any] | None = None
        while not desk.bell.is_stopping:
            ring = desk.bell.next_ring()
            event, is_last = await _look(desk, digest)
            if event != sent:
                sent = event
                yield b"data: " + canonical_bytes(event) + b"\n\n"
            else:
                yield b": still here\n\n"
            if is_last:
                return
            await anyio.sleep(LEAST_PAUSE_SECONDS)  # a burst of receipts becomes a few events
            await wait_for_ring(ring, HEARTBEAT_SECONDS)
    finally:
        desk.streams -= 1
        desk.metrics.waiting.dec()


async def _look(desk: Desk, digest: bytes) -> tuple[dict[str, Any], bool]:
    return await desk.read(
        lambda view: progress_of(desk.context(view), digest, decision_seconds=desk.limits.decision_seconds)
    )
