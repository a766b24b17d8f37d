"""A disk without space: nothing half-written counts, nothing unkept is acknowledged, and with space it goes on."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest
from sqlalchemy import Connection, event

from mpc_cde.documents.roster_rows import RosterRows
from mpc_cde.errors import StoreUnavailable
from mpc_cde.gateway.store import Store
from mpc_cde.node_log import verify_log
from parties.column_builder import build_columns
from parties.columns import SHARES
from parties.seed_vault import SeedVault
from parties.share_store import ShareStore
from tests.checks.attack_tables import attack_of
from tests.faults.crash_points import Fault, Moment, WritePoint
from tests.faults.memory_town import GATEWAY
from tests.faults.shop_story import MEMBERS, ShopStory
from tests.faults.test_crash_points import at_the_first_of_each_kind, machine_of
from tests.mpc_cde.client.paper import PaperCommunity
from tests.mpc_cde.gateway.paper_gateway import PaperGateway, problem
from tests.parties.paper_node import PaperNode, make_submission

pytestmark = pytest.mark.timeout(400)


async def test_every_kind_of_write_fails_once_for_want_of_space(story: ShopStory) -> None:
    """At a party and at the gateway."""
    failed: dict[str, set[str]] = {"party 1": set(), GATEWAY: set()}

    def noting(victim: str) -> Fault:
        once = at_the_first_of_each_kind("full")

        def fault(point: WritePoint) -> Moment | None:
            moment = once(point)
            if moment is not None:
                failed[victim].add(point.site)
            return moment

        return fault

    for victim in failed:
        machine_of(story.town, victim).fault = noting(victim)
    async with story.town.running():
        await story.tell()
        story.verify()
    assert len(failed["party 1"]) >= 20
    assert len(failed[GATEWAY]) >= 8


@pytest.mark.long
@pytest.mark.parametrize("victim", ["party 0", GATEWAY])
async def test_a_disk_that_stays_full_for_a_while(story: ShopStory, victim: str) -> None:
    """While members submit and while the parties compute; nobody does anything but make room."""
    machine = machine_of(story.town, victim)
    async with story.town.running():
        await story.found()
        await _full_for_a_while(story, machine_name=victim, meanwhile=story.collect())
        await _full_for_a_while(story, machine_name=victim, meanwhile=story.close())
        await story.ask()
        await _full_for_a_while(story, machine_name=victim, meanwhile=story.answered())
        story.verify()
    assert machine.trace


async def _full_for_a_while(story: ShopStory, *, machine_name: str, meanwhile: object) -> None:
    machine = machine_of(story.town, machine_name)
    refused = 0

    def full(_: WritePoint) -> Moment | None:
        nonlocal refused
        refused += 1
        return "full"

    machine.fault = full
    going_on = asyncio.ensure_future(meanwhile)  # type: ignore[call-overload]  # a coroutine of the story
    await story.town.until(lambda: refused >= 5 or going_on.done(), "a disk that is full")
    machine.fault = lambda _: None
    await going_on


class Room:
    """SQLite's own "database or disk is full": no page more than now, until there is room again."""

    def __init__(self, store: ShareStore | Store) -> None:
        self._pages: int | None = None
        event.listen(store._engine, "begin", self._limit)

    def is_gone(self) -> None:
        self._pages = 0

    def is_back(self) -> None:
        self._pages = 1 << 30

    def _limit(self, connection: Connection) -> None:
        if self._pages is not None:
            now = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count={self._pages or now}")


def test_a_batch_that_finds_no_space_is_taken_whole_the_next_time(tmp_path: Path) -> None:
    """With SQLite's own error: no receipt, no feed number and no seed without the rest; the log says no more."""
    paper = PaperCommunity()
    node = PaperNode(paper, tmp_path)
    node.open_study(MEMBERS)
    batch = [make_submission(paper, number) for number in range(MEMBERS)]
    number = node.number
    room = Room(node.store)
    room.is_gone()
    with pytest.raises(StoreUnavailable, match="database or disk is full"):
        node.take(*batch)
    with node.store.reading() as view:
        assert view.feed_number == number
        assert not view.submissions(paper.study.terms_digest())
        assert not view.outbox()
    room.is_back()
    node.number = number  # the feed is asked again from where the store stands
    node.take(*batch)
    given = [receipt.submission for receipt in node.receipts() if receipt.accepted]
    assert sorted(given) == sorted(submission.digest for submission in batch)
    node.store.verify()
    with node.store.reading() as view:
        head = view.log_head
    assert verify_log(node.home.log_path, paper.party_keys[0].public_bytes, at_least=head) == head


async def test_a_gateway_without_space_acknowledges_nothing(tmp_path: Path) -> None:
    gateway = PaperGateway(tmp_path)
    await gateway.open_study()
    for number in range(MEMBERS):
        await gateway.enrol(number)
    room = Room(gateway.store)
    room.is_gone()
    answers = [await gateway.submit(gateway.paper.parts(number)) for number in range(MEMBERS)]
    refused = [number for number, answer in enumerate(answers) if answer.status_code != 201]
    assert refused
    for number in refused:
        problem(answers[number], 503, "store-unavailable")
    room.is_back()
    kept = {frame.envelope.digest() for frame in await gateway.feed(0)}
    for number in range(MEMBERS):
        assert (gateway.paper.submission(number).digest() in kept) == (number not in refused)
    for number in refused:
        assert (await gateway.submit(gateway.paper.parts(number))).status_code == 201
        assert (await gateway.submit(gateway.paper.parts(number))).status_code == 200
    await gateway.close()


def test_columns_take_all_their_room_before_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who writes to a mapping when the disk is full is killed without a word."""

    def no_room(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    paper = PaperCommunity()
    node = PaperNode(paper, tmp_path)
    node.open_study()
    made = make_submission(paper, 0)
    node.take(made)
    directory = node.home.columns_path / "columns"
    entries = RosterRows.pack([paper.entries()[0].model_copy(update={"submission": made.digest})])

    def build() -> None:
        with node.store.reading() as view:
            build_columns(
                view,
                SeedVault(paper.sealing_keys[0], paper.study.terms_digest()),
                community=paper.community,
                terms=paper.study.terms,
                party=0,
                roster=paper.roster(),
                entries=entries,
                directory=directory,
            )

    with monkeypatch.context() as full:
        full.setattr(os, "posix_fallocate", no_room)
        with pytest.raises(OSError, match="No space left"):
            build()
    assert not directory.exists()
    build()
    assert (directory / SHARES).exists()


ATTACKS = (
    attack_of(
        "a full disk at any kind of write, of a party or of the gateway, once or for a while",
        "nothing half-written counts, nothing unkept is acknowledged; with room again the study completes",
        test_every_kind_of_write_fails_once_for_want_of_space,
        test_a_disk_that_stays_full_for_a_while,
        test_a_batch_that_finds_no_space_is_taken_whole_the_next_time,
        test_columns_take_all_their_room_before_they_are_written,
    ),
    attack_of(
        "a full disk of a process",
        "the gateway answers 503 and logs the database's code; a node names the file and ends, until there is room",
        test_a_gateway_without_space_acknowledges_nothing,
    ),
)
