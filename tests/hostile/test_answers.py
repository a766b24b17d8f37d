"""A gateway that meddles with what members and researchers read: they end with the truth, or with an error by name.

One honest town is told once and kept; then every answer that a client relies on is spoilt in every way.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from mpc_cde.client.connection import Connection
from mpc_cde.client.evidence import verified_result
from mpc_cde.client.member import own_evidence
from mpc_cde.client.query import EnrolledResearcher, query_status, run_query
from mpc_cde.client.receipts import read_receipts
from mpc_cde.client.verification import verify_checked_roster, verify_own_place, verify_roster
from mpc_cde.documents.canonical import canonical_bytes, encode_base64url
from mpc_cde.documents.envelope import Envelope
from mpc_cde.errors import MpcCdeError
from tests.checks.attack_tables import Row, attack_of, attacks_of
from tests.hostile.answers import FAULTS, JSON_HEADERS, Meddles, Serve
from tests.hostile.inventions import CHANGES, invented_approval, signed_as
from tests.hostile.story import MEMBERS, Story
from tests.hostile.town import Town, honest_submission, paper_town, published_values

MEMBER = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that somebody relies on: its path, and what is done with it."""

    name: str
    path: str
    use: Callable[[Finished, Connection], Awaitable[str]]


@dataclass
class Finished:
    """A town whose story is told: two queries answered, one about everything, one about a count."""

    town: Town
    wide: Envelope
    narrow: Envelope
    wide_result: bytes
    narrow_result: bytes

    async def use(
        self, meddler: Meddles | None, use: Callable[[Finished, Connection], Awaitable[str]]
    ) -> str:
        """What comes of it over a wire with this meddler."""
        self.town.meddle("client", meddler)
        async with self.town.connection("client") as connection:
            return await use(self, connection)


async def own_row(finished: Finished, connection: Connection) -> str:
    """A member follows its submission down to its row."""
    town = finished.town
    terms, sent = town.paper.terms_digest, honest_submission(town.paper, MEMBER).envelope
    study = await connection.verified_study(terms)
    status = await read_receipts(connection, study, sent.digest())
    if not status.is_complete:
        return status.describe()
    file = await connection.calls.study(terms)
    if file.roster is None or file.checked_roster is None:
        return "There is no checked roster."
    roster = verify_roster(study, file.roster)
    checked = verify_checked_roster(study, roster, file.checked_roster)
    member = town.member(MEMBER, connection)
    own = await own_evidence(connection, study, member, sent, reader=town.reader(MEMBER))
    return f"row {verify_own_place(study, roster, checked, own)}"


async def answer_to_query(finished: Finished, connection: Connection) -> str:
    """A researcher waits for the answer to the query about everything."""
    town = finished.town
    study = await connection.verified_study(town.paper.terms_digest)
    result = await run_query(
        connection, study, town.paper.asker(), finished.wide, reader=town.reader(), deadline_seconds=0.0
    )
    return str(published_values(result.cells))


async def named_result(finished: Finished, connection: Connection) -> str:
    """A researcher reads a result by its digest."""
    asker = finished.town.paper.asker().envelope
    result = await verified_result(
        connection, finished.wide_result, reader=finished.town.reader(), asker=asker
    )
    return str(published_values(result.cells))


async def own_membership(finished: Finished, connection: Connection) -> str:
    """A member fetches its membership."""
    from mpc_cde.client.member import Member

    envelope = await connection.calls.membership(finished.town.reader(MEMBER))
    member = Member.certified(finished.town.paper.member_key(MEMBER), envelope, connection)
    return member.membership.member.hex()


async def own_enrolment(finished: Finished, connection: Connection) -> str:
    """A researcher fetches its enrolment."""
    envelope = await connection.calls.enrolment(finished.town.reader())
    return EnrolledResearcher.enrolled(
        finished.town.paper.researcher_key, envelope, connection
    ).researcher.name


ANSWERS: tuple[Answer, ...] = (
    Answer("community", "/v1/community", own_row),
    Answer("study", r"/v1/studies/[^/]+", own_row),
    Answer("study_under_a_result", r"/v1/studies/[^/]+", named_result),
    Answer("receipts", r"/v1/submissions/[^/]+", own_row),
    Answer("proof", r"/v1/studies/[^/]+/proofs/[^/]+", own_row),
    Answer("query", r"/v1/queries/[^/]+", answer_to_query),
    Answer("result", r"/v1/results/[^/]+", named_result),
    Answer("membership", "/v1/memberships/own", own_membership),
    Answer("enrolment", "/v1/researchers/own", own_enrolment),
)


@dataclass(frozen=True, slots=True)
class AnswerRow:
    row: Row
    answer: Answer
    fault: str


ANSWER_ROWS = [
    AnswerRow(
        Row(
            f"answer_{answer.name}_{fault}",
            f"the answer about {answer.name.replace('_', ' ')} {what}",
            "the truth, or an error that says what is wrong",
        ),
        answer,
        fault,
    )
    for answer in ANSWERS
    for fault, (_, what) in FAULTS.items()
]


async def _finish(directory: Path) -> Finished:
    town = Town(directory, paper=paper_town(MEMBERS))
    async with town.running(gateway_stays=True):
        story = Story(town)
        await story.found()
        await story.submit()
        await story.close()
        await story.ask()
        paper = town.paper
        narrow = paper.asked(b"narrow", functions=["count"])
        await story.post("queries", narrow)
        await town.until(lambda: len(town.kept_by(0, "result/v1")) == 2, "the second result")
        await story.rest()
        async with town.connection() as connection:
            results = {}
            for envelope in (story.query, narrow):
                status = await query_status(
                    connection,
                    await connection.verified_study(paper.terms_digest),
                    envelope.digest(),
                    reader=town.reader(),
                )
                results[envelope.digest()] = status.results[0]
    return Finished(town, story.query, narrow, results[story.query.digest()], results[narrow.digest()])


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    """Told once; its nodes have stopped, its gateway still answers."""
    told = asyncio.run(_finish(tmp_path_factory.mktemp("finished")))
    yield told
    told.town.store.close()


async def _outcome(
    finished: Finished, use: Callable[[Finished, Connection], Awaitable[str]], meddler: Meddles | None
) -> str:
    """What came of it, or the error's kind and words; anything but an error of the product's own is raised."""
    try:
        return await finished.use(meddler, use)
    except MpcCdeError as error:
        return f"{type(error).__name__}: {error}"


def test_member_whose_row_is_hidden_is_told_what_its_receipts_prove(finished: Finished) -> None:
    """Dropped from the roster, or the gateway says so: it cannot take the receipts back."""
    (hidden,) = FAULTS["dropped"][0](b"")
    meddler = Meddles(r"/v1/studies/[^/]+/proofs/[^/]+", _always(hidden))
    told = asyncio.run(_outcome(finished, own_row, meddler))
    assert told.startswith("NotCounted: every party gave a receipt")
    assert "your receipts prove that it is missing" in told


def _json(body: bytes) -> httpx.Response:
    return httpx.Response(200, headers=JSON_HEADERS, content=body)


def _always(served: httpx.Response) -> Serve:
    async def serve(_: httpx.Request, __: bytes) -> httpx.Response:
        return served

    return serve


@pytest.mark.parametrize("row", ANSWER_ROWS, ids=lambda row: row.row.name)
def test_spoilt_answer_ends_in_truth_or_an_error(row: AnswerRow, finished: Finished) -> None:
    async def run() -> None:
        honest = await _outcome(finished, row.answer.use, None)
        bodies: list[bytes] = []

        async def listen(_: httpx.Request, body: bytes) -> httpx.Response:
            bodies.append(body)
            return _json(body)

        assert await _outcome(finished, row.answer.use, Meddles(row.answer.path, listen)) == honest
        for served in FAULTS[row.fault][0](bodies[0]):
            meddler = Meddles(row.answer.path, _always(served))
            found = await _outcome(finished, row.answer.use, meddler)
            assert meddler.times
            assert found == honest or not found.startswith(("row ", "{")), found
            assert found

    asyncio.run(run())


# answers that are true, but to another question -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lie:
    """A row with a lie that is made up for one answer; `error` says how it is found out."""

    row: Row
    use: Callable[[Finished, Connection], Awaitable[str]]
    path: str
    lie: Callable[[Finished, httpx.Request, bytes], Awaitable[bytes]]
    told: str


async def _read(finished: Finished, path: str, *, number: int | None = None) -> bytes:
    """What the honest gateway says at another path."""
    finished.town.meddle("gateway itself", None)
    wire = finished.town.wire("gateway itself")
    url = f"http://localhost:8080{path}"
    request = httpx.Request("GET", url, headers=finished.town.reader(number).headers("GET", url))
    return await (await wire.forward(request)).aread()


async def _with(body: bytes, **changes: object) -> bytes:
    return json.dumps(json.loads(body) | changes).encode()


def _path(kind: str, digest: bytes) -> str:
    return f"/v1/{kind}/{encode_base64url(digest)}"


async def _results_of_the_other_query(finished: Finished, _: httpx.Request, body: bytes) -> bytes:
    return await _with(body, results=[encode_base64url(finished.narrow_result)])


async def _other_result(finished: Finished, _: httpx.Request, __: bytes) -> bytes:
    return await _read(finished, _path("results", finished.narrow_result))


async def _result_with_the_other_query(finished: Finished, _: httpx.Request, body: bytes) -> bytes:
    other = json.loads(await _read(finished, _path("results", finished.narrow_result)))
    return await _with(body, query=other["query"])


async def _receipts_of_another(finished: Finished, _: httpx.Request, __: bytes) -> bytes:
    other = honest_submission(finished.town.paper, MEMBER + 1)
    return await _read(finished, _path("submissions", other.digest))


async def _one_receipt_three_times(_: Finished, __: httpx.Request, body: bytes) -> bytes:
    receipts = json.loads(body)["receipts"]
    return await _with(body, receipts=[receipts[0]] * 3)


async def _receipts_under_others_signatures(_: Finished, __: httpx.Request, body: bytes) -> bytes:
    receipts = json.loads(body)["receipts"]
    moved = [
        own | {"signatures": other["signatures"]}
        for own, other in zip(receipts, [*receipts[1:], receipts[0]], strict=True)
    ]
    return await _with(body, receipts=moved)


async def _proof_of_another(finished: Finished, _: httpx.Request, __: bytes) -> bytes:
    paper = finished.town.paper
    other = honest_submission(paper, MEMBER + 1)
    study = encode_base64url(paper.terms_digest)
    return await _read(
        finished, f"/v1/studies/{study}/proofs/{encode_base64url(other.digest)}", number=MEMBER + 1
    )


async def _own_entry_with_the_way_of_another(
    finished: Finished, request: httpx.Request, body: bytes
) -> bytes:
    other = json.loads(await _proof_of_another(finished, request, body))
    return await _with(body, row=other["row"], proof=other["proof"])


async def _study_without_one_approval(_: Finished, __: httpx.Request, body: bytes) -> bytes:
    return await _with(body, approvals=json.loads(body)["approvals"][1:])


async def _one_approval_three_times(_: Finished, __: httpx.Request, body: bytes) -> bytes:
    return await _with(body, approvals=[json.loads(body)["approvals"][0]] * 3)


async def _invented_approval(finished: Finished, _: httpx.Request, body: bytes) -> bytes:

    forged = json.loads(invented_approval(finished.town.paper, 1).to_json())
    approvals = json.loads(body)["approvals"]
    return await _with(body, approvals=[approvals[0], forged, approvals[2]])


async def _roster_signed_by_two(_: Finished, __: httpx.Request, body: bytes) -> bytes:
    roster = json.loads(body)["roster"]
    return await _with(body, roster=roster | {"signatures": roster["signatures"][:2]})


async def _roster_where_the_checked_one_belongs(_: Finished, __: httpx.Request, body: bytes) -> bytes:
    return await _with(body, checked_roster=json.loads(body)["roster"])


async def _no_roster(_: Finished, __: httpx.Request, body: bytes) -> bytes:
    return await _with(body, roster=None)


async def _another_community(_: Finished, __: httpx.Request, body: bytes) -> bytes:
    other = paper_town(MEMBERS).next_community()[1]
    return await _with(body, versions=[json.loads(other.to_json())])


async def _version_signed_by_two(_: Finished, __: httpx.Request, body: bytes) -> bytes:
    following = json.loads(paper_town(MEMBERS).next_community()[1].to_json())
    versions = json.loads(body)["versions"]
    return await _with(body, versions=[*versions, following | {"signatures": following["signatures"][:2]}])


async def _decisions_of_one_party(_: Finished, __: httpx.Request, body: bytes) -> bytes:
    decisions = json.loads(body)["decisions"]
    return await _with(body, decisions=[decisions[0]] * 3, results=[])


async def _decisions_of_the_other_query(finished: Finished, _: httpx.Request, body: bytes) -> bytes:
    other = json.loads(await _read(finished, _path("queries", finished.narrow.digest())))
    return await _with(body, decisions=other["decisions"], results=[])


async def _invented_no(finished: Finished, _: httpx.Request, body: bytes) -> bytes:

    decisions = json.loads(body)["decisions"]
    true = Envelope.parse_json(json.dumps(decisions[0]).encode())
    payload = canonical_bytes(CHANGES["decision/v1"](json.loads(true.payload)))
    party = json.loads(true.payload)["party"]
    forged = signed_as(true.payload_type, payload, [finished.town.paper.party_keys[party].public_bytes])
    return await _with(body, decisions=[json.loads(forged.to_json()), *decisions[1:]], results=[])


LIES: tuple[Lie, ...] = (
    Lie(
        Row("decision_invented", "a decision with the answer no in a party's name", "the party is named"),
        answer_to_query,
        r"/v1/queries/[^/]+",
        _invented_no,
        "no valid signature by party",
    ),
    Lie(
        Row(
            "answer_to_another_query",
            "a query is answered with the true result of another query",
            "refused: it answers another query",
        ),
        answer_to_query,
        r"/v1/queries/[^/]+",
        _results_of_the_other_query,
        "another query",
    ),
    Lie(
        Row("another_result_served", "a result is asked for by digest, another is served", "refused"),
        named_result,
        r"/v1/results/[^/]+",
        _other_result,
        "another result than was asked for",
    ),
    Lie(
        Row("result_beside_another_query", "a true result is served beside another query", "refused"),
        named_result,
        r"/v1/results/[^/]+",
        _result_with_the_other_query,
        "it answers another query",
    ),
    Lie(
        Row("receipts_of_another_member", "another member's receipts are served", "refused"),
        own_row,
        r"/v1/submissions/[^/]+",
        _receipts_of_another,
        "receipt: it is about another submission",
    ),
    Lie(
        Row(
            "one_receipt_three_times",
            "one party's receipt stands for all three",
            "the missing ones are named",
        ),
        own_row,
        r"/v1/submissions/[^/]+",
        _one_receipt_three_times,
        "1 of 3 parties hold your figures. Waiting for",
    ),
    Lie(
        Row("receipts_under_others_signatures", "receipts under each other's signatures", "refused by name"),
        own_row,
        r"/v1/submissions/[^/]+",
        _receipts_under_others_signatures,
        "no valid signature by party",
    ),
    Lie(
        Row("proof_of_another_member", "another member's proof is served", "refused"),
        own_row,
        r"/v1/studies/[^/]+/proofs/[^/]+",
        _proof_of_another,
        "the proof is about another submission",
    ),
    Lie(
        Row("own_entry_with_anothers_way", "the own entry with the way of another's to the root", "refused"),
        own_row,
        r"/v1/studies/[^/]+/proofs/[^/]+",
        _own_entry_with_the_way_of_another,
        "proof of the own row",
    ),
    Lie(
        Row("approval_left_out", "a study is served without one party's approval", "the party is named"),
        own_row,
        r"/v1/studies/[^/]+",
        _study_without_one_approval,
        "the study lacks the approval of Party",
    ),
    Lie(
        Row("one_approval_three_times", "one party's approval stands for all", "the party is named"),
        own_row,
        r"/v1/studies/[^/]+",
        _one_approval_three_times,
        "the study lacks the approval of Party",
    ),
    Lie(
        Row(
            "approval_invented_for_members",
            "an approval with a sealing key of the gateway's own, in a party's name",
            "refused before anything is sealed: the party is named",
        ),
        own_row,
        r"/v1/studies/[^/]+",
        _invented_approval,
        "no valid signature by party 1",
    ),
    Lie(
        Row("roster_signed_by_two", "a roster that one party has not signed", "the party is named"),
        own_row,
        r"/v1/studies/[^/]+",
        _roster_signed_by_two,
        "roster: ",
    ),
    Lie(
        Row("roster_served_as_checked", "the roster in place of the checked one", "refused"),
        own_row,
        r"/v1/studies/[^/]+",
        _roster_where_the_checked_one_belongs,
        "checked roster: ",
    ),
    Lie(
        Row("result_without_its_roster", "a result whose roster is kept back", "the gateway is named"),
        named_result,
        r"/v1/studies/[^/]+",
        _no_roster,
        "serves a result without its roster",
    ),
    Lie(
        Row("another_community_served", "another community under the same address", "refused"),
        own_row,
        "/v1/community",
        _another_community,
        "fingerprint is not the pinned one",
    ),
    Lie(
        Row(
            "community_version_signed_by_two",
            "a new version of the community that one party has not signed",
            "the party is named",
        ),
        own_row,
        "/v1/community",
        _version_signed_by_two,
        "no valid signature by party",
    ),
    Lie(
        Row("one_decision_three_times", "one party's decision stands for all", "the missing ones are named"),
        answer_to_query,
        r"/v1/queries/[^/]+",
        _decisions_of_one_party,
        "1 of 3 parties agree; waiting for",
    ),
    Lie(
        Row("decisions_of_another_query", "the decisions on another query", "the missing ones are named"),
        answer_to_query,
        r"/v1/queries/[^/]+",
        _decisions_of_the_other_query,
        "0 of 3 parties agree; waiting for",
    ),
)


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.row.name)
def test_true_document_in_the_wrong_place_is_found(lie: Lie, finished: Finished) -> None:
    async def serve(request: httpx.Request, body: bytes) -> httpx.Response:
        return _json(await lie.lie(finished, request, body))

    found = asyncio.run(_outcome(finished, lie.use, Meddles(lie.path, serve)))
    assert lie.told in found


ATTACKS = (
    *(
        attack_of(
            f"any answer to a member or a researcher {what}",
            "the truth, or an error that says what is wrong",
            test_spoilt_answer_ends_in_truth_or_an_error,
        )
        for _, what in FAULTS.values()
    ),
    attack_of(
        "a member's row of the roster is hidden, or it was dropped from it",
        "the member is told that its receipts prove it",
        test_member_whose_row_is_hidden_is_told_what_its_receipts_prove,
    ),
    *attacks_of([lie.row for lie in LIES], test_true_document_in_the_wrong_place_is_found),
)
