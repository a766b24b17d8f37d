"""The parties' feed: ordered, resumable, waiting for what is new."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from mpc_cde.documents.canonical import MAX_INTEGER
from mpc_cde.feed_format import MEDIA_TYPE, NEWEST_HEADER
from mpc_cde.gateway.bell import wait_for_ring
from mpc_cde.gateway.desk import Desk, DeskOf
from mpc_cde.gateway.feeds import feed_batch
from mpc_cde.gateway.problems import ProblemKind, RequestRefused
from mpc_cde.gateway.readers import SignedReader
from mpc_cde.gateway.routes.described import PROBLEMS
from mpc_cde.gateway.standing import Reader
from mpc_cde.gateway.store_view import StoreView

router = APIRouter(prefix="/v1", tags=["parties"])


@router.get(
    "/parties/{party}/feed",
    responses={
        200: {
            "description": "Frames as mpc_cde/feed_format.py has them; none if nothing came in time",
            "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
            "headers": {
                NEWEST_HEADER: {
                    "description": "Number of the newest item of the feed, 0 if there is none",
                    "schema": {"type": "integer"},
                }
            },
        },
        **PROBLEMS,
    },
)
async def get_feed(
    desk: DeskOf,
    reader: SignedReader,
    party: Annotated[int, Path(ge=0, le=15)],
    after: Annotated[int, Query(ge=0, le=MAX_INTEGER)] = 0,
    wait: Annotated[float, Query(ge=0, le=300)] = 0.0,
) -> Response:
    """Everything that came after number `after`, for the party that signed the request.

    Waits up to `wait` seconds, and never longer than the gateway's own limit, if there is nothing yet.
    """
    end = time.monotonic() + min(wait, desk.limits.long_poll_seconds)
    with desk.metrics.waiting.track_inprogress():
        while True:
            ring = desk.bell.next_ring()
            batch, newest = await desk.read(lambda view: _batch(desk, view, reader, party, after))
            left = end - time.monotonic()
            if batch or left <= 0 or desk.bell.is_stopping:
                headers = {"Cache-Control": "no-store", NEWEST_HEADER: str(newest)}
                return Response(batch, 200, headers, MEDIA_TYPE)
            await wait_for_ring(ring, left)


def _batch(desk: Desk, view: StoreView, reader: Reader, party: int, after: int) -> tuple[bytes, int]:
    """Frames, and the number of the newest item."""
    community = desk.chain(view).current
    if party >= community.party_count or community.party_key(party) != reader.key:
        raise RequestRefused(ProblemKind.READER_NOT_ENTITLED, f"this is the feed of party {party} alone")
    newest = view.fact("feed") or 0
    if after > newest:  # of another gateway, or of what this one was before it lost something
        raise RequestRefused(
            ProblemKind.FEED_ENDS_BEFORE, f"the newest item is {newest}, asked for was what follows {after}"
        )
    limits = desk.limits
    batch = feed_batch(
        view, party, after=after, max_bytes=limits.feed_batch_bytes, max_items=limits.feed_batch_items
    )
    return batch, newest
