"""Whatever is sent, what comes back is an answer or a problem document, never a failure of the gateway."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from mpc_cde.documents.canonical import encode_base64url
from mpc_cde.gateway.problems import TYPE_PREFIX, ProblemKind
from mpc_cde.gateway.settings import Limits
from tests.mpc_cde.client.paper import secret
from tests.mpc_cde.gateway.paper_gateway import ORIGIN, PaperGateway, problem

DIGEST = encode_base64url(secret("digest"))
COLLECTIONS = (
    "communities",
    "memberships",
    "researchers",
    "revocations",
    "studies",
    "amendments",
    "approvals",
    "closings",
    "submissions",
    "withdrawals",
    "receipts",
    "decisions",
    "signatures",
    "complaints",
    "checkpoints",
    "queries",
)
READS = (
    "/v1/community",
    "/v1/studies",
    "/v1/studies/{}",
    "/v1/submissions/{}",
    "/v1/studies/{}/proofs/{}",
    "/v1/studies/{}/submitted",
    "/v1/queries/{}",
    "/v1/results",
    "/v1/results/{}",
    "/v1/progress/{}",
    "/v1/parties/{}/feed?after={}&wait={}",
    "/v1/memberships/own",
    "/v1/researchers/own",
)

moderate = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
odd_text = st.one_of(
    st.text(max_size=50),
    st.just(DIGEST),
    st.just("1" * 400),
    st.sampled_from(["..", "%00", "%ff", "-1", "9" * 30, "null", "0", "1e3", "NaN", "\ud800"]),
)


def is_answer_or_problem(answer: httpx.Response) -> None:
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json", answer.text
        assert answer.json()["type"].startswith(TYPE_PREFIX)
        assert answer.json()["status"] == answer.status_code


@moderate
@given(
    collection=st.sampled_from(COLLECTIONS),
    body=st.one_of(
        st.binary(max_size=300),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        ).map(lambda value: json.dumps(value).encode()),
    ),
    content_type=st.sampled_from(
        [
            "application/json",
            "multipart/form-data; boundary=x",
            "multipart/form-data",
            "text/plain",
            "",
            "a/b; =",
        ]
    ),
)
async def test_any_bytes_to_any_collection_get_a_problem_document(
    gateway: PaperGateway, collection: str, body: bytes, content_type: str
) -> None:
    answer = await gateway.http.post(
        f"/v1/{collection}", content=body, headers={"Content-Type": content_type}
    )
    assert answer.status_code >= 400
    is_answer_or_problem(answer)


@moderate
@given(
    names=st.lists(
        st.sampled_from(["document", "correction", "entries", "envelope-0", "envelope-00", "", "x"]),
        max_size=5,
    ),
    content=st.binary(max_size=100),
    cut=st.integers(0, 60),
    collection=st.sampled_from(["submissions", "signatures"]),
)
async def test_any_multipart_body_gets_a_problem_document(
    gateway: PaperGateway, names: list[str], content: bytes, cut: int, collection: str
) -> None:
    pieces = [
        b'--x\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (name.encode(), content)
        for name in names
    ]
    body = b"".join(pieces) + b"--x--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = await gateway.http.post(
        f"/v1/{collection}", content=body[: len(body) - cut] if cut else body, headers=headers
    )
    assert answer.status_code >= 400
    is_answer_or_problem(answer)


@moderate
@given(read=st.sampled_from(READS), texts=st.lists(odd_text, min_size=3, max_size=3))
async def test_any_address_gets_an_answer(gateway: PaperGateway, read: str, texts: list[str]) -> None:
    path = read.format(*(quote(text.encode("utf-8", "surrogatepass"), safe="") for text in texts))
    answer = await gateway.http.get(path)
    is_answer_or_problem(answer)


@moderate
@given(first=st.text(max_size=200), second=st.text(max_size=200))
async def test_any_signature_headers_get_an_answer(gateway: PaperGateway, first: str, second: str) -> None:
    headers = {"Signature-Input": first.encode(), "Signature": second.encode()}
    answer = await gateway.http.get(
        "/v1/memberships/own", headers=[(n.encode(), v) for n, v in headers.items()]
    )
    problem(answer, 401, "reader-signature-refused")


@moderate
@given(data=st.data())
async def test_damaged_submission_is_refused(gateway: PaperGateway, data: Any) -> None:
    """One byte of a signed document is changed: it is a problem whatever the byte."""
    if not (await gateway.read("/v1/studies")).json()["studies"]:
        await gateway.open_study()
        await gateway.enrol(0)
    parts = gateway.paper.parts(0)
    name = data.draw(st.sampled_from(sorted(parts)))
    position = data.draw(st.integers(0, len(parts[name]) - 1))
    change = data.draw(st.integers(1, 255))
    content = parts[name]
    damaged = content[:position] + bytes([content[position] ^ change]) + content[position + 1 :]
    answer = await gateway.submit(parts | {name: damaged})
    assert answer.status_code >= 400
    is_answer_or_problem(answer)


async def test_wrong_method_and_unknown_address_are_problems(gateway: PaperGateway) -> None:
    problem(await gateway.http.get("/nothing/here"), 404, "not-found")
    problem(await gateway.http.delete("/v1/community"), 405, "method-not-allowed")
    problem(await gateway.http.put("/v1/studies"), 405, "method-not-allowed")
    problem(await gateway.http.post("/v1/studies", content=b"{}"), 415, "wrong-content-type")
    problem(await gateway.read("/v1/parties/0/feed?after=x"), 401, "reader-signature-required")
    answer = await gateway.read("/v1/parties/99/feed", gateway.paper.party_keys[0])
    problem(answer, 422, "invalid-parameter")


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/v1/submissions/", 404, "not-found"),
        ("GET", f"/v1/submissions/{DIGEST}/more", 404, "not-found"),
        ("GET", "/v1/submissions/%2e%2e", 404, "not-found"),
        ("DELETE", f"/v1/submissions/{DIGEST}", 405, "method-not-allowed"),
        ("GET", "/v1/receipts", 405, "method-not-allowed"),
        ("POST", "/v1/receipts/", 404, "not-found"),
    ],
)
async def test_what_only_resembles_a_members_call_is_a_problem_too(
    gateway: PaperGateway, method: str, path: str, status: int, kind: str
) -> None:
    """Members' calls are answered before the framework looks at an address."""
    problem(await gateway.http.request(method, path), status, kind)


async def test_gateway_without_a_community_says_so(gateway: PaperGateway) -> None:
    problem(await gateway.post("studies", gateway.paper.study_envelope), 404, "not-found")
    problem(await gateway.read("/v1/parties/0/feed", gateway.paper.party_keys[0]), 409, "no-community")


async def test_unexpected_error_is_a_problem_and_tells_nothing(
    gateway: PaperGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("something private")

    monkeypatch.setattr(gateway.app.state.desk, "look", fail)
    answer = await gateway.read("/v1/studies")
    assert "private" not in problem(answer, 500, "internal-error")["detail"]


async def test_store_that_does_not_answer_is_a_problem_of_its_own(
    gateway: PaperGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OperationalError("INSERT", {}, Exception("disk full"))

    monkeypatch.setattr(gateway.app.state.desk, "look", fail)
    answer = await gateway.read("/v1/studies")
    problem(answer, 503, "store-unavailable")
    assert answer.headers["retry-after"] == "2"


async def test_address_that_asks_too_often_is_told_when_to_come_back(tmp_path: Path) -> None:
    limits = Limits(requests_per_second_per_address=0.5, request_burst_per_address=3)
    gateway = PaperGateway(tmp_path, limits=limits)
    try:
        answers = [await gateway.http.get("/v1/studies") for _ in range(4)]
        assert [answer.status_code for answer in answers[:3]] == [200] * 3
        problem(answers[3], 429, "too-many-requests")
        assert 1 <= int(answers[3].headers["retry-after"]) <= 3
        assert (await gateway.http.get("/healthz")).status_code == 200
    finally:
        await gateway.close()


async def test_key_that_asks_too_often_is_told_and_offices_may_ask_more(tmp_path: Path) -> None:
    limits = Limits(requests_per_second_per_key=0.5, request_burst_per_key=2)
    gateway = PaperGateway(tmp_path, limits=limits)
    try:
        await gateway.found()
        await gateway.enrol(0)
        path, key = "/v1/memberships/own", gateway.paper.member_key(0)
        statuses = [(await gateway.read(path, key)).status_code for _ in range(3)]
        assert statuses == [200, 200, 429]
        for _ in range(5):
            assert (await gateway.read("/v1/parties/0/feed", gateway.paper.party_keys[0])).status_code == 200
    finally:
        await gateway.close()


async def test_forged_requests_do_not_spend_a_members_tokens(tmp_path: Path) -> None:
    limits = Limits(requests_per_second_per_key=0.5, request_burst_per_key=1)
    gateway = PaperGateway(tmp_path, limits=limits)
    try:
        await gateway.found()
        await gateway.enrol(0)
        key = gateway.paper.member_key(0)
        for _ in range(3):
            forged = gateway.reader_headers(key, ORIGIN + "/v1/elsewhere")
            problem(
                await gateway.read("/v1/memberships/own", headers=forged), 401, "reader-signature-refused"
            )
        assert (await gateway.read("/v1/memberships/own", key)).status_code == 200
    finally:
        await gateway.close()


async def test_pages_of_parties_may_call_and_others_may_not(tmp_path: Path) -> None:
    gateway = PaperGateway(tmp_path, page_origins=("https://pages.example.org",))
    try:
        origins = {"https://pages.example.org": True, "https://evil.example.org": False, "null": True}
        for origin, allowed in origins.items():  # "null": a page that was saved and opened from a file
            answer = await gateway.http.get("/v1/studies", headers={"Origin": origin})
            assert (answer.headers.get("access-control-allow-origin") == origin) is allowed
            assert "access-control-allow-credentials" not in answer.headers
            asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            preflight = await gateway.http.options("/v1/submissions", headers=asked)
            if allowed:
                assert preflight.status_code == 200
            else:
                problem(preflight, 403, "reader-not-entitled")
    finally:
        await gateway.close()


def test_types_of_problems_are_stable_and_differ() -> None:
    types = [kind.type_uri for kind in ProblemKind]
    assert len(set(types)) == len(types)
    assert "urn:mpc-cde:problem:sequence-used" in types
    assert all(400 <= kind.status < 600 for kind in ProblemKind)
