"""The node's side of the process that verifies signatures and opens envelopes beside it.

It is started when a long page comes, and serves the pages after that one: nobody waits for it to import. It is ended
when the feed is quiet, so a small community never has it. Whatever is wrong with it, the page is taken without: what
it says is only what the node would find out itself, and a node whose opener failed does without for a while.
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from mpc_cde.sealing import SealingPrivateKey
from parties.envelope_opener import (
    ANSWERS,
    KEY,
    MAX_MESSAGE_BYTES,
    PREFIX,
    READY,
    TASKS,
    Answer,
    Task,
    framed,
    pack_key,
    pack_tasks,
    unpack_answers,
)
from parties.errors import DeadlinePassed, WorkerDied, WorkerMisbehaved
from parties.time_limits import DEFAULT_LIMITS, TimeLimits
from parties.worker_process import worker_environment

WORTH_STARTING = 64
"""So many items in one page, and more will come."""
WORTH_ASKING = 8
PAUSE_SECONDS = 60.0
"""After a failure."""
_READ_BYTES = 1 << 18


class OpenerProcess:
    """One opener, started when it is wanted. For one thread at a time."""

    def __init__(
        self,
        *,
        limits: TimeLimits = DEFAULT_LIMITS,
        worth_starting: int = WORTH_STARTING,
        cores: int | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`cores` is how many processors this process may use, by default what the system says."""
        self._limits = limits
        self._worth_starting = worth_starting
        self._cores = len(os.sched_getaffinity(0)) if cores is None else cores
        self._monotonic = monotonic
        self._not_before = monotonic()
        self._running: _Running | None = None

    @property
    def pid(self) -> int | None:
        """Of the process, if there is one."""
        return None if self._running is None else self._running.pid

    def is_ready_for(self, items: int) -> bool:
        """Whether it can be asked about a page of so many items. Starts it if there are enough. Raises PartyError."""
        if self._running is None:
            if items >= self._worth_starting and self._cores > 1 and self._monotonic() >= self._not_before:
                self._running = _Running(self._limits)
            return False
        if self._running.is_behind:  # a page was not taken to its end
            self.stop()
            return False
        return items >= WORTH_ASKING and self._running.is_ready()

    def ask(self, tasks: Sequence[Task], sealing_key_of: Callable[[bytes], SealingPrivateKey]) -> None:
        """Hand it a round of tasks and wait for nothing. Raises PartyError."""
        self._alive().ask(tasks, sealing_key_of)

    def answers(self) -> list[tuple[Task, Answer]]:
        """The answers to the oldest round that was not answered yet. Raises PartyError."""
        return self._alive().answers()

    def go_on(self) -> None:
        """Hand it what it has room for, and wait for nothing. Raises PartyError."""
        self._alive().go_on()

    def _alive(self) -> _Running:
        if self._running is None:
            raise WorkerMisbehaved("it is not there")
        return self._running

    def give_up(self) -> None:
        """End it after a failure, and do without for a while."""
        self._not_before = self._monotonic() + PAUSE_SECONDS
        self.stop()

    def stop(self) -> None:
        """End it, if it is there."""
        running, self._running = self._running, None
        if running is not None:
            running.end()


class _Running:
    """A process that was started, and its pipe."""

    def __init__(self, limits: TimeLimits) -> None:
        self._limits = limits
        self._pipe, other_end = socket.socketpair()
        self._pipe.setblocking(False)
        self._outgoing: deque[memoryview] = deque()
        self._incoming = bytearray()
        self._asked: deque[Sequence[Task]] = deque()
        self._told: set[bytes] = set()
        self._is_ready = False
        self._begun = time.monotonic()
        try:
            self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
                [sys.executable, "-P", "-m", "parties.envelope_opener", "--pipe", str(other_end.fileno())],
                env=worker_environment(None),
                pass_fds=(other_end.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=None,  # the node's: what cannot even start says why there
                start_new_session=True,
            )
        except OSError as error:
            self._pipe.close()
            raise WorkerMisbehaved(f"the opener cannot be started: {error.strerror}") from error
        finally:
            other_end.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_behind(self) -> bool:
        """Whether it was asked what nobody has heard the answer of."""
        return bool(self._asked)

    def is_ready(self) -> bool:
        if not self._is_ready:
            self.exchange(0.0)
            for kind, _ in self._messages():
                if kind != READY:
                    raise WorkerMisbehaved("the opener speaks before it is asked")
                self._is_ready = True
            limit = self._limits.worker_start_seconds
            if not self._is_ready and time.monotonic() - self._begun > limit:
                raise DeadlinePassed("starting the opener", limit)
        return self._is_ready

    def ask(self, tasks: Sequence[Task], sealing_key_of: Callable[[bytes], SealingPrivateKey]) -> None:
        studies = {task.part.where.study_terms for task in tasks if task.part is not None}
        for study in studies - self._told:
            self._outgoing.append(memoryview(framed(KEY, pack_key(study, sealing_key_of(study)))))
            self._told.add(study)
        self._outgoing.append(memoryview(framed(TASKS, pack_tasks(tasks))))
        self._asked.append(tasks)
        self.exchange(0.0)

    def answers(self) -> list[tuple[Task, Answer]]:
        limit = self._limits.opener_seconds
        deadline = time.monotonic() + limit
        while True:
            for kind, body in self._messages():
                return self._paired(kind, body)
            left = deadline - time.monotonic()
            if left <= 0:
                raise DeadlinePassed("opening envelopes", limit)
            self.exchange(left)

    def _paired(self, kind: bytes, body: bytes) -> list[tuple[Task, Answer]]:
        tasks = self._asked.popleft()
        try:
            pairs = list(zip(tasks, unpack_answers(body), strict=True))
        except ValueError:
            pairs = []
        if kind != ANSWERS or not pairs or any(len(a.holds) != len(t.claims) for t, a in pairs):
            raise WorkerMisbehaved("the opener answers something else than it was asked")
        return pairs

    def _messages(self) -> Iterator[tuple[bytes, bytes]]:
        """What has come whole, taken off the pipe one by one."""
        while len(self._incoming) >= PREFIX.size:
            size, kind = PREFIX.unpack_from(self._incoming)
            if size > MAX_MESSAGE_BYTES:
                raise WorkerMisbehaved(f"a message of {size} bytes from the opener")
            end = PREFIX.size + size
            if len(self._incoming) < end:
                return
            body = bytes(self._incoming[PREFIX.size : end])
            del self._incoming[:end]
            yield kind, body

    def go_on(self) -> None:
        if self._outgoing:
            self.exchange(0.0)

    def exchange(self, seconds: float) -> None:
        """Write and read what goes at once; if nothing does, wait so long for something to read or to be written."""
        poll = select.poll()
        poll.register(self._pipe, select.POLLIN | (select.POLLOUT if self._outgoing else 0))
        if not poll.poll(seconds * 1000):
            return
        try:
            while self._outgoing:
                sent = self._pipe.send(self._outgoing[0])
                rest = self._outgoing.popleft()[sent:]
                if rest:
                    self._outgoing.appendleft(rest)
        except BlockingIOError:
            pass
        except ConnectionError:
            raise WorkerDied(self._process.poll()) from None
        try:
            while received := self._pipe.recv(_READ_BYTES):
                self._incoming += received
        except BlockingIOError:
            return
        except ConnectionError:
            pass
        raise WorkerDied(self._process.poll())

    def end(self) -> None:
        self._pipe.close()
        self._process.kill()
        self._process.wait()
