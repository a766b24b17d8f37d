"""Which pages may call: those that a party serves, as its card in the community says. Never with credentials."""

from __future__ import annotations

from collections.abc import Callable, Collection

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

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

    def is_allowed_origin(self, origin: str) -> bool:
        return origin in self._origins()
