"""A machine stops at any of its writes, is started again from its directory, and the study goes on as if nothing was.

Short: in one story a machine stops at the first write of every kind, with some thirty stops and restarts. Long: a
story for every single write. `ShopStory.verify` says what must be true in the end.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.checks.attack_tables import attack_of
from tests.faults.crash_points import Fault, Machine, Moment, WritePoint
from tests.faults.memory_town import GATEWAY, MemoryTown
from tests.faults.shop_story import ShopStory, community_with

PARTS = ("collecting", "computing")
pytestmark = pytest.mark.timeout(400)


def machine_of(town: MemoryTown, name: str) -> Machine:
    return next(machine for machine in town.machines if machine.name == name)


def at_the_first_of_each_kind(moment: Moment) -> Fault:
    """Every kind of write meets the fault once. An append is torn when it comes the second time.

    What comes right after another write of the same step, such as its fsync, is left to the long version.
    """

    def fault(point: WritePoint) -> Moment | None:
        kind = point.site.rpartition(" ")[2]
        if kind not in ("commit", "append", "rename", "replace", "link", "open"):
            return None
        if point.occurrence == 2 and kind == "append" and moment == "before":
            return "torn"
        return moment if point.occurrence == 1 else None

    return fault


def at_one(wanted: WritePoint, moment: Moment) -> Fault:
    return lambda point: moment if point == wanted else None


async def test_every_machine_stops_once_at_every_kind_of_write(story: ShopStory) -> None:
    """A party before each, another one after each, the gateway after each."""
    moments: dict[str, Moment] = {"party 0": "before", "party 2": "after", GATEWAY: "after"}
    for victim, moment in moments.items():
        machine_of(story.town, victim).fault = at_the_first_of_each_kind(moment)
    async with story.town.running():
        await story.tell()
        story.verify()
    for victim in moments:
        assert machine_of(story.town, victim).stops >= (8 if victim == GATEWAY else 20)


@pytest.mark.long
@pytest.mark.parametrize(
    ("victim", "moment"),
    [("party 0", "before"), ("party 2", "after"), (GATEWAY, "before"), (GATEWAY, "after")],
)
async def test_a_machine_stops_once_at_every_kind_of_write(
    story: ShopStory, victim: str, moment: Moment
) -> None:
    machine = machine_of(story.town, victim)
    machine.fault = at_the_first_of_each_kind(moment)
    async with story.town.running():
        await story.tell()
        story.verify()
    assert machine.stops >= (8 if victim == GATEWAY else 20)


@pytest.mark.long
async def test_the_power_goes_out_everywhere_at_every_kind_of_write(story: ShopStory) -> None:
    """Whatever party 0 writes first of a kind, all machines stop with it; that may be a query's every attempt."""
    everybody = story.town.machines
    machine_of(story.town, "party 0").fault = _for_all(at_the_first_of_each_kind("after"), everybody)
    async with story.town.running():
        await story.tell(asks_again=True)
        story.verify()
    assert all(machine.stops >= 20 for machine in everybody)


def _for_all(fault: Fault, machines: Iterable[Machine]) -> Fault:
    def stop_all(point: WritePoint) -> Moment | None:
        moment = fault(point)
        if moment is not None:
            for machine in machines:
                machine.stop_now()
        return moment

    return stop_all


# every single write ----------------------------------------------------------------------------------------


@dataclass
class Rehearsal:
    """A story in which nothing happened: what every machine wrote while members submitted, and after."""

    collected: Path
    points: dict[tuple[str, str], list[WritePoint]]


@pytest.fixture(scope="module")
async def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    """The machines' directories as they are when every member has its receipts, and all writes of a whole story."""
    root = tmp_path_factory.mktemp("rehearsal")
    points: dict[tuple[str, str], list[WritePoint]] = {}
    first = ShopStory(MemoryTown(root / "first", community_with(), frames_at_once=1))
    async with first.town.running():
        await first.found()
        await first.collect()
        await first.is_quiet()
    for machine in first.town.machines:
        points[machine.name, "collecting"] = list(machine.trace)
    shutil.copytree(root / "first", root / "collected")
    second = ShopStory(MemoryTown(root / "first", community_with(), frames_at_once=1))
    async with second.town.running():
        await go_on(second)
        second.verify()
    for machine in second.town.machines:
        points[machine.name, "computing"] = list(machine.trace)
    return Rehearsal(root / "collected", points)


async def go_on(story: ShopStory) -> None:
    """From the receipts to the result."""
    story.note_collected()
    await story.close()
    await story.ask()
    await story.answered()


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("moment", ["before", "torn", "after"])
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("victim", ["party 0", "party 2", GATEWAY])
async def test_a_machine_stops_at_every_single_write(
    rehearsal: Rehearsal, tmp_path: Path, victim: str, part: str, moment: Moment
) -> None:
    points = list(dict.fromkeys(rehearsal.points[victim, part]))
    if moment == "torn":
        points = [point for point in points if point.site.endswith("append")]
    failed: list[str] = []
    met = 0
    for point in points:
        place = tmp_path / "town"
        if part == "computing":
            shutil.copytree(rehearsal.collected, place)
        story = ShopStory(MemoryTown(place, community_with(), frames_at_once=1))
        machine = machine_of(story.town, victim)
        machine.fault = at_one(point, moment)
        try:
            async with story.town.running():
                await (story.tell() if part == "collecting" else go_on(story))
                story.verify()
        except (AssertionError, pytest.fail.Exception) as error:
            failed.append(f"{moment} {point}: {error}")
        met += machine.stops
        shutil.rmtree(place)
    assert not failed, "\n\n".join(failed)
    assert met >= 0.9 * len(points), "most writes of the rehearsal did not come again"


ATTACKS = (
    attack_of(
        "a party or the gateway stops before, in the middle of or after any kind of write, or all stop at once",
        "found in a list of all writes of a story; started again from its directory, the study completes; "
        "a query whose every attempt was stopped is given up "
        "by every party, and asked anew",
        test_every_machine_stops_once_at_every_kind_of_write,
        test_a_machine_stops_once_at_every_kind_of_write,
        test_the_power_goes_out_everywhere_at_every_kind_of_write,
    ),
    attack_of(
        "the same at every single write",
        "a story for each",
        test_a_machine_stops_at_every_single_write,
    ),
)
