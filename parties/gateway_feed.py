"""Follows this party's feed: one long poll after another, each batch handed to intake and then forgotten.

The number to go on from stands in the store, written with what the batch caused; so after a crash, a lost
answer or a gateway that repeats itself nothing is missed and nothing counts twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import anyio
from anyio import to_thread

from mpc_cde.documents.membership import Membership
from mpc_cde.documents.receipt import Receipt, WithdrawalReceipt
from mpc_cde.documents.submission import Submission
from mpc_cde.errors import MpcCdeError, OwnError
from parties.gateway_client import FeedEndsBefore, FeedPage
from parties.intake import Intake, PlaceChanged
from parties.node_health import NodeHealth
from parties.share_store import ShareStore

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
SOON_SECONDS = 1.0
"""An answer of nothing that comes sooner is none that waited for something."""
ANSWER_GRACE_SECONDS = 60.0
"""How long an answer may take beyond the time that the gateway was asked to wait."""


GATHER_SECONDS = 0.25
LONGEST_GATHER_SECONDS = 1.0
BUSY_SHARE = 0.5
MANY = 32
WORTH_TAKING = 500
"""A page of nothing but what comes once for each member costs hardly more if it holds many than if it holds one. So
the next is taken a quarter of a second later at the soonest; while many come, or the machine is so busy that pages
take half of the time, up to a second later; and at once if this one held so many that there will be more."""
IN_BULK = frozenset(kind.payload_type() for kind in (Membership, Submission, Receipt, WithdrawalReceipt))


def gather_seconds(taken: float, items: int) -> float:
    """How long to let members' documents gather after a page of so many that took `taken` seconds."""
    if items >= WORTH_TAKING:
        return 0.0
    wanted = LONGEST_GATHER_SECONDS if items >= MANY else max(GATHER_SECONDS, taken / BUSY_SHARE)
    return max(0.0, min(wanted, LONGEST_GATHER_SECONDS) - taken)


class FeedSource(Protocol):
    """One long poll; raises as mpc_cde.client.http does."""

    async def __call__(self, *, after: int, wait_seconds: float) -> FeedPage: ...


class GatewayFeed:
    """The task that reads the feed."""

    def __init__(
        self,
        *,
        source: FeedSource,
        intake: Intake,
        store: ShareStore,
        health: NodeHealth,
        long_poll_seconds: float,
        on_batch: Callable[[], None],
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """Both are called on the event loop after a batch is durable; `on_change` unless it held nothing but what
        comes once for each member, which moves no study on."""
        self._source = source
        self._intake = intake
        self._store = store
        self._health = health
        self._long_poll_seconds = long_poll_seconds
        self._on_batch = on_batch
        self._on_change = on_change
        self._read_to_its_end = anyio.Event()

    async def await_end(self, *, within_seconds: float) -> bool:
        """Whether the feed was read to where it ended when `run` began, before so many seconds were over.

        A party that agrees on a roster or decides before that does so without what it has not read. Only the gateway
        knows where the end is: one that brings something new for ever is waited for no longer than this.
        """
        with anyio.move_on_after(within_seconds):
            await self._read_to_its_end.wait()
        return self._read_to_its_end.is_set()

    async def run(self) -> None:
        """For ever; only a fault of our own disk or place ends it."""
        after = await to_thread.run_sync(self._feed_number)
        pause = FIRST_PAUSE_SECONDS
        wait_seconds = 0.0  # the first answer tells at once how far behind we are
        end: int | None = None
        while True:
            asked = anyio.current_time()
            try:
                with anyio.fail_after(wait_seconds + ANSWER_GRACE_SECONDS):
                    page = await self._source(after=after, wait_seconds=wait_seconds)
            except (OwnError, PlaceChanged):
                raise
            except FeedEndsBefore as error:
                # Whoever served a number out of the air would else have this party pass over all that follows.
                self._health.feed_failed(str(error))
                if after:
                    after = await to_thread.run_sync(self._intake.read_again)
                await anyio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
                continue
            except (MpcCdeError, TimeoutError) as error:
                self._health.feed_failed(str(error) or "no answer in time")
                await to_thread.run_sync(self._intake.rest)
                await anyio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
                continue
            frames = page.frames
            if end is None:
                end = page.newest
            if frames:
                began = anyio.current_time()
                taken = await to_thread.run_sync(self._intake.take, frames)
                after = taken.feed_number
                self._on_batch()
                if end is not None and after >= end:
                    self._read_to_its_end.set()
                is_bulk = all(frame.envelope.payload_type in IN_BULK for frame in frames)
                if not is_bulk:
                    self._on_change()
                if taken.is_in_vain:
                    self._health.feed_failed(f"nothing is accepted of what the gateway serves up to {after}")
                    await anyio.sleep(pause)
                    pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
                    continue
                if is_bulk:
                    await anyio.sleep(gather_seconds(anyio.current_time() - began, len(frames)))
                pause = FIRST_PAUSE_SECONDS
                self._health.feed_answered(after)
                continue
            self._read_to_its_end.set()
            await to_thread.run_sync(self._intake.rest)
            if anyio.current_time() - asked < min(int(wait_seconds), SOON_SECONDS):
                # Whoever answers "nothing" at once would have this party ask as fast as it can.
                await anyio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
                self._health.feed_answered(after)
                continue
            wait_seconds = self._long_poll_seconds
            pause = FIRST_PAUSE_SECONDS
            self._health.feed_answered(after)

    def _feed_number(self) -> int:
        with self._store.reading() as view:
            return view.feed_number
