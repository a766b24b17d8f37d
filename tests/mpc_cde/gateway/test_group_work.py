"""Work in groups: nobody waits alone for what could be done together."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import anyio
import pytest

from mpc_cde.gateway import group_work
from mpc_cde.gateway.group_work import MANY, MAX_GROUP, GroupWork


class Doubling:
    """Doubles numbers; the first group waits until the gate opens; odd numbers are refused."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.groups: list[list[int]] = []

    def work(self, numbers: Sequence[int]) -> list[int | Exception]:
        self.groups.append(list(numbers))
        assert self.gate.wait(10)
        return [ValueError(str(number)) if number % 2 else 2 * number for number in numbers]


async def test_who_comes_meanwhile_goes_into_the_next_group_together() -> None:
    doubling, answers = Doubling(), dict[int, int]()
    group: GroupWork[int, int] = GroupWork(doubling.work)

    async def ask(number: int) -> None:
        answers[number] = await group.ask(number)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, 0)
        await anyio.wait_all_tasks_blocked()
        for number in range(2, 2 * MAX_GROUP + 4, 2):
            tasks.start_soon(ask, number)
        await anyio.wait_all_tasks_blocked()
        doubling.gate.set()
    assert answers == {number: 2 * number for number in range(0, 2 * MAX_GROUP + 4, 2)}
    assert [len(numbers) for numbers in doubling.groups] == [1, MAX_GROUP, 1]


async def test_what_is_refused_is_refused_alone() -> None:
    doubling = Doubling()
    doubling.gate.set()
    group: GroupWork[int, int] = GroupWork(doubling.work)
    first, second, third = await group.ask_all([2, 3, 4])
    assert (first, third) == (4, 8)
    assert isinstance(second, ValueError)
    with pytest.raises(ValueError, match="5"):
        await group.ask(5)


async def test_a_caller_that_leaves_does_not_leave_the_others_waiting() -> None:
    doubling, answers = Doubling(), list[int]()
    group: GroupWork[int, int] = GroupWork(doubling.work)

    async def ask(number: int) -> None:
        answers.append(await group.ask(number))

    async with anyio.create_task_group() as tasks, anyio.create_task_group() as leaving:
        leaving.start_soon(ask, 2)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(ask, 4)
        await anyio.wait_all_tasks_blocked()
        leaving.cancel_scope.cancel()
        doubling.gate.set()
    assert 8 in answers


async def test_who_is_in_the_group_of_a_caller_that_is_cancelled_is_answered() -> None:
    """The task itself is cancelled, as a server does that ends, while its thread works for the others too."""
    groups: list[list[int]] = []
    begun, permits = threading.Event(), threading.Semaphore(0)

    def work(numbers: Sequence[int]) -> list[int | Exception]:
        groups.append(list(numbers))
        begun.set()
        assert permits.acquire(timeout=10)
        return [2 * number for number in numbers]

    group: GroupWork[int, int] = GroupWork(work)
    leading, following = (asyncio.create_task(group.ask(number)) for number in (2, 4))
    assert await asyncio.to_thread(begun.wait, 10)
    assert groups == [[2, 4]]
    leading.cancel()
    permits.release(10)
    async with asyncio.timeout(10):
        assert await following == 8
        with pytest.raises(asyncio.CancelledError):
            await leading


async def test_who_is_cancelled_when_its_turn_comes_leaves_it_to_the_next() -> None:
    """It was told to work for all that wait, and is gone before it begins."""
    doubling = Doubling()
    group: GroupWork[int, int] = GroupWork(doubling.work)
    tasks = [asyncio.create_task(group.ask(2))]
    await anyio.wait_all_tasks_blocked()
    tasks += [asyncio.create_task(group.ask(number)) for number in (4, 6)]
    await anyio.wait_all_tasks_blocked()
    tasks[0].add_done_callback(lambda _: tasks[1].cancel())  # in the turn in which the second is told
    doubling.gate.set()
    async with asyncio.timeout(10):
        assert await tasks[2] == 12
        assert await tasks[0] == 4
    assert tasks[1].cancelled()


async def test_who_comes_again_after_a_group_of_many_does_not_go_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They come a turn of the loop apart, as answers reach those who asked."""
    monkeypatch.setattr(group_work, "GATHER_SECONDS", 0.2)
    doubling = Doubling()
    doubling.gate.set()
    group: GroupWork[int, int] = GroupWork(doubling.work)

    async def ask_twice(number: int) -> None:
        await group.ask(number)
        for _ in range(number):
            await asyncio.sleep(0)
        await group.ask(number)

    async with asyncio.TaskGroup() as tasks:
        for number in range(0, 2 * MANY, 2):
            tasks.create_task(ask_twice(number))
    assert [len(numbers) for numbers in doubling.groups] == [MANY, MANY]
