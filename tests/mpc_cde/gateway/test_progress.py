"""Progress as a stream: an event at once, one at each change, and an end."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from mpc_cde.documents.canonical import encode_base64url
from mpc_cde.gateway.progress_views import progress_of
from mpc_cde.gateway.routes.progress import _events
from tests.mpc_cde.client.paper import secret, signed
from tests.mpc_cde.gateway.paper_gateway import PaperGateway, problem


async def next_event(events: AsyncIterator[bytes]) -> dict[str, Any]:
    """The next event that is no heartbeat. (The transport of these tests waits for whole answers.)"""
    while True:
        piece = await anext(events)
        if piece.startswith(b"data: "):
            assert piece.endswith(b"\n\n")
            found: dict[str, Any] = json.loads(piece[6:])
            return found


async def test_study_is_followed_from_event_to_event(gateway: PaperGateway) -> None:
    await gateway.found()
    await gateway.posted("studies", gateway.paper.study_envelope)
    events = _events(gateway.app.state.desk, gateway.paper.study.terms_digest())
    first = await next_event(events)
    assert (first["state"], first["waiting_for"]) == ("proposed", ["Party 0", "Party 1", "Party 2"])
    await gateway.posted("approvals", *gateway.paper.approvals)
    assert (await next_event(events))["state"] == "open"
    await gateway.submitted(0)
    await gateway.posted("receipts", *gateway.paper.receipts(0)[:2])
    event = await next_event(events)
    assert (event["members"], event["receipts"]) == (1, {"Party 0": 1, "Party 1": 1, "Party 2": 0})
    withdrawal = gateway.paper.withdrawal(0)
    await gateway.posted("withdrawals", withdrawal)
    await gateway.posted("receipts", gateway.paper.withdrawal_receipts(withdrawal)[1])
    event = await next_event(events)
    assert event["withdrawals"] == 1
    assert event["withdrawal_receipts"] == {"Party 0": 0, "Party 1": 1, "Party 2": 0}
    gateway.app.state.desk.bell.stop()
    assert [piece async for piece in events] == []
    assert gateway.app.state.desk.streams == 0


async def test_stream_of_a_query_ends_with_its_answer(gateway: PaperGateway) -> None:
    await gateway.open_study()
    await gateway.publish()
    answer = await gateway.read(f"/v1/progress/{encode_base64url(gateway.paper.query().digest())}")
    assert answer.headers["content-type"].startswith("text/event-stream")
    (event,) = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
    assert event["state"] == "published"
    assert [decision["answer"] for decision in event["decisions"]] == ["yes"] * 3
    assert event["results"] == [encode_base64url(gateway.paper.result().digest())]


async def test_progress_of_nothing_is_a_problem(gateway: PaperGateway) -> None:
    answer = await gateway.read(f"/v1/progress/{encode_base64url(secret('nothing'))}")
    problem(answer, 404, "not-found")


async def test_progress_says_nothing_about_members(gateway: PaperGateway) -> None:
    await gateway.open_study()
    await gateway.submitted(0)
    desk = gateway.app.state.desk
    terms = gateway.paper.study.terms_digest()
    event, _ = desk.look(lambda view: progress_of(desk.context(view), terms, decision_seconds=10))
    text = json.dumps(event)
    assert encode_base64url(gateway.paper.membership(0).member) not in text
    assert encode_base64url(gateway.paper.submission(0).digest()) not in text


async def test_party_that_is_waited_for_is_named(gateway: PaperGateway) -> None:
    await gateway.open_study()
    paper = gateway.paper
    await gateway.posted("researchers", signed(paper.researcher(), paper.party_keys))
    await gateway.posted("queries", signed(paper.query(), [paper.researcher_key]))
    await gateway.posted("decisions", *gateway.decisions()[:2])
    events = _events(gateway.app.state.desk, paper.query().digest())
    assert (await next_event(events))["waiting_for"] == ["Party 2"]
