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
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import anyio
import uvicorn
from anyio import to_thread
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, generate_latest

from parties.clock import Clock
from parties.share_store import ShareStore

STALE_AFTER = timedelta(minutes=3)
"""A feed that has not answered for this long is not being followed."""


@dataclass(slots=True)
class NodeHealth:
    """What the tasks of the node say of themselves; `phase` is free text of whoever computes."""

    clock: Clock
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    community_stands: bool = False
    waiting_for: str = "the community"
    feed_number: int = 0
    feed_answered_at: datetime | None = None
    feed_problem: str | None = None
    phase: str = "idle"
    _feed_gauge: Gauge = field(init=False)
    _outbox_gauge: Gauge = field(init=False)
    _failures: Counter = field(init=False)

    def __post_init__(self) -> None:
        self._feed_gauge = Gauge(
            "mpc_party_feed_number", "Number of the last feed item taken in", registry=self.registry
        )
        self._outbox_gauge = Gauge(
            "mpc_party_outbox_messages", "Messages to the gateway by state", ["state"], registry=self.registry
        )
        self._failures = Counter(
            "mpc_party_feed_failures", "Polls of the feed that failed", registry=self.registry
        )

    def feed_answered(self, number: int) -> None:
        self.feed_number = number
        self.feed_answered_at = self.clock()
        self.feed_problem = None
        self._feed_gauge.set(number)

    def feed_failed(self, problem: str) -> None:
        self.feed_problem = problem
        self._failures.inc()

    def outbox_counted(self, counts: dict[str, int]) -> None:
        for state, count in counts.items():
            self._outbox_gauge.labels(state).set(count)

    def not_ready(self) -> str | None:
        """Why the node is not ready, or None."""
        if not self.community_stands:
            return f"waiting for {self.waiting_for}"
        answered = self.feed_answered_at
        if answered is None or self.clock() - answered > STALE_AFTER:
            return f"the feed does not answer: {self.feed_problem or 'no answer yet'}"
        return None


def create_operations_app(health: NodeHealth, store: ShareStore) -> FastAPI:
    """The three pages; no interactive documentation, no other path."""
    app = FastAPI(title="mpc-party operations", openapi_url=None, docs_url=None, redoc_url=None)

    async def healthz() -> Response:
        return PlainTextResponse("alive\n")

    async def readyz() -> Response:
        reason = health.not_ready()
        body = {"ready": reason is None, "reason": reason, "phase": health.phase, "feed": health.feed_number}
        return JSONResponse(body, status_code=200 if reason is None else 503)

    async def metrics() -> Response:
        health.outbox_counted(await to_thread.run_sync(count_outbox))
        return Response(generate_latest(health.registry), media_type=CONTENT_TYPE_LATEST)

    def count_outbox() -> dict[str, int]:
        with store.reading() as view:
            return view.count_outbox()

    for path, page in (("/healthz", healthz), ("/readyz", readyz), ("/metrics", metrics)):
        app.add_api_route(path, page, methods=["GET"], response_model=None)
    return app


class _Server(uvicorn.Server):
    """Leaves signals to the node, which ends all its tasks together."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve_operations(app: FastAPI, listening: socket.socket) -> None:
    """Serve until cancelled, then close in order."""
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1
    )
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
