"""A computation between its thread and the event loop: what waits for what, and how it ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from protocols.drive import Drive
from protocols.effects import Record, exchange, record
from protocols.errors import ProtocolMisuse


class Peer:
    """Answers each message with itself."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, bytes]] = []
        self.answers = True

    def send(self, label: int, payload: bytes | memoryview) -> None:
        self.sent.append((label, bytes(payload)))

    def expect(self, label: int, length: int, hear: Callable[[tuple[memoryview, ...]], None]) -> None:
        if self.answers:
            hear((memoryview(self.sent[-1][1]),))


class Runtime:
    def __init__(self) -> None:
        self.rounds = 0
        self.messages = {1: Peer()}

    def next_label(self) -> int:
        return self.rounds


async def driven(computation: Any, *, runtime: Runtime, keep: Any = None) -> Any:
    async def nothing(_: Record) -> None: ...

    drive = Drive(runtime, computation, keep or nothing, None)
    thread = threading.Thread(target=drive.step)
    thread.start()
    try:
        return await asyncio.wait_for(asyncio.shield(drive.result), 5)
    finally:
        drive.stop()
        await asyncio.to_thread(thread.join, 5)
        assert not thread.is_alive()


async def echo(payload: bytes) -> bytes:
    replies = await exchange({1: payload}, {1: len(payload)})
    return b"".join(replies[1])  # type: ignore[arg-type]  # pieces, as a channel has them


async def test_rounds_follow_each_other_under_labels_of_their_own() -> None:
    async def computation() -> list[bytes]:
        return [await echo(bytes([k])) for k in range(3)]

    runtime = Runtime()
    assert await driven(computation(), runtime=runtime) == [b"\0", b"\1", b"\2"]
    assert [label for label, _ in runtime.messages[1].sent] == [1, 2, 3]


async def test_nothing_is_sent_or_returned_before_what_was_opened_is_durable() -> None:
    """A party that sends and then forgets what it had opened could be asked for it again, and again."""
    runtime, seen = Runtime(), []
    release = asyncio.Event()

    async def keep(what: Record) -> None:
        seen.append((what.label, len(runtime.messages[1].sent)))
        await release.wait()
        seen.append((what.label + " kept", len(runtime.messages[1].sent)))

    async def computation() -> str:
        await record("first", (1,))
        await record("second", (2,))
        await echo(b"x")
        await record("third", (3,))
        return "done"

    async def later() -> None:
        await asyncio.sleep(0.05)
        release.set()

    found, _ = await asyncio.gather(driven(computation(), runtime=runtime, keep=keep), later())
    assert found == "done"
    assert seen == [
        ("first", 0),
        ("second", 0),
        ("first kept", 0),
        ("second kept", 0),
        ("third", 1),
        ("third kept", 1),
    ]


async def test_a_record_that_fails_ends_the_computation_before_it_sends() -> None:
    async def keep(_: Record) -> None:
        raise OSError("the disk is full")

    async def computation() -> None:
        await record("opened", (1,))
        await echo(b"x")

    runtime = Runtime()
    with pytest.raises(OSError, match="full"):
        await driven(computation(), runtime=runtime, keep=keep)
    assert runtime.messages[1].sent == []


async def test_a_computation_that_is_stopped_while_it_waits_lets_its_thread_go() -> None:
    runtime = Runtime()
    runtime.messages[1].answers = False
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(driven(echo(b"x"), runtime=runtime), 0.1)


async def test_an_exchange_with_nobody_of_the_session_is_refused() -> None:
    async def sending() -> None:
        await exchange({9: b"x"}, {})

    async def waiting() -> None:
        await exchange({}, {9: 1})

    for computation in (sending(), waiting()):
        with pytest.raises(ProtocolMisuse, match=r"parties \[9\], who are no peers"):
            await driven(computation, runtime=Runtime())
