"""Which pages may call: those that a party serves, as its card in the community says, and pages opened from a file.

Never with credentials. A browser calls the origin of a file "null", as that of any page that hides its own; such a
page can ask here what any program can, and nothing in the name of whoever looks at it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mpc_cde.gateway.problems import ProblemKind, problem_answer

FROM_A_FILE = "null"
ALLOWED_HEADERS = ("Accept", "Content-Type", "Signature", "Signature-Input")
EXPOSED_HEADERS = ("Location", "Retry-After")
MAX_AGE_SECONDS = 600


class CrossOrigin(CORSMiddleware):
    """CORS with origins that are looked up at each request, since a community document may bring new ones."""

    def __init__(self, app: ASGIApp, *, origins: Callable[[], Collection[str]]) -> None:
        super().__init__(
            app,
            allow_origins=(),
            allow_methods=("GET", "POST"),
            allow_headers=ALLOWED_HEADERS,
            expose_headers=EXPOSED_HEADERS,
            allow_credentials=False,
            max_age=MAX_AGE_SECONDS,
        )
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not any(name == b"origin" for name, _ in scope["headers"]):
            send = partial(
                _send_varying, send
            )  # no page calls: nothing to allow, so no headers are looked up
            await self.app(scope, receive, send)
            return
        await super().__call__(scope, receive, send)

    def is_allowed_origin(self, origin: str) -> bool:
        return origin == FROM_A_FILE or origin in self._origins()

    def preflight_response(self, request_headers: Headers) -> Response:
        """As the framework answers, but a refusal is a problem document."""
        answer = super().preflight_response(request_headers)
        if answer.status_code < 400:
            return answer
        return problem_answer(
            ProblemKind.READER_NOT_ENTITLED,
            "pages of this origin, or with this method or these headers, may not call",
            hint="Pages are served by the parties; their origins stand on the parties' cards.",
        )


async def _send_varying(send: Send, message: Message) -> None:
    """As the framework answers who names no origin: whoever keeps the answer has to ask anew for one that does."""
    if message["type"] == "http.response.start":
        headers = list(message.get("headers", ()))
        varies = [value for name, value in headers if name == b"vary"]
        others = [header for header in headers if header[0] != b"vary"] if varies else headers
        message["headers"] = [*others, (b"vary", b", ".join((*varies, b"Origin")))]
    await send(message)
