"""The outermost layer: no request gets past without an answer, a log line and a bound.

A plain ASGI layer, since it must see what the framework itself fails at: rate by address, security headers, the
problem document for an error that nobody expected.
"""

from __future__ import annotations

import time
from collections.abc import MutableMapping
from typing import Any

import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mpc_cde.errors import MpcCdeError
from mpc_cde.gateway.desk import Desk, address_of
from mpc_cde.gateway.problems import ProblemKind, answer_to_error, problem_answer
from mpc_cde.gateway.store import code_of

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
OPERATIONS = frozenset({"/healthz", "/readyz", "/metrics"})

log = structlog.get_logger("gateway")


class Guard:
    """Wraps the application; `desk` holds the buckets and the metrics."""

    def __init__(self, app: ASGIApp, *, desk: Desk) -> None:
        self._app = app
        self._desk = desk
        self._log = log.bind()  # once: for each request it would be put together anew

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        status: list[int] = []

        async def noting_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                status.append(message["status"])
                given = message.get("headers", ())
                named = {name.lower() for name, _ in given}  # pages come with a policy of their own
                message["headers"] = [*given, *[header for header in _HEADERS if header[0] not in named]]
            await send(message)

        try:
            await self._answer(scope, receive, noting_send, status)
        finally:
            self._note(scope, status[0] if status else 0, time.monotonic() - started)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, status: list[int]) -> None:
        wait = 0.0
        if scope["path"] not in OPERATIONS:
            wait = self._desk.addresses.take(address_of(scope))
        if wait > 0:
            answer = problem_answer(
                ProblemKind.TOO_MANY_REQUESTS,
                "too many requests from this address",
                headers={"Retry-After": str(int(wait) + 1)},
            )
            await answer(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        except Exception as error:  # the last line: whatever happened, the caller gets a problem document
            log.error(
                "request_failed",
                error=type(error).__name__,
                reason=code_of(error),
                exc_info=_cause_to_log(error),
            )
            if status:
                return  # half an answer is out already; the server closes the connection
            await _answer_to(error)(scope, receive, send)

    def _note(self, scope: MutableMapping[str, Any], status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"] if scope["method"] in ("GET", "POST", "HEAD", "OPTIONS") else "other"
        self._desk.metrics.count(method, route, status, seconds)
        if route not in OPERATIONS:  # neither address nor query: who reads what is nobody's business
            self._log.info(
                "request", method=method, route=route, status=status, milliseconds=round(seconds * 1000, 1)
            )


def _answer_to(error: Exception) -> ASGIApp:
    if isinstance(error, MpcCdeError):
        return answer_to_error(error)
    if isinstance(error, OperationalError | PoolTimeoutError):
        return problem_answer(ProblemKind.STORE_UNAVAILABLE, "nothing was kept", headers={"Retry-After": "2"})
    return problem_answer(ProblemKind.INTERNAL_ERROR, "an error of the gateway's own, noted in its log")


def _cause_to_log(error: Exception) -> Exception | None:
    """The traceback is logged; a database error's text may quote what was to be kept, so only its kind is."""
    return None if isinstance(error, OperationalError | PoolTimeoutError) else error
