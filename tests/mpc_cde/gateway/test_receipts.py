"""Waiting for receipts: told when there is news, not before and not by another's."""

from __future__ import annotations

import anyio
import httpx
import pytest

from mpc_cde.documents.canonical import canonical_bytes, encode_base64url
from mpc_cde.documents.envelope import Envelope, open_envelope
from mpc_cde.documents.receipt import Receipt, WithdrawalReceipt
from tests.mpc_cde.client.paper import signed
from tests.mpc_cde.gateway.paper_gateway import PaperGateway, problem, resigned


def path_of(gateway: PaperGateway, number: int) -> str:
    return f"/v1/submissions/{encode_base64url(gateway.paper.submission(number).digest())}"


async def test_member_is_told_when_a_party_has_answered(gateway: PaperGateway) -> None:
    await gateway.open_study()
    await gateway.submitted(0, 1)
    answers: list[httpx.Response] = []

    async def wait(number: int, known: int) -> None:
        answers.append(await gateway.read(f"{path_of(gateway, number)}?wait=20&known={known}"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait, 0, 0)
        tasks.start_soon(wait, 1, 0)
        await anyio.wait_all_tasks_blocked()
        await gateway.posted("receipts", gateway.paper.receipts(0)[0])
        with anyio.fail_after(10):
            while not answers:
                await anyio.lowlevel.checkpoint()
        (first,) = answers  # nobody woke the other member, and nothing is lost to it
        assert len(first.json()["receipts"]) == 1
        assert first.json()["waiting_for"] == ["Party 1", "Party 2"]
        await gateway.posted("receipts", gateway.paper.receipts(1)[2])
    assert answers[1].json()["waiting_for"] == ["Party 0", "Party 1"]


async def test_who_knows_all_receipts_does_not_wait(gateway: PaperGateway) -> None:
    await gateway.open_study()
    await gateway.submitted(0)
    await gateway.receipted(0)
    with anyio.fail_after(10):
        answer = await gateway.read(f"{path_of(gateway, 0)}?wait=20&known=3")
    assert answer.json()["waiting_for"] == []


async def test_unknown_submission_is_not_waited_for(gateway: PaperGateway) -> None:
    await gateway.open_study()
    with anyio.fail_after(10):
        problem(await gateway.read(f"{path_of(gateway, 0)}?wait=20"), 404, "not-found")


async def test_nobody_listens_when_all_have_gone(gateway: PaperGateway) -> None:
    await gateway.open_study()
    await gateway.submitted(0)
    with anyio.move_on_after(0.2):
        await gateway.read(f"{path_of(gateway, 0)}?wait=20")
    assert gateway.app.state.desk.receipts.bells._heard == {}


@pytest.mark.parametrize("asked", ["known=65", "known=-1", "known=many", "wait=301", "wait=-1", "wait=nan"])
async def test_a_question_out_of_bounds_is_refused(gateway: PaperGateway, asked: str) -> None:
    problem(await gateway.read(f"{path_of(gateway, 0)}?{asked}"), 422, "invalid-parameter")


# withdrawals


async def withdrawn(gateway: PaperGateway, number: int) -> Envelope:
    await gateway.open_study()
    await gateway.submitted(number)
    envelope = gateway.paper.withdrawal(number)
    await gateway.posted("withdrawals", envelope)
    return envelope


def path_to(envelope: Envelope, collection: str = "withdrawals") -> str:
    return f"/v1/{collection}/{encode_base64url(envelope.digest())}"


async def test_member_is_told_when_a_party_knows_of_its_withdrawal(gateway: PaperGateway) -> None:
    envelope = await withdrawn(gateway, 0)
    answers: list[httpx.Response] = []

    async def wait() -> None:
        answers.append(await gateway.read(f"{path_to(envelope)}?wait=20"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        receipts = gateway.paper.withdrawal_receipts(envelope)
        await gateway.posted("receipts", receipts[1])
    served = answers[0].json()
    assert served["withdrawal"] == encode_base64url(envelope.digest())
    assert [Envelope.parse_json(canonical_bytes(one)) for one in served["receipts"]] == [receipts[1]]
    assert served["waiting_for"] == ["Party 0", "Party 2"]


async def test_receipt_of_a_withdrawal_is_of_the_party_it_names_and_of_what_is_here(
    gateway: PaperGateway,
) -> None:
    envelope = await withdrawn(gateway, 0)
    own = gateway.paper.withdrawal_receipts(envelope)
    forged = resigned(own[0], gateway.paper.party_keys[1:2])
    problem(await gateway.post("receipts", forged), 403, "signature-refused")
    unknown = gateway.paper.withdrawal_receipts(gateway.paper.withdrawal(1))[0]
    problem(await gateway.post("receipts", unknown), 404, "not-found")
    of_submission = gateway.paper.receipts(0)[0]
    mistaken = WithdrawalReceipt(
        study_terms=gateway.paper.study.terms_digest(),
        withdrawal=open_envelope(of_submission, Receipt).submission,
        party=0,
    )
    answer = await gateway.post("receipts", signed(mistaken, gateway.paper.party_keys[:1]))
    problem(answer, 404, "not-found")
    elsewhere = open_envelope(own[0], WithdrawalReceipt).model_copy(update={"study_terms": bytes(32)})
    answer = await gateway.post("receipts", signed(elsewhere, gateway.paper.party_keys[:1]))
    problem(answer, 422, "document-refused")
    await gateway.posted("receipts", *own)
    assert (await gateway.post("receipts", own[0])).status_code == 200


async def test_submission_and_withdrawal_are_not_served_in_each_others_place(gateway: PaperGateway) -> None:
    envelope = await withdrawn(gateway, 0)
    problem(await gateway.read(path_to(envelope, "submissions")), 404, "not-found")
    problem(await gateway.read(path_of(gateway, 0).replace("submissions", "withdrawals")), 404, "not-found")
