"""The guards of a room on loopback, each by the attack that it stops."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest

from mpc_cde.client.http import GatewayRefused
from mpc_cde.coded_text import worded
from mpc_cde.errors import CallerError
from mpc_cde.web.assets import load_assets
from mpc_cde.web.local_room import LocalRoom, Room, open_room, optional_text_of, text_of
from mpc_cde.web.serving import PagesSettings
from protocols.randomness import ScriptedRandomness, SystemRandomness

PORT = 7803
ORIGIN = f"http://127.0.0.1:{PORT}"
TOKEN = "t" * 43
OWN = {"x-mpc-cde-room": TOKEN}
POSTED = {**OWN, "origin": ORIGIN, "content-type": "application/json"}


class Counter:
    """A room that counts; `fail` is what it raises next."""

    def __init__(self) -> None:
        self.value = 0
        self.fail: Exception | None = None

    def look(self, _: Mapping[str, Any]) -> dict[str, int]:
        return {"value": self.value}

    def add(self, asked: Mapping[str, Any]) -> dict[str, int]:
        if self.fail is not None:
            raise self.fail
        self.value += asked["by"]
        return {"value": self.value}


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.fixture
def app(counter: Counter) -> LocalRoom:
    room = Room(
        page="operator.html",
        looks={"value": counter.look},
        acts={"add": counter.add},
        settings=PagesSettings("https://gateway.example", "a" * 25, "A party", frozenset()),
        describe=str,
    )
    return LocalRoom(room, PORT, TOKEN)


@pytest.fixture
async def client(app: LocalRoom) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ORIGIN) as client:
        yield client


async def test_the_page_looks_and_acts(client: httpx.AsyncClient) -> None:
    assert (await client.post("/room/add", json={"by": 3}, headers=POSTED)).json() == {"value": 3}
    assert (await client.get("/room/value", headers=OWN)).json() == {"value": 3}


@pytest.mark.parametrize("token", ["", "s" * 43, TOKEN[:-1], TOKEN + "t", "é"])
async def test_nothing_is_told_or_done_without_the_token(
    client: httpx.AsyncClient, counter: Counter, token: str
) -> None:
    given = {**POSTED, "x-mpc-cde-room": token.encode()}
    assert (await client.get("/room/value", headers=given)).status_code == 403
    assert (await client.post("/room/add", json={"by": 3}, headers=given)).status_code == 403
    assert counter.value == 0


@pytest.mark.parametrize(
    "host", ["evil.example", f"evil.example:{PORT}", f"localhost:{PORT}", "127.0.0.1:7804", "127.0.0.1", ""]
)
async def test_a_name_that_was_rebound_to_this_machine_gets_no_answer(
    client: httpx.AsyncClient, counter: Counter, host: str
) -> None:
    for path in ("/", "/settings.json", "/room/value"):
        assert (await client.get(path, headers={**OWN, "host": host})).status_code == 421
    answer = await client.post("/room/add", json={"by": 3}, headers={**POSTED, "host": host})
    assert (answer.status_code, counter.value) == (421, 0)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", f"http://localhost:{PORT}", ""])
async def test_another_origin_changes_nothing_even_with_the_token(
    client: httpx.AsyncClient, counter: Counter, origin: str
) -> None:
    answer = await client.post("/room/add", json={"by": 3}, headers={**POSTED, "origin": origin})
    assert (answer.status_code, counter.value) == (403, 0)
    assert (await client.get("/room/value", headers={**OWN, "origin": origin})).status_code == 403


async def test_a_post_without_an_origin_is_no_page_of_ours(
    client: httpx.AsyncClient, counter: Counter
) -> None:
    without = {name: value for name, value in POSTED.items() if name != "origin"}
    assert (await client.post("/room/add", json={"by": 3}, headers=without)).status_code == 403
    assert counter.value == 0


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_a_form_of_another_page_changes_nothing(
    client: httpx.AsyncClient, counter: Counter, kind: str
) -> None:
    answer = await client.post("/room/add", content=b'{"by": 3}', headers={**POSTED, "content-type": kind})
    assert (answer.status_code, counter.value) == (403, 0)


async def test_a_request_that_a_browser_calls_cross_site_is_refused(client: httpx.AsyncClient) -> None:
    for site in ("cross-site", "same-site", "none"):
        answer = await client.get("/room/value", headers={**OWN, "sec-fetch-site": site})
        assert answer.status_code == 403


async def test_no_answer_lets_another_origin_read_it(client: httpx.AsyncClient) -> None:
    asks = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    for answer in (
        await client.options("/room/add", headers=asks),
        await client.get("/", headers={"origin": "https://evil.example"}),
        await client.get("/room/value", headers=OWN),
        await client.get("/operator.html"),
    ):
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


async def test_what_looks_does_not_act_and_what_acts_is_not_read(
    client: httpx.AsyncClient, counter: Counter
) -> None:
    assert (await client.get("/room/add?by=3", headers=OWN)).status_code == 404
    assert (await client.post("/room/value", json={}, headers=POSTED)).status_code == 404
    for method in ("PUT", "DELETE", "PATCH"):
        assert (await client.request(method, "/room/add", headers=OWN)).status_code == 404
    assert counter.value == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"3",
        b"{",
        b"\xff",
        b"[" * 50_000,
        b'{"by":1,"by":3}',
        b'{"by":1.5}',
        b'{"by":NaN}',
        b"9" * 5_000,
    ],
    ids=[
        "nothing",
        "list",
        "number",
        "cut",
        "no text",
        "nested",
        "doubled",
        "fraction",
        "no number",
        "digits",
    ],
)
async def test_what_is_no_object_is_refused(client: httpx.AsyncClient, counter: Counter, body: bytes) -> None:
    assert (await client.post("/room/add", content=body, headers=POSTED)).status_code == 400


async def test_half_a_character_of_somebody_else_does_not_end_the_answer(
    client: httpx.AsyncClient, counter: Counter
) -> None:
    """A gateway's JSON may hold one, and no bytes stand for it."""
    counter.fail = CallerError("\ud800")
    answer = await client.post("/room/add", json={"by": 1}, headers=POSTED)
    assert answer.status_code == 409
    assert answer.json()["message"] == "\ud800"


async def test_a_body_without_end_is_not_kept(client: httpx.AsyncClient, counter: Counter) -> None:
    body = b'{"by": 3, "more": "' + b"a" * (5 << 20) + b'"}'
    assert (await client.post("/room/add", content=body, headers=POSTED)).status_code == 400
    assert counter.value == 0


async def test_a_refusal_with_a_code_is_said_by_it_and_what_to_do_next_too(
    client: httpx.AsyncClient, counter: Counter
) -> None:
    found = worded("found_nothing", "nothing")
    message = worded("row_fault", "row {row}: {why}", row=3, why=found)
    counter.fail = CallerError(message, hint=worded("register_hint", "Correct the file and try again."))
    answer = (await client.post("/room/add", json={"by": 1}, headers=POSTED)).json()
    values = {"row": "3", "why": {"code": "found_nothing", "values": {}, "text": "nothing"}}
    assert answer["said"] == [
        {"code": "row_fault", "values": values, "text": "row 3: nothing"},
        {"code": "register_hint", "values": {}, "text": "Correct the file and try again."},
    ]


async def test_what_the_gateway_refused_is_named_as_the_gateway_names_it(
    client: httpx.AsyncClient, counter: Counter
) -> None:
    counter.fail = GatewayRefused("It is full", status=409, problem="urn:mpc-cde:problem:study-full")
    answer = await client.post("/room/add", json={"by": 1}, headers=POSTED)
    assert answer.json()["code"] == "study-full"
    counter.fail = GatewayRefused("No", status=400, problem="https://elsewhere.example/problem")
    answer = await client.post("/room/add", json={"by": 1}, headers=POSTED)
    assert answer.json()["code"] == "GatewayRefused"


async def test_a_refusal_says_why_and_a_fault_says_nothing_of_itself(
    client: httpx.AsyncClient, app: LocalRoom, counter: Counter, capsys: pytest.CaptureFixture[str]
) -> None:
    counter.fail = CallerError("not today")
    answer = await client.post("/room/add", json={"by": 1}, headers=POSTED)
    assert (answer.status_code, answer.json()) == (
        409,
        {"code": "CallerError", "message": "not today", "said": [], "reasons": []},
    )
    counter.fail = ZeroDivisionError("details")
    assert (await client.post("/room/add", json={"by": 1}, headers=POSTED)).status_code == 500
    assert "ZeroDivisionError" in capsys.readouterr().err


async def test_pages_of_other_people_are_not_served_beside(client: httpx.AsyncClient) -> None:
    assert (await client.get("/")).text == load_assets()["operator.html"].content.decode()
    for path in ("/index.html", "/results.html", "/researcher.html"):
        assert (await client.get(path)).status_code == 404
    assert (await client.get("/shared/dom.js")).status_code == 200


async def test_the_page_may_call_nobody_else(client: httpx.AsyncClient) -> None:
    for path in ("/", "/room/value"):
        policy = (await client.get(path, headers=OWN)).headers["content-security-policy"]
        assert policy.endswith("connect-src 'self'")


def test_it_listens_on_this_machine_alone_with_a_fresh_token(app: LocalRoom) -> None:
    tokens = set()
    for _ in range(2):
        opened, listening = open_room(app.room, port=0, randomness=SystemRandomness())
        with listening:
            assert listening.getsockname() == ("127.0.0.1", opened.port)
            assert opened.link == f"http://127.0.0.1:{opened.port}/#token={opened.token}"
            tokens.add(opened.token)
    assert len(tokens) == 2
    assert all(len(token) == 43 for token in tokens)
    assert opened.token not in repr(opened)


def test_a_port_that_is_taken_says_what_to_do(app: LocalRoom) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(CallerError) as refused:
        open_room(app.room, port=taken.getsockname()[1], randomness=ScriptedRandomness(b""))
    assert "--port" in (refused.value.hint or "")


def test_texts_are_asked_for_by_name() -> None:
    assert text_of({"reason": " too small "}, "reason") == "too small"
    assert optional_text_of({"reason": ""}, "reason") is None
    for asked in ({}, {"reason": 3}, {"reason": "  "}, {"reason": "a" * 2001}):
        with pytest.raises(CallerError, match="reason"):
            text_of(asked, "reason")
