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
from starlette.types import Receive, Scope, Send

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


PUBLIC_PARTS = ("catalogues/", "core/", "results/", "shared/", "style/", "vendor/")


def public_paths() -> frozenset[str]:
    """What a gateway may serve: the page where nothing is typed and its parts; none of the others."""
    return frozenset(
        path for path in load_assets() if path == "results.html" or path.startswith(PUBLIC_PARTS)
    )


class PagesApp:
    """An ASGI application of the pages alone, or of those under `paths`; `front` is what / shows.

    `settings` is asked at each request.
    """

    def __init__(
        self,
        settings: Callable[[], PagesSettings],
        *,
        front: str = "index.html",
        paths: Collection[str] | None = None,
    ) -> None:
        self._settings = settings
        self._front = front
        self._assets = {
            path: asset for path, asset in load_assets().items() if paths is None or path in paths
        }
        self._manifest = pages_manifest().payload_bytes()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        current = self._settings()
        response = self._answer(request, current)
        for name, value in FIXED_HEADERS.items():
            response.headers[name] = value
        response.headers["Content-Security-Policy"] = content_security_policy(current.connect)
        if request.url.scheme == "https":
            response.headers["Strict-Transport-Security"] = "max-age=31536000"
        await response(scope, receive, send)

    def _answer(self, request: Request, current: PagesSettings) -> Response:
        if request.method not in ("GET", "HEAD"):
            return Response("only GET\n", 405, {"Allow": "GET, HEAD"}, "text/plain")
        path = request.url.path.removeprefix("/") or self._front
        if path == SETTINGS_PATH:
            return _file(request, current.to_json(), "application/json")
        if path == MANIFEST_PATH:
            return _file(request, self._manifest, "application/json")
        asset = self._assets.get(path)
        if asset is None:
            return Response("there is nothing at this address\n", 404, media_type="text/plain")
        return _file(request, asset.content, asset.media_type, compressed=lambda: asset.compressed)


def _file(
    request: Request, content: bytes, media_type: str, *, compressed: Callable[[], bytes] | None = None
) -> Response:
    tag = f'"{encode_base64url(digest_of(content))}"'
    headers = {"ETag": tag}
    if compressed is not None:
        headers["Vary"] = "Accept-Encoding"
        if _takes_gzip(request):
            tag = f'{tag[:-1]}.gzip"'
            headers |= {"ETag": tag, "Content-Encoding": "gzip"}
            content = compressed()
    if tag in [known.strip() for known in request.headers.get("if-none-match", "").split(",")]:
        return Response(None, 304, {"ETag": tag})
    return Response(content, 200, headers, media_type)


def _takes_gzip(request: Request) -> bool:
    """A coding with a weight is not counted: who would rather have it plain gets it plain."""
    codings = request.headers.get("accept-encoding", "").split(",")
    return "gzip" in [coding.strip().casefold() for coding in codings]
