"""A withdrawal is believed once a party has signed for it, and what was signed proves what was promised."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mpc_cde.client.connection import Connection
from mpc_cde.client.member import SubmissionRecords
from mpc_cde.client.verification import VerifiedStudy
from mpc_cde.client.withdrawal import (
    PromiseBroken,
    WithdrawalStatus,
    read_withdrawal,
    verify_left_out,
    verify_promises,
    wait_for_withdrawal,
    withdraw_figures,
)
from mpc_cde.documents.envelope import Envelope, open_envelope
from mpc_cde.documents.receipt import WithdrawalReceipt
from mpc_cde.errors import BadDocument, BadProof, BadSignature, CallerError, DeadlinePassed, NotFound
from tests.mpc_cde.client.gateway import PaperGateway, paper_gateway
from tests.mpc_cde.client.paper import signed
from tests.mpc_cde.client.test_with_gateway import PAPER, TERMS, entry_of, records_in, submit

NONE_KNOWS = "0 of 3 parties know of your withdrawal. You are not withdrawn yet: your figures still count."


@dataclass
class Leaving:
    """A member that submitted once and withdrew, at a gateway where no party has seen that yet."""

    gateway: PaperGateway
    connection: Connection
    study: VerifiedStudy
    records: SubmissionRecords
    submission: Envelope
    withdrawal: Envelope

    async def confirm(self, *parties: int) -> None:
        receipts = PAPER.withdrawal_receipts(self.withdrawal)
        await self.gateway.post("receipts", *(receipts[party] for party in parties))

    async def status(self) -> WithdrawalStatus:
        return await read_withdrawal(self.connection, self.study, self.records)

    async def freeze(self, *, still_in: bool) -> None:
        """The roster is signed by all, with its row or with another's alone."""
        async with self.gateway.connection() as connection:
            other = await submit(self.gateway, connection, 2)
        for digest in (self.submission.digest(), other.digest):
            await self.gateway.answer(digest)
        rows = [entry_of(2, other)]
        if still_in:
            rows.append(entry_of(1, other).model_copy(update={"submission": self.submission.digest()}))
        await self.gateway.freeze(rows)

    async def is_left_out(self) -> bool | None:
        return await verify_left_out(self.connection, self.study, self.records, await self.status())


@pytest.fixture
async def leaving(tmp_path: Path) -> AsyncIterator[Leaving]:
    async with paper_gateway(tmp_path, PAPER) as gateway:
        await gateway.found()
        records = records_in(tmp_path)
        async with gateway.connection() as connection:
            prepared = await submit(gateway, connection, 1, records)
            study = await connection.verified_study(TERMS)
            member = gateway.member(1, connection)
            withdrawal = await withdraw_figures(connection, study, member, records)
            yield Leaving(gateway, connection, study, records, prepared.envelope, withdrawal)


async def test_gateways_word_for_a_withdrawal_is_not_taken(leaving: Leaving) -> None:
    status = await leaving.status()
    assert status.describe().startswith(NONE_KNOWS)
    assert "tell a party (Party 0: " in status.describe()
    assert not status.is_final
    with pytest.raises(DeadlinePassed, match="no receipt of Party 0, Party 1, Party 2 within 0 s"):
        await wait_for_withdrawal(leaving.connection, leaving.study, leaving.records, deadline_seconds=0)


async def test_parties_that_know_are_counted(leaving: Leaving) -> None:
    await leaving.confirm(1)
    assert (
        (await leaving.status())
        .describe()
        .startswith("1 of 3 parties know of your withdrawal. Waiting for Party 0, Party 2.")
    )
    await leaving.confirm(0, 2)
    told: list[str] = []
    status = await wait_for_withdrawal(
        leaving.connection,
        leaving.study,
        leaving.records,
        deadline_seconds=5,
        on_change=lambda found: told.append(found.describe()),
    )
    assert told == [status.describe()] == ["3 of 3 parties know of your withdrawal."]


async def test_receipt_that_was_shown_once_is_kept_though_the_gateway_hides_it(
    leaving: Leaving, monkeypatch: pytest.MonkeyPatch
) -> None:
    await leaving.confirm(1)
    await leaving.status()

    async def hide(*_: object, **__: object) -> tuple[Envelope, ...]:
        raise NotFound("this gateway knows no such withdrawal")

    monkeypatch.setattr(type(leaving.connection.calls), "withdrawal_receipts", hide)
    assert (await leaving.status()).known_to == ("Party 1",)


@pytest.mark.parametrize("fault", ["another withdrawal", "another study", "a submission", "forged"])
async def test_receipt_of_something_else_is_not_taken(
    leaving: Leaving, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = PAPER.withdrawal_receipts(leaving.withdrawal)[0]
    receipt = open_envelope(own, WithdrawalReceipt)
    served = {
        "another withdrawal": PAPER.withdrawal_receipts(PAPER.withdrawal(2))[0],
        "another study": signed(receipt.model_copy(update={"study_terms": bytes(32)}), PAPER.party_keys[:1]),
        "a submission": PAPER.receipts(1)[0],
        "forged": signed(receipt, PAPER.party_keys[1:2]),
    }[fault]

    async def serve(*_: object, **__: object) -> tuple[Envelope, ...]:
        return (served,)

    monkeypatch.setattr(type(leaving.connection.calls), "withdrawal_receipts", serve)
    with pytest.raises((BadDocument, BadSignature), match="receipt of the withdrawal"):
        await leaving.status()


async def test_member_learns_that_its_figures_are_left_out(leaving: Leaving) -> None:
    assert await leaving.is_left_out() is None
    await leaving.confirm(0, 1, 2)
    await leaving.freeze(still_in=False)
    assert await leaving.is_left_out() is True


async def test_withdrawal_that_no_party_signed_for_proves_nothing(leaving: Leaving) -> None:
    await leaving.freeze(still_in=True)
    assert await leaving.is_left_out() is False


async def test_parties_that_signed_for_a_withdrawal_and_count_it_are_proven_to_lie(leaving: Leaving) -> None:
    await leaving.confirm(1, 2)
    await leaving.freeze(still_in=True)
    with pytest.raises(PromiseBroken, match="Party 1, Party 2"):
        await leaving.is_left_out()


async def test_withdrawal_of_something_else_proves_nothing(leaving: Leaving) -> None:
    submission = signed(PAPER.submission(1), [PAPER.member_key(1)])
    later = signed(PAPER.submission(1).model_copy(update={"sequence": 2}), [PAPER.member_key(1)])
    for withdrawn, withdrawal in ((submission, PAPER.withdrawal(2)), (later, PAPER.withdrawal(1))):
        receipts = PAPER.withdrawal_receipts(withdrawal)
        with pytest.raises(BadDocument, match="does not take this submission out"):
            verify_promises(leaving.study, PAPER.roster(), PAPER.proof(1), withdrawn, withdrawal, receipts)
    with pytest.raises(BadProof):
        verify_promises(
            leaving.study,
            PAPER.roster(),
            PAPER.proof(2),
            submission,
            PAPER.withdrawal(1),
            PAPER.withdrawal_receipts(PAPER.withdrawal(1)),
        )


async def test_nothing_is_withdrawn_where_nothing_was_submitted(leaving: Leaving, tmp_path: Path) -> None:
    records = SubmissionRecords(tmp_path / "nothing")
    member = leaving.gateway.member(2, leaving.connection)
    with pytest.raises(CallerError, match="no figures in that study"):
        await withdraw_figures(leaving.connection, leaving.study, member, records)
    with pytest.raises(CallerError, match="keeps no withdrawal"):
        await read_withdrawal(leaving.connection, leaving.study, records)
