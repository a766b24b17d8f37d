"""The calls that come once for each member go past the framework's general machinery, which costs more than
they do: it resolves dependencies, keeps exit stacks and validates for every request.

The same functions stand in the routers too, from which the interface is described; this only answers sooner.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from mpc_cde.gateway.desk import Desk
from mpc_cde.gateway.routes import enrolment, party_documents, submissions

Answer = Callable[[Request, Desk], Awaitable[Response]]

_CALLS: tuple[tuple[str, str, Answer], ...] = (
    ("POST", "/v1/submissions", submissions.post_submission),
    ("GET", "/v1/submissions/{submission}", submissions.read_submission),
    ("POST", "/v1/receipts", party_documents.post_receipt),
    ("POST", "/v1/memberships", enrolment.post_membership),
)


class _Express:
    """One call as an application of its own; errors are answered by the layers around it."""

    def __init__(self, answer: Answer, desk: Desk) -> None:
        self._answer = answer
        self._desk = desk
        self.route: Route | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self.route
        response = await self._answer(Request(scope, receive), self._desk)
        await response(scope, receive, send)


def add_express_calls(app: FastAPI, desk: Desk) -> None:
    """Put them before all other routes."""
    for method, path, answer in _CALLS:
        express = _Express(answer, desk)
        express.route = Route(path, express, methods=[method], include_in_schema=False)
        express.route.methods = {method}  # Starlette adds HEAD to GET, which the routers do not know
        app.router.routes.insert(0, express.route)
