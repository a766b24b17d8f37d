"""A proposer or a party that answers: lying about time, telling each another story, sending what is no message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mpc_cde.documents.canonical import canonical_bytes, datetime_of
from mpc_cde.documents.complaint import Complaint
from mpc_cde.documents.decision import Decision
from mpc_cde.documents.envelope import open_envelope
from mpc_cde.documents.query import Query
from mpc_cde.errors import BadDocument
from parties.job_proposals import Answer, OwnView, Proposal, agreed_digest, refusal_of_query
from parties.job_runner import released_of
from parties.release_ledger import Ledger, LedgerEntry, Released
from protocols.errors import OutOfRange
from tests.mpc_cde.client.paper import PaperCommunity, signed
from tests.parties.memory_sessions import Lie, MemoryMesh
from tests.parties.test_conductor import Three, submissions, submit_and_close

NOW = "2026-06-01T12:00:00Z"
BOMB = "1e999999999"


@pytest.fixture
def paper() -> PaperCommunity:
    return PaperCommunity()


def view_of(query: Query, now: str) -> OwnView:
    decisions = {
        party: Decision(
            study_terms=query.study_terms,
            query=query.digest(),
            checked_roster=b"c" * 32,
            party=party,
            answer="yes",
            rule="approved_study",
            explanation="yes",
        )
        for party in range(3)
    }
    return OwnView(query, query.digest(), decisions, 3, b"c" * 32, Ledger(()), now)


def proposal_of(query: Query, **changes: object) -> Proposal:
    honest = {
        "kind": "query",
        "study_terms": query.study_terms,
        "subject": query.digest(),
        "roster": b"c" * 32,
        "attempt": 1,
        "time": NOW,
        "released": tuple(Released() for _ in query.items),
    }
    return Proposal.model_validate({**honest, **changes})


def test_a_proposer_that_sets_its_time_back_gets_no_expired_query_answered(paper: PaperCommunity) -> None:
    query = paper.query()
    after = "2026-12-02T00:00:00Z"
    assert refusal_of_query(proposal_of(query), view_of(query, NOW)) is None
    assert refusal_of_query(proposal_of(query), view_of(query, after)) == "the query has expired"


@pytest.mark.parametrize("time", ["2026-06-01T11:00:00Z", "2026-06-01T12:06:00Z", "1999-01-01T00:00:00Z"])
def test_a_result_says_no_time_that_is_not_now(paper: PaperCommunity, time: str) -> None:
    query = paper.query()
    refusal = refusal_of_query(proposal_of(query, time=time), view_of(query, NOW))
    assert refusal == "the proposal's time is not this party's"


def test_the_expiry_itself_is_too_late_and_five_minutes_apart_is_not(paper: PaperCommunity) -> None:
    query = paper.query()
    at_expiry = proposal_of(query, time=query.expires)
    assert refusal_of_query(at_expiry, view_of(query, query.expires)) == "the query has expired"
    apart = proposal_of(query, time="2026-06-01T12:05:00Z")
    assert refusal_of_query(apart, view_of(query, "2026-06-01T12:00:00Z")) is None


def test_a_proposer_cannot_do_without_every_partys_yes_about_this_checked_roster(
    paper: PaperCommunity,
) -> None:
    query = paper.query()
    own = view_of(query, NOW)

    def refusal(**changes: object) -> str | None:
        decisions = {**own.decisions, 1: own.decisions[1].model_copy(update=changes)}
        return refusal_of_query(proposal_of(query), replace(own, decisions=decisions))

    assert refusal() is None
    assert refusal(answer="no") == "some party said no to the query"
    assert refusal(checked_roster=b"d" * 32) == "some party decided about another checked roster"
    missing = {party: own.decisions[party] for party in (0, 2)}
    told = refusal_of_query(proposal_of(query), replace(own, decisions=missing))
    assert told == "no decision of party 1 is here yet"


def test_a_proposer_cannot_bring_another_checked_roster(paper: PaperCommunity) -> None:
    query = paper.query()
    refusal = refusal_of_query(proposal_of(query, roster=b"d" * 32), view_of(query, NOW))
    assert refusal == "the checked roster is another one here"


def started(query: Query, attempt: int, *, roster: bytes = b"c" * 32, item: int = 0) -> LedgerEntry:
    return LedgerEntry(
        query.study_terms, roster, query.digest(), bytes([attempt]) * 32, attempt, query.items[item], None
    )


def test_a_proposer_cannot_begin_the_study_on_a_second_roster(paper: PaperCommunity) -> None:
    query = paper.query()
    own = replace(view_of(query, NOW), ledger=Ledger((started(query, 1, roster=b"d" * 32),)))
    refusal = refusal_of_query(proposal_of(query, attempt=2), own)
    assert refusal == "something of this study was begun on another roster"


def test_a_proposer_cannot_use_the_number_of_an_attempt_again(paper: PaperCommunity) -> None:
    query = paper.query()
    own = replace(view_of(query, NOW), ledger=Ledger((started(query, 1),)))
    assert refusal_of_query(proposal_of(query, attempt=2), own) is None
    assert refusal_of_query(proposal_of(query), own) == "this attempt was started before"


def test_a_proposer_cannot_leave_out_what_was_released(paper: PaperCommunity) -> None:
    query = paper.query()
    place = next(i for i, item in enumerate(query.items) if item.function == "percentiles@1")
    other = query.model_copy(update={"nonce": bytes(16)})
    own = replace(view_of(query, NOW), ledger=Ledger((started(other, 1, item=place),)))
    released = [Released() for _ in query.items]
    for index, item in enumerate(query.items):
        if item.figures == query.items[place].figures and item.group is None:
            released[index] = Released(quantiles=("1/4", "1/2"))
    assert refusal_of_query(proposal_of(query, released=tuple(released)), own) is None
    forgetful = [*released[:place], Released(quantiles=("1/2",)), *released[place + 1 :]]
    assert (
        refusal_of_query(proposal_of(query, released=tuple(forgetful)), own)
        == "the proposal leaves out what is released here"
    )
    assert (
        refusal_of_query(proposal_of(query, released=tuple(released[:-1])), own)
        == "the proposal lists another number of items"
    )


@pytest.mark.parametrize("text", [BOMB, "0/5", "5/1", "2/4", "1/0", "x", "1/3 ", "-1/2"])
def test_a_released_quantile_that_is_none_is_refused_before_it_is_counted_out(
    paper: PaperCommunity, text: str
) -> None:
    query = paper.query()
    for kind in ("quantiles", "linear"):
        raw = proposal_of(query).model_dump(mode="json")
        Proposal.parse_payload(canonical_bytes(raw))
        raw["released"][0][kind] = [text]
        with pytest.raises(BadDocument):
            Proposal.parse_payload(canonical_bytes(raw))
    with pytest.raises(OutOfRange):
        released_of((text,))


def other_time(receiver: int) -> Lie:
    """Party 0 tells `receiver` another time than the rest."""

    def lie(sender: int, to: int, step: str, payload: bytes) -> bytes:
        if (sender, to, step) != (0, receiver, "proposal"):
            return payload
        honest = Proposal.parse_payload(payload)
        second = datetime_of(honest.time).replace(second=59)
        return honest.model_copy(update={"time": second.strftime("%Y-%m-%dT%H:%M:%SZ")}).payload_bytes()

    return lie


def other_log(receiver: int) -> Lie:
    """Party 2 shows `receiver` another log head than the rest."""

    def lie(sender: int, to: int, step: str, payload: bytes) -> bytes:
        if (sender, to, step) != (2, receiver, "answer"):
            return payload
        return Answer.parse_payload(payload).model_copy(update={"log_head": b"x" * 32}).payload_bytes()

    return lie


@pytest.mark.parametrize("lie", [other_time(2), other_log(1)])
async def test_what_is_told_differently_is_found_before_anything_opens_and_no_honest_party_is_accused(
    paper: PaperCommunity, tmp_path: Path, lie: Lie
) -> None:
    mesh = MemoryMesh(paper.m, paper.t, lie=lie)
    three = Three(paper, tmp_path, mesh)
    submit_and_close(three, submissions(paper))
    async with three.running():
        await three.until(lambda: "session.failed" in three.parties[1].node.events())
    assert mesh.jobs == []
    assert not three.outbox(1, "/v1/complaints")


def no_answer(sender: int, step: str, payload: bytes) -> bytes:
    return b"{}" if (sender, step) == (2, "answer") else payload


def uncalled_proposal(sender: int, step: str, payload: bytes) -> bytes:
    return b"me too" if (sender, step) == (2, "proposal") else payload


@pytest.mark.parametrize("tamper", [no_answer, uncalled_proposal])
async def test_a_party_that_breaks_the_order_of_a_job_is_accused_and_no_other(
    paper: PaperCommunity, tmp_path: Path, tamper: Callable[[int, str, bytes], bytes]
) -> None:
    three = Three(paper, tmp_path, MemoryMesh(paper.m, paper.t, tamper=tamper))
    submit_and_close(three, submissions(paper))
    async with three.running():
        await three.until(lambda: three.outbox(1, "/v1/complaints"))
    assert open_envelope(three.outbox(1, "/v1/complaints")[0], Complaint).accused_party == 2


def test_proposal_and_answers_have_one_digest_and_every_word_changes_it(paper: PaperCommunity) -> None:
    proposal = proposal_of(paper.query())
    answers = {party: Answer(accepts=True, log_head=bytes(32), log_length=party) for party in range(3)}
    own = agreed_digest(proposal, answers)
    later = proposal.model_copy(update={"time": "2026-06-01T12:00:01Z"})
    assert agreed_digest(later, answers) != own
    assert agreed_digest(proposal, {**answers, 1: answers[0]}) != own
    assert agreed_digest(proposal, dict(reversed(answers.items()))) == own


async def test_a_query_that_one_party_keeps_refusing_does_not_hold_up_the_others(
    paper: PaperCommunity, tmp_path: Path
) -> None:
    """The gateway keeps one decision on a first query from party 2 for ever."""
    mesh = MemoryMesh(paper.m, paper.t)
    three = Three(paper, tmp_path, mesh)
    submit_and_close(three, submissions(paper))
    queries = [
        paper.query().model_copy(update={"expires": "2027-06-01T00:00:00Z", "nonce": bytes([n]) * 16})
        for n in range(2)
    ]
    held_back = min(query.digest() for query in queries)
    honest_take = three.parties[2].node.take

    def take(*items: object) -> None:
        for item in items:
            payload = getattr(item, "payload", b"")
            kind = getattr(item, "payload_type", "")
            if kind == Decision.payload_type():
                decision = Decision.parse_payload(payload)
                if decision.query == held_back and decision.party == 0:
                    continue
            honest_take(item)  # type: ignore[arg-type]  # what `relay` hands on are envelopes

    three.parties[2].node.take = take  # type: ignore[method-assign]  # a gateway that leaves one item out
    async with three.running():
        await three.until(lambda: all(three.documents(i, "checked-roster/v1") for i in range(3)))
        for party in three.parties:
            envelopes = [signed(query, [paper.researcher_key]) for query in queries]
            ordered = sorted(envelopes, key=lambda envelope: envelope.digest() != held_back)
            party.node.take(signed(paper.researcher(), paper.party_keys), *ordered)
            party.conductor.wake()
        await three.until(lambda: all(three.documents(i, "result/v1") for i in range(3)))
    answered = {stored.subject for stored in three.documents(1, "result/v1")}
    assert answered == {query.digest() for query in queries} - {held_back}
