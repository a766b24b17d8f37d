"""Answers that no gateway gives, to every call of members, offices and parties: each ends in the product's own error.

What a hostile gateway cannot do is to have a program stop with somebody else's exception, take all memory, or write
to a terminal. A node whose feed task ended so would be down until its operator looked.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio
import httpx
import pytest
import stamina

from mpc_cde.client import http
from mpc_cde.client.gateway_calls import GatewayCalls
from mpc_cde.client.http import GatewayClient
from mpc_cde.errors import MpcCdeError
from mpc_cde.reader_signatures import SignedReader
from parties.gateway_client import FeedPage, PartyGateway
from protocols.randomness import SystemRandomness
from tests.checks.attack_tables import Row, attacks_of
from tests.mpc_cde.client.paper import PaperCommunity

URL = "http://127.0.0.1:8080"
PAPER = PaperCommunity()
DIGEST = bytes(32)
READER = SignedReader(PAPER.party_keys[0], randomness=SystemRandomness())
MAX_ANSWER_BYTES = 1 << 16
JSON_TYPE = ("Content-Type", "application/json")
PROBLEM_TYPE = ("Content-Type", "application/problem+json")
DOCUMENT = PAPER.study_envelope

CALLS: dict[str, Callable[[GatewayCalls], Awaitable[object]]] = {
    "communities": lambda calls: calls.communities(),
    "studies": lambda calls: calls.studies(),
    "study": lambda calls: calls.study(DIGEST),
    "receipts": lambda calls: calls.receipts(DIGEST),
    "receipts of a withdrawal": lambda calls: calls.withdrawal_receipts(DIGEST),
    "proof": lambda calls: calls.proof(DIGEST, DIGEST, READER),
    "membership": lambda calls: calls.membership(READER),
    "enrolment": lambda calls: calls.enrolment(READER),
    "query": lambda calls: calls.query(DIGEST, READER),
    "results": lambda calls: calls.results(READER),
    "result": lambda calls: calls.result(DIGEST, READER),
    "who has submitted": lambda calls: calls.submitted(DIGEST, READER),
    "one document": lambda calls: calls.post("studies", DOCUMENT),
    "several documents": lambda calls: calls.post_several("memberships", [DOCUMENT]),
    "a submission": lambda calls: calls.submit([("document", b"{}", "application/json")]),
}
NAMES = (
    *(
        "versions",
        "studies",
        "study",
        "amendments",
        "approvals",
        "refusals",
        "roster",
        "checked_roster",
        "state",
    ),
    *(
        "receipts",
        "membership",
        "researcher",
        "query",
        "asker",
        "decisions",
        "results",
        "result",
        "documents",
    ),
    *("members", "waiting_for", "entry", "row", "proof"),
)
"""All that any of these calls looks for."""


@dataclass(frozen=True, slots=True)
class Absurd(Row):
    """An answer to whatever was asked."""

    status: int = 200
    headers: tuple[tuple[str | bytes, str | bytes], ...] = (JSON_TYPE,)
    content: bytes = b"{}"


def everywhere(value: str) -> bytes:
    """An object in which everything that anybody looks for is this."""
    return ("{" + ",".join(f'"{name}":{value}' for name in NAMES) + "}").encode("utf-8", "surrogatepass")


NAMED = "an error that says so; a node asks again"
ANSWERS = (
    Absurd(
        "a header that is no text",
        "a header with bytes that are no text",
        NAMED,
        headers=(
            (b"Feed-Newest", b"\xd9\xa7"),
            (b"Content-Type", b"\xff\xfe"),
            (b"Retry-After", b"\xd9\xa7"),
        ),
    ),
    Absurd("a long header", "a header as long as a book", NAMED, headers=(JSON_TYPE, ("X", "x" * 60_000))),
    Absurd("nested fifty thousand deep", "JSON nested fifty thousand deep", NAMED, content=b"[" * 50_000),
    Absurd(
        "nested in every field",
        "fields nested five hundred deep",
        NAMED,
        content=everywhere("[" * 500 + "]" * 500),
    ),
    Absurd(
        "a number of nine thousand digits",
        "a number of nine thousand digits",
        NAMED,
        content=b'{"members":' + b"9" * 9_000 + b"}",
    ),
    Absurd(
        "a number of two thousand digits",
        "numbers of two thousand digits where counts are expected",
        NAMED,
        content=everywhere("9" * 2_000),
    ),
    Absurd(
        "a fraction for everything",
        "fractions where whole numbers are expected",
        NAMED,
        content=everywhere("1.5"),
    ),
    Absurd(
        "minus one for everything",
        "minus one where numbers and documents are expected",
        NAMED,
        content=everywhere("-1"),
    ),
    Absurd(
        "true for everything",
        "true where numbers and documents are expected",
        NAMED,
        content=everywhere("true"),
    ),
    Absurd("null for everything", "nothing where documents are expected", NAMED, content=everywhere("null")),
    Absurd(
        "text for everything",
        "escape sequences of a terminal for every text",
        NAMED,
        content=everywhere('"\\u001b[2J\\u202e"'),
    ),
    Absurd("lists of null", "lists of nothing", NAMED, content=everywhere("[null]")),
    Absurd("lists of objects", "lists of empty objects", NAMED, content=everywhere("[{}]")),
    Absurd("half a character", "lone halves of characters", NAMED, content=everywhere('"\\ud800"')),
    Absurd(
        "doubled keys", "every name twice", NAMED, content=everywhere("[]")[:-1] + b"," + everywhere("[]")[1:]
    ),
    Absurd("not a number", "NaN and infinity", NAMED, content=everywhere("NaN")),
    Absurd("no text at all", "bytes that are no text", NAMED, content=b"\xff\xfe\x00"),
    Absurd(
        "a bomb",
        "sixteen million zeros, packed",
        NAMED,
        headers=(JSON_TYPE, ("Content-Encoding", "gzip")),
        content=gzip.compress(bytes(1 << 24)),
    ),
    Absurd(
        "packed otherwise",
        "what is said to be packed and is not",
        NAMED,
        headers=(JSON_TYPE, ("Content-Encoding", "gzip")),
        content=b"x",
    ),
    Absurd(
        "longer than allowed", "more than an answer may hold", NAMED, content=b" " * (MAX_ANSWER_BYTES + 1)
    ),
    Absurd(
        "elsewhere", "a way to elsewhere", NAMED, status=302, headers=(("Location", "http://127.0.0.1:1/"),)
    ),
    Absurd("a status that is none", "a status that nobody knows", NAMED, status=799),
    Absurd("nothing, with 204", "success without a content", NAMED, status=204, content=b""),
    Absurd(
        "a problem of nothing",
        "a problem document without a word",
        NAMED,
        status=400,
        headers=(PROBLEM_TYPE,),
    ),
    Absurd(
        "a problem of numbers",
        "a problem document of numbers",
        NAMED,
        status=409,
        headers=(PROBLEM_TYPE,),
        content=b'{"title":7,"detail":[],"hint":{},"type":null,"status":"x"}',
    ),
    Absurd(
        "a problem nested deep",
        "a problem document nested deep",
        NAMED,
        status=404,
        headers=(PROBLEM_TYPE,),
        content=b"[" * 50_000,
    ),
    Absurd(
        "later, much later",
        "a request to come back in a thousand years",
        NAMED,
        status=429,
        headers=(PROBLEM_TYPE, ("Retry-After", "31536000000")),
    ),
)


@pytest.fixture(autouse=True)
def _no_pauses() -> object:
    with stamina.set_testing(True, attempts=2, cap=True):
        yield


@pytest.fixture(autouse=True)
def _small_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_ANSWER_BYTES", MAX_ANSWER_BYTES)


def transport_of(absurd: Absurd) -> httpx.MockTransport:
    def answer(request: httpx.Request) -> httpx.Response:
        request.read()
        return httpx.Response(absurd.status, headers=list(absurd.headers), stream=_Bytes(absurd.content))

    return httpx.MockTransport(answer)


class _Bytes(httpx.AsyncByteStream):
    """As they come over a network: not decoded yet."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self):  # type: ignore[no-untyped-def]  # an asynchronous generator of bytes
        for start in range(0, len(self._content), 4096):
            yield self._content[start : start + 4096]


async def ends_of(absurd: Absurd) -> dict[str, MpcCdeError | None]:
    """What each call ends in; any other exception passes through and fails the test."""
    ends: dict[str, MpcCdeError | None] = {}
    async with GatewayClient(URL, transport=transport_of(absurd), attempts=2) as client:
        for name, call in CALLS.items():
            ends[name] = None
            try:
                with anyio.fail_after(20):
                    await call(GatewayCalls(client))
            except MpcCdeError as error:
                ends[name] = error
    return ends


async def feed_of(absurd: Absurd) -> FeedPage:
    async with PartyGateway(URL, transport=transport_of(absurd), attempts=2) as gateway:
        with anyio.fail_after(20):
            return await gateway.feed(0, after=0, wait_seconds=0, reader=READER)


HARMLESS = {"one document", "a submission"}
"""Calls whose answer is not looked at, if it is one of success."""


@pytest.mark.parametrize("absurd", ANSWERS, ids=lambda absurd: absurd.name)
def test_every_call_ends_in_an_error_of_the_product(absurd: Absurd) -> None:
    ends = asyncio.run(ends_of(absurd))
    fine = {name for name, error in ends.items() if error is None}
    assert fine <= HARMLESS
    for error in ends.values():
        assert error is None or str(error).isprintable()


@pytest.mark.parametrize("absurd", ANSWERS, ids=lambda absurd: absurd.name)
def test_no_answer_ends_a_party_that_reads_its_feed(absurd: Absurd) -> None:
    """The feed task goes on after errors of the product alone."""
    try:
        page = asyncio.run(feed_of(absurd))
    except MpcCdeError:
        return
    assert page == FeedPage((), None)


ATTACKS = (
    *attacks_of(
        ANSWERS,
        test_every_call_ends_in_an_error_of_the_product,
        test_no_answer_ends_a_party_that_reads_its_feed,
    ),
)
