"""kill -9 of each process at each phase of a study: it is started again, and the study goes on by itself.

Real processes over TLS. In the short story each process and each phase has its turn; the long ones go through the
whole table, for the party that leads the sessions and for another one.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.checks.attack_tables import attack_of
from tests.faults.stopping_python import Stop
from tests.faults.town_of_processes import GATEWAY, PARTIES, STORY, Story, TownOfProcesses

PHASES = (
    "enrol",
    "submit",
    "receipt",
    "roster",
    "coin",
    "checks",
    "computation",
    "signing",
    "publishing",
)
LEADER, FOLLOWER = PARTIES[:2]
pytestmark = pytest.mark.timeout(600)

GATEWAY_STOPS = {
    "enrol": Stop(GATEWAY, "*membership/v1*commit", "before"),
    "submit": Stop(GATEWAY, "*submission/v1*commit", "after"),
    "receipt": Stop(GATEWAY, "*receipt/v1*commit", "before"),
    "roster": Stop(GATEWAY, "*roster/v1*commit", "after"),
    "coin": Stop(LEADER, "worker coin", victim=GATEWAY),
    "checks": Stop(GATEWAY, "*checked-roster/v1*commit", "before"),
    "computation": Stop(LEADER, "log job.opened*append", victim=GATEWAY),
    "signing": Stop(LEADER, "log result.signed*append", victim=GATEWAY),
    "publishing": Stop(GATEWAY, "*result/v1*commit", "after"),
}


def node_stops(party: str) -> dict[str, Stop]:
    return {
        "enrol": Stop(party, "intake.take *membership/v1*commit", "before"),
        "submit": Stop(party, "log *submission.accepted*append", "torn"),
        "receipt": Stop(party, "outbox._settle commit", "before"),
        "roster": Stop(party, "log roster.signing append", "after"),
        "coin": Stop(party, "worker coin", victim="parent"),
        "checks": Stop(party, "log job.computed append", "torn"),
        "computation": Stop(party, "log job.opened append", "after"),
        "signing": Stop(party, "log result.signed append", "before"),
        "publishing": Stop(party, "query_work._publish commit", "after"),
    }


def worker_stops(party: str) -> dict[str, Stop]:
    """No worker runs before a study is closed."""
    return {
        "roster": Stop(party, "worker receives ExchangeAll roster list"),
        "coin": Stop(party, "worker coin", "after"),
        "checks": Stop(party, "worker sends JobResult"),
        "computation": Stop(party, "worker sends Opened", "after"),
        "signing": Stop(party, "worker receives ExchangeAll signature"),
        "publishing": Stop(party, "worker receives ExchangeAll proposal"),
    }


TABLE = {
    "gateway": GATEWAY_STOPS,
    "leading node": node_stops(LEADER),
    "other node": node_stops(FOLLOWER),
    "leading worker": worker_stops(LEADER),
    "other worker": worker_stops(FOLLOWER),
}
SHORT = (
    ("gateway", "enrol"),
    ("other node", "submit"),
    ("gateway", "receipt"),
    ("leading node", "roster"),
    ("other worker", "coin"),
    ("other node", "checks"),
    ("leading worker", "computation"),
    ("other node", "signing"),
    ("gateway", "publishing"),
)
PHASES_OF_A_QUERY = ("computation", "signing", "publishing")
"""Each has a query of its own: a job that stops in the middle has used one of its three attempts."""


def planned(stops: Iterable[tuple[str, Stop]]) -> list[Stop]:
    """The stops in the order of their phases, each of a query's behind its question."""
    plan = []
    questions = 0
    for phase, stop in stops:
        if phase in PHASES_OF_A_QUERY:
            plan.append(Stop(STORY, f"question {questions}", victim="nobody"))
            questions += 1
        plan.append(stop)
    return plan


def test_the_short_story_has_each_process_and_each_phase() -> None:
    assert [phase for _, phase in SHORT] == list(PHASES)
    assert {process.rpartition(" ")[2] for process, _ in SHORT} == {"gateway", "node", "worker"}


async def test_each_process_is_killed_and_the_study_goes_on(tmp_path: Path) -> None:
    await _tell(tmp_path, [(phase, TABLE[process][phase]) for process, phase in SHORT])


@pytest.mark.long
@pytest.mark.parametrize("process", TABLE)
async def test_a_process_is_killed_at_every_phase(tmp_path: Path, process: str) -> None:
    await _tell(tmp_path, TABLE[process].items())


async def _tell(place: Path, stops: Iterable[tuple[str, Stop]]) -> None:
    plan = planned(stops)
    questions = sum(stop.organisation == STORY for stop in plan)
    with TownOfProcesses(place / "town", plan) as town:
        story = Story(town)
        await story.tell(questions=questions)
        await town.until(lambda: not town.plan.left, "every stop of the plan")
        await story.is_published()
        killed = {name: service.statuses.count(-signal.SIGKILL) for name, service in town.services.items()}
    story.verify()
    assert killed == {name: sum(_service_of(stop) == name for stop in plan) for name in killed}


def _service_of(stop: Stop) -> str | None:
    """Whose service has to be started again; a worker's node lives on."""
    if stop.victim in ("self", "parent"):
        is_worker = stop.victim == "self" and stop.site.startswith("worker ")
        return None if is_worker else stop.organisation
    return stop.victim


ATTACKS = (
    attack_of(
        f"kill -9 in one story: {', '.join(f'{process} at {phase}' for process, phase in SHORT)}",
        "each is started again by its unit; every acknowledged submission counts once, on one roster",
        test_each_process_is_killed_and_the_study_goes_on,
    ),
    *(
        attack_of(
            f"kill -9 of the {process}, once at each of: {', '.join(stops)}",
            "the study completes",
            test_a_process_is_killed_at_every_phase,
        )
        for process, stops in TABLE.items()
    ),
)
