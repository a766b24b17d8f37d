"""Productions that tests share: each demo is begun when a test that will be run wants it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.end_to_end.file_trace import AuditedPython, strace_command
from tests.end_to_end.links import links_work
from tests.end_to_end.processes import processes_of
from tests.end_to_end.productions import Moment, Production, Stage
from tests.end_to_end.tables import BAKERIES, SHOPS, few_members, hard_cases

TIMEOUT_SECONDS = 900  # a test may wait for what others began before it; each demo has its own deadline
HERE = Path(__file__).parent

SERVING = Moment("interrupted_serving", lambda place, said: links_work(said))
MOMENTS = (
    Moment("interrupted_start", lambda place, said: bool(list(place.glob("*/gateway/run.json")))),
    Moment("interrupted_submitting", lambda place, said: "steward proposes" in said),
    Moment(
        "interrupted_computing",
        lambda place, said: any("parties.worker" in line for line in processes_of(place, besides=0).values()),
        times=2,
    ),
    SERVING,
)
ALTERED_FIGURE = "quiet"  # of the hard cases: no sum is asked of it


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.timeout(TIMEOUT_SECONDS))


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """Everything that the chosen tests want has begun, or stands in the queue."""
    chosen = [item for item in request.session.items if item.path.is_relative_to(HERE)]
    wanted = {name for item in chosen for name in getattr(item, "fixturenames", ())}
    wanted |= {
        name
        for name in (*_BEGINNINGS, *(moment.name for moment in MOMENTS))
        if any(name in item.name for item in chosen)
    }
    with Stage(tmp_path_factory.mktemp("end_to_end")) as stage:
        for name, begin in _BEGINNINGS.items():
            if name in wanted:
                begin(stage)
        for moment in MOMENTS:
            if moment.name in wanted:
                options = ["--serve"] if moment.name == "interrupted_serving" else []
                stage.begin_interrupted(moment, few_members(stage.place(moment.name)), *options)
        yield stage


@pytest.fixture(scope="session")
def shops(stage: Stage) -> Production:
    """`mpc-cde demo --json`: 400 shops, three parties; every process reports the files that it opens."""
    return stage.see("shops")


@pytest.fixture(scope="session")
def shops_python(stage: Stage, shops: Production) -> AuditedPython:
    """The interpreter of the shops' processes."""
    return AuditedPython(stage.directory / "audited_python")


@pytest.fixture(scope="session")
def bakeries(stage: Stage) -> Production:
    """The second example among (5, 2) parties, served until Ctrl-C."""
    return stage.see("bakeries")


@pytest.fixture(scope="session")
def hard_cases_of_five(stage: Stage) -> Production:
    """The hard cases among (5, 2) parties."""
    return stage.see("hard_cases_of_five")


@pytest.fixture(scope="session")
def long_production(stage: Stage, request: pytest.FixtureRequest) -> Production:
    """One of `LONG`, by its name."""
    return stage.see(request.param)


@pytest.fixture(scope="session")
def rebuilt(stage: Stage) -> Production:
    """The hard cases among (3, 1), under strace where there is one; one share of one column was altered.

    First its digest was rewritten, and a question asked that three sessions could not answer; then the digest
    was put back.
    """
    return stage.see("rebuilt")


@pytest.fixture(scope="session")
def altered_first_digit(stage: Stage) -> Production:
    """The same with the digest rewritten: the share enters sums that are opened with redundancy."""
    return stage.see("altered_first_digit")


@pytest.fixture(scope="session")
def altered_second_digit(stage: Stage) -> Production:
    """As `rebuilt`, with the digest rewritten: the share enters products alone."""
    return stage.see("altered_second_digit")


def _begin_shops(stage: Stage) -> None:
    python = AuditedPython.make(stage.directory / "audited_python")
    stage.begin("shops", python=python.executable)


def _begin_bakeries(stage: Stage) -> None:
    stage.begin("bakeries", BAKERIES, "--parties", "5", "--threshold", "2", "--serve", until=SERVING)


def _begin_hard_cases_of_five(stage: Stage) -> None:
    files = hard_cases(stage.place("hard_cases_of_five"))
    stage.begin("hard_cases_of_five", files, "--parties", "5", "--threshold", "2")


def _begin_altered(stage: Stage, name: str, *options: str, before: Sequence[str] = ()) -> None:
    place = stage.place(name)
    stage.begin(
        name,
        hard_cases(place),
        *("--share-of", ALTERED_FIGURE, "--draws", str(place / "draws.txt")),
        *options,
        program=("-m", "tests.end_to_end.altered_demo"),
        before=before,
    )


def _begin_rebuilt(stage: Stage) -> None:
    place = stage.place("rebuilt")
    before = strace_command(place / "strace.txt") if shutil.which("strace") else ()
    in_vain = ("--asked-in-vain", str(place / "in_vain.txt"))
    _begin_altered(stage, "rebuilt", "--digit", "0", *in_vain, before=before)


def _begin_hard_cases_of_four(stage: Stage) -> None:
    files = hard_cases(stage.place("long_hard_cases_of_four"))
    stage.begin("long_hard_cases_of_four", files, "--parties", "4", "--threshold", "1")


LONG: dict[str, Callable[[Stage], None]] = {
    "long_bakeries_of_three": lambda stage: stage.begin("long_bakeries_of_three", BAKERIES),
    "long_bakeries_of_five": lambda stage: stage.begin("long_bakeries_of_five", BAKERIES, "--parties", "5"),
    "long_hard_cases_of_four": _begin_hard_cases_of_four,
    "long_shops_of_five": lambda stage: stage.begin("long_shops_of_five", SHOPS, "--parties", "5"),
}

_BEGINNINGS: dict[str, Callable[[Stage], None]] = {
    **LONG,
    "shops": _begin_shops,
    "bakeries": _begin_bakeries,
    "hard_cases_of_five": _begin_hard_cases_of_five,
    "rebuilt": _begin_rebuilt,
    "altered_first_digit": lambda stage: _begin_altered(
        stage, "altered_first_digit", "--digit", "0", "--rewrite-digest"
    ),
    "altered_second_digit": lambda stage: _begin_altered(
        stage, "altered_second_digit", "--digit", "1", "--rewrite-digest"
    ),
}
