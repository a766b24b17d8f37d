"""Full disks of real processes: they refuse in words, lose nothing acknowledged, and go on when there is room."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mpc_cde.cli.failures import REFUSED
from mpc_cde.errors import TransportError
from tests.checks.attack_tables import attack_of
from tests.faults.small_disk import SmallDisk, what_is_missing
from tests.faults.town_of_processes import GATEWAY, MEMBERS, PARTIES, Story, TownOfProcesses

PARTY = PARTIES[1]
ALONE, WHILE_PARTY_IS_FULL = 3, 6
"""The member that finds the gateway full, and the first of those that submit while a party is."""


@pytest.mark.timeout(300)
async def test_full_disks_of_the_gateway_and_of_a_party(tmp_path: Path) -> None:
    missing = what_is_missing()
    if missing is not None:
        pytest.skip(missing)
    disks = {GATEWAY: SmallDisk(), PARTY: SmallDisk()}
    with TownOfProcesses(tmp_path / "town", disks=disks) as town:
        story = Story(town)
        async with asyncio.timeout(240), story.opened():
            for number in range(ALONE):
                await story.submit(number)
            disks[GATEWAY].fill()
            with pytest.raises(TransportError, match="nothing was kept"):
                await story.submit(ALONE)
            disks[GATEWAY].make_room()
            for number in range(ALONE, WHILE_PARTY_IS_FULL):
                await story.submit(number)
            await story.have_receipts()

            disks[PARTY].fill()
            for number in range(WHILE_PARTY_IS_FULL, MEMBERS):
                await story.submit(number)
            await town.until(
                lambda: "Make room" in town.services[PARTY].said, "a node that names its full disk"
            )
            disks[PARTY].make_room()
            await story.have_receipts()

            await story.close()
            story.results.append(await story.ask())
            await story.is_published()
        assert town.services[GATEWAY].statuses == []
        assert set(town.services[PARTY].statuses) == {REFUSED}, town.told()
    story.verify()


ATTACKS = (
    attack_of(
        "the disks of a gateway and of a node fill up while members submit",
        "the gateway acknowledges nothing, the node names what is full and ends; both go on when there is room",
        test_full_disks_of_the_gateway_and_of_a_party,
    ),
)
