"""The connection to a gateway: what is tried again, what is not, and whose fault is named."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import httpx
import pytest
import stamina

from mpc_cde.client import http
from mpc_cde.client.gateway_calls import GatewayCalls
from mpc_cde.client.http import GatewayClient, GatewayFailed, GatewayRefused, checked_url, multipart_body
from mpc_cde.errors import CallerError, Conflict, MpcCdeError, NotFound, TooLarge, TransportError
from mpc_cde.gateway.bodies import parse_multipart
from mpc_cde.keys import SigningKey
from mpc_cde.reader_signatures import SignedReader
from protocols.randomness import ScriptedRandomness
from tests.mpc_cde.client.paper import PaperCommunity

PAPER = PaperCommunity()
URL = "http://127.0.0.1:8080"
Handler = Callable[[httpx.Request], httpx.Response]


@pytest.fixture(autouse=True)
def _no_pauses() -> object:
    with stamina.set_testing(True, attempts=5, cap=True):
        yield


class Gateway:
    """Answers from a list, then repeats the last; keeps the requests."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    def client(self) -> GatewayClient:
        return GatewayClient(URL, transport=httpx.MockTransport(self))


def problem(status: int, **fields: str) -> httpx.Response:
    return httpx.Response(
        status, headers={"Content-Type": "application/problem+json"}, json={"title": "No", **fields}
    )


async def refused(*answers: httpx.Response | Exception) -> tuple[MpcCdeError, int]:
    gateway = Gateway(*answers)
    with pytest.raises(MpcCdeError) as caught:
        async with gateway.client() as client:
            await client.get("/v1/studies")
    return caught.value, len(gateway.requests)


async def test_lost_connection_is_tried_again() -> None:
    gateway = Gateway(
        httpx.ConnectError("refused"), httpx.ReadError("cut"), httpx.Response(200, json={"a": 1})
    )
    async with gateway.client() as client:
        assert await client.get("/v1/studies") == {"a": 1}
    assert len(gateway.requests) == 3


async def test_lost_answer_to_a_post_is_posted_again_with_the_same_bytes() -> None:
    gateway = Gateway(httpx.ReadError("cut"), httpx.Response(201, json={}))
    async with gateway.client() as client:
        await client.post("/v1/studies", PAPER.study_envelope)
        await client.post_parts("/v1/submissions", [("document", b"{}", "application/json")])
    bodies = [request.content for request in gateway.requests[:2]]
    assert bodies[0] == bodies[1] == PAPER.study_envelope.to_json()


async def test_each_attempt_is_signed_anew() -> None:
    class Reader:
        count = 0

        def headers(self, method: str, url: str) -> dict[str, str]:
            self.count += 1
            assert (method, url) == ("GET", f"{URL}/v1/results?study=x")
            return {"X-Nonce": str(self.count)}

    gateway = Gateway(httpx.ReadError("cut"), httpx.Response(200, json={}))
    async with gateway.client() as client:
        await client.get("/v1/results", reader=Reader(), parameters={"study": "x"})
    assert [request.headers["X-Nonce"] for request in gateway.requests] == ["1", "2"]


async def test_gateway_that_is_away_is_a_transport_error_with_its_address() -> None:
    error, attempts = await refused(httpx.ConnectError("refused"))
    assert type(error) is TransportError
    assert attempts == 5
    assert str(error) == f"the gateway at {URL} cannot be reached: refused"


@pytest.mark.parametrize(
    ("status", "kind", "attempts"),
    [
        (400, GatewayRefused, 1),
        (403, GatewayRefused, 1),
        (404, NotFound, 1),
        (409, Conflict, 1),
        (413, GatewayRefused, 1),
        (429, GatewayRefused, 5),
        (500, GatewayFailed, 1),
        (503, GatewayFailed, 5),
    ],
)
async def test_problem_is_the_error_of_whoever_is_at_fault(
    status: int, kind: type[MpcCdeError], attempts: int
) -> None:
    error, tried = await refused(problem(status, detail="the study is closed", hint="Wait."))
    assert type(error) is kind
    assert tried == attempts
    assert "No: the study is closed" in str(error)
    if isinstance(error, CallerError):
        assert error.hint == "Wait."


async def test_problem_cannot_write_to_the_terminal() -> None:
    error, _ = await refused(problem(400, detail="a\x1b[31mred\nline" + "x" * 5000))
    assert "\x1b" not in str(error)
    assert "\n" not in str(error)
    assert len(str(error)) < 1100


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>"),
        httpx.Response(200, text="NaN"),
        httpx.Response(200, text='{"a": 1, "a": 2}'),
        httpx.Response(404, text="nginx"),
        httpx.Response(302, headers={"Location": "http://elsewhere.example"}),
    ],
)
async def test_answer_of_no_gateway_says_so(answer: httpx.Response) -> None:
    error, _ = await refused(answer)
    assert isinstance(error, GatewayFailed)


async def test_endless_answer_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_ANSWER_BYTES", 1000)
    error, _ = await refused(httpx.Response(200, content=b"[" + b"1," * 1000))
    assert isinstance(error, TooLarge)


@pytest.mark.parametrize(
    "url",
    ["http://gateway.example.org", "ftp://127.0.0.1", "gateway.example.org", "https://", "https://a:b@c.org"],
)
def test_address_that_would_send_in_the_clear_is_refused(url: str) -> None:
    with pytest.raises(CallerError, match="https://gateway"):
        checked_url(url)


def test_address_loses_its_last_slash() -> None:
    assert checked_url("https://gateway.example.org/") == "https://gateway.example.org"
    assert checked_url("http://127.0.0.1:8080") == URL


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        {"versions": 3},
        {"versions": [{}]},
        {"versions": [{"payloadType": "x"}]},
    ],
)
async def test_answer_that_lacks_something_is_the_gateways_fault(answer: object) -> None:
    async with Gateway(httpx.Response(200, json=answer)).client() as client:
        with pytest.raises(GatewayFailed, match="the gateway's answer"):
            await GatewayCalls(client).communities()


class Drips(httpx.AsyncByteStream):
    """A byte, and then nothing for ever."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"{"
        await anyio.sleep_forever()


async def test_gateway_that_sends_a_byte_at_a_time_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "WHOLE_ANSWER_SECONDS", 0.05)
    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Drips()))
    async with GatewayClient(URL, transport=transport, attempts=2) as client:
        with pytest.raises(TransportError, match=r"no whole answer within 0\.05 seconds"):
            await client.get("/v1/studies")


def test_a_form_of_several_parts_is_read_as_it_was_written() -> None:
    parts = [
        ("document", b'{"a":1}', "application/json"),
        ("correction", b"\r\n--\x00--\r\n", "application/x"),
    ]
    body, media_type = multipart_body(parts)
    assert parse_multipart(media_type, body) == {name: content for name, content, _ in parts}


async def test_a_first_attempt_counts_among_all_attempts() -> None:
    gateway = Gateway(problem(503))
    with stamina.set_testing(True, attempts=3, cap=True), pytest.raises(GatewayFailed):
        async with gateway.client() as client:
            await client.get("/v1/studies")
    assert len(gateway.requests) == 3


def listed(**changed: Any) -> bytes:
    study = {
        "terms": "A" * 43,
        "title": "Energy",
        "state": "open",
        "members": 1,
        "waiting_for": [],
        **changed,
    }
    return json.dumps({"studies": [study]}).encode()


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (listed(members="many"), "members is no number"),
        (listed(members=True), "members is no number"),
        (listed(members=-1), "members is no number"),
        (listed(members=1 << 53), "members is no number"),
        (listed(waiting_for=1), "waiting_for is no list"),
        (listed(terms="A" * 42), "expected the base64url of 32 bytes"),
        (b'{"studies": [{"state": "open"}]}', "lacks terms"),
        (b"{", "not what a gateway says"),
    ],
)
async def test_a_list_of_studies_that_is_none_is_the_gateways_fault(answer: bytes, word: str) -> None:
    async with Gateway(httpx.Response(200, content=answer)).client() as client:
        with pytest.raises(GatewayFailed, match=word):
            await GatewayCalls(client).studies()


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        ({"members": ["A" * 22, "A" * 43]}, "expected the base64url of 16 bytes"),
        ({"members": "A" * 22}, "members is no list"),
        ({}, "lacks members"),
    ],
)
async def test_a_list_of_members_that_is_none_is_the_gateways_fault(
    answer: dict[str, Any], word: str
) -> None:
    async with Gateway(httpx.Response(200, json=answer)).client() as client:
        reader = SignedReader(SigningKey(bytes(32)), randomness=ScriptedRandomness(b"reader"))
        with pytest.raises(GatewayFailed, match=word):
            await GatewayCalls(client).submitted(bytes(32), reader)


@pytest.mark.parametrize(
    ("stream", "error", "word"),
    [
        (b"data: {\n\n", GatewayFailed, "not what a gateway says"),
        (b"data: " + b"9" * (http.MAX_EVENT_BYTES + 1), TooLarge, "an event of more than"),
    ],
)
async def test_progress_that_is_none_is_the_gateways_fault(
    stream: bytes, error: type[MpcCdeError], word: str
) -> None:
    async with Gateway(httpx.Response(200, content=stream)).client() as client:
        with pytest.raises(error, match=word):
            await anext(GatewayCalls(client).progress(bytes(32)))


async def test_progress_is_read_whatever_it_is_cut_into() -> None:
    stream = b': still here\n\ndata: {"members": 3}\n\ndata: {"members": 4}\n\n'

    async def bit_by_bit() -> AsyncIterator[bytes]:
        for start in range(len(stream)):
            yield stream[start : start + 1]

    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=bit_by_bit()))
    async with GatewayClient(URL, transport=transport) as client:
        found = [event["members"] async for event in GatewayCalls(client).progress(bytes(32))]
    assert found == [3, 4]


async def test_names_in_a_list_cannot_turn_what_a_steward_reads() -> None:
    answer = listed(waiting_for=["\u202eytisrevinU\u001b[2J"])
    async with Gateway(httpx.Response(200, content=answer)).client() as client:
        (study,) = await GatewayCalls(client).studies()
    assert study.waiting_for == (" ytisrevinU [2J",)


def context_of(url: str) -> ssl.SSLContext:
    transport: Any = GatewayClient(url)._client._transport  # has no public name
    context: ssl.SSLContext = transport._pool._ssl_context
    return context


def test_authorities_are_read_for_https_and_for_nothing_else() -> None:
    secure, local = context_of("https://gateway.example.org"), context_of("http://127.0.0.1:8080")
    assert secure.cert_store_stats()["x509_ca"] > 0
    assert local.cert_store_stats()["x509_ca"] == 0
    for context in (secure, local):
        assert context.verify_mode == ssl.CERT_REQUIRED
        assert context.check_hostname
