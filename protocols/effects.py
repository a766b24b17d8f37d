"""Requests that a computation yields to whoever drives it: the protocols' one door to the world.

A computation is a coroutine. Where it needs the other parties it awaits `exchange(...)`, which yields an
`Exchange` upwards; where an opened value must be on disk before anything that depends on it is sent, it
awaits `record(...)`. The driver (a scripted network in tests, MPyC in a worker) performs the request and
sends the reply back in. So the mathematics needs no event loop, and every schedule is deterministic: all
parties take the same operation numbers in the same order. (The shape is that of httpx's `auth_flow`.)

One `Exchange` is one round of communication. `together` steps several computations side by side and merges
their exchanges, so that the rounds of many cost as much as the rounds of the longest.
"""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine, Generator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from protocols.errors import ProtocolMisuse

T = TypeVar("T")

Payload = bytes | memoryview | tuple[memoryview, ...]
"""What a peer sent: in one piece, or in the pieces in which it came."""

Replies = Mapping[int, Payload]
"""What each peer sent, by party index."""


def pieces_of(payload: Payload) -> tuple[bytes | memoryview, ...]:
    """The pieces of a payload in order."""
    return payload if isinstance(payload, tuple) else (payload,)


def whole(payload: Payload) -> bytes | memoryview:
    """A payload in one piece; copies if it came in more."""
    return b"".join(payload) if isinstance(payload, tuple) else payload


@dataclass(frozen=True, slots=True)
class Exchange:
    """One round: bytes to send to peers, and the exact number of bytes expected from peers."""

    outgoing: Mapping[int, bytes | memoryview]
    incoming: Mapping[int, int]

    def __repr__(self) -> str:  # the payloads are masked shares: their sizes are enough to read
        sizes = {peer: len(payload) for peer, payload in self.outgoing.items()}
        return f"Exchange(outgoing bytes {sizes}, incoming bytes {dict(self.incoming)})"


@dataclass(frozen=True, slots=True)
class Record:
    """An opened value that the answer reveals: to be durable before anything that depends on it leaves."""

    label: str
    values: tuple[int, ...]


Request = Exchange | Record
Computation = Coroutine[Request, Any, T]


class _Yield(Awaitable[Any]):
    """An awaitable that hands one request to the driver and returns the driver's reply."""

    __slots__ = ("_request",)

    def __init__(self, request: Request) -> None:
        self._request = request

    def __await__(self) -> Generator[Request, Any, Any]:
        return (yield self._request)


async def exchange(outgoing: Mapping[int, bytes | memoryview], incoming: Mapping[int, int]) -> Replies:
    """Send and receive in one round; the reply from peer i has exactly `incoming[i]` bytes."""
    replies: Replies = await _Yield(Exchange(outgoing, incoming))
    return replies


async def record(label: str, values: tuple[int, ...]) -> None:
    """The driver makes the opened `values` durable before it sends anything that follows, or the result."""
    await _Yield(Record(label, values))


class _Lockstep(Awaitable[list[Any]]):
    """Steps children in order; merges the exchanges of a step into one; records go up as they come."""

    __slots__ = ("_children",)

    def __init__(self, children: tuple[Computation[Any], ...]) -> None:
        self._children = children

    def __await__(self) -> Generator[Request, Any, list[Any]]:
        results: list[Any] = [None] * len(self._children)
        replies: dict[int, Any] = dict.fromkeys(range(len(self._children)))
        try:
            while replies:
                waiting: dict[int, Exchange] = {}
                for index in sorted(replies):
                    reply = replies[index]
                    while True:
                        try:
                            request = self._children[index].send(reply)
                        except StopIteration as stop:
                            results[index] = stop.value
                            break
                        if isinstance(request, Exchange):
                            waiting[index] = request
                            break
                        reply = yield request
                replies = {}
                if waiting:
                    merged = yield merge(list(waiting.values()))
                    replies = dict(zip(waiting, split(list(waiting.values()), merged), strict=True))
        finally:
            for child in self._children:
                child.close()
        return results


async def together(*children: Computation[Any]) -> list[Any]:
    """Run computations in lockstep and return their results in order; rounds are shared.

    All parties must pass the same children in the same order.
    """
    return await _Lockstep(children)


def merge(requests: list[Exchange]) -> Exchange:
    """Concatenate the payloads of several exchanges, peer by peer, in the order given."""
    if len(requests) == 1:
        return requests[0]
    outgoing: dict[int, list[bytes | memoryview]] = {}
    incoming: dict[int, int] = {}
    for request in requests:
        for peer, payload in request.outgoing.items():
            outgoing.setdefault(peer, []).append(payload)
        for peer, length in request.incoming.items():
            incoming[peer] = incoming.get(peer, 0) + length
    return Exchange({peer: b"".join(parts) for peer, parts in outgoing.items()}, incoming)


def split(requests: list[Exchange], merged: Replies) -> list[Replies]:
    """Cut the replies to a merged exchange back into the replies to each request."""
    if len(requests) == 1:
        return [merged]
    offsets = dict.fromkeys(merged, 0)
    received = {peer: memoryview(whole(payload)) for peer, payload in merged.items()}
    parts: list[Replies] = []
    for request in requests:
        part: dict[int, Payload] = {}
        for peer, length in request.incoming.items():
            start = offsets[peer]
            part[peer] = received[peer][start : start + length]
            offsets[peer] = start + length
        parts.append(part)
    if any(offsets[peer] != len(payload) for peer, payload in received.items()):
        raise ProtocolMisuse("a merged reply has another length than its parts asked for")
    return parts
