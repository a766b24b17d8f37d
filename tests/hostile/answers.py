"""What a hostile gateway does to the answers that members and researchers get.

A fault is given the honest answer's body and gives the bodies that are served instead, each in a run of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from tests.hostile.wires import Wire

JSON_HEADERS = {"Content-Type": "application/json"}
POSITIONS = 16

Serve = Callable[[httpx.Request, bytes], Awaitable[httpx.Response]]
Spoil = Callable[[bytes], Sequence[httpx.Response]]


def _ok(*bodies: bytes) -> list[httpx.Response]:
    return [httpx.Response(200, headers=JSON_HEADERS, content=body) for body in bodies]


def dropped(_: bytes) -> list[httpx.Response]:
    problem = {"type": "urn:mpc-cde:problem:not-found", "title": "There is nothing here", "status": 404}
    return [
        httpx.Response(
            404, headers={"Content-Type": "application/problem+json"}, content=json.dumps(problem).encode()
        )
    ]


def emptied(body: bytes) -> list[httpx.Response]:
    """No content; no list has anything in it; every part that may be missing is."""
    return _ok(b"", _mapped(body, lambda v: [] if isinstance(v, list) else v), b"{}", b"[]", b"null")


def duplicated(body: bytes) -> list[httpx.Response]:
    return _ok(_mapped(body, lambda v: v + v if isinstance(v, list) else v), body + body)


def reordered(body: bytes) -> list[httpx.Response]:
    return _ok(_mapped(body, lambda v: v[::-1] if isinstance(v, list) else v))


def truncated(body: bytes) -> list[httpx.Response]:
    return _ok(*(body[: len(body) * part // POSITIONS] for part in range(1, POSITIONS)))


def altered(body: bytes) -> list[httpx.Response]:
    """One bit, at places all over the body."""
    places = [len(body) * part // POSITIONS for part in range(POSITIONS)]
    return _ok(*(body[:p] + bytes([body[p] ^ 1]) + body[p + 1 :] for p in places))


def garbled(_: bytes) -> list[httpx.Response]:
    return [
        *_ok(b"\xff\xfe", b"[" * 100_000, b"1" * 10_000, b'{"study": NaN}', b'"text"', b"0"),
        httpx.Response(200, headers={"Content-Type": "text/html"}, content=b"<html>gateway</html>"),
    ]


def failed(_: bytes) -> list[httpx.Response]:
    return [
        httpx.Response(500, content=b"oops"),
        httpx.Response(302, headers={"Location": "http://elsewhere.example/"}),
        httpx.Response(418, headers={"Content-Type": "application/problem+json"}, content=b"[]"),
    ]


def cut_off(_: bytes) -> list[httpx.Response]:
    """The connection breaks: nothing comes."""
    return [BROKEN]


BROKEN = httpx.Response(599)

FAULTS: dict[str, tuple[Spoil, str]] = {
    "dropped": (dropped, "is said not to exist"),
    "cut_off": (cut_off, "never comes"),
    "failed": (failed, "is an error, or a way to elsewhere"),
    "emptied": (emptied, "comes without what is in it"),
    "duplicated": (duplicated, "holds everything twice"),
    "reordered": (reordered, "holds its lists backwards"),
    "truncated": (truncated, "is cut at fifteen places"),
    "altered": (altered, "has a bit another, at sixteen places"),
    "garbled": (garbled, "is something else altogether"),
}


def _mapped(body: bytes, change: Callable[[Any], Any]) -> bytes:
    def walk(value: Any, depth: int) -> Any:
        if isinstance(value, dict):
            return {name: change(item) if depth == 0 else item for name, item in value.items()}
        return change(value)

    return json.dumps(walk(json.loads(body), 0)).encode()


@dataclass
class Meddles:
    """Serves something else for requests whose method and path match; counts how often.

    `serve` gets the honest answer's body and gives another answer.
    """

    path: str
    serve: Serve
    method: str = "GET"
    times: int = 0

    async def answer(self, request: httpx.Request, wire: Wire) -> httpx.Response:
        if request.method != self.method or not re.fullmatch(self.path, request.url.path):
            return await wire.forward(request)
        self.times += 1
        served = await self.serve(request, await (await wire.forward(request)).aread())
        if served.status_code == BROKEN.status_code:
            raise httpx.ReadError("the connection broke", request=request)
        return httpx.Response(served.status_code, headers=served.headers, content=served.content)

    def feed_is_read(self, number: int, newest: int) -> bool | None:
        return None
