"""A room: one page with calls of its own, for whoever sits in front of this machine and holds the keys on it.

It is served on loopback alone, and loopback is no guard by itself: every page that a browser shows can send
requests there, a name of somebody else's can be made to resolve to it (DNS rebinding), and other people may be
logged in. So every request must name this very address as its host; every call carries a token that stands in the
link which the command prints (behind the "#", so it goes into no request line); what changes anything is a POST of
JSON from this very origin; and no answer allows another origin to read it.

A room answers only the calls that it lists, one after another: they may block.
"""

from __future__ import annotations

import hmac
import json
import os
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anyio import to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from mpc_cde.coded_text import coded, sentences_of, worded
from mpc_cde.documents.canonical import decode_base64url, encode_base64url, parse_strict_json
from mpc_cde.errors import BadDocument, CallerError, MpcCdeError
from mpc_cde.problem_documents import kind_of
from mpc_cde.secret_files import write_secret_file
from mpc_cde.web.assets import load_assets
from mpc_cde.web.serving import FIXED_HEADERS, PagesApp, PagesSettings, content_security_policy
from mpc_cde.web.signalled_server import serve_until_signal
from protocols.randomness import Randomness

HOST = "127.0.0.1"
CALLS = "/room/"
TOKEN_HEADER = "x-mpc-cde-room"  # noqa: S105 - the header's name
TOKEN_BYTES = 32
DIGEST_BYTES = 32
MAX_BODY_BYTES = 4 << 20
TOKEN_FIELD = "token"  # noqa: S105 - the field's name in the link

Call = Callable[[Mapping[str, Any]], Any]
"""Takes what was asked with (a query string, or the members of a JSON object); gives plain JSON values."""
Described = Callable[[BaseException], str]
"""An error in plain sentences, as the command line would say it."""


@dataclass(frozen=True, slots=True)
class Room:
    """What one room can be asked: `looks` change nothing, `acts` do. `page` is the file that / shows."""

    page: str
    looks: Mapping[str, Call]
    acts: Mapping[str, Call]
    settings: PagesSettings
    describe: Described

    @property
    def routes(self) -> frozenset[tuple[str, str]]:
        """Every call that it answers, beside the files of the wheel."""
        looks = {("GET", f"{CALLS}{name}") for name in self.looks}
        return frozenset(looks | {("POST", f"{CALLS}{name}") for name in self.acts})


@dataclass(slots=True)
class LocalRoom:
    """The ASGI application of a room at http://127.0.0.1:`port`, for whoever has the token."""

    room: Room
    port: int
    token: str = field(repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _pages: PagesApp = field(init=False, repr=False)

    def __post_init__(self) -> None:
        paths = [path for path in load_assets() if not path.endswith(".html") or path == self.room.page]
        self._pages = PagesApp(lambda: self.room.settings, front=self.room.page, paths=paths)

    @property
    def origin(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def link(self) -> str:
        """What a person opens; whoever has it may do all that the room does, so it is shown to nobody else."""
        return f"{self.origin}/#{TOKEN_FIELD}={self.token}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        refused = self._refusal(request)
        if refused is None and not request.url.path.startswith(CALLS):
            await self._pages(scope, receive, send)
            return
        try:
            answer = refused or await self._call(request)
        except ClientDisconnect:
            return
        for name, value in FIXED_HEADERS.items():
            answer.headers[name] = value
        answer.headers["Content-Security-Policy"] = content_security_policy(())
        answer.headers["Cache-Control"] = "no-store"
        await answer(scope, receive, send)

    def _refusal(self, request: Request) -> Response | None:
        """Why this request is none of the page's own, or None."""
        hosts = request.headers.getlist("host")
        if hosts != [f"{HOST}:{self.port}"]:
            return _problem(421, "another_host", "this address is answered under its number alone")
        origins = request.headers.getlist("origin")
        if any(origin != self.origin for origin in origins):
            return _problem(403, "another_origin", "pages of other origins may not call")
        if not request.url.path.startswith(CALLS):
            return None
        if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return _problem(403, "another_origin", "pages of other origins may not call")
        given = request.headers.get(TOKEN_HEADER, "")
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            return _problem(403, "no_token", "open the link that the command printed")
        if request.method == "POST" and (
            origins != [self.origin] or request.headers.get("content-type") != "application/json"
        ):
            return _problem(403, "another_origin", "a change is a POST of JSON from the page itself")
        return None

    async def _call(self, request: Request) -> Response:
        calls = {"GET": self.room.looks, "POST": self.room.acts}.get(request.method)
        call = None if calls is None else calls.get(request.url.path.removeprefix(CALLS))
        if call is None:
            return _problem(404, "no_such_call", "there is nothing at this address")
        asked: Mapping[str, Any] = dict(request.query_params)
        if request.method == "POST":
            body = await _body(request)
            try:
                asked = parse_strict_json(body, max_bytes=MAX_BODY_BYTES)
            except BadDocument:
                return _problem(400, "no_json", "expected a JSON object")
            if not isinstance(asked, dict):
                return _problem(400, "no_json", "expected a JSON object")
        return await to_thread.run_sync(self._answer, call, asked)

    def _answer(self, call: Call, asked: Mapping[str, Any]) -> Response:
        with self._lock:
            try:
                return _json(200, call(asked))
            except Exception as error:  # noqa: BLE001 - the edge: no traceback reaches a person
                own = not isinstance(error, MpcCdeError)
                if own:
                    traceback.print_exception(error, file=sys.stderr)
                problem = {
                    "code": _kind_of(error),
                    "message": self.room.describe(error),
                    "said": sentences_of(error),
                    "reasons": [coded(reason) for reason in getattr(error, "reasons", ())],
                }
                return _json(500 if own else 409, problem)


def open_room(room: Room, *, port: int, randomness: Randomness) -> tuple[LocalRoom, socket.socket]:
    """A room with a fresh token, and its bound socket; port 0 takes a free one. Raises CallerError."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, port))
        listening.listen(32)
    except OSError as error:
        listening.close()
        raise CallerError(
            f"cannot listen on {HOST}:{port}: {error.strerror}",
            hint="Take another one with --port; 0: a free one.",
        ) from None
    token = encode_base64url(randomness.random_bytes(TOKEN_BYTES))
    return LocalRoom(room, listening.getsockname()[1], token), listening


def serve_room(
    room: Room, *, port: int, randomness: Randomness, tell: Callable[[str], None], run_path: Path
) -> None:
    """Serve until SIGTERM or Ctrl-C; `tell` is given the link. Raises CallerError.

    `run_path` says meanwhile which process serves it where, without the token.
    """
    app, listening = open_room(room, port=port, randomness=randomness)
    with listening:
        facts = {"pid": os.getpid(), "address": app.origin}
        write_secret_file(run_path, json.dumps(facts, indent=1).encode() + b"\n", replace=True)
        try:
            tell(app.link)
            serve_until_signal(app, listening)
        finally:
            run_path.unlink(missing_ok=True)


def text_of(asked: Mapping[str, Any], name: str, *, longest: int = 2000) -> str:
    """A text among what was asked with. Raises CallerError."""
    value = asked.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > longest:
        raise CallerError(
            worded(
                "text_expected",
                "{field}: expected a text of 1 to {longest} characters",
                field=name,
                longest=longest,
            )
        )
    return value.strip()


def optional_text_of(asked: Mapping[str, Any], name: str, *, longest: int = 2000) -> str | None:
    """The same, or None where it is missing or empty. Raises CallerError."""
    return None if asked.get(name) in (None, "") else text_of(asked, name, longest=longest)


def digest_of_text(asked: Mapping[str, Any], name: str) -> bytes:
    """A whole digest among what was asked with. Raises CallerError."""
    try:
        digest = decode_base64url(text_of(asked, name, longest=43))
    except ValueError:
        digest = b""
    if len(digest) != DIGEST_BYTES:
        raise CallerError(worded("digest_expected", "{field}: expected the whole digest", field=name))
    return digest


def _kind_of(error: BaseException) -> str:
    """What the page has a headline for: what a gateway refused is named as the gateway names it."""
    return kind_of(str(getattr(error, "problem", ""))) or type(error).__name__


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return b""
    return body


def _json(status: int, value: Any) -> Response:
    # as ASCII: what somebody else wrote may hold half a character, which has no bytes
    return Response(json.dumps(value), status, media_type="application/json")


def _problem(status: int, code: str, message: str) -> Response:
    return _json(status, {"code": code, "message": message, "said": [], "reasons": []})
