"""The whole story with a gateway that keeps what it has in PostgreSQL, killed in the middle."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.faults.stopping_python import Stop
from tests.faults.town_of_processes import GATEWAY, PARTIES, Story, TownOfProcesses
from tests.postgresql import empty_database


@pytest.mark.timeout(300)
async def test_a_study_goes_from_its_first_signature_to_verified_results(
    tmp_path: Path, postgresql_url: str
) -> None:
    stop = Stop(PARTIES[0], "worker coin", victim=GATEWAY)
    with TownOfProcesses(tmp_path / "town", [stop], database=postgresql_url) as town:
        story = Story(town)
        await story.tell()
        await story.is_published()
        assert town.services[GATEWAY].statuses == [-signal.SIGKILL]
    story.verify()
    assert not list((tmp_path / "town" / GATEWAY).glob("*.sqlite*"))
    empty_database(postgresql_url)
