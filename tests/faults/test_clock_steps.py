"""Clocks that step by an hour: work waits while they are wrong, nothing reopens, set right it goes on."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from mpc_cde.client.http import GatewayRefused
from mpc_cde.errors import Conflict
from mpc_cde.life_cycles import study as life
from parties.studies import know_study
from tests.checks.attack_tables import attack_of
from tests.faults.shop_story import MEMBERS, ShopStory

HOUR = timedelta(hours=1)
JUST_CLOSED = datetime(2027, 1, 1, 0, 30, tzinfo=UTC)
"""25 minutes after the parties stop accepting: an hour back the study on paper was open."""
CORRECTS_LATE = 8
"""The member who tries."""

pytestmark = pytest.mark.timeout(400)


@pytest.mark.parametrize(
    "step", [pytest.param(HOUR, id="ahead"), pytest.param(-HOUR, id="behind", marks=pytest.mark.long)]
)
async def test_a_party_whose_clock_is_wrong_catches_up_when_it_is_set_right(
    story: ShopStory, step: timedelta
) -> None:
    """The gateway does not take a signature of another hour, so such a party judges nothing meanwhile."""
    wrong = story.town.nodes[1]
    async with story.town.running():
        await story.found()
        wrong.clock.now += step
        collecting = asyncio.ensure_future(story.collect())
        await story.town.until(
            lambda: len(story.receipts()) == 2 * (MEMBERS + 1), "receipts of the two other parties"
        )
        assert {receipt.party for receipt in story.receipts()} == {0, 2}
        assert not collecting.done()
        wrong.clock.now -= step
        await collecting
        await story.close()
        await story.ask()
        await story.answered()
        story.verify()


@pytest.mark.parametrize("steps", [(HOUR, -HOUR), (-HOUR, HOUR)], ids=["ahead and back", "back and ahead"])
async def test_a_clock_that_steps_while_the_parties_compute_changes_no_answer(
    collected_story: ShopStory, steps: tuple[timedelta, ...]
) -> None:
    story = collected_story
    async with story.town.running():
        closing = asyncio.ensure_future(story.close())
        for step in steps:
            await asyncio.sleep(0.1)
            story.town.nodes[0].clock.now += step
        await closing
        await story.ask()
        for step in steps:
            story.town.nodes[2].clock.now += step
            await asyncio.sleep(0.1)
        await story.answered()
        story.verify()


async def test_a_study_with_a_signed_roster_does_not_open_again(collected_story: ShopStory) -> None:
    """Every clock goes back by an hour, to before the study closed: what is handed in then would never count."""
    story = collected_story
    async with story.town.running():
        await story.close(at=JUST_CLOSED)
        await story.town.until(story.everybody_checked, "the checked roster at every party")
        story.town.set_clocks(JUST_CLOSED - HOUR)
        with pytest.raises((Conflict, GatewayRefused)):
            await story.submit(CORRECTS_LATE, 2)
        for node in story.town.nodes:
            with node.looking() as view:
                known = know_study(view, story.study, story.paper.community, node.clock())
            assert known is not None
            assert isinstance(known.state, life.Frozen | life.Checked), known.state
        story.town.set_clocks(JUST_CLOSED)
        await story.ask()
        await story.answered()
        story.verify()


ATTACKS = (
    attack_of(
        "a party's clock is wrong by an hour while members submit",
        "it judges nothing meanwhile, and catches up when the clock is set",
        test_a_party_whose_clock_is_wrong_catches_up_when_it_is_set_right,
    ),
    attack_of(
        "clocks step by an hour, forward and back, while parties agree, check and compute",
        "the same answer",
        test_a_clock_that_steps_while_the_parties_compute_changes_no_answer,
    ),
    attack_of(
        "every clock goes back to before a study closed",
        "a study with a signed roster does not open again",
        test_a_study_with_a_signed_roster_does_not_open_again,
    ),
)
