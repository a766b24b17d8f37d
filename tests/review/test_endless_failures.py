"""Sessions that fail again and again: they fill neither disk nor gateway, and keep no other study waiting."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mpc_cde.documents.complaint import Complaint
from mpc_cde.documents.envelope import open_envelope
from parties.conductor import MAX_PAUSE_SECONDS, SLOT_SECONDS, Wanted, choose
from tests.mpc_cde.client.paper import PaperCommunity
from tests.parties.memory_sessions import MemoryMesh
from tests.parties.test_conductor import Three, submissions, submit_and_close

START = datetime(2026, 6, 1, tzinfo=UTC)
WANTS = [Wanted("computing", bytes([n]) * 32) for n in range(4)]


def slots(count: int) -> list[datetime]:
    return [START + timedelta(seconds=SLOT_SECONDS * number) for number in range(count)]


def test_parties_that_failed_differently_before_still_come_for_the_same_study() -> None:
    for now in slots(50):
        assert choose(WANTS, now) == choose(WANTS[::-1], now)


def test_a_study_that_always_fails_leaves_slots_to_every_other() -> None:
    assert {choose(WANTS, now).study_terms for now in slots(50)} == {want.study_terms for want in WANTS}


def test_a_party_that_wants_less_meets_the_others_whenever_they_choose_what_it_wants() -> None:
    for now in slots(50):
        if choose(WANTS, now) in WANTS[1:]:
            assert choose(WANTS[1:], now) == choose(WANTS, now)


async def test_the_same_complaint_is_posted_once_and_pauses_grow(tmp_path: Path) -> None:
    def other_commitment(sender: int, step: str, payload: bytes) -> bytes:
        return bytes(32) if sender == 1 and step == "roster commitment" else payload

    paper = PaperCommunity()
    three = Three(paper, tmp_path, MemoryMesh(paper.m, paper.t, tamper=other_commitment))
    pauses: list[float] = []

    async def note(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(0.01)

    three.parties[2].conductor._pause = note
    submit_and_close(three, submissions(paper))
    async with three.running():
        await three.until(lambda: len(pauses) >= 12, relay=False)
    complaints = [open_envelope(envelope, Complaint) for envelope in three.outbox(2, "/v1/complaints")]
    assert [complaint.accused_party for complaint in complaints] == [1]
    assert pauses == sorted(pauses)
    assert pauses[-1] == MAX_PAUSE_SECONDS
