"""Reading what is not for everybody: feeds, queries, results; signatures, nonces, audiences."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from mpc_cde.documents.canonical import encode_base64url
from mpc_cde.documents.complaint import GIVEN_UP_STEP, Complaint
from mpc_cde.documents.submission import Submission
from mpc_cde.feed_format import read_frames
from mpc_cde.gateway.settings import Limits
from mpc_cde.keys import SigningKey
from tests.mpc_cde.client.paper import secret, signed
from tests.mpc_cde.gateway.paper_gateway import ORIGIN, PaperGateway, PaperMembers, problem, resigned

FEED = "/v1/parties/0/feed?after=0"


async def test_feed_brings_everything_in_order_with_the_own_envelope_only(gateway: PaperGateway) -> None:
    await gateway.open_study()
    await gateway.submitted(0)
    paper = gateway.paper
    frames = await gateway.feed(1)
    assert [frame.type_name for frame in frames] == [
        "community/v1",
        "study/v1",
        *["approval/v1"] * 3,
        "membership/v1",
        "submission/v1",
    ]
    assert [frame.number for frame in frames] == list(range(1, 8))
    assert frames[-1].parts == (paper.correction(0), paper.sealed(0, 1))
    for party in (0, 2):
        served = b"".join(part for frame in await gateway.feed(party) for part in frame.parts)
        assert paper.sealed(0, 1) not in served


async def test_feed_says_how_far_it_goes(gateway: PaperGateway) -> None:
    await gateway.found()
    for after in (0, 1):  # whatever is asked for
        answer = await gateway.read(FEED.replace("=0", f"={after}"), gateway.paper.party_keys[0])
        assert answer.headers["Feed-Newest"] == "1"


async def test_feed_goes_on_where_it_was_left(gateway: PaperGateway) -> None:
    await gateway.open_study()
    assert [frame.number for frame in await gateway.feed(0, after=3)] == [4, 5]
    assert await gateway.feed(0, after=5) == []


async def test_further_signatures_come_as_a_new_item_with_all_of_them(gateway: PaperGateway) -> None:
    paper = gateway.paper
    await gateway.found()
    await gateway.posted("studies", paper.study_envelope)
    closing = signed(paper.researcher(), paper.registrar_keys[:1])
    await gateway.posted("researchers", closing)
    await gateway.posted("researchers", signed(paper.researcher(), paper.party_keys[:2]))
    frames = await gateway.feed(0, after=3)
    assert [(frame.number, frame.type_name) for frame in frames] == [(4, "researcher/v1")]
    assert len(frames[0].envelope.signatures) == 3
    assert [frame.number for frame in await gateway.feed(0)] == [1, 2, 3]


async def test_party_that_is_further_than_the_feed_is_told_so(gateway: PaperGateway) -> None:
    await gateway.open_study()
    newest = (await gateway.feed(0))[-1].number
    answer = await gateway.read(f"/v1/parties/0/feed?after={newest + 1}", gateway.paper.party_keys[0])
    assert answer.status_code == 416
    assert answer.json()["type"] == "urn:mpc-cde:problem:feed-ends-before"


async def test_party_cannot_read_anothers_feed(gateway: PaperGateway) -> None:
    await gateway.found()
    problem(await gateway.read(FEED, gateway.paper.party_keys[1]), 403, "reader-not-entitled")
    problem(await gateway.read(FEED, gateway.paper.member_key(0)), 403, "reader-not-entitled")
    problem(await gateway.read(FEED), 401, "reader-signature-required")
    answer = await gateway.read("/v1/parties/7/feed", gateway.paper.party_keys[1])
    problem(answer, 403, "reader-not-entitled")


async def test_replayed_nonce_is_refused(gateway: PaperGateway) -> None:
    await gateway.found()
    headers = gateway.reader_headers(gateway.paper.party_keys[0], ORIGIN + FEED)
    assert (await gateway.read(FEED, headers=headers)).status_code == 200
    problem(await gateway.read(FEED, headers=headers), 401, "nonce-replayed")


async def test_replayed_nonce_is_refused_after_a_restart(gateway: PaperGateway, tmp_path: Path) -> None:
    await gateway.found()
    headers = gateway.reader_headers(gateway.paper.party_keys[0], ORIGIN + FEED)
    assert (await gateway.read(FEED, headers=headers)).status_code == 200
    restarted = PaperGateway(tmp_path, store_url=gateway.settings.database)
    try:
        problem(await restarted.read(FEED, headers=headers), 401, "nonce-replayed")
    finally:
        await restarted.close()


async def test_signature_for_another_address_or_time_is_refused(gateway: PaperGateway) -> None:
    await gateway.found()
    key = gateway.paper.party_keys[0]
    elsewhere = gateway.reader_headers(key, "http://other.test" + FEED)
    problem(await gateway.read(FEED, headers=elsewhere), 401, "reader-signature-refused")
    changed = gateway.reader_headers(key, ORIGIN + FEED.replace("after=0", "after=9"))
    problem(await gateway.read(FEED, headers=changed), 401, "reader-signature-refused")
    late = gateway.reader_headers(key, ORIGIN + FEED)
    gateway.clock.advance(seconds=61)
    problem(await gateway.read(FEED, headers=late), 401, "reader-signature-refused")


async def test_request_under_a_borrowed_host_name_is_refused(gateway: PaperGateway) -> None:
    await gateway.found()
    gateway.app.state.desk.reader_origins = frozenset({ORIGIN})
    stolen = gateway.reader_headers(gateway.paper.party_keys[0], "http://other.test" + FEED)
    answer = await gateway.read(FEED, headers=stolen | {"Host": "other.test"})
    problem(answer, 401, "reader-signature-refused")
    assert (await gateway.read(FEED, gateway.paper.party_keys[0])).status_code == 200


async def test_long_poll_wakes_when_something_new_is_kept(gateway: PaperGateway) -> None:
    await gateway.found()
    path = "/v1/parties/0/feed?after=1&wait=20"
    answers: list[httpx.Response] = []

    async def poll() -> None:
        answers.append(await gateway.read(path, gateway.paper.party_keys[0]))

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(poll)
            await anyio.sleep(0.2)
            assert answers == []
            await gateway.posted("studies", gateway.paper.study_envelope)
    assert [frame.type_name for frame in read_frames(answers[0].content)] == ["study/v1"]


async def test_long_poll_ends_empty_when_nothing_comes(tmp_path: Path) -> None:
    gateway = PaperGateway(tmp_path, limits=Limits(long_poll_seconds=0.1))
    try:
        await gateway.found()
        answer = await gateway.read("/v1/parties/0/feed?after=1&wait=300", gateway.paper.party_keys[0])
        assert (answer.status_code, answer.content) == (200, b"")
    finally:
        await gateway.close()


async def test_feed_comes_in_bounded_batches_and_nothing_is_left_out(tmp_path: Path) -> None:
    gateway = PaperGateway(tmp_path, limits=Limits(feed_batch_bytes=5000, feed_batch_items=4))
    try:
        await gateway.open_study()
        await gateway.submitted(*range(6))
        seen, after = [], 0
        while frames := await gateway.feed(2, after):
            assert len(frames) <= 4
            seen += frames
            after = frames[-1].number
        assert [frame.number for frame in seen] == list(range(1, 18))
        submitted = [frame for frame in seen if frame.type_name == Submission.type_name()]
        assert {frame.parts[1] for frame in submitted} == {gateway.paper.sealed(n, 2) for n in range(6)}
    finally:
        await gateway.close()


async def published(gateway: PaperGateway) -> str:
    await gateway.open_study()
    await gateway.submitted(0)
    await gateway.publish()
    return f"/v1/results/{encode_base64url(gateway.paper.result().digest())}"


async def test_result_is_published_when_all_that_computed_have_signed(gateway: PaperGateway) -> None:
    paper = gateway.paper
    await gateway.open_study()
    await gateway.posted("researchers", signed(paper.researcher(), paper.party_keys))
    await gateway.posted("queries", signed(paper.query(), [paper.researcher_key]))
    path = f"/v1/queries/{encode_base64url(paper.query().digest())}"
    first = await gateway.read(path, paper.researcher_key)
    assert (first.status_code, first.json()["state"]) == (202, "received")
    assert first.headers["retry-after"] == "1"
    await gateway.posted("decisions", *gateway.decisions())
    assert (await gateway.read(path, paper.researcher_key)).json()["state"] == "decided"
    result = signed(paper.result(), [paper.party_keys[j] for j in paper.session])
    await gateway.posted("signatures", resigned(result, paper.party_keys[:2]))
    waiting = (await gateway.read(path, paper.researcher_key)).json()
    assert (waiting["state"], waiting["waiting_for"], waiting["results"]) == ("computed", ["Party 2"], [])
    own = f"/v1/results/{encode_base64url(paper.result().digest())}"
    problem(await gateway.read(own, paper.researcher_key), 404, "not-found")
    await gateway.posted("signatures", resigned(result, paper.party_keys[2:]))
    final = await gateway.read(path, paper.researcher_key)
    assert (final.status_code, final.json()["state"]) == (200, "published")
    assert final.json()["results"] == [encode_base64url(paper.result().digest())]
    assert (await gateway.read(own, paper.researcher_key)).json()["asker"] is not None


async def test_no_of_a_party_declines_the_query_and_says_why(gateway: PaperGateway) -> None:
    paper = gateway.paper
    await gateway.open_study()
    await gateway.posted("researchers", signed(paper.researcher(), paper.party_keys))
    await gateway.posted("queries", signed(paper.query(), [paper.researcher_key]))
    await gateway.posted("decisions", *gateway.decisions("no"))
    path = f"/v1/queries/{encode_base64url(paper.query().digest())}"
    answer = await gateway.read(path, paper.researcher_key)
    assert (answer.status_code, answer.json()["state"]) == (200, "declined")
    assert len(answer.json()["decisions"]) == 3


async def test_query_has_failed_when_more_than_t_parties_say_that_no_attempt_is_left(
    gateway: PaperGateway,
) -> None:
    """One party alone, or t of them together, cannot call a query failed."""
    paper = gateway.paper
    await gateway.open_study()
    await gateway.posted("researchers", signed(paper.researcher(), paper.party_keys))
    await gateway.posted("queries", signed(paper.query(), [paper.researcher_key]))
    await gateway.posted("decisions", *gateway.decisions())
    path = f"/v1/queries/{encode_base64url(paper.query().digest())}"
    for party, state in ((2, "decided"), (0, "failed")):
        complaint = Complaint(
            community=paper.community.digest(),
            study_terms=paper.study.terms_digest(),
            party=party,
            step=GIVEN_UP_STEP,
            expected="an answer within 3 attempts",
            found="PeerLost",
            evidence=(paper.query().digest(),),
            time="2026-06-01T12:00:00Z",
        )
        await gateway.posted("complaints", signed(complaint, [paper.party_keys[party]]))
        assert (await gateway.read(path, paper.researcher_key)).json()["state"] == state
    assert (await gateway.read(path, paper.researcher_key)).status_code == 200


@pytest.mark.parametrize(
    ("audience", "readers"),
    [
        ("public", {"nobody", "stranger", "member", "other member", "researcher", "party"}),
        ("contributors", {"member", "researcher", "party"}),
        ("researchers", {"researcher", "party"}),
        ("self", {"researcher", "party"}),
    ],
)
async def test_result_is_read_by_its_audience_alone(tmp_path: Path, audience: Any, readers: set[str]) -> None:
    gateway = PaperGateway(tmp_path, paper=PaperMembers(audience=audience))
    try:
        path = await published(gateway)
        await gateway.enrol(1)
        paper = gateway.paper
        keys: dict[str, SigningKey | None] = {
            "nobody": None,
            "stranger": SigningKey(secret("stranger")),
            "member": paper.member_key(0),
            "other member": paper.member_key(1),
            "researcher": paper.researcher_key,
            "party": paper.party_keys[0],
        }
        query = f"/v1/queries/{encode_base64url(paper.query().digest())}"
        for name, key in keys.items():
            for place in (path, query):
                answer = await gateway.read(place, key)
                if name in readers:
                    assert answer.status_code == 200, (name, answer.text)
                else:
                    assert answer.status_code == (401 if key is None else 403), (name, answer.text)
            listed = (await gateway.read("/v1/results", key)).json()["results"]
            assert len(listed) == (name in readers)
    finally:
        await gateway.close()


async def test_unsigned_read_of_contributors_results_is_refused(tmp_path: Path) -> None:
    gateway = PaperGateway(tmp_path, paper=PaperMembers(audience="contributors"))
    try:
        problem(await gateway.read(await published(gateway)), 401, "reader-signature-required")
    finally:
        await gateway.close()


async def test_result_is_a_table_for_who_asks_for_one(public_gateway: PaperGateway) -> None:
    path = await published(public_gateway)
    answer = await public_gateway.read(path, headers={"Accept": "text/csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    quartiles = [row for row in rows if row["function"] == "percentiles@1"]
    assert [(row["parameter"], row["value"]) for row in quartiles] == [("1/4", "120"), ("1/2", "450")]
    assert {row["withheld"] for row in rows} == {"", "minimum"}
    both = await public_gateway.read(path, headers={"Accept": "application/json, text/csv"})
    assert both.headers["content-type"] == "application/json"


async def test_query_for_what_the_study_does_not_have_is_refused(gateway: PaperGateway) -> None:
    paper = gateway.paper
    await gateway.open_study()
    await gateway.posted("researchers", signed(paper.researcher(), paper.party_keys))
    item = paper.query().items[0].model_copy(update={"function": "maximum@1"})
    query = paper.query().model_copy(update={"items": (item,)})
    answer = await gateway.post("queries", signed(query, [paper.researcher_key]))
    assert "maximum@1" in problem(answer, 422, "document-refused")["detail"]
    expired = paper.query().model_copy(update={"expires": "2026-05-01T00:00:00Z"})
    problem(await gateway.post("queries", signed(expired, [paper.researcher_key])), 422, "document-refused")
    problem(
        await gateway.post("queries", signed(paper.query(), [paper.member_key(0)])), 403, "signature-refused"
    )
