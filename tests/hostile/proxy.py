"""A hostile way to a gateway, as a process of its own: `python -m tests.hostile.proxy PLAN.json`.

The plan names the gateway and lists what is done to which answers; it is read anew for each answer, so that a story
can change its mind. `run.json` beside the plan says which port is listened on; `seen.jsonl` gets a line for each
fault that was done.

One connection carries one request. The faults stand in `FAULTS`; those that look into a feed keep the numbers of its
items, as whoever sits between a party and its gateway must: it cannot sign a request for what lies further on.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mpc_cde.feed_format import FeedFrame, read_frames, write_frames

MAX_HEAD_BYTES = 64 << 10
DRIP_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Message:
    """A request or an answer: its first line, its other lines, its body."""

    first: str
    lines: tuple[str, ...]
    body: bytes

    @property
    def target(self) -> str:
        """Method and path of a request, "GET /v1/community"."""
        method, path, _ = self.first.split(" ", 2)
        return f"{method} {path.partition('?')[0]}"

    def to_bytes(self) -> bytes:
        """With an honest length, for a connection that carries nothing else."""
        names = ("content-length", "connection", "transfer-encoding")
        kept = [line for line in self.lines if line.partition(":")[0].lower() not in names]
        head = "\r\n".join([self.first, *kept, f"Content-Length: {len(self.body)}", "Connection: close"])
        return head.encode("latin-1") + b"\r\n\r\n" + self.body


Change = Callable[[Message, Mapping[str, Any]], Message]
"""An answer and the options of its rule: what is sent instead. Raises NotMeant if there is nothing to change."""


class NotMeant(Exception):
    """The rule is not about this answer."""


def _with_frames(answer: Message, change: Callable[[FeedFrame], FeedFrame | None]) -> Message:
    """Each item as it is, changed, or (None) left out. An empty answer would not do: a feed that ends stays asked."""
    frames = list(read_frames(answer.body))
    changed = [change(frame) for frame in frames]
    if changed == frames:
        raise NotMeant
    return replace(answer, body=write_frames(frame for frame in changed if frame is not None))


def _is_named(frame: FeedFrame, options: Mapping[str, Any]) -> bool:
    """Whether an item's type is the rule's, and the rule's text, if any, stands in its payload."""
    names = options.get("containing", "").encode()
    return frame.type_name == options["type"] and names in frame.envelope.payload


def leave_out(answer: Message, options: Mapping[str, Any]) -> Message:
    return _with_frames(answer, lambda frame: None if _is_named(frame, options) else frame)


def spoil_part(answer: Message, options: Mapping[str, Any]) -> Message:
    """One bit of the correction that travels beside a submission."""

    def change(frame: FeedFrame) -> FeedFrame:
        if not _is_named(frame, options) or not frame.parts:
            return frame
        correction, *others = frame.parts
        return replace(frame, parts=(bytes([correction[0] ^ 1]) + correction[1:], *others))

    return _with_frames(answer, change)


def spoil_signatures(answer: Message, options: Mapping[str, Any]) -> Message:
    def change(frame: FeedFrame) -> FeedFrame:
        if not _is_named(frame, options):
            return frame
        spoilt = tuple(s.model_copy(update={"sig": bytes(64)}) for s in frame.envelope.signatures)
        return replace(frame, envelope=frame.envelope.model_copy(update={"signatures": spoilt}))

    return _with_frames(answer, change)


def cut(answer: Message, _: Mapping[str, Any]) -> Message:
    """Two thirds of it, as if that were all."""
    if not answer.body:
        raise NotMeant
    return replace(answer, body=answer.body[: len(answer.body) * 2 // 3])


def other_body(answer: Message, options: Mapping[str, Any]) -> Message:
    return replace(answer, body=Path(options["file"]).read_bytes())


def replace_text(answer: Message, options: Mapping[str, Any]) -> Message:
    if options["text"].encode() not in answer.body:
        raise NotMeant
    return replace(answer, body=answer.body.replace(options["text"].encode(), options["by"].encode()))


FAULTS: dict[str, Change] = {
    "leave_out": leave_out,
    "spoil_part": spoil_part,
    "spoil_signatures": spoil_signatures,
    "cut": cut,
    "other_body": other_body,
    "replace_text": replace_text,
    "lose": lambda answer, _: answer,  # done at the gateway, and the connection breaks
    "drip": lambda answer, _: answer,  # a byte now and then
}


class Proxy:
    """One port, and what was done there by number of the rule."""

    def __init__(self, plan: Path) -> None:
        self._plan = plan
        self._done: dict[int, int] = {}

    async def open(self) -> None:
        """Serve for ever."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=MAX_HEAD_BYTES)
        written = self._plan.with_name("run.json.new")
        written.write_text(json.dumps({"port": server.sockets[0].getsockname()[1]}))
        written.rename(self._plan.with_name("run.json"))
        await server.serve_forever()

    def _read(self) -> dict[str, Any]:
        plan: dict[str, Any] = json.loads(self._plan.read_bytes())
        return plan

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await _read_message(reader)
            host, _, port = self._read()["gateway"].rpartition(":")
            answer = await _ask(host, int(port), request)
            await self._answer(self._read()["rules"], request, answer, writer)  # a feed waits long
        except (OSError, asyncio.IncompleteReadError):
            pass  # somebody hung up
        finally:
            writer.close()

    async def _answer(
        self, rules: list[dict[str, Any]], request: Message, answer: Message, writer: asyncio.StreamWriter
    ) -> None:
        slowly = False
        for number, rule in enumerate(rules):
            if self._done.get(number, 0) >= rule.get("times", 1 << 30):
                continue
            if not re.fullmatch(rule["target"], request.target):
                continue
            try:
                answer = FAULTS[rule["fault"]](answer, rule)
            except NotMeant:
                continue
            self._note(number, request)
            slowly = slowly or rule["fault"] == "drip"
            if rule["fault"] == "lose":
                writer.transport.abort()
                return
        data = answer.to_bytes()
        step = 1 if slowly else len(data)
        for place in range(0, len(data), step):
            writer.write(data[place : place + step])
            await writer.drain()
            await asyncio.sleep(DRIP_SECONDS if slowly else 0)

    def _note(self, number: int, request: Message) -> None:
        self._done[number] = self._done.get(number, 0) + 1
        with self._plan.with_name("seen.jsonl").open("a") as seen:
            seen.write(json.dumps({"rule": number, "target": request.target}) + "\n")


async def _read_message(reader: asyncio.StreamReader) -> Message:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    lengths = [line.partition(":")[2] for line in lines if line.lower().startswith("content-length:")]
    body = await reader.readexactly(int(lengths[0])) if lengths else b""
    return Message(first, tuple(lines), body)


async def _ask(host: str, port: int, request: Message) -> Message:
    reader, writer = await asyncio.open_connection(host, port, limit=MAX_HEAD_BYTES)
    try:
        writer.write(request.to_bytes())
        await writer.drain()
        return await _read_message(reader)
    finally:
        writer.close()


def main() -> None:
    asyncio.run(Proxy(Path(sys.argv[1])).open())


if __name__ == "__main__":
    main()
