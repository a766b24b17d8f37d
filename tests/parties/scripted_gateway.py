"""A gateway of a few lines that keeps what it is told and can be told to misbehave; for tests of the node."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from mpc_cde.body_parts import DOCUMENTS_MEDIA_TYPE
from mpc_cde.documents.canonical import parse_strict_json
from mpc_cde.documents.community import Community
from mpc_cde.documents.envelope import Envelope, merge_signatures
from mpc_cde.feed_format import MEDIA_TYPE, FeedFrame, write_frames
from mpc_cde.reader_signatures import claimed_reader, verify_reader
from parties.clock import system_clock
from parties.listening import bind
from tests.parties.paper_node import frame

POLL_SECONDS = 0.02


@dataclass
class ScriptedGateway:
    """`faults` are answered first, one a request: a status, "lose" (done, but answered 503) or "garbage"."""

    posted: dict[str, list[Envelope]] = field(default_factory=dict)
    attachments: list[tuple[str, bytes]] = field(default_factory=list)
    frames: list[FeedFrame] = field(default_factory=list)
    community: Envelope | None = None
    faults: list[int | str] = field(default_factory=list)
    readers: list[bytes] = field(default_factory=list)
    polls: int = 0

    def put(self, envelope: Envelope, parts: tuple[bytes, ...] = ()) -> None:
        """The next item of the feed."""
        self.frames.append(frame(len(self.frames) + 1, envelope, parts))

    def receive_community(self, envelope: Envelope) -> None:
        """Keep one party's signature; serve the community when all are there."""
        signed = self.posted.setdefault("communities", [])
        signed.append(envelope)
        merged = merge_signatures(envelope, signed)
        if len(merged.signatures) == Community.parse_payload(envelope.payload).party_count:
            self.community = merged

    def app(self) -> FastAPI:
        app = FastAPI()
        app.add_api_route("/v1/community", self._community, methods=["GET"], response_model=None)
        app.add_api_route("/v1/parties/{party}/feed", self._feed, methods=["GET"], response_model=None)
        app.add_api_route("/v1/{collection}", self._post, methods=["POST"], response_model=None)
        return app

    async def _community(self) -> Response:
        if self.community is None:
            return problem(404, "there is no community yet")
        return JSONResponse({"versions": [plain(self.community)]})

    async def _feed(self, request: Request, party: int, after: int = 0, wait: int = 0) -> Response:
        self.polls += 1
        claim = claimed_reader(request.headers)
        if claim is None:
            return problem(401, "a feed is read by its party alone")
        now = int(system_clock().timestamp())
        verify_reader(claim, method="GET", target_uri=str(request.url), now=now)
        self.readers.append(claim.key)
        if self.faults:
            fault = self.faults.pop(0)
            if fault == "garbage":
                return Response(b"\xff\xff\xff\xff garbage", media_type=MEDIA_TYPE)
            if isinstance(fault, int):
                return problem(fault, "a fault that the test asked for")
        for _ in range(int(wait / POLL_SECONDS) + 1):
            found = [item for item in self.frames if item.number > after]
            if found:
                return Response(write_frames(found), media_type=MEDIA_TYPE)
            await asyncio.sleep(POLL_SECONDS)
        return Response(b"", media_type=MEDIA_TYPE)

    async def _post(self, request: Request, collection: str) -> Response:
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, int):
            return problem(fault, "a fault that the test asked for")
        if request.headers["content-type"].startswith("multipart/"):
            async with request.form() as form:
                parts = {name: await part.read() for name, part in form.items() if not isinstance(part, str)}
            envelope = Envelope.parse_json(parts.pop("document"))
            self.attachments += parts.items()
        elif request.headers["content-type"] == DOCUMENTS_MEDIA_TYPE:
            several = [Envelope.parse_json(line) for line in (await request.body()).splitlines()]
            self.posted.setdefault(collection, []).extend(several)
            kept = {"status": 201, "number": 1, "problem": None}
            return JSONResponse({"documents": [kept for _ in several]})
        else:
            envelope = Envelope.parse_json(await request.body())
        if collection == "communities":
            self.receive_community(envelope)
        else:
            self.posted.setdefault(collection, []).append(envelope)
        if fault == "lose":
            return problem(503, "the answer got lost")
        return JSONResponse({}, status_code=201)


def plain(envelope: Envelope) -> Any:
    return parse_strict_json(envelope.to_json())


def problem(status: int, detail: str) -> Response:
    body = {"type": "urn:mpc-cde:problem:scripted", "title": "Scripted", "status": status, "detail": detail}
    return JSONResponse(body, status_code=status, media_type="application/problem+json")


@contextmanager
def serving(gateway: ScriptedGateway) -> Iterator[str]:
    """The gateway on loopback in a thread; its address."""
    listening = bind("127.0.0.1", 0)
    server = uvicorn.Server(
        uvicorn.Config(
            gateway.app(), log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1
        )
    )
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()
