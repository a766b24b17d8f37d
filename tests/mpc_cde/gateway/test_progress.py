"""Progress as a stream: an event at once, one at each change, and an end."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from mpc_cde.documents.canonical import encode_base64url
from mpc_cde.gateway.open_streams import OpenStreams, TooManyStreams
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


@pytest.fixture
def scope(gateway: PaperGateway) -> dict[str, Any]:
    """A request for the progress of the open study, as a server hands it on."""
    path = f"/v1/progress/{encode_base64url(gateway.paper.study.terms_digest())}"
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"gateway.example")],
        "client": ("192.0.2.1", 1234),
        "server": ("gateway.example", 80),
    }


def limit(gateway: PaperGateway, **limits: float) -> None:
    desk = gateway.app.state.desk
    desk.limits = desk.limits.model_copy(update=limits)


async def open_stream(gateway: PaperGateway, scope: dict[str, Any], send: Any) -> None:
    await gateway.app({**scope}, _never, send)


async def _never() -> dict[str, Any]:
    await anyio.sleep_forever()
    return {}


async def test_a_reader_that_does_not_read_loses_its_stream(
    gateway: PaperGateway, scope: dict[str, Any]
) -> None:
    await gateway.open_study()
    limit(gateway, stream_write_seconds=0.05)

    async def stuck(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body":
            await anyio.sleep_forever()

    with anyio.fail_after(30):
        await open_stream(gateway, scope, stuck)
    assert len(gateway.app.state.desk.streams) == 0


async def test_a_stream_ends_after_its_time_and_can_be_asked_for_again(
    gateway: PaperGateway, scope: dict[str, Any]
) -> None:
    await gateway.open_study()
    limit(gateway, stream_seconds=0.2)
    for _ in range(2):
        sent: list[dict[str, Any]] = []

        async def keep(message: dict[str, Any], sent: list[dict[str, Any]] = sent) -> None:
            sent.append(message)

        with anyio.fail_after(30):
            await open_stream(gateway, scope, keep)
        assert sent[0]["status"] == 200
        assert json.loads(sent[1]["body"][6:])["state"] == "open"
        assert sent[-1].get("more_body", False) is False
    assert len(gateway.app.state.desk.streams) == 0


@pytest.mark.parametrize(("total", "per_address"), [(2, 10), (10, 2)])
async def test_no_more_streams_are_open_than_allowed_however_they_come(
    gateway: PaperGateway, scope: dict[str, Any], total: int, per_address: int
) -> None:
    await gateway.open_study()
    gateway.app.state.desk.streams = OpenStreams(total, per_address)
    answers = Counter[int]()
    async with anyio.create_task_group() as group:

        async def note(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                answers[message["status"]] += 1
                if answers.total() == 5:
                    group.cancel_scope.cancel()

        for _ in range(5):
            group.start_soon(open_stream, gateway, scope, note)
    assert answers == {200: 2, 429: 3}
    assert len(gateway.app.state.desk.streams) == 0


async def test_one_address_does_not_take_the_slots_of_all() -> None:
    streams = OpenStreams(total=3, per_address=2)
    for _ in range(2):
        streams.take("greedy")
    with pytest.raises(TooManyStreams):
        streams.take("greedy")
    streams.take("other")
    with pytest.raises(TooManyStreams):
        streams.take("third")
    streams.give_back("greedy")
    streams.take("third")
    assert len(streams) == 3


async def test_a_stream_of_nothing_takes_no_slot(gateway: PaperGateway) -> None:
    for _ in range(40):
        await gateway.read(f"/v1/progress/{encode_base64url(secret('nothing'))}")
    assert len(gateway.app.state.desk.streams) == 0
