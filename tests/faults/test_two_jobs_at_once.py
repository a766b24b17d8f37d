"""Two queries at the same moment, two studies at the same time: each is answered once, whoever stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from parties.conductor import SLOT_SECONDS
from parties.ledger_table import read_ledger
from tests.checks.attack_tables import attack_of
from tests.faults.crash_points import Fault, Moment, WritePoint
from tests.faults.memory_town import MemoryTown
from tests.faults.shop_story import ShopStory, community_with

pytestmark = pytest.mark.timeout(400)


def _at(site: str, moment: Moment) -> Fault:
    return lambda point: moment if point == WritePoint(site, 1) else None


STOPS: dict[str, tuple[int, Fault]] = {
    "nobody stops": (0, lambda _: None),
    "the proposer stops when the job is in its ledger": (0, _at("query_work.begin commit", "after")),
    "the proposer stops when it has the answer": (0, _at("query_work.keep commit", "after")),
    "a party stops when it has signed": (2, _at("log result.signed append", "after")),
    "the proposer stops before it keeps the result": (0, _at("query_work._publish commit", "before")),
}


ALWAYS = {"nobody stops", "the proposer stops before it keeps the result"}
NAMES = [pytest.param(name, marks=() if name in ALWAYS else pytest.mark.long) for name in STOPS]


@pytest.mark.parametrize("stop", NAMES)
async def test_two_queries_at_once(collected_story: ShopStory, stop: str) -> None:
    victim, fault = STOPS[stop]
    story = collected_story
    async with story.town.running():
        await story.close()
        machine = story.town.nodes[victim].machine
        machine.fault = fault
        await asyncio.gather(story.ask(1), story.ask(2))
        await story.answered()
        story.verify()
        assert machine.stops == (0 if stop == "nobody stops" else 1)
        for node in story.town.nodes:
            with node.looking() as view:
                entries = read_ledger(view, story.study).entries
            assert {entry.query for entry in entries} == {query.digest() for query in story.queries}


@pytest.mark.long
async def test_two_studies_at_once(tmp_path: Path) -> None:
    """They close at the same moment, and a party stops in the middle of both rosters."""
    papers = [community_with(), community_with("Bakeries on paper")]
    town = MemoryTown(tmp_path, *papers)
    stories = [ShopStory(town, paper) for paper in papers]
    async with town.running(), _time_passing(town):
        for story in stories:
            await story.found()
        await asyncio.gather(*(story.collect() for story in stories))
        town.nodes[1].machine.fault = _at("conductor.before_signing commit", "after")
        await asyncio.gather(*(story.close() for story in stories))
        await asyncio.gather(*(story.ask(number) for number, story in enumerate(stories)))
        await asyncio.gather(*(story.answered() for story in stories))
        for story in stories:
            story.verify()
    rosters = {story.documents("roster/v1")[0].digest() for story in stories}
    assert len(rosters) == 2


@asynccontextmanager
async def _time_passing(town: MemoryTown) -> AsyncIterator[None]:
    """Twenty seconds pass in a fifth of one: parties with two wants choose by the time."""

    async def pass_time() -> None:
        while True:
            await asyncio.sleep(0.2)
            town.set_clocks(town.gateway.clock.now + timedelta(seconds=SLOT_SECONDS))

    passing = asyncio.create_task(pass_time())
    try:
        yield
    finally:
        passing.cancel()
        await asyncio.gather(passing, return_exceptions=True)


ATTACKS = (
    attack_of(
        "two queries at the same moment, two studies at the same time; a party stops amid them",
        "each is answered once",
        test_two_queries_at_once,
        test_two_studies_at_once,
    ),
)
