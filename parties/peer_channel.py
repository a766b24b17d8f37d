"""One authenticated connection to one peer: labelled messages, heartbeats, and an end that is always typed.

The receiver says which label it waits for and how many bytes it may have; anything else in that place is a
PeerProtocolViolation. What arrives before it is asked for waits in a bounded queue: when that is full,
reading stops and TCP makes the sender wait. Every wait ends: with the message, with the failure of this
connection, or by the caller's own deadline.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from parties.errors import (
    PartyError,
    PeerAborted,
    PeerFailure,
    PeerLost,
    PeerProtocolViolation,
    PeerSilent,
    SessionClosed,
)
from parties.mesh_frames import (
    FRAGMENT_BYTES,
    HEADER,
    HEARTBEAT_FRAME,
    Abort,
    FrameError,
    FrameKind,
    FrameReader,
    encode_abort,
    encode_message,
    parse_abort,
)
from parties.mesh_identity import PinnedPeer
from parties.time_limits import TimeLimits
from parties.tls_connection import TlsConnection

QUEUE_BYTES = 8 * FRAGMENT_BYTES

Payload = tuple[memoryview, ...]
"""The bytes of a message in the pieces in which they came, in memory of its own."""

Admit = Callable[[int], int | None]
"""Given the label of the next message: how many bytes it may have, or None to refuse the label."""


@dataclass(slots=True)
class _Listener:
    """Who hears the next message, and what of it is there."""

    admit: Admit
    hear: Callable[[int, Payload], bool]
    failed: Callable[[Exception], None]
    step: str
    label: int | None = None
    longest: int = 0
    length: int = 0
    fragments: list[memoryview] = field(default_factory=list, repr=False)

    def message(self) -> Payload:
        """The whole payload; then the listener is ready for the next."""
        payload = tuple(self.fragments)
        self.label, self.length, self.fragments = None, 0, []
        return payload


class PeerChannel(asyncio.BufferedProtocol):
    """Made for each connection before it is known who is there; `peer` is set from the certificate.

    `identify(certificate DER)` returns the pinned peer, or None to refuse; `on_heard(channel)` is called
    once, at the first frame; `on_failure(channel, error)` once, when the connection has failed.
    """

    peer: PinnedPeer

    def __init__(
        self,
        limits: TimeLimits,
        *,
        identify: Callable[[bytes], PinnedPeer | None],
        on_heard: Callable[[PeerChannel], None],
        on_failure: Callable[[PeerChannel, PartyError], None],
    ) -> None:
        self.closed = False
        self.bytes_sent = 0
        self.messages_sent = 0
        self._limits = limits
        self._identify = identify
        self._on_heard = on_heard
        self._on_failure = on_failure
        self._loop = asyncio.get_running_loop()
        self._reader = FrameReader(limits.max_frame_bytes)
        self._queue: deque[tuple[int, memoryview]] = deque()
        self._queued_bytes = 0
        self._paused = False
        self._listener: _Listener | None = None
        self._failure: PartyError | None = None
        self._abort: Abort | None = None
        self._heard_anything = False
        self._last_heard = self._next_beat = 0.0
        self._beat_handle: asyncio.TimerHandle | None = None
        self._transport: TlsConnection | None = None
        self._gone = asyncio.Event()

    def __repr__(self) -> str:
        who = f"party {self.peer.index}" if hasattr(self, "peer") else "nobody yet"
        return f"PeerChannel({who}, {'closed' if self.closed else 'open'})"

    # what the sessions use -------------------------------------------------------------------------------

    def send(self, label: int, payload: bytes | memoryview) -> None:
        """Queue a message; never waits. Does nothing on a closed connection: the next wait will tell."""
        if self._transport is None or self.closed:
            return
        pieces = list(encode_message(label, payload))
        self.bytes_sent += sum(map(len, pieces))
        self.messages_sent += 1
        self._transport.write(*pieces)

    async def receive(self, label: int, expected_bytes: int, *, step: str = "a message") -> bytes:
        """The next message, which must have this label and exactly this length.

        Raises PeerProtocolViolation for anything else, and the connection's failure if it has failed.
        """
        _, payload = await self.receive_message(lambda found: _only(label, found, expected_bytes), step=step)
        if len(payload) != expected_bytes:
            raise self.violation(step, f"{expected_bytes} bytes", f"{len(payload)} bytes")
        return payload

    async def receive_up_to(self, label: int, max_bytes: int, *, step: str) -> bytes:
        """The next message, which must have this label and at most `max_bytes`."""
        return (await self.receive_message(lambda found: _only(label, found, max_bytes), step=step))[1]

    async def receive_message(self, admit: Admit, *, step: str = "a message") -> tuple[int, bytes]:
        """The next message of a label that `admit` allows, cut off as soon as it grows too long.

        One caller at a time. A refused message fails the whole connection.
        """
        heard: asyncio.Future[tuple[int, bytes]] = self._loop.create_future()

        def hear(label: int, payload: Payload) -> bool:
            if not heard.done():
                heard.set_result((label, b"".join(payload)))
            return False

        def failed(error: Exception) -> None:
            if not heard.done():
                heard.set_exception(error)

        self.listen(admit, hear, failed, step=step)
        try:
            return await heard
        finally:
            if heard.cancelled():
                self._listener = None

    def listen(
        self,
        admit: Admit,
        hear: Callable[[int, Payload], bool],
        failed: Callable[[Exception], None],
        *,
        step: str,
    ) -> None:
        """Call `hear` with each message, at once with those that wait, until it returns False.

        As `receive_message`, without a turn of the event loop in between. `failed` gets what ends the connection
        while this listens.
        """
        if self._listener is not None:
            raise RuntimeError("two receivers wait on one channel")
        self._listener = _Listener(admit, hear, failed, step)
        self._pass_on()

    def violation(self, step: str, expected: str, found: str) -> PartyError:
        """Fail the connection because of what the peer sent; returns the error to raise."""
        error = self._error(PeerProtocolViolation, step, expected, found)
        self.fail(error)
        return self._failure or error

    def fail(self, error: PartyError) -> None:
        """End the connection with `error`: every wait on it raises that. Only the first counts."""
        if self._failure is not None:
            return
        self._failure = error
        self._queue.clear()
        self._shut(abruptly=True)
        self._on_failure(self, error)

    def close(self, abort: Abort | None = None) -> None:
        """End the connection in order, telling the peer why; what still waits here raises SessionClosed."""
        if self._failure is None:
            self._failure = SessionClosed("this party ended the session")
        if self._transport is not None and not self.closed and abort is not None:
            self._transport.write(encode_abort(abort))
        self._shut(abruptly=False)

    @property
    def failure(self) -> PartyError | None:
        """Why the connection ended, or None."""
        return self._failure

    @property
    def gone(self) -> bool:
        """Whether the socket is closed, with nothing left to flush."""
        return self._transport is None or self._gone.is_set()

    async def wait_gone(self) -> None:
        """Return once the socket is closed."""
        await self._gone.wait()

    @property
    def abort_received(self) -> Abort | None:
        """The peer's last word, if it ended the session itself."""
        return self._abort

    # asyncio's side --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        connection = self._transport = cast(TlsConnection, transport)
        certificate = connection.peer_certificate
        peer = self._identify(certificate) if certificate else None
        if peer is None:
            self._shut(abruptly=True)
            return
        self.peer = peer
        self._last_heard = self._loop.time()
        self._beat()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._reader.buffer()

    def buffer_updated(self, nbytes: int) -> None:
        if self.closed or self._failure is not None:
            return
        self._last_heard = self._loop.time()
        try:
            for header, payload in self._reader.filled(nbytes):
                self._take(header.kind, header.label, payload)
        except FrameError as error:
            self.violation("reading a frame", error.expected, error.found)
            return
        if self._queued_bytes > QUEUE_BYTES and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone.set()
        already = self.closed
        self.closed = True
        if self._beat_handle:
            self._beat_handle.cancel()
        if already or not hasattr(self, "peer") or self._abort is not None:
            return
        self._end(self._error(PeerLost, "the session", "an open connection", "one that ended"))

    # inside ----------------------------------------------------------------------------------------------

    def _take(self, kind: FrameKind, label: int, payload: memoryview) -> None:
        if not self._heard_anything:
            self._heard_anything = True
            self._on_heard(self)
        if kind is FrameKind.ABORT and self._abort is None:
            self._abort = parse_abort(bytes(payload))
            self._end(
                self._error(
                    PeerAborted, "the session", "a session that goes on", self._abort.code, self._abort.blames
                )
            )
        elif kind is FrameKind.MESSAGE:
            self._queue.append((label, payload))
            self._queued_bytes += HEADER.size + len(payload)
            self._pass_on()

    def _end(self, error: PartyError) -> None:
        """The peer is gone: what it sent before stays readable; then `error`."""
        if self._failure is None:
            self._failure = error
            self._pass_on()
            self._on_failure(self, error)

    def _error(
        self, kind: type[PeerFailure], step: str, expected: str, found: str, blames: int | None = None
    ) -> PeerFailure:
        return kind(self.peer.index, self.peer.name, step=step, expected=expected, found=found, blames=blames)

    def _pass_on(self) -> None:
        """What waits to whoever listens; and if nothing more can come, why."""
        while (listener := self._listener) is not None and self._queue:
            label, fragment = self._next_fragment()
            if not self._fits(listener, label, fragment):
                return
            if len(fragment) == FRAGMENT_BYTES:
                continue
            payload = listener.message()
            self._listener = None
            if listener.hear(label, payload) and self._listener is None:
                self._listener = listener
        if self._listener is not None and self._failure is not None:
            listener, self._listener = self._listener, None
            listener.failed(self._failure)

    def _fits(self, listener: _Listener, label: int, fragment: memoryview) -> bool:
        """Add a fragment to the message that it belongs to, or fail the connection."""
        if listener.label is None:
            longest = listener.admit(label)
            if longest is None:
                self.violation(listener.step, "the label of this step", f"label {label:#x}")
                return False
            listener.label, listener.longest = label, longest
        elif label != listener.label:
            self.violation(listener.step, "the rest of a message", "the start of another")
            return False
        listener.fragments.append(fragment)
        listener.length += len(fragment)
        if listener.length > listener.longest:
            self.violation(listener.step, f"at most {listener.longest} bytes", "more")
            return False
        return True

    def _next_fragment(self) -> tuple[int, memoryview]:
        label, payload = self._queue.popleft()
        self._queued_bytes -= HEADER.size + len(payload)
        if self._paused and self._queued_bytes <= QUEUE_BYTES // 2 and self._transport is not None:
            self._paused = False
            self._last_heard = self._loop.time()
            if not self.closed:
                self._transport.resume_reading()
        return label, payload

    def _beat(self) -> None:
        """Send a sign of life and look whether the peer gave one."""
        now = self._loop.time()
        late = now - self._next_beat if self._next_beat else 0.0
        if late > self._limits.heartbeat_seconds:
            # We ourselves stood still: what the peer sent meanwhile has not been read yet.
            self._last_heard = max(self._last_heard, now - self._limits.silent_peer_seconds / 2)
        silence = now - self._last_heard
        if silence > self._limits.silent_peer_seconds and not self._paused:
            limit = f"{self._limits.silent_peer_seconds:g} seconds"
            self.fail(self._error(PeerSilent, "heartbeat", f"a sign of life within {limit}", "none"))
            return
        if self._transport is not None and not self.closed:
            if not self._transport.is_sending:  # a message that waits to be sent is sign of life enough
                self._transport.write(HEARTBEAT_FRAME)
            pause = min(self._limits.heartbeat_seconds, self._limits.silent_peer_seconds / 4)
            self._next_beat = now + pause
            self._beat_handle = self._loop.call_later(pause, self._beat)

    def _shut(self, *, abruptly: bool) -> None:
        self.closed = True
        if self._beat_handle:
            self._beat_handle.cancel()
        if self._transport is not None:
            if abruptly:
                self._transport.abort()
            else:
                if self._paused:
                    self._transport.resume_reading()
                self._transport.close()
        self._pass_on()


def _only(label: int, found: int, longest: int) -> int | None:
    return longest if found == label else None
