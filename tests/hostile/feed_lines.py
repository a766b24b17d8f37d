"""One party's feed as a hostile gateway serves it: the honest items pass through a fault, numbered anew.

A fault sees every item in its order and says what is served in its place. What it keeps back is served when the
story lets it go. `meddled` counts what it did to which type of document, so that no row of a table is empty.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

import httpx

from mpc_cde.documents.envelope import Signature
from mpc_cde.feed_format import MEDIA_TYPE, FeedFrame, read_frames, write_frame
from mpc_cde.gateway.bell import wait_for_ring
from mpc_cde.gateway.desk import Desk
from mpc_cde.gateway.feeds import feed_batch
from tests.hostile.wires import Wire

Which = Callable[[FeedFrame], bool]


@dataclass(frozen=True, slots=True)
class Served:
    """An item as it is served; `once` spoils its bytes the first time."""

    frame: FeedFrame
    once: Callable[[bytes], bytes] | None = None


class Fault:
    """The honest gateway; faults override `take`."""

    def __init__(self, which: Which | Collection[str] = ()) -> None:
        self._which = which
        self.meddled: Counter[str] = Counter()

    def is_meant(self, frame: FeedFrame) -> bool:
        if callable(self._which):
            return self._which(frame)
        return frame.type_name in self._which

    def note(self, frame: FeedFrame) -> None:
        self.meddled[frame.type_name] += 1

    def take(self, frame: FeedFrame) -> Iterable[Served | FeedFrame]:
        """What is served in place of this item, now."""
        return [frame]

    def let_go(self) -> Sequence[FeedFrame]:
        """What was kept back and is served now."""
        return []


class Drops(Fault):
    """These items never arrive."""

    def take(self, frame: FeedFrame) -> Iterable[Served | FeedFrame]:
        if not self.is_meant(frame):
            return [frame]
        self.note(frame)
        return []


class Delays(Fault):
    """These items come after everything else of their part of the story."""

    def __init__(self, which: Which | Collection[str] = ()) -> None:
        super().__init__(which)
        self._kept: list[FeedFrame] = []

    def take(self, frame: FeedFrame) -> Iterable[Served | FeedFrame]:
        if not self.is_meant(frame):
            return [frame]
        self.note(frame)
        self._kept.append(frame)
        return []

    def let_go(self) -> Sequence[FeedFrame]:
        kept, self._kept = self._kept, []
        return kept


class Reorders(Delays):
    """The same, the last first."""

    def let_go(self) -> Sequence[FeedFrame]:
        return list(reversed(super().let_go()))


class Duplicates(Fault):
    """These items come twice, and once more at the end of their part of the story."""

    def __init__(self, which: Which | Collection[str] = ()) -> None:
        super().__init__(which)
        self._again: list[FeedFrame] = []

    def take(self, frame: FeedFrame) -> Iterable[Served | FeedFrame]:
        if not self.is_meant(frame):
            return [frame]
        self.note(frame)
        self._again.append(frame)
        return [frame, frame]

    def let_go(self) -> Sequence[FeedFrame]:
        again, self._again = self._again, []
        return again


class Truncates(Fault):
    """The answer ends inside these items, the first time that they are served."""

    def take(self, frame: FeedFrame) -> Iterable[Served | FeedFrame]:
        if not self.is_meant(frame):
            return [frame]
        self.note(frame)
        return [Served(frame, lambda data: data[: len(data) * 2 // 3])]


class Garbles(Fault):
    """These items are no item at all, the first time that they are served."""

    def take(self, frame: FeedFrame) -> Iterable[Served | FeedFrame]:
        if not self.is_meant(frame):
            return [frame]
        self.note(frame)
        return [Served(frame, lambda data: b"\xff\xff\xff\xff" + data)]


class Alters(Fault):
    """Altered copies of these items come first, then the true ones; or, with `instead`, never."""

    def __init__(self, which: Which | Collection[str] = (), *, instead: bool = False) -> None:
        super().__init__(which)
        self._instead = instead

    def take(self, frame: FeedFrame) -> Iterable[Served | FeedFrame]:
        if not self.is_meant(frame):
            return [frame]
        self.note(frame)
        spoilt = [*altered_payloads(frame), *altered_signatures(frame)]
        return spoilt if self._instead else [*spoilt, frame]


class Swaps(Fault):
    """Each payload comes under the signatures of the item of its type before it, then the true one."""

    def __init__(self, which: Which | Collection[str] = (), *, instead: bool = False) -> None:
        super().__init__(which)
        self._instead = instead
        self._last: dict[str, FeedFrame] = {}

    def take(self, frame: FeedFrame) -> Iterable[Served | FeedFrame]:
        if not self.is_meant(frame):
            return [frame]
        self.note(frame)
        before, self._last[frame.type_name] = self._last.get(frame.type_name, frame), frame
        envelope = frame.envelope.model_copy(update={"signatures": before.envelope.signatures})
        renamed = frame.envelope.model_copy(update={"payload_type": _another_type(frame)})
        swapped = [replace(frame, envelope=envelope)] if before is not frame else []
        swapped.append(replace(frame, envelope=renamed))
        return swapped if self._instead else [*swapped, frame]


class SpoilsParts(Fault):
    """What travels beside these submissions is altered; `how` gets correction and envelope."""

    def __init__(
        self, which: Which | Collection[str], how: Callable[[tuple[bytes, ...]], tuple[bytes, ...]]
    ) -> None:
        super().__init__(which)
        self._how = how

    def take(self, frame: FeedFrame) -> Iterable[Served | FeedFrame]:
        if not self.is_meant(frame):
            return [frame]
        self.note(frame)
        return [replace(frame, parts=self._how(frame.parts))]


class Adds(Fault):
    """Items of the gateway's own making come before these."""

    def __init__(self, which: Which | Collection[str], items: Callable[[FeedFrame], list[FeedFrame]]) -> None:
        super().__init__(which)
        self._items = items

    def take(self, frame: FeedFrame) -> Iterable[Served | FeedFrame]:
        if not self.is_meant(frame):
            return [frame]
        self.note(frame)
        return [*self._items(frame), frame]


def altered_payloads(frame: FeedFrame) -> list[FeedFrame]:
    """One bit of the payload another; one character of it another; its end cut off."""
    payload = frame.envelope.payload
    middle = len(payload) // 2
    flipped = payload[:middle] + bytes([payload[middle] ^ 1]) + payload[middle + 1 :]
    return [
        replace(frame, envelope=frame.envelope.model_copy(update={"payload": changed}))
        for changed in (flipped, payload[:-1] + b" ", payload[: len(payload) // 2] + b"}")
    ]


def altered_signatures(frame: FeedFrame) -> list[FeedFrame]:
    """No signature; one bit of each another; sixty-four of a stranger's in front."""
    signatures = frame.envelope.signatures
    spoilt = tuple(Signature(keyid=s.keyid, sig=bytes([s.sig[0] ^ 1]) + s.sig[1:]) for s in signatures)
    strangers = tuple(Signature(keyid=bytes([n]) * 16, sig=bytes([n]) * 64) for n in range(64))
    return [
        replace(frame, envelope=frame.envelope.model_copy(update={"signatures": changed}))
        for changed in ((), spoilt, strangers)
    ]


def _another_type(frame: FeedFrame) -> str:
    own = frame.envelope.payload_type
    other = "application/vnd.mpc-cde.approval.v1+json"
    return other if own != other else "application/vnd.mpc-cde.refusal.v1+json"


@dataclass
class FeedLine:
    """A meddler on one party's wire: its feed through faults, one after another."""

    faults: Sequence[Fault]
    posts: Callable[[httpx.Request, Wire], object] | None = None
    _read: int = 0
    _served: list[Served] = field(default_factory=list)
    _spoilt: set[int] = field(default_factory=set)
    _desk: Desk | None = None

    async def answer(self, request: httpx.Request, wire: Wire) -> httpx.Response:
        if request.method == "GET" and request.url.path.endswith("/feed"):
            return await self._feed(request, wire)
        return await wire.forward(request)

    async def _feed(self, request: httpx.Request, wire: Wire) -> httpx.Response:
        desk: Desk = wire.app.state.desk
        self._desk = desk
        party = int(request.url.path.split("/")[3])
        after, wait = int(request.url.params["after"]), float(request.url.params["wait"])
        loop = asyncio.get_running_loop()
        end = loop.time() + wait
        while True:
            ring = desk.bell.next_ring()
            self._read_on(desk, party)
            body = self._answer_after(after)
            left = end - loop.time()
            if body or left <= 0 or desk.bell.is_stopping:
                return httpx.Response(200, headers={"Content-Type": MEDIA_TYPE}, content=body)
            await wait_for_ring(ring, left)

    def _read_on(self, desk: Desk, party: int) -> None:
        while True:
            data = desk.look(
                lambda view: feed_batch(view, party, after=self._read, max_bytes=8 << 20, max_items=1000)
            )
            if not data:
                return
            for frame in read_frames(data):
                self._read = frame.number
                items: list[Served | FeedFrame] = [frame]
                for fault in self.faults:
                    items = [
                        made
                        for item in items
                        for made in (fault.take(item) if isinstance(item, FeedFrame) else [item])
                    ]
                self._served += [i if isinstance(i, Served) else Served(i) for i in items]

    def _answer_after(self, after: int) -> bytes:
        body = b""
        for number, item in enumerate(self._served[after:], start=after + 1):
            data = write_frame(replace(item.frame, number=number))
            if item.once is not None and number not in self._spoilt:
                self._spoilt.add(number)
                return body + item.once(data)
            body += data
        return body

    def put(self, frame: FeedFrame) -> None:
        """An item of the gateway's own choice, next."""
        self._served.append(Served(frame))
        if self._desk is not None:
            self._desk.bell.ring()

    def let_go(self) -> bool:
        """Serve what faults kept back; says whether there was anything."""
        kept = [frame for fault in self.faults for frame in fault.let_go()]
        self._served += [Served(frame) for frame in kept]
        if self._desk is not None:
            self._desk.bell.ring()
        return bool(kept)

    def feed_is_read(self, number: int, newest: int) -> bool:
        return self._read >= newest and number >= len(self._served)

    @property
    def meddled(self) -> Counter[str]:
        total: Counter[str] = Counter()
        for fault in self.faults:
            total += fault.meddled
        return total
