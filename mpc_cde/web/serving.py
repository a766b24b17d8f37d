"""Hands out the pages, and nothing else, under a policy that lets no other script run and no other origin be called.

Files carry their digest as a strong entity tag and are asked for again at each visit, so that an update is whole.
`settings.json` is the only answer that differs between parties: gateway, fingerprint, name; no secret, no choice
of code.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mpc_cde.documents.canonical import canonical_bytes, digest_of, encode_base64url
from mpc_cde.web.assets import MANIFEST_PATH, SETTINGS_PATH, load_assets, pages_manifest

FIXED_POLICY: Mapping[str, str] = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}
FIXED_HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True, slots=True)
class PagesSettings:
    """What one origin tells its pages. `connect` are the origins that they may call, beside their own."""

    gateway: str
    fingerprint: str | None
    party: str | None
    connect: frozenset[str]

    def to_json(self) -> bytes:
        return canonical_bytes(
            {"gateway": self.gateway, "fingerprint": self.fingerprint, "party": self.party}
        )


def content_security_policy(connect: Collection[str]) -> str:
    """The header's value: scripts and styles from here alone, calls to `connect` alone."""
    directives = {**FIXED_POLICY, "connect-src": " ".join(["'self'", *sorted(connect)])}
    return "; ".join(f"{name} {value}" for name, value in directives.items())


def create_pages_app(settings: Callable[[], PagesSettings], *, front: str = "index.html") -> ASGIApp:
    """An application of the pages alone; `settings` is asked at each request, `front` is what / shows."""
    assets = load_assets()
    manifest = pages_manifest().payload_bytes()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        current = settings()
        response = _answer(request, current)
        for name, value in FIXED_HEADERS.items():
            response.headers[name] = value
        response.headers["Content-Security-Policy"] = content_security_policy(current.connect)
        if request.url.scheme == "https":
            response.headers["Strict-Transport-Security"] = "max-age=31536000"
        await response(scope, receive, send)

    def _answer(request: Request, current: PagesSettings) -> Response:
        if request.method not in ("GET", "HEAD"):
            return Response("only GET\n", 405, {"Allow": "GET, HEAD"}, "text/plain")
        path = request.url.path.removeprefix("/") or front
        if path == SETTINGS_PATH:
            return _file(request, current.to_json(), "application/json")
        if path == MANIFEST_PATH:
            return _file(request, manifest, "application/json")
        asset = assets.get(path)
        if asset is None:
            return Response("there is nothing at this address\n", 404, media_type="text/plain")
        return _file(request, asset.content, asset.media_type)

    return answer


def _file(request: Request, content: bytes, media_type: str) -> Response:
    tag = f'"{encode_base64url(digest_of(content))}"'
    if tag in [known.strip() for known in request.headers.get("if-none-match", "").split(",")]:
        return Response(None, 304, {"ETag": tag})
    return Response(content, 200, {"ETag": tag}, media_type)
