"""The feed: followed through faults, resumed where the store stands, read by nobody else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import anyio
import httpx
import pytest

from mpc_cde.errors import BadDocument
from mpc_cde.feed_format import FeedFrame, write_frames
from mpc_cde.reader_signatures import SignedReader
from parties import gateway_feed
from parties.clock import system_clock
from parties.gateway_client import PartyGateway
from parties.gateway_feed import GatewayFeed, gather_seconds
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

    async def poll(*, after: int, wait_seconds: float) -> Sequence[FeedFrame]:
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


async def test_a_gateway_that_repeats_itself_is_not_believed(node: PaperNode) -> None:
    gateway = ScriptedGateway()
    open_study(gateway, node.paper)
    client = connect(gateway)
    reader = SignedReader(node.paper.party_keys[0], randomness=SystemRandomness())
    gateway.frames = [frame(item.number + 10, item.envelope) for item in gateway.frames]
    assert len(await client.feed(0, after=0, wait_seconds=0, reader=reader)) == 5

    async def repeats(*_: object, **__: object) -> httpx.Response:
        return httpx.Response(200, content=write_frames(gateway.frames))

    client._request = repeats  # type: ignore[method-assign]  # the gateway's answer itself is what is wrong
    with pytest.raises(BadDocument, match="repeats"):
        await client.feed(0, after=12, wait_seconds=0, reader=reader)


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
    frames = await client.feed(0, after=0, wait_seconds=0, reader=reader)
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
    [(0.05, 4, 0.2), (0.2, 90, 0.2), (0.4, 90, 0.4), (0.9, 90, 0.1), (3.0, 90, 0.0), (0.2, 250, 0.0)],
)
def test_members_documents_gather_longer_the_longer_a_page_takes(
    taken: float, items: int, pause: float
) -> None:
    assert gather_seconds(taken, items) == pytest.approx(pause)
