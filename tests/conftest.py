"""Generated inputs are the same in every run, so that a green run stays green; `make test-long` draws new ones."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.memory_disk import use_memory_disk
from tests.postgresql import postgresql_server, what_is_missing

HERE = Path(__file__).parent
COMMUNITIES_OF_PROCESSES = (
    HERE / "end_to_end",
    HERE / "faults" / "test_killed_processes.py",
    HERE / "faults" / "test_full_disk_of_processes.py",
    HERE / "hostile" / "test_real_processes.py",
    HERE / "browser",
)
"""They keep two cores busy by themselves, so one worker runs them one after another, beside all others."""

LONG_FILES = (
    HERE / "hostile" / "test_feeds.py",
    HERE / "parties" / "test_hostile_party.py",
    HERE / "parties" / "test_conductor.py",
    HERE / "faults" / "test_crash_points.py",
    HERE / "mpc_cde" / "cli",
    HERE / "parties" / "test_intake.py",
    HERE / "parties" / "test_node.py",
    HERE / "faults",
    HERE / "hostile",
)
"""Begun before the other files, so that nobody waits for the last of them at the end."""

LONG_TIMEOUT_SECONDS = 3600
"""With long tables and newly drawn inputs, instead of the two minutes that find what hangs."""

use_memory_disk()
settings.register_profile(
    "steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("new", max_examples=500, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--run-long", action="store_true", help="also run the long versions of tables")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--run-long"):
        left_out = [item for item in items if item.get_closest_marker("long")]
        if left_out:
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if not item.get_closest_marker("long")]
    else:
        for item in items:
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(LONG_TIMEOUT_SECONDS))
    items.sort(key=lambda item: _turn(item.path))


@pytest.hookimpl(optionalhook=True)  # a run in one process may go without the plugin
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """One worker runs all communities of processes; other files go to whoever is free."""
    from xdist.scheduler import LoadScopeScheduling

    class FilesAndCommunities(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.split("::")[0]
            turn = _turn(HERE.parent / path)
            return "communities of processes" if turn < len(COMMUNITIES_OF_PROCESSES) else path

    return FilesAndCommunities(config, log)


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """Of an empty database: the one that MPC_CDE_TEST_DATABASE names, or of a server of our own."""
    named = os.environ.get("MPC_CDE_TEST_DATABASE")
    if named:
        yield named
        return
    missing = what_is_missing()
    if missing is not None:
        pytest.skip(missing)
    with postgresql_server() as url:
        yield url


@functools.cache
def _turn(path: Path) -> int:
    """When it is begun: communities of processes first, then long files."""
    places = (*COMMUNITIES_OF_PROCESSES, *LONG_FILES)
    return next((number for number, place in enumerate(places) if path.is_relative_to(place)), len(places))
