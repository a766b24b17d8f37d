"""What was opened is on disk before anything that depends on it leaves, and is signed from there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mpc_cde.documents.complaint import GIVEN_UP_STEP, Complaint
from mpc_cde.documents.envelope import Envelope
from mpc_cde.documents.result import LogHead, Result
from parties import answers_table
from parties.errors import PeerLost
from parties.job_proposals import Proposal, refusal_of_answer
from parties.results import FoundAnswer
from parties.worker_pipe import CellFound
from tests.mpc_cde.client.paper import PaperCommunity, signed
from tests.parties.memory_sessions import MemoryMesh
from tests.parties.test_conductor import Three
from tests.parties.test_every_function import Town


class Crash(PeerLost):
    """What a party sees of another that ends at a step."""

    def __init__(self) -> None:
        super().__init__(1, "Party 1", step="signature", expected="a signature", found="the end")


def crash_before_signing(mesh: MemoryMesh, parties: set[int]) -> list[int]:
    """Those of `parties` fail once, before their signature of a result leaves; returns who did."""
    done: list[int] = []

    def tamper(sender: int, at: str, payload: bytes) -> bytes:
        if at == "signature" and is_of_result(payload) and sender in parties and sender not in done:
            done.append(sender)
            raise Crash
        return payload

    mesh.tamper = tamper
    return done


def is_of_result(payload: bytes) -> bool:
    return b"vnd.mpc-cde.result" in payload


def jobs(town: Town) -> list[bytes]:
    return [job.job_id for job in town.mesh.jobs if job.kind == "answer_query"]


def answers(three: Three, index: int, query: bytes) -> tuple[FoundAnswer, ...]:
    with three.parties[index].node.store.reading() as view:
        return answers_table.read_answers(view, query)


def events(three: Three, index: int) -> list[str]:
    return [e for e in three.parties[index].node.events() if e.startswith(("job.", "result."))]


async def checked(town: Town) -> None:
    await town.three.until(lambda: all(town.three.documents(i, "checked-roster/v1") for i in range(3)))


@pytest.mark.parametrize("crashing", [{1}, {0, 1, 2}])
async def test_a_crash_between_opening_and_signing_opens_nothing_again(
    tmp_path: Path, crashing: set[int]
) -> None:
    town = Town(tmp_path)
    envelope = town.query(town.terms.functions[:2])
    async with town.three.running():
        await checked(town)
        crashed = crash_before_signing(town.mesh, crashing)
        result = await town.ask(envelope)
    assert crashed
    (only,) = jobs(town)
    assert result.job == only, "the result is that of the job that opened it"
    for index in range(3):
        (kept,) = answers(town.three, index, envelope.digest())
        assert kept.job == only
        seen = events(town.three, index)
        assert seen.count("job.answered") == 1
        assert seen.index("job.answered") < seen.index("result.signed")


async def test_a_restarted_party_finds_what_was_opened_on_disk(tmp_path: Path) -> None:
    town = Town(tmp_path)
    envelope = town.query(town.terms.functions[:1])
    async with town.three.running():
        await checked(town)
        town.mesh.tamper = lambda sender, step, payload: _fail_on_result(step, payload)
        town.hand_in(envelope)
        await town.three.until(lambda: all(answers(town.three, i, envelope.digest()) for i in range(3)))
    assert not town.three.documents(0, "result/v1")
    town.mesh.tamper = None
    for index, party in enumerate(town.three.parties):
        party.node.store.close()
        party.node.start()
        town.three.parties[index] = replace(party, conductor=town.three._conductor(party.node, town.mesh))
    async with town.three.running():
        result = await town.result(envelope.digest())
    assert [result.job] == jobs(town)


def _fail_on_result(step: str, payload: bytes) -> bytes:
    if step == "signature" and is_of_result(payload):
        raise Crash
    return payload


async def test_a_party_that_does_not_know_the_answer_computes_it_again_with_the_others(
    tmp_path: Path,
) -> None:
    """Party 2 fails before it has anything on disk: the same roster, the same values, another job."""
    town = Town(tmp_path)
    envelope = town.query(town.terms.functions[:2])
    forget = town.three.parties[2].node

    async with town.three.running():
        await checked(town)
        crash_before_signing(town.mesh, {0})
        original = answers_table.put_answer

        def put_nowhere(transaction: object, answer: FoundAnswer) -> None:
            if transaction.connection.engine is not forget.store._engine or len(jobs(town)) > 1:  # type: ignore[attr-defined]
                original(transaction, answer)  # type: ignore[arg-type]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(answers_table, "put_answer", put_nowhere)
            result = await town.ask(envelope)
    first, second = jobs(town)
    assert result.job == second
    known = answers(town.three, 0, envelope.digest())
    assert [answer.job for answer in known] == [first, second]
    assert known[0].says_the_same(known[1])


def answer_of(**changes: object) -> FoundAnswer:
    cell = CellFound(contributors=5, values=("5",), withheld=None)
    honest = FoundAnswer(
        job=b"j" * 32,
        query=b"q" * 32,
        checked_roster=b"c" * 32,
        parties=(0, 1, 2),
        attempt=1,
        time="2026-06-01T12:00:00Z",
        log_heads=(),
        cells=(cell,),
    )
    return FoundAnswer.model_validate({**dict(honest), **changes})


def test_only_what_this_party_has_on_disk_is_signed_again() -> None:
    proposal = Proposal(
        kind="answered",
        study_terms=bytes(32),
        subject=b"q" * 32,
        roster=b"c" * 32,
        attempt=1,
        time="2026-06-01T12:00:00Z",
        answer=answer_of().digest(),
    )
    session = (0, 1, 2)
    assert refusal_of_answer(proposal, session, [answer_of()]) is None
    others = (answer_of(job=b"k" * 32), answer_of(log_heads=(LogHead(party=0, head=bytes(32), length=1),)))
    for known in ([], *([other] for other in others)):
        assert refusal_of_answer(proposal, session, known) == "this party does not know that answer"
    assert refusal_of_answer(proposal.model_copy(update={"subject": b"r" * 32}), session, [answer_of()])
    moved = proposal.model_copy(update={"roster": b"d" * 32})
    assert refusal_of_answer(moved, session, [answer_of()]) == "that job was about another checked roster"
    assert refusal_of_answer(proposal, (0, 1, 3), [answer_of()]) == "that job ran among other parties"
    nameless = proposal.model_copy(update={"answer": None})
    assert refusal_of_answer(nameless, session, [answer_of()]) is not None


def test_two_attempts_say_the_same_whatever_was_sealed_anew() -> None:
    sealed = CellFound(contributors=5, values=None, sealed=(b"a" * 56,) * 3, withheld=None)
    anew = sealed.model_copy(update={"sealed": (b"b" * 56,) * 3})
    assert answer_of(cells=(sealed,)).says_the_same(answer_of(cells=(anew,), job=b"k" * 32))
    for other in ({"contributors": 6}, {"withheld": "minimum"}, {"values": ("7",)}):
        assert not answer_of().says_the_same(
            answer_of(cells=(answer_of().cells[0].model_copy(update=other),))
        )


def test_an_answer_comes_back_from_disk_as_it_was() -> None:
    answer = answer_of()
    assert FoundAnswer.parse_payload(answer.payload_bytes()) == answer
    assert Result.type_name() == "result/v1"


def test_an_answer_that_a_party_has_given_up_on_waits_for_no_signature(tmp_path: Path) -> None:
    """It was opened here alone in the last attempt: else the query is tried again and again until it expires."""
    paper = PaperCommunity()
    three = Three(paper, tmp_path, MemoryMesh(paper.m, paper.t))
    party, study, answer = three.parties[0], paper.study.terms_digest(), answer_of()
    party.node.open_study()

    def waits() -> bool:
        with party.node.store.reading() as view:
            return party.conductor.desk.may_be_signed(view, study, answer.query)

    assert not waits()
    with party.node.store.writing() as transaction:
        answers_table.put_answer(transaction, answer)
    for step, query in (("attempts", b"another".ljust(32, b".")), ("agreement", answer.query)):
        party.node.take(complaint_of(paper, step, query))
        assert waits()
    party.node.take(complaint_of(paper, GIVEN_UP_STEP, answer.query))
    assert not waits()


def complaint_of(paper: PaperCommunity, step: str, query: bytes) -> Envelope:
    document = Complaint(
        community=paper.community.digest(),
        study_terms=paper.study.terms_digest(),
        party=1,
        step=step,
        expected="an answer",
        found="none",
        evidence=(query,),
        time="2026-06-01T12:00:00Z",
    )
    return signed(document, [paper.party_keys[1]])
