"""One computation on its way through a runtime: its steps on a thread, its messages on the event loop.

The thread computes, hands each request to the loop and waits for the reply; the loop sends, and replies from
within the call that reads the last message of a round. So a round costs two switches and no task, and heartbeats
go on while a kernel computes.

What is to be recorded does not stop the computation, but everything that it sends: an exchange, and the result,
wait until all records before them are durable.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from queue import SimpleQueue
from typing import Any, Protocol

from protocols.effects import Computation, Exchange, Record, Request
from protocols.errors import ProtocolMisuse


class Messages(Protocol):
    """Labelled messages from and to one peer."""

    def send(self, label: int, payload: bytes | memoryview) -> None: ...

    def expect(self, label: int, length: int, hear: Callable[[tuple[memoryview, ...]], None]) -> None: ...


class Rounds(Protocol):
    """What a drive needs of its runtime."""

    rounds: int

    @property
    def messages(self) -> Mapping[int, Messages]: ...

    def next_label(self) -> int: ...


class _Stopped(Exception):
    """Nobody waits for the computation any more."""


class Drive:
    """`result` resolves to what the computation returns or raises; `missing`: whose messages a round still lacks.

    Made on the event loop; `step` runs on the computation's thread, everything else on the loop.
    """

    def __init__(
        self,
        runtime: Rounds,
        computation: Computation[Any],
        record: Callable[[Record], Awaitable[None]],
        on_round: Callable[[int], None] | None,
    ) -> None:
        self.result: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.missing: set[int] = set()
        self._loop = asyncio.get_running_loop()
        self._runtime = runtime
        self._computation = computation
        self._record = record
        self._on_round = on_round
        self._replies: SimpleQueue[Mapping[int, tuple[memoryview, ...]] | None] = SimpleQueue()
        self._recording: set[asyncio.Future[None]] = set()
        self._held: Callable[[], None] | None = None
        self._heard: dict[int, tuple[memoryview, ...]] = {}

    # on the computation's thread -------------------------------------------------------------------------

    def step(self) -> None:
        """Step until the computation returns, raises or is stopped."""
        try:
            with contextlib.suppress(RuntimeError):  # a loop that is closed: nobody is left to tell
                self._loop.call_soon_threadsafe(self._finish())
        finally:
            self._computation.close()

    def _finish(self) -> Callable[[], None]:
        reply: Mapping[int, tuple[memoryview, ...]] | None = None
        try:
            while True:
                request: Request = self._computation.send(reply)
                self._loop.call_soon_threadsafe(self._perform, request)
                reply = None
                if isinstance(request, Exchange):
                    reply = self._replies.get()
                    if reply is None:
                        return self._ignore
        except StopIteration as stop:
            return partial(self._after_records, partial(self._settle, stop.value))
        except Exception as error:  # noqa: BLE001  # whatever a computation raises is its result
            return partial(self._fail, error)

    def _ignore(self) -> None:
        """Nothing: the computation was stopped."""

    # on the event loop -----------------------------------------------------------------------------------

    def stop(self) -> None:
        """Let the thread go, if it waits, or as soon as it does."""
        self._held = None
        for recording in self._recording:
            recording.cancel()
        if not self.result.done():
            self.result.cancel()
        self._replies.put(None)

    def _perform(self, request: Request) -> None:
        if self.result.done():
            return
        if isinstance(request, Exchange):
            self._after_records(partial(self._exchange, request))
        else:
            recording = asyncio.ensure_future(self._record(request))
            self._recording.add(recording)
            recording.add_done_callback(self._recorded)

    def _after_records(self, action: Callable[[], None]) -> None:
        """Act once everything that was to be recorded is durable."""
        if self._recording:
            self._held = action
        else:
            action()

    def _recorded(self, recording: asyncio.Future[None]) -> None:
        self._recording.discard(recording)
        if recording.cancelled():
            return
        error = recording.exception()
        if error is not None:
            self._fail(error)
        elif not self._recording and self._held is not None:
            action, self._held = self._held, None
            action()

    def _exchange(self, request: Exchange) -> None:
        messages = self._runtime.messages
        unknown = (set(request.outgoing) | set(request.incoming)) - set(messages)
        if unknown:
            self._fail(
                ProtocolMisuse(
                    f"an exchange with parties {sorted(unknown)}, who are no peers in this session"
                )
            )
            return
        self._runtime.rounds += 1
        label = self._runtime.next_label()
        for peer, payload in request.outgoing.items():
            messages[peer].send(label, payload)
        self._heard = {}
        self.missing = set(request.incoming)
        for peer, length in request.incoming.items():
            messages[peer].expect(label, length, partial(self._hear, peer))
        if not request.incoming:
            self._reply()

    def _hear(self, peer: int, payload: tuple[memoryview, ...]) -> None:
        self._heard[peer] = payload
        self.missing.discard(peer)
        if not self.missing:
            self._reply()

    def _reply(self) -> None:
        if self._on_round is not None:
            self._on_round(self._runtime.rounds)
        self._replies.put(self._heard)

    def _settle(self, value: Any) -> None:
        if not self.result.done():
            self.result.set_result(value)

    def _fail(self, error: BaseException) -> None:
        if not self.result.done():
            self.result.set_exception(error)
