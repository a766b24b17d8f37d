"""Waiting for receipts: told when there is news, not before and not by another's."""

from __future__ import annotations

import anyio
import httpx

from mpc_cde.documents.canonical import encode_base64url
from tests.mpc_cde.gateway.paper_gateway import PaperGateway, problem


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
