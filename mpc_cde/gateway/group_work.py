"""Work done in groups: who comes while a group is under way waits, and goes into the next one together.

One thread works at a time, so a group costs one transaction and one wait for the disk, however many are in it; a
caller that is alone waits for nobody. After a group of many the next one gathers for two milliseconds.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from anyio import to_thread

QuestionT = TypeVar("QuestionT")
AnswerT = TypeVar("AnswerT")

MAX_GROUP = 128
MANY = 4
GATHER_SECONDS = 0.002


@dataclass(slots=True, eq=False)
class _Asked(Generic[QuestionT, AnswerT]):
    question: QuestionT
    news: asyncio.Event
    """Of whoever asked: set when there may be an answer, and when it is its turn to work for all."""
    outcome: AnswerT | Exception | None = None
    is_done: bool = False


class GroupWork(Generic[QuestionT, AnswerT]):
    """`work` gets the questions of a group, in a thread, and gives an answer or an exception for each, in order."""

    def __init__(self, work: Callable[[Sequence[QuestionT]], Sequence[AnswerT | Exception]]) -> None:
        self._work = work
        self._waiting: deque[_Asked[QuestionT, AnswerT]] = deque()
        self._is_working = self._are_many = False
        self.asked = self.groups = 0
        """How many questions there were so far, and in how many groups."""

    async def ask(self, question: QuestionT) -> AnswerT:
        """The answer to this question; raises what the work gives or raises for it.

        The first that gets its turn does the work of all that wait. A caller that is cancelled may have its
        question answered all the same.
        """
        (outcome,) = await self.ask_all([question])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def ask_all(self, questions: Sequence[QuestionT]) -> list[AnswerT | Exception]:
        """As `ask` for several, whose answers and exceptions come back in order."""
        news = asyncio.Event()
        asked = [_Asked[QuestionT, AnswerT](question, news) for question in questions]
        self._waiting.extend(asked)
        self.asked += len(asked)
        try:
            while not all(each.is_done for each in asked):
                if self._is_working:
                    await news.wait()
                    news.clear()
                else:
                    await self._work_for_all()
        except BaseException:  # whoever leaves takes along what nobody has begun with
            self._waiting = deque(each for each in self._waiting if each.news is not news)
            raise
        finally:
            self._wake_next()
        return [each.outcome for each in asked]  # type: ignore[misc]  # set by `_work_on` when it is done

    def _wake_next(self) -> None:
        """Somebody works as long as anybody waits."""
        if self._waiting and not self._is_working:
            self._waiting[0].news.set()

    def _next_group(self) -> list[_Asked[QuestionT, AnswerT]]:
        return [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_GROUP))]

    async def _work_for_all(self) -> None:
        self._is_working = True
        group: list[_Asked[QuestionT, AnswerT]] = []
        try:
            # Who comes at the same moment comes along. Where many come, those that the last group has answered
            # are about to come again, and the first of them would go alone.
            await asyncio.sleep(GATHER_SECONDS if self._are_many else 0)
            group = self._next_group()
            self._are_many = len(group) >= MANY
            self.groups += 1
            outcomes = await to_thread.run_sync(self._work, [asked.question for asked in group])
        except Exception as error:  # noqa: BLE001  # told to each of the group, who raise it
            outcomes = [error] * len(group)
        except BaseException:  # whoever does the work is cancelled: the others of its group do it again
            self._waiting.extendleft(reversed(group))
            raise
        finally:
            self._is_working = False
        for asked, outcome in zip(group, outcomes, strict=True):
            asked.outcome, asked.is_done = outcome, True
            asked.news.set()
