"""The calls that come once for each member go past the framework's general machinery, which costs more than
they do: it tries routes one by one, resolves dependencies, keeps exit stacks and validates for every request.

The same functions stand in the routers too, from which the interface is described; this only answers sooner.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from mpc_cde.errors import MpcCdeError
from mpc_cde.gateway.desk import Desk
from mpc_cde.gateway.routes import enrolment, party_documents, submissions

Answer = Callable[[Request, Desk], Awaitable[Response]]
_SUBMISSIONS = "/v1/submissions/"


@dataclass(frozen=True, slots=True)
class _Call:
    """What a route is to the log and the metrics: its path."""

    path: str
    answer: Answer


_CALLS = {
    (method, call.path): call
    for method, call in (
        ("POST", _Call("/v1/submissions", submissions.post_submission)),
        ("GET", _Call("/v1/submissions/{submission}", submissions.read_submission)),
        ("POST", _Call("/v1/receipts", party_documents.post_receipt)),
        ("POST", _Call("/v1/memberships", enrolment.post_membership)),
    )
}


class ExpressCalls:
    """An application of these calls alone. `answer_error` is what the framework answers errors of ours with."""

    def __init__(
        self, *, desk: Desk, answer_error: Callable[[Request, Exception], Awaitable[Response]]
    ) -> None:
        self._desk = desk
        self._answer_error = answer_error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        call: _Call = scope["route"]
        try:
            response = await call.answer(request, self._desk)
        except MpcCdeError as error:
            response = await self._answer_error(request, error)
        await response(scope, receive, send)


def is_express(scope: Scope) -> bool:
    """Whether the request is one of these calls; then its route is noted in the scope."""
    path: str = scope.get("path", "")
    name = path.removeprefix(_SUBMISSIONS) if path.startswith(_SUBMISSIONS) else ""
    if name and "/" not in name:
        path = _SUBMISSIONS + "{submission}"
    call = _CALLS.get((scope.get("method", ""), path))
    if call is None or scope["type"] != "http":
        return False
    scope["route"] = call
    scope["path_params"] = {"submission": name}
    return True
