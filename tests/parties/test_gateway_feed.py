"""The feed: followed through faults, resumed where the store stands, read by nobody else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.lowlevel
import httpx
import pytest

from mpc_cde.errors import BadDocument
from mpc_cde.feed_format import NEWEST_HEADER, write_frames
from mpc_cde.reader_signatures import SignedReader
from parties import gateway_feed
from parties.clock import system_clock
from parties.gateway_client import FeedPage, PartyGateway
from parties.gateway_feed import GatewayFeed, gather_seconds
from parties.node import compute_after_reading
from parties.node_health import NodeHealth
from protocols.randomness import SystemRandomness
from tests.mpc_cde.client.paper import PaperCommunity
from tests.parties.paper_node import PaperNode, frame, make_submission
from tests.parties.scripted_gateway import ScriptedGateway


@pytest.fixture
def node(tmp_path: Path) -> PaperNode:
    return PaperNode(PaperCommunity(), tmp_path)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_feed, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(gateway_feed, "LONGEST_PAUSE_SECONDS", 0.02)


def connect(gateway: ScriptedGateway) -> PartyGateway:
    return PartyGateway("http://127.0.0.1:9", transport=httpx.ASGITransport(gateway.app()), attempts=1)


async def follow(
    node: PaperNode,
    gateway: ScriptedGateway,
    until: Callable[[], bool],
    *,
    on_batch: Callable[[], None] = lambda: None,
    on_change: Callable[[], None] = lambda: None,
) -> NodeHealth:
    """Run the feed task until the store shows what is waited for."""
    health = NodeHealth(system_clock)
    client = connect(gateway)
    reader = SignedReader(node.paper.party_keys[node.index], randomness=SystemRandomness())

    async def poll(*, after: int, wait_seconds: float) -> FeedPage:
        return await client.feed(node.index, after=after, wait_seconds=wait_seconds, reader=reader)

    feed = GatewayFeed(
        source=poll,
        intake=node.intake,
        store=node.store,
        health=health,
        long_poll_seconds=1,
        on_batch=on_batch,
        on_change=on_change,
    )
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(feed.run)
            while not until():  # noqa: ASYNC110 - what is waited for happens in a store, which has no events
                await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()
    return health


def open_study(gateway: ScriptedGateway, paper: PaperCommunity) -> None:
    for envelope in (paper.study_envelope, *paper.approvals, paper.membership_envelope(0)):
        gateway.put(envelope)


def put_submission(gateway: ScriptedGateway, node: PaperNode, *, sequence: int = 1) -> None:
    submission = make_submission(node.paper, 0, sequence=sequence)
    gateway.put(submission.envelope, submission.parts_for(node.index))


async def test_submissions_come_through_the_feed(node: PaperNode) -> None:
    gateway = ScriptedGateway()
    open_study(gateway, node.paper)
    put_submission(gateway, node)
    await follow(node, gateway, lambda: len(node.receipts()) == 1)
    assert node.receipts()[0].accepted
    assert set(gateway.readers) == {node.paper.party_keys[0].public_bytes}


async def test_new_items_end_the_long_poll(node: PaperNode) -> None:
    gateway = ScriptedGateway()
    open_study(gateway, node.paper)

    def later() -> bool:
        if gateway.polls >= 3 and len(gateway.frames) == 5:
            put_submission(gateway, node)
        return len(node.receipts()) == 1

    await follow(node, gateway, later)


@pytest.mark.parametrize("fault", [500, 503, 429, 404, 401, "garbage"])
async def test_a_failing_gateway_is_asked_again(node: PaperNode, fault: int | str) -> None:
    gateway = ScriptedGateway(faults=[fault, fault])
    open_study(gateway, node.paper)
    put_submission(gateway, node)
    health = await follow(node, gateway, lambda: len(node.receipts()) == 1)
    assert health.registry.get_sample_value("mpc_party_feed_failures_total") == 2


async def test_a_restart_reads_on_from_the_stored_number(node: PaperNode) -> None:
    gateway = ScriptedGateway()
    open_study(gateway, node.paper)
    put_submission(gateway, node)
    await follow(node, gateway, lambda: len(node.receipts()) == 1)
    node.start()
    put_submission(gateway, node, sequence=2)
    await follow(node, gateway, lambda: len(node.receipts()) == 2)
    assert node.events().count("document.kept") == 5
    assert [receipt.verdict for receipt in node.receipts()] == ["accepted", "accepted"]


async def test_a_feed_that_does_not_go_so_far_is_read_again_from_its_beginning(node: PaperNode) -> None:
    gateway = ScriptedGateway()
    open_study(gateway, node.paper)
    await follow(node, gateway, lambda: node.events().count("document.kept") == 5)
    restored = ScriptedGateway(faults=[416])
    put_submission(restored, node)
    await follow(node, restored, lambda: len(node.receipts()) == 1)
    assert node.receipts()[0].accepted


async def test_a_gateway_that_repeats_itself_is_not_believed(node: PaperNode) -> None:
    gateway = ScriptedGateway()
    open_study(gateway, node.paper)
    client = connect(gateway)
    reader = SignedReader(node.paper.party_keys[0], randomness=SystemRandomness())
    gateway.frames = [frame(item.number + 10, item.envelope) for item in gateway.frames]
    assert len((await client.feed(0, after=0, wait_seconds=0, reader=reader)).frames) == 5

    async def repeats(*_: object, **__: object) -> httpx.Response:
        return httpx.Response(200, content=write_frames(gateway.frames))

    client._request = repeats  # type: ignore[method-assign]  # the gateway's answer itself is what is wrong
    for after in (11, 12):
        with pytest.raises(BadDocument, match="repeats"):
            await client.feed(0, after=after, wait_seconds=0, reader=reader)


async def test_what_came_before_a_broken_frame_stands(node: PaperNode) -> None:
    gateway = ScriptedGateway()
    open_study(gateway, node.paper)
    client = connect(gateway)
    reader = SignedReader(node.paper.party_keys[0], randomness=SystemRandomness())
    whole = await client._request(
        "GET", "/v1/parties/0/feed", reader=reader, parameters={"after": "0", "wait": "0"}
    )

    async def cut(*_: object, **__: object) -> httpx.Response:
        return httpx.Response(200, content=whole.content[:-5])

    client._request = cut  # type: ignore[method-assign]  # the gateway's answer itself is what is wrong
    frames = (await client.feed(0, after=0, wait_seconds=0, reader=reader)).frames
    assert [item.number for item in frames] == [1, 2, 3, 4]


async def test_what_comes_once_a_member_does_not_have_every_study_looked_at(node: PaperNode) -> None:
    gateway, told = ScriptedGateway(), list[str]()

    async def follow_to(number: int) -> None:
        def is_there() -> bool:
            with node.store.reading() as view:
                return view.feed_number == number

        await follow(
            node,
            gateway,
            is_there,
            on_batch=lambda: told.append("batch"),
            on_change=lambda: told.append("change"),
        )

    open_study(gateway, node.paper)
    await follow_to(5)
    assert told == ["batch", "change"]
    put_submission(gateway, node)
    await follow_to(6)
    assert told == ["batch", "change", "batch"]


@pytest.mark.parametrize(
    ("taken", "items", "pause"),
    [
        (0.05, 4, 0.2),
        (0.2, 9, 0.2),
        (0.4, 9, 0.4),
        (0.2, 90, 0.8),
        (0.9, 90, 0.1),
        (3.0, 90, 0.0),
        (0.2, 500, 0.0),
    ],
)
def test_members_documents_gather_longer_the_longer_a_page_takes(
    taken: float, items: int, pause: float
) -> None:
    assert gather_seconds(taken, items) == pytest.approx(pause)


class Scripted:
    """A source of these pages, one a poll, and then of something new at every poll, or of nothing.

    `newest` is what the first answer says of the feed's end.
    """

    def __init__(self, node: PaperNode, pages: int, *, has_end: bool, newest: int | None = None) -> None:
        self.node, self.pages, self.has_end, self.newest = node, pages, has_end, newest
        self.polls = 0

    async def __call__(self, *, after: int, wait_seconds: float) -> FeedPage:
        await anyio.lowlevel.checkpoint()
        self.polls += 1
        if self.polls > self.pages and self.has_end:
            await anyio.sleep(wait_seconds)
            return FeedPage((), self.polls - 1)
        item = frame(self.polls, self.node.paper.membership_envelope(self.polls % 20))
        return FeedPage((item,), self.newest)


class Watching:
    """A conductor that notes how far the feed was read when it began."""

    def __init__(self, node: PaperNode) -> None:
        self.node = node
        self.began_at: int | None = None
        self.began = anyio.Event()

    async def run(self) -> None:
        with self.node.store.reading() as view:
            self.began_at = view.feed_number
        self.began.set()


async def computing_begins(
    node: PaperNode, source: Scripted, *, within_seconds: float, then_read_to: int = 0
) -> tuple[Watching, NodeHealth]:
    health, conductor = NodeHealth(node.clock, community_stands=True), Watching(node)
    feed = GatewayFeed(
        source=source,
        intake=node.intake,
        store=node.store,
        health=health,
        long_poll_seconds=1,
        on_batch=lambda: None,
    )
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(feed.run)
            await compute_after_reading(
                feed,
                conductor,  # type: ignore[arg-type]  # stands in for one
                health=health,
                log=node.log,
                within_seconds=within_seconds,
            )
            while health.feed_number < then_read_to:
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
    return conductor, health


async def test_a_node_that_starts_computes_once_its_feed_is_read_to_the_end(
    node: PaperNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a restart would take it into an agreement without the withdrawals that came meanwhile."""
    monkeypatch.setattr(gateway_feed, "gather_seconds", lambda taken, items: 0.0)
    conductor, health = await computing_begins(node, Scripted(node, 7, has_end=True), within_seconds=9)
    assert conductor.began_at == 7
    assert not health.is_catching_up
    assert not [entry for entry in node.log.entries() if entry.event == "feed.end_not_reached"]


async def test_a_node_that_starts_amid_a_rush_computes_once_it_has_read_what_was_there(
    node: PaperNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_feed, "gather_seconds", lambda taken, items: 0.0)
    source = Scripted(node, 0, has_end=False, newest=5)
    conductor, _ = await computing_begins(node, source, within_seconds=9)
    assert conductor.began_at is not None
    assert 5 <= conductor.began_at <= source.polls < 100
    assert not [entry for entry in node.log.entries() if entry.event == "feed.end_not_reached"]


async def test_an_end_told_too_low_has_a_node_begin_early_and_read_on(
    node: PaperNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the rest were held back, which a gateway can do anyway: what a node has not read it gave no receipt for,
    and a roster that holds it is not computed (test_column_builder)."""
    monkeypatch.setattr(gateway_feed, "gather_seconds", lambda taken, items: 0.0)
    source = Scripted(node, 7, has_end=True, newest=0)
    conductor, health = await computing_begins(node, source, within_seconds=9, then_read_to=7)
    assert conductor.began_at is not None
    assert conductor.began_at < 7
    assert health.feed_number == 7


@pytest.mark.parametrize(
    ("told", "newest"),
    [("7", 7), ("", None), ("-1", None), ("1e3", None), ("\u0667", None), ("9" * 400, None)],
)
async def test_the_end_of_the_feed_is_a_number_or_nothing(told: str, newest: int | None) -> None:
    async def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=[(NEWEST_HEADER.encode(), told.encode())], content=b"")

    client = PartyGateway("http://127.0.0.1:9", transport=httpx.MockTransport(answer), attempts=1)
    reader = SignedReader(PaperCommunity().party_keys[0], randomness=SystemRandomness())
    assert (await client.feed(0, after=0, wait_seconds=0, reader=reader)).newest == newest


async def test_a_gateway_that_brings_something_new_for_ever_does_not_keep_a_node_from_computing(
    node: PaperNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_feed, "gather_seconds", lambda taken, items: 0.0)
    source = Scripted(node, 0, has_end=False, newest=2**53 - 1)
    conductor, _ = await computing_begins(node, source, within_seconds=0.1)
    assert conductor.began_at is not None
    assert [entry.event for entry in node.log.entries()].count("feed.end_not_reached") == 1


async def test_a_node_says_that_it_is_still_reading(node: PaperNode) -> None:
    health = NodeHealth(node.clock, community_stands=True, is_catching_up=True)
    health.feed_answered(12)
    assert health.not_ready() == "reading what came before it started, up to 12 so far"
    health.is_catching_up = False
    assert health.not_ready() is None


@pytest.mark.parametrize("fault", [None, 503])
async def test_when_the_feed_is_quiet_or_away_nothing_beside_the_node_keeps_running(
    node: PaperNode, monkeypatch: pytest.MonkeyPatch, fault: int | None
) -> None:
    """The process that helps with long pages holds a study's key."""
    rested: list[bool] = []
    monkeypatch.setattr(node.intake, "rest", lambda: rested.append(True))
    gateway = ScriptedGateway(faults=[] if fault is None else [fault])
    open_study(gateway, node.paper)
    await follow(node, gateway, lambda: bool(rested))
