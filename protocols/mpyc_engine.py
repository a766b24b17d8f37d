"""MPyC behind one function: `open_runtime(channels)` builds the runtime, `MPyCRuntime.run` drives a computation.

What is taken from MPyC 0.11: the runtime (program counter, asynchronous evaluation, labelled messages, parties)
and its secure types for small derived work. What is not: its transport, its serialisation, its set-up, and the
operations that leak. Importing `mpyc.runtime` sets a runtime up from the command line unless the environment
says READTHEDOCS=True, so a worker starts with that and with MPYC_MAXWORKERS=0, and anything else is refused.
(With one or more of those workers MPyC 0.11 takes square roots by gmpy2, which is not a dependency.)

- Peers' bytes never reach pickle: arrays travel as field bytes (`mix32_64bit`), and in the place of the module
  `pickle` stands an object whose every function raises.
- The program counter is hopped by SHA-256, not by Python's `hash`, which differs between builds.
- `is_zero_public` and `np_is_zero_public` open a degree-2t product; without a sharing of zero added the opened
  polynomial factors and gives the compared number away. Here it is added always. What does the same elsewhere
  (`reciprocal`, `np_reciprocal`, `_is_zero`, `_np_is_zero`) raises. So does everything that owns connections.
- A peer that is lost, silent or wrong never sets an exception on a future inside MPyC, which would hang there:
  it resolves `failure`, and every wait of `run` watches that.

One live runtime a process. Everything here runs on the event loop of `open_runtime`, but for the computation's
own steps, which run on one thread so that heartbeats go on while a kernel computes.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol, TypeVar

from protocols.drive import Drive
from protocols.effects import Computation, Record
from protocols.errors import MalformedMessage, PeerDeviation, ProtocolError, ProtocolMisuse
from protocols.mpyc_guards import guarded_runtime

T = TypeVar("T")

PRSS_LABEL = 0x4D50794320707273  # "MPyC prs": the one message before any program counter
MAX_LOOSE_MESSAGE_BYTES = 64 << 20
MAX_LOOSE_MESSAGES = 10_000
_MODULES = ("asyncoro", "sectypes", "mpctools", "seclists", "secpols", "secgroups", "random", "statistics")

_live: MPyCRuntime | None = None


class PeerChannel(Protocol):
    """What the runtime needs of a connection to one authenticated peer."""

    def send(self, label: int, payload: bytes | memoryview) -> None: ...

    async def receive_message(
        self, admit: Callable[[int], int | None], *, step: str
    ) -> tuple[int, bytes]: ...

    def listen(
        self,
        admit: Callable[[int], int | None],
        hear: Callable[[int, tuple[memoryview, ...]], bool],
        failed: Callable[[Exception], None],
        *,
        step: str,
    ) -> None: ...

    def violation(self, step: str, expected: str, found: str) -> Exception: ...


class WaitExpired(ProtocolError):
    """The deadline passed while the messages of `peers` (party indices) were missing; others had come."""

    def __init__(self, peers: tuple[int, ...], deadline_seconds: float) -> None:
        super().__init__(f"no message of parties {peers} within {deadline_seconds:g} seconds")
        self.peers = peers
        self.deadline_seconds = deadline_seconds


class _NoPickle:
    """Stands where MPyC expects the module `pickle`."""

    @staticmethod
    def loads(_: object) -> NoReturn:
        raise PeerDeviation("a peer's message reached a place that unpickles")

    @staticmethod
    def dumps(_: object) -> NoReturn:
        raise ProtocolMisuse("an operation of MPyC that pickles was used")


def _hop(counter: list[int]) -> int:
    """The next program counter: 64 signed bits of SHA-256, equal on every build of Python."""
    return int.from_bytes(hashlib.sha256(str(counter).encode()).digest()[:8], "little", signed=True)


@dataclass(slots=True, eq=False)
class _PeerMessages:
    """What a `Party` of MPyC calls its protocol: messages labelled by program counter, over one channel.

    A label of a driver's exchange is announced with its exact length. While nothing but announced labels is
    waited for, the next message must be one of them; the secure types' own messages may come in any order.
    """

    channel: PeerChannel
    fail: Callable[[Exception], None]
    nbytes_sent: int = 0
    _announced: dict[int, int] = field(default_factory=dict)
    _waiting: dict[int, Callable[[tuple[memoryview, ...]], None]] = field(default_factory=dict)
    _early: dict[int, tuple[memoryview, ...]] = field(default_factory=dict)
    _is_listening: bool = False

    def send(self, label: int, payload: bytes | memoryview) -> None:
        self.nbytes_sent += len(payload)
        self.channel.send(label % (1 << 64), payload)

    def receive(self, label: int) -> bytes | asyncio.Future[bytes]:
        """A message of the secure types."""
        early = self._early.pop(label, None)
        if early is not None:
            return b"".join(early)
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def hear(payload: tuple[memoryview, ...]) -> None:
            if not future.done():
                future.set_result(b"".join(payload))

        self._wait(label, hear)
        return future

    def expect(self, label: int, length: int, hear: Callable[[tuple[memoryview, ...]], None]) -> None:
        """Call `hear` with the message of an exchange, which has exactly `length` bytes."""
        self._announced[label] = length
        early = self._early.pop(label, None)
        if early is not None:  # it came while the secure types took messages in any order
            self._waiting[label] = hear
            self._hear(label % (1 << 64), early)
            return
        self._wait(label, hear)

    def _wait(self, label: int, hear: Callable[[tuple[memoryview, ...]], None]) -> None:
        """Listen as long as anybody waits, no further: what is not awaited stays in the channel's queue."""
        self._waiting[label] = hear
        if not self._is_listening:
            self._is_listening = True
            self.channel.listen(self._admit, self._hear, self._failed, step="a computation")

    def _hear(self, unsigned: int, payload: tuple[memoryview, ...]) -> bool:
        label = _signed(unsigned)
        expected = self._announced.pop(label, None)
        found = sum(map(len, payload))
        if expected is not None and found != expected:
            self.fail(self.channel.violation("a computation", f"{expected} bytes", f"{found} bytes"))
            return False
        waiting = self._waiting.pop(label, None)
        if waiting is None:
            self._early[label] = payload
        else:
            waiting(payload)
        self._is_listening = bool(self._waiting)
        return self._is_listening

    def _failed(self, error: Exception) -> None:
        """Whatever ends a channel ends the runtime, typed as it is."""
        self._is_listening = False
        self.fail(error)

    def _admit(self, unsigned: int) -> int | None:
        label = _signed(unsigned)
        if label in self._waiting and label in self._announced:
            return self._announced[label]
        loose = any(waiting not in self._announced for waiting in self._waiting)
        if not loose or label in self._early or len(self._early) >= MAX_LOOSE_MESSAGES:
            return None
        return self._announced.get(label, MAX_LOOSE_MESSAGE_BYTES)


def _signed(label: int) -> int:
    return label - (1 << 64) if label >> 63 else label


class MPyCRuntime:
    """One party's MPyC runtime within a session; made by `open_runtime`.

    `mpc` is MPyC's own object, for its secure types; `failure` holds the error that ended the runtime. `rounds`
    counts exchanges.
    """

    def __init__(self, session: tuple[int, ...], me: int) -> None:
        self.session = session
        self.me = me
        self.rounds = 0
        self.mpc: Any = None
        self.failure: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
        self.messages: dict[int, _PeerMessages] = {}
        self._steps = ThreadPoolExecutor(max_workers=1, thread_name_prefix="computation")

    @property
    def bytes_sent(self) -> int:
        """Payload bytes sent through the runtime so far."""
        return sum(messages.nbytes_sent for messages in self.messages.values())

    def fail(self, error: Exception) -> None:
        """End the runtime: every wait raises `error`. Only the first counts."""
        if not self.failure.done():
            self.failure.set_result(error)

    def next_label(self) -> int:
        """The label of an exchange: MPyC's program counter, as for a coroutine of its own."""
        counter = self.mpc._program_counter
        counter[0] += 1
        return _hop(counter)

    async def run(
        self,
        computation: Computation[T],
        *,
        record: Callable[[Record], Awaitable[None]],
        deadline_seconds: float,
        on_round: Callable[[int], None] | None = None,
    ) -> T:
        """Drive a computation to its result; `record` returns once the opened values are durable.

        Raises what the computation raises; the failure of a channel as that channel types it; WaitExpired, with
        the parties that are waited for, when `deadline_seconds` have passed since the start.
        """
        drive = Drive(self, computation, record, on_round)
        self._steps.submit(drive.step)
        try:
            await asyncio.wait(
                [drive.result, self.failure], timeout=deadline_seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if drive.result.done():
                return drive.result.result()  # type: ignore[no-any-return]  # the computation's own type
            if self.failure.done():
                raise self.failure.result()
            raise WaitExpired(tuple(sorted(drive.missing)), deadline_seconds)
        finally:
            drive.stop()

    def close(self) -> None:
        """The channels stay as they are. No other runtime can be opened in this process."""
        self._steps.shutdown(wait=False)


async def open_runtime(
    channels: Mapping[int, PeerChannel], own_index: int, session: tuple[int, ...], threshold: int
) -> MPyCRuntime:
    """Build this process's MPyC runtime over authenticated channels, by party index.

    `session` are the 2t + 1 party indices, ascending; within MPyC a party is its position there. One message to
    each later peer carries MPyC's keys for pseudorandom sharing. Raises ProtocolMisuse in a process where MPyC
    was imported or set up otherwise, or that has a runtime already.
    """
    global _live  # noqa: PLW0603  # MPyC itself keeps its runtime in module globals: one a process
    if _live is not None:
        raise ProtocolMisuse("this process has an MPyC runtime already: one a process")
    if len(session) != 2 * threshold + 1 or list(session) != sorted(set(session)) or own_index not in session:
        raise ProtocolMisuse(f"a session has exactly 2t + 1 parties in order, not {session}")
    peers = [index for index in session if index != own_index]
    if set(channels) != set(peers):
        raise ProtocolMisuse(f"expected a channel to each of {peers}, found {sorted(channels)}")
    _require_clean_environment()
    opened = MPyCRuntime(session, own_index)
    opened.messages = {index: _PeerMessages(channels[index], opened.fail) for index in peers}
    opened.mpc = _build(opened, own_index, session, threshold)
    _live = opened
    await _share_prss_keys(opened, channels)
    return opened


def _require_clean_environment() -> None:
    wanted = {"READTHEDOCS": "True", "MPYC_MAXWORKERS": "0"}
    for name, value in wanted.items():
        if os.environ.get(name) != value:
            raise ProtocolMisuse(f"MPyC is run with {name}={value} in the environment of a worker only")
    if any(name.startswith("MPYC_") and name not in wanted for name in os.environ):
        raise ProtocolMisuse("MPyC is run without other settings in the environment")
    if hasattr(sys.modules.get("mpyc.runtime"), "mpc"):
        raise ProtocolMisuse("MPyC was imported and set up before: start a worker with a clean environment")


def _build(opened: MPyCRuntime, own_index: int, session: tuple[int, ...], threshold: int) -> Any:
    """Set MPyC up as its own `setup()` would, without command line, files, processes and pickle."""
    mpyc_runtime: Any = importlib.import_module("mpyc.runtime")
    asyncoro: Any = importlib.import_module("mpyc.asyncoro")
    thresha: Any = importlib.import_module("mpyc.thresha")
    options = mpyc_runtime.mpyc._get_arg_parser().parse_args([])
    options.threshold = threshold
    options.mix32_64bit = True
    options.no_log = True
    options.no_async = False
    options.no_prss = False

    def reconcile(declared: Any, task: asyncio.Task[Any]) -> None:
        runtime._pc_level -= 1
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, ProtocolError):
            opened.fail(error)
        elif error is not None:  # arithmetic on what peers sent: bytes of another form or number than agreed
            opened.fail(
                MalformedMessage(f"an operation of MPyC failed on a message ({type(error).__name__})")
            )
        elif declared is not None:
            reconcile_values(declared, task.result())

    def handle(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        opened.fail(error if isinstance(error, Exception) else ProtocolMisuse(str(context.get("message"))))

    reconcile_values = asyncoro.__dict__["__reconcile"]
    asyncoro._hop = _hop
    asyncoro._reconcile = reconcile
    mpyc_runtime.pickle = _NoPickle
    parties = [mpyc_runtime.Party(position) for position in range(len(session))]
    for party, index in zip(parties, session, strict=True):
        party.protocol = opened.messages.get(index)
    guarded = guarded_runtime(
        mpyc_runtime.Runtime,
        lambda function: asyncoro.mpc_coro(_without_hints(function)),
        thresha.np_pseudorandom_share_0,
        asyncio.Future,
    )
    runtime = guarded(session.index(own_index), parties, options)
    asyncio.get_running_loop().set_exception_handler(handle)
    for name in _MODULES:
        vars(importlib.import_module(f"mpyc.{name}"))["runtime"] = runtime
    return runtime


def _without_hints(function: Any) -> Any:
    """MPyC takes a return annotation for the declaration of what it returns: hide ours."""
    function.__annotations__ = {}
    return function


async def _share_prss_keys(opened: MPyCRuntime, channels: Mapping[int, PeerChannel]) -> None:
    """Each subset's key goes from its lowest member to the others, as MPyC's own connection set-up has it."""
    mpc, own = opened.mpc, opened.mpc.pid
    for position, index in enumerate(opened.session):
        if position > own:
            channels[index].send(PRSS_LABEL, b"".join(mpc._prss_keys_to_peer(position)))
    for position, index in enumerate(opened.session[:own]):
        length = mpc._prss_keys_from_peer(position)

        def admit(label: int, length: int = length) -> int | None:
            return length if label == PRSS_LABEL else None

        _, data = await channels[index].receive_message(admit, step="the keys of MPyC")
        if len(data) != length:
            raise channels[index].violation("the keys of MPyC", f"{length} bytes", f"{len(data)} bytes")
        mpc._prss_keys_from_peer(position, data)
    mpc.prfs.cache_clear()
