"""What a party answers to a proposal that does not fit its own store."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from parties.computing_work import ComputingWork
from tests.parties.test_query_work import Room


@pytest.mark.parametrize("subject", ["unknown", "a roster"])
async def test_a_query_that_is_not_here_yet_is_not_computed(tmp_path: Path, subject: str) -> None:
    room = Room(tmp_path)

    async def other_wants(_: bytes) -> bool:
        return False

    work = ComputingWork(
        desk=room.desk,
        session=room.work.session,
        known=room.work.known,
        roster=room.roster,
        entries=room.work.entries,
        columns=tmp_path,
        p_percent=None,
        wait_for_change=asyncio.sleep,
        other_wants=other_wants,
    )
    digest = bytes(32) if subject == "unknown" else room.roster.digest()
    proposal = room.proposal(room.paper.query(), subject=digest)
    with room.node.store.reading() as view:
        assert work._judge(view, proposal) == ("the query is not here yet", 1, ())
