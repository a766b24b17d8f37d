"""A gateway that serves without end or without sense: what it costs a node has a bound, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from mpc_cde.documents.canonical import MAX_INTEGER
from mpc_cde.documents.envelope import Envelope
from mpc_cde.documents.withdrawal import Withdrawal
from mpc_cde.feed_format import FeedFrame, read_frames, write_frames
from parties import gateway_feed, intake
from parties.gateway_client import FeedPage
from parties.gateway_feed import GatewayFeed
from parties.node_health import NodeHealth
from tests.checks.attack_tables import attack_of
from tests.hostile.town import Town, paper_town
from tests.hostile.wires import Wire
from tests.mpc_cde.client.paper import PaperCommunity, secret
from tests.parties.paper_node import PaperNode, frame, make_submission


@pytest.fixture
def node(tmp_path: Path) -> PaperNode:
    made = PaperNode(PaperCommunity(), tmp_path)
    made.open_study()
    return made


def nonsense(number: int) -> FeedFrame:
    payload = b'{"number":%d}' % number
    return frame(number, Envelope(payload_type=Withdrawal.payload_type(), payload=payload, signatures=()))


class JumpsAhead:
    """Numbers the last item of the first answer as high as a number goes; honest from then on."""

    def __init__(self) -> None:
        self.has_jumped = False

    async def answer(self, request: httpx.Request, wire: Wire) -> httpx.Response:
        honest = await wire.forward(request)
        frames = list(read_frames(await honest.aread())) if honest.status_code == 200 else []
        if self.has_jumped or len(frames) < 2:
            return honest
        self.has_jumped = True
        last = FeedFrame(MAX_INTEGER, frames[-1].type_name, frames[-1].envelope)
        return httpx.Response(200, headers=honest.headers, content=write_frames([*frames[:-1], last]))

    def feed_is_read(self, number: int, newest: int) -> bool | None:
        return None


def test_number_out_of_the_air_blinds_no_party_for_ever(tmp_path: Path) -> None:
    """It finds that the feed does not go so far, and reads it again."""
    jumps = JumpsAhead()

    async def run() -> list[str]:
        town = Town(tmp_path, paper=paper_town(9), meddlers={"party 2": jumps})
        reads = asyncio.create_task(town.nodes[2].feed.run())
        try:
            await town.found(members=range(3))
            await town.until(lambda: jumps.has_jumped, "a jump")
            await town.submit(range(3))
            await town.until(lambda: len(town.kept_by(2, "receipt/v1")) == 3, "three receipts")
            return [entry.event for entry in town.nodes[2].node.log.entries()]
        finally:
            town.app.state.desk.bell.stop()
            reads.cancel()
            await asyncio.gather(reads, return_exceptions=True)
            await town.nodes[2].gateway.__aexit__()
            town.store.close()

    events = asyncio.run(run())
    assert events.count("feed.read_again") == 1
    assert events.count("submission.accepted") == 3


def test_nonsense_for_ever_does_not_fill_the_log(node: PaperNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "MAX_REFUSALS_NOTED", 5)
    before = node.log.head.length
    for number in range(100, 200):
        assert node.intake.take([nonsense(number)]).is_in_vain
    assert node.log.head.length == before + 5
    node.clock.now += timedelta(hours=1)
    node.intake.take([nonsense(200)])
    assert node.events()[-2:] == ["feed.more_not_accepted", "feed.not_accepted"]
    assert [e.details for e in node.log.entries() if e.event == "feed.more_not_accepted"] == [{"count": 95}]


def test_numbers_out_of_the_air_for_ever_do_not_fill_the_log(
    node: PaperNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "MAX_REFUSALS_NOTED", 5)
    before = node.log.head.length
    for _ in range(20):
        node.intake.take([frame(MAX_INTEGER, node.paper.study_envelope)])
        assert node.intake.read_again() == 0
    assert node.log.head.length == before + 5
    node.number = 0
    assert node.reason(make_submission(node.paper, 0)) == "accepted"


class Ends(Exception):
    """The gateway of the test has no more to serve."""


async def pauses_of(
    node: PaperNode, monkeypatch: pytest.MonkeyPatch, *served: Sequence[FeedFrame]
) -> tuple[list[float], NodeHealth]:
    """How long the feed pauses after each of these answers that makes it pause."""
    pauses: list[float] = []
    answers = iter(served)

    async def poll(**_: object) -> FeedPage:
        try:
            return FeedPage(tuple(next(answers)))
        except StopIteration:
            raise Ends from None

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(gateway_feed, "FIRST_PAUSE_SECONDS", 1.0)
    monkeypatch.setattr(gateway_feed, "LONGEST_PAUSE_SECONDS", 4.0)
    monkeypatch.setattr(gateway_feed.anyio, "sleep", pause)
    health = NodeHealth(node.clock)
    feed = GatewayFeed(
        source=poll,
        intake=node.intake,
        store=node.store,
        health=health,
        long_poll_seconds=25,
        on_batch=lambda: None,
    )
    with pytest.raises(Ends):
        await feed.run()
    return pauses, health


async def test_nonsense_for_ever_is_asked_for_more_and_more_seldom(
    node: PaperNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a sound item brings the old pace back."""
    bad = [[nonsense(number)] for number in range(100, 104)]
    sound = [frame(104, node.paper.membership_envelope(7)), nonsense(105)]
    pauses, health = await pauses_of(node, monkeypatch, *bad, sound, [nonsense(106)])
    assert pauses == [1.0, 2.0, 4.0, 4.0, 1.0]
    assert health.feed_problem == "nothing is accepted of what the gateway serves up to 106"


async def test_nothing_at_once_for_ever_is_asked_for_more_and_more_seldom(
    node: PaperNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first answer of nothing is none: it was not asked to wait."""
    pauses, health = await pauses_of(node, monkeypatch, [], [], [], [])
    assert pauses == [1.0, 2.0, 4.0]
    assert health.feed_problem is None


def test_submissions_of_one_member_that_are_refused_for_ever_fill_no_disk(
    node: PaperNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of another study that does not exist, so that no limit of a study holds."""
    monkeypatch.setattr(intake, "MAX_REFUSED_EACH", 3)
    given = []
    for number in range(5):
        study = hashlib.sha256(b"no study %d" % number).digest()
        given.append(node.reason(make_submission(node.paper, 0, changes={"study_terms": study})))
    assert given == ["study_unknown"] * 3 + ["no receipt"] * 2
    assert node.reason(make_submission(node.paper, 1)) == "accepted"
    assert node.reason(make_submission(node.paper, 2, changes={"consent": secret("x")})) == "consent_differs"


ATTACKS = (
    attack_of(
        "a feed item numbered as high as a number goes, so that all that follows is passed over",
        "the party finds that the honest feed does not go so far and reads it again",
        test_number_out_of_the_air_blinds_no_party_for_ever,
        test_numbers_out_of_the_air_for_ever_do_not_fill_the_log,
    ),
    attack_of(
        "a feed of nonsense without end",
        "noted so many times an hour, then counted; asked for more and more seldom",
        test_nonsense_for_ever_does_not_fill_the_log,
        test_nonsense_for_ever_is_asked_for_more_and_more_seldom,
    ),
    attack_of(
        "an answer of nothing, at once, for ever",
        "asked for more and more seldom",
        test_nothing_at_once_for_ever_is_asked_for_more_and_more_seldom,
    ),
    attack_of(
        "submissions of one member without end, each refused",
        "after so many it gets no receipt, and nothing is kept",
        test_submissions_of_one_member_that_are_refused_for_ever_fill_no_disk,
    ),
)
