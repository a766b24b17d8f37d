"""A long page with the process that opens envelopes beside it: the same comes of it, whatever that process does."""

from __future__ import annotations

import contextlib
import select
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpc_cde.documents.envelope import verifies
from mpc_cde.sealing import MAX_PLAINTEXT_BYTES, SealingContext, open_sealed, seal
from parties import intake, looking_ahead
from parties.envelope_opener import (
    MAX_MESSAGE_BYTES,
    READY,
    Answer,
    EnvelopeOpener,
    SealedPart,
    Task,
    framed,
    pack_answers,
    pack_key,
    pack_tasks,
    unpack_answers,
    unpack_key,
    unpack_tasks,
)
from parties.errors import DeadlinePassed, WorkerMisbehaved
from parties.opener_process import PAUSE_SECONDS, WORTH_ASKING, OpenerProcess
from parties.time_limits import TimeLimits
from tests.mpc_cde.client.paper import PaperCommunity
from tests.parties.paper_node import PaperNode, PaperSubmission, make_submission

MEMBERS = 14
SOON = TimeLimits(opener_seconds=0.2, worker_start_seconds=30.0)
PAPER = PaperCommunity(members=MEMBERS)
STUDY = PAPER.study.terms_digest()
KEY_OF_PARTY = PAPER.sealing_keys[0]


def wait_until_ready(opener: OpenerProcess, items: int = MEMBERS) -> None:
    end = time.monotonic() + 30
    while not opener.is_ready_for(items):
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture(scope="module")
def opener() -> Iterator[OpenerProcess]:
    """One that is running, for all tests that do it no harm."""
    process = OpenerProcess(worth_starting=1, cores=2)
    wait_until_ready(process)
    yield process
    process.stop()


def node_with(path: Path, opener: OpenerProcess | None) -> PaperNode:
    path.mkdir(exist_ok=True)
    node = PaperNode(PAPER, path)
    node.intake._opener = opener
    node.open_study(MEMBERS)
    return node


def page() -> list[PaperSubmission]:
    """Of twelve members, and most of what can be wrong with an envelope and a signature."""
    member = PAPER.membership(1).member
    return [
        make_submission(PAPER, 0),
        make_submission(PAPER, 1, context={0: SealingContext(STUDY, PAPER.membership(2).member, 1, 0)}),
        make_submission(PAPER, 2, signer=3),
        make_submission(PAPER, 3, seeds_for={0: (bytes(32),)}),
        make_submission(PAPER, 4, seeds_for={0: (bytes(32), bytes([1] * 32))}),
        make_submission(PAPER, 5, changes={"envelopes": (bytes(32), bytes(32), bytes(32))}),
        make_submission(PAPER, 1, sequence=2, context={0: SealingContext(STUDY, member, 1, 0)}),
        *(make_submission(PAPER, number) for number in range(6, MEMBERS)),
    ]


def outcome(node: PaperNode) -> dict[bytes, tuple[str, str]]:
    with node.store.reading() as view:
        return {r.digest: (r.state, r.reason) for r in view.submissions(STUDY)}


def seeds_kept(node: PaperNode) -> list[tuple[bytes, ...]]:
    vault = intake.SeedVault(KEY_OF_PARTY, STUDY)
    accepted = sorted(digest for digest, (state, _) in outcome(node).items() if state == "accepted")
    with node.store.reading() as view:
        return [
            tuple(seed.secret_bytes() for seed in vault.open(s.submission, s.sealed_seeds, count=2))
            for s in view.sealed_shares(accepted)
        ]


@contextlib.contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What this process opens and verifies itself."""
    done: list[str] = []

    def opening(*arguments: object) -> bytes:
        done.append("opened")
        return open_sealed(*arguments)  # type: ignore[arg-type]

    def verifying(*arguments: bytes) -> bool:
        done.append("verified")
        return verifies(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(intake, "open_sealed", opening)
        patch.setattr("mpc_cde.documents.envelope.verifies", verifying)
        yield done


def test_the_same_comes_of_a_page_and_the_node_opens_and_verifies_nothing_of_it(
    tmp_path: Path, opener: OpenerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, helped = node_with(tmp_path / "alone", None), node_with(tmp_path / "helped", opener)
    submissions = page()
    with counted(monkeypatch) as done:
        helped.take(*submissions)
    assert done == ["verified"], "and that is the one whose signature hints at another's key"
    alone.take(*submissions)
    assert outcome(helped) == outcome(alone)
    assert {reason for _, reason in outcome(helped).values()} == {
        "accepted",
        "envelope_altered",
        "envelope_sealed_elsewhere",
        "seed_differs",
        "seeds_malformed",
    }
    assert seeds_kept(helped) == seeds_kept(alone)
    assert [r.submission for r in helped.receipts()] == [r.submission for r in alone.receipts()]
    assert helped.events() == alone.events()


def test_what_is_signed_by_nobody_known_is_not_opened() -> None:
    """Else anybody could have a party open envelopes for it, as many as it sends."""
    made = make_submission(PAPER, 2, signer=3)
    one = EnvelopeOpener()
    one.learn(STUDY, KEY_OF_PARTY)
    task = task_of(made)
    assert one.answer(task) == Answer((False,))
    assert one.answer(Task(task.message, (), task.part)) == Answer(())


def task_of(made: PaperSubmission, *, member: int = 2) -> Task:
    key = PAPER.membership(member).signing_key
    message = looking_ahead.pre_authentication_encoding(made.envelope.payload_type, made.envelope.payload)
    where = SealingContext(STUDY, made.document.member, made.document.sequence, 0)
    claims = tuple((key, signature.sig) for signature in made.envelope.signatures)
    return Task(message, claims, SealedPart(made.sealed[0], where))


def test_an_envelope_that_is_too_long_to_open_is_not_handed_over(
    tmp_path: Path, opener: OpenerProcess
) -> None:
    node = node_with(tmp_path / "node", opener)
    submissions = [make_submission(PAPER, number) for number in range(MEMBERS)]
    huge = (submissions[0].correction, bytes(MAX_PLAINTEXT_BYTES + 4096))
    node.take(*submissions[1:], (submissions[0].envelope, huge))
    assert [reason for _, reason in outcome(node).values()].count("accepted") == MEMBERS - 1
    assert outcome(node)[submissions[0].digest] == ("refused", "envelope_altered")
    assert "opener.failed" not in node.events()


# when it is there -------------------------------------------------------------------------------------------


def test_short_pages_and_machines_with_one_core_do_without(tmp_path: Path) -> None:
    for opener, items in ((OpenerProcess(cores=2), 63), (OpenerProcess(cores=1), 1000)):
        assert not opener.is_ready_for(items)
        assert opener.pid is None


def test_a_page_of_a_few_items_is_not_worth_asking_about(opener: OpenerProcess) -> None:
    wait_until_ready(opener)
    assert not opener.is_ready_for(WORTH_ASKING - 1)
    assert opener.is_ready_for(WORTH_ASKING)


def test_one_that_is_not_there_is_not_asked() -> None:
    opener = OpenerProcess(cores=2)
    for use in (lambda: opener.ask([], lambda _: KEY_OF_PARTY), opener.answers, opener.go_on):
        with pytest.raises(WorkerMisbehaved, match="not there"):
            use()


def test_it_ends_when_the_feed_is_quiet_and_comes_back(tmp_path: Path) -> None:
    opener = OpenerProcess(worth_starting=1, cores=2)
    node = node_with(tmp_path / "node", opener)
    assert opener.pid is not None
    node.intake.rest()
    assert opener.pid is None
    assert not opener.is_ready_for(MEMBERS)
    assert opener.pid is not None
    opener.stop()


def test_it_ends_with_its_node() -> None:
    """Whatever ends the node, the system closes its end of the pipe."""
    opener = OpenerProcess(worth_starting=1, cores=2)
    wait_until_ready(opener)
    running = opener._running
    assert running is not None
    running._pipe.close()
    assert running._process.wait(timeout=30) == 0


# and what it does wrong -------------------------------------------------------------------------------------

READY_FRAME = repr(framed(READY, b""))
FITTING = pack_answers([Answer((True,))] * MEMBERS)
STUBS = {
    "dies": "take(); sys.exit(3)",
    "says nothing": "take(); time.sleep(60)",
    "answers something else": "take(); say(b'a', b'')",
    "answers rubbish": "take(); say(b'a', b'123')",
    "threatens with a long message": "take(); os.write(fd, b'\\xff\\xff\\xff\\xffa')",
    "answers in another kind": "take(); say(b'r', b'')",
    "says what fits in another kind": f"take(); say(b'r', {FITTING!r})",
    "answers about more signatures": f"take(); say(b'a', {pack_answers([Answer((True, True))] * MEMBERS)!r})",
}


def stub(path: Path, body: str) -> str:
    """A Python that does this in place of the opener."""
    program = path / "python"
    program.write_text(
        f"#!{sys.executable} -S\n"
        "import os, struct, sys, time\n"
        "fd = int(sys.argv[-1])\n"
        "def say(kind, body): os.write(fd, struct.pack('>Ic', len(body), kind) + body)\n"
        "def take(): os.read(fd, 5)\n"
        f"say(b'r', b'')\n{body}\ntime.sleep(60)\n"
    )
    program.chmod(0o755)
    return str(program)


@pytest.mark.parametrize("fault", STUBS)
def test_a_page_is_taken_without_an_opener_that_fails_and_the_log_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    now = [0.0]
    opener = OpenerProcess(limits=SOON, worth_starting=MEMBERS, cores=2, monotonic=lambda: now[0])
    monkeypatch.setattr(sys, "executable", stub(tmp_path, STUBS[fault]))
    node = node_with(tmp_path / "node", opener)
    wait_until_ready(opener)
    node.take(*(make_submission(PAPER, number) for number in range(MEMBERS)))
    assert [state for state, _ in outcome(node).values()] == ["accepted"] * MEMBERS
    assert node.events().count("opener.failed") == 1
    assert opener.pid is None
    assert not opener.is_ready_for(MEMBERS)
    assert opener.pid is None, "it is started again at once"
    now[0] = PAUSE_SECONDS
    assert not opener.is_ready_for(MEMBERS)
    assert opener.pid is not None
    opener.stop()


def test_an_opener_that_cannot_be_started_or_does_not_get_ready_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "python"
    slow.write_text(f"#!{sys.executable} -S\nimport time\ntime.sleep(60)\n")
    slow.chmod(0o755)
    opener = OpenerProcess(limits=TimeLimits(worker_start_seconds=0.01), worth_starting=1, cores=2)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nowhere"))
    with pytest.raises(WorkerMisbehaved, match="cannot be started"):
        opener.is_ready_for(MEMBERS)
    monkeypatch.setattr(sys, "executable", str(slow))
    assert not opener.is_ready_for(MEMBERS)
    time.sleep(0.02)
    with pytest.raises(DeadlinePassed):
        opener.is_ready_for(MEMBERS)
    opener.stop()


def started(path: Path, monkeypatch: pytest.MonkeyPatch, body: str, *, ready: str = "r") -> OpenerProcess:
    """One that is a stub, and has said its first word."""
    opener = OpenerProcess(limits=SOON, worth_starting=1, cores=2)
    program = Path(stub(path, body))
    program.write_text(program.read_text().replace("say(b'r', b'')", f"say(b'{ready}', b'')"))
    monkeypatch.setattr(sys, "executable", str(program))
    assert not opener.is_ready_for(MEMBERS)
    assert opener._running is not None
    assert select.select([opener._running._pipe], [], [], 30)[0]
    return opener


def test_an_opener_that_speaks_before_it_is_asked_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opener = started(tmp_path, monkeypatch, "", ready="a")
    with pytest.raises(WorkerMisbehaved, match="before it is asked"):
        opener.is_ready_for(MEMBERS)
    opener.stop()


def test_an_opener_that_is_first_looked_at_late_was_ready_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opener = started(tmp_path, monkeypatch, "")
    assert opener._running is not None
    opener._running._begun -= 1000
    assert opener.is_ready_for(MEMBERS)
    opener.stop()


@pytest.mark.parametrize(
    ("size", "error"), [(MAX_MESSAGE_BYTES, DeadlinePassed), (MAX_MESSAGE_BYTES + 1, WorkerMisbehaved)]
)
def test_an_opener_cannot_have_its_node_wait_for_a_message_of_any_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, error: type[Exception]
) -> None:
    """Else a node would keep four gibibytes of what is no answer."""
    opener = started(tmp_path, monkeypatch, f"take(); os.write(fd, struct.pack('>Ic', {size}, b'a'))")
    assert opener.is_ready_for(MEMBERS)
    opener.ask([task_of(make_submission(PAPER, 2))], lambda _: KEY_OF_PARTY)
    with pytest.raises(error):
        opener.answers()
    opener.stop()


def test_answers_to_a_page_that_was_not_taken_to_its_end_are_never_taken_for_those_to_the_next(
    opener: OpenerProcess,
) -> None:
    """A disk that is full, say, ends a page anywhere."""
    first = opener.pid
    opener.ask([task_of(make_submission(PAPER, 2))], lambda _: KEY_OF_PARTY)
    assert not opener.is_ready_for(MEMBERS)
    wait_until_ready(opener)
    assert opener.pid != first
    task = task_of(make_submission(PAPER, 3), member=3)
    opener.ask([task], lambda _: KEY_OF_PARTY)
    assert [(asked, answer.holds) for asked, answer in opener.answers()] == [(task, (True,))]


# the pipe ---------------------------------------------------------------------------------------------------


def test_tasks_and_answers_and_keys_come_out_of_the_pipe_as_they_went_in() -> None:
    task = task_of(make_submission(PAPER, 2))
    tasks = [task, Task(b"", (), None), Task(b"m", task.claims * 3, None)]
    assert list(unpack_tasks(pack_tasks(tasks))) == tasks
    answers = [
        Answer((True, False)),
        Answer((), True),
        Answer((True,), True, b""),
        Answer((), True, b"s" * 72),
    ]
    assert list(unpack_answers(pack_answers(answers))) == answers
    study, key = unpack_key(pack_key(STUDY, KEY_OF_PARTY))
    assert (study, key.public) == (STUDY, KEY_OF_PARTY.public)


@pytest.mark.parametrize("cut", [1, 7, 40])
def test_a_round_that_ends_too_soon_is_refused(cut: int) -> None:
    with pytest.raises(ValueError, match="too soon"):
        list(unpack_tasks(pack_tasks([task_of(make_submission(PAPER, 2))])[:-cut]))


def test_more_is_asked_than_the_pipe_holds_and_every_answer_comes_in_its_order(opener: OpenerProcess) -> None:
    where = SealingContext(STUDY, bytes(16), 1, 0)
    part = SealedPart(seal(KEY_OF_PARTY.public, bytes(MAX_PLAINTEXT_BYTES), where), where)
    signed = task_of(make_submission(PAPER, 2))
    rounds = [[Task(signed.message, signed.claims, part)] * number for number in range(1, 6)]
    wait_until_ready(opener)
    for tasks in rounds:
        opener.ask(tasks, lambda _: KEY_OF_PARTY)
    for tasks in rounds:
        answers = [Answer((True,), True, bytes(MAX_PLAINTEXT_BYTES))] * len(tasks)
        assert opener.answers() == list(zip(tasks, answers, strict=True))


def test_nothing_that_crosses_the_pipe_is_printed_or_stands_in_the_process_table(
    opener: OpenerProcess,
) -> None:
    plaintext = b"72 bytes of seeds"
    where = SealingContext(STUDY, bytes(16), 1, 0)
    part = SealedPart(seal(KEY_OF_PARTY.public, plaintext, where), where)
    shown = repr([part, Task(b"", (), part), Answer((), True, plaintext)])
    assert "seeds" not in shown
    assert repr(part.sealed)[2:20] not in shown
    wait_until_ready(opener)
    process = Path(f"/proc/{opener.pid}")
    told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
    assert KEY_OF_PARTY.secret_bytes() not in told
    assert KEY_OF_PARTY.secret_bytes().hex().encode() not in told
