"""A gateway that takes a withdrawal and keeps it to itself: its member knows, and whoever promised is held to it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from mpc_cde.client.member import SubmissionRecord, SubmissionRecords
from mpc_cde.client.withdrawal import read_withdrawal, verify_left_out, withdraw_figures
from mpc_cde.documents.envelope import open_envelope
from mpc_cde.documents.withdrawal import Withdrawal
from mpc_cde.errors import MpcCdeError
from mpc_cde.feed_format import FeedFrame
from tests.checks.attack_tables import attack_of
from tests.hostile.answers import Meddles, _ok
from tests.hostile.feed_lines import Drops, FeedLine, Which
from tests.hostile.inventions import signed_as
from tests.hostile.story import Story
from tests.hostile.town import Town, honest_submission, paper_town

MEMBERS = 9
FROM_ALL, FROM_TWO, FORGED = 6, 7, 8
"""Whose withdrawal no party gets, one party gets, and all get while the gateway shows receipts of its own."""


def withdrawal_of(*numbers: int) -> Which:
    members = {paper_town(MEMBERS).membership(number).member for number in numbers}

    def which(frame: FeedFrame) -> bool:
        if frame.type_name != "withdrawal/v1":
            return False
        return open_envelope(frame.envelope, Withdrawal).member in members

    return which


@dataclass(frozen=True, slots=True)
class Told:
    """What a member reads when it has withdrawn, and after the roster was signed."""

    before: str
    is_left_out: bool | None


@cache
def _told(directory: Path) -> dict[int, Told]:
    paper = paper_town(MEMBERS)
    kept_back = (
        withdrawal_of(FROM_ALL),
        withdrawal_of(FROM_ALL, FROM_TWO),
        withdrawal_of(FROM_ALL, FROM_TWO),
    )
    lines = [FeedLine([Drops(which)]) for which in kept_back]
    meddlers = {f"party {party}": line for party, line in enumerate(lines)}
    forged = [
        signed_as(receipt.payload_type, receipt.payload, [key.public_bytes])
        for receipt, key in zip(
            paper.withdrawal_receipts(paper.withdrawal(FORGED)), paper.party_keys, strict=True
        )
    ]

    async def run() -> dict[int, Told]:
        town = Town(directory / "town", paper=paper, meddlers=meddlers)
        async with town.running():
            story = Story(town)
            await town.found()
            await town.submit(range(MEMBERS))
            await story.rest()
            before = {
                number: await _withdraw(town, directory, number) for number in (FROM_ALL, FROM_TWO, FORGED)
            }
            await story.rest()
            for number in (FROM_ALL, FROM_TWO):
                before[number] = await _status(town, directory, number)
            town.meddle(f"member {FORGED}", Meddles("/v1/withdrawals/.*", lambda *_: _forgery(forged)))
            before[FORGED] = await _status(town, directory, FORGED)
            town.meddle(f"member {FORGED}", None)
            await story.close()
            after = {number: await _is_left_out(town, directory, number) for number in before}
            assert {len(town.kept_by(party, "withdrawal-receipt/v1")) for party in range(paper.m)} == {4}
            return {number: Told(before[number], after[number]) for number in before}

    (directory / "town").mkdir()
    return asyncio.run(run())


async def _forgery(receipts: Sequence[object]) -> object:
    envelopes = b",".join(getattr(receipt, "to_json")() for receipt in receipts)  # noqa: B009  # envelopes
    return _ok(b'{"receipts":[' + envelopes + b"]}")[0]


def _records(directory: Path, number: int) -> SubmissionRecords:
    return SubmissionRecords(directory / f"member {number}")


async def _withdraw(town: Town, directory: Path, number: int) -> str:
    records = _records(directory, number)
    submission = honest_submission(town.paper, number).envelope
    records.save(SubmissionRecord(study_terms=town.paper.terms_digest, submissions=(submission,), used=1))
    async with town.connection(f"member {number}") as connection:
        study = await connection.verified_study(town.paper.terms_digest)
        await withdraw_figures(connection, study, town.member(number, connection), records)
    return "withdrawn"


async def _status(town: Town, directory: Path, number: int) -> str:
    async with town.connection(f"member {number}") as connection:
        study = await connection.verified_study(town.paper.terms_digest)
        try:
            status = await read_withdrawal(connection, study, _records(directory, number))
        except MpcCdeError as error:
            return str(error)
        return status.describe()


async def _is_left_out(town: Town, directory: Path, number: int) -> bool | None:
    async with town.connection(f"member {number}") as connection:
        study = await connection.verified_study(town.paper.terms_digest)
        records = _records(directory, number)
        status = await read_withdrawal(connection, study, records)
        reader = town.reader(number)
        return await verify_left_out(connection, study, records, status, reader=reader)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Told]:
    return _told(tmp_path_factory.mktemp("withdrawals"))


def test_withdrawal_kept_from_every_party_is_no_withdrawal_and_its_member_is_told(
    told: dict[int, Told],
) -> None:
    assert told[FROM_ALL].before.startswith(
        "0 of 3 parties know of your withdrawal. You are not withdrawn yet: your figures still count."
    )
    assert told[FROM_ALL].is_left_out is False


def test_withdrawal_that_one_party_has_a_receipt_for_is_out_of_every_roster(told: dict[int, Told]) -> None:
    assert told[FROM_TWO].before.startswith(
        "1 of 3 parties know of your withdrawal. Waiting for Party 1, Party 2."
    )
    assert told[FROM_TWO].is_left_out is True


def test_receipts_that_the_gateway_made_up_confirm_no_withdrawal(told: dict[int, Told]) -> None:
    assert told[FORGED].before.startswith("receipt of the withdrawal: ")
    assert "Party 0" in told[FORGED].before
    assert told[FORGED].is_left_out is True


ATTACKS = (
    attack_of(
        "the gateway acknowledges a withdrawal and keeps it from every party until the roster is signed",
        "no party signed for it: the member reads that it is not withdrawn yet and whom to tell",
        test_withdrawal_kept_from_every_party_is_no_withdrawal_and_its_member_is_told,
    ),
    attack_of(
        "the same from all parties but one",
        "its receipt shows that one party has it, which signs no roster with those figures: they are left out",
        test_withdrawal_that_one_party_has_a_receipt_for_is_out_of_every_roster,
    ),
    attack_of(
        "the gateway shows receipts of a withdrawal that no party signed",
        "the member reads whose signature is wrong",
        test_receipts_that_the_gateway_made_up_confirm_no_withdrawal,
    ),
)
