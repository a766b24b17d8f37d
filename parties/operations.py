"""What operators watch, over plain HTTP on loopback: is the node alive, is it ready, what does it count.

    GET /healthz     200 while the event loop turns
    GET /readyz      200 when the community stands and the feed answered lately; else 503 and the reason
    GET /metrics     Prometheus text

Nothing here names a member or holds a figure.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import uvicorn
from anyio import to_thread
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from mpc_cde.http_connections import server_config
from parties.node_health import NodeHealth
from parties.share_store import ShareStore


def create_operations_app(health: NodeHealth, store: ShareStore) -> Starlette:
    """The three pages; no other path."""

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def readyz(_: Request) -> Response:
        reason = health.not_ready()
        body = {"ready": reason is None, "reason": reason, "phase": health.phase, "feed": health.feed_number}
        return JSONResponse(body, status_code=200 if reason is None else 503)

    async def metrics(_: Request) -> Response:
        health.outbox_counted(await to_thread.run_sync(count_outbox))
        return Response(generate_latest(health.registry), media_type=CONTENT_TYPE_LATEST)

    def count_outbox() -> dict[str, int]:
        with store.reading() as view:
            return view.count_outbox()

    return Starlette(routes=[Route(f"/{page.__name__}", page) for page in (healthz, readyz, metrics)])


class _Server(uvicorn.Server):
    """Leaves signals to the node, which ends all its tasks together."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve_operations(app: Starlette, listening: socket.socket) -> None:
    """Serve until cancelled, then close in order."""
    config = server_config(app, log_config=None, timeout_graceful_shutdown=1)
    server = _Server(config)

    async def serve() -> None:
        with anyio.CancelScope(shield=True):  # it ends by should_exit, so that its sockets are closed
            await server.serve(sockets=[listening])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        try:
            await anyio.sleep_forever()
        finally:
            server.should_exit = True
