"""Postings in groups: few commits, each before what it acknowledges, and nobody refused for another's fault."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from shutil import which
from typing import Any

import anyio
import httpx
import pytest
from sqlalchemy import Connection, event

from mpc_cde.body_parts import DOCUMENT_PART, DOCUMENTS_MEDIA_TYPE
from mpc_cde.documents.envelope import Envelope, _verifies_again
from mpc_cde.gateway.bodies import parse_envelope
from mpc_cde.gateway.keeping import Posting
from mpc_cde.gateway.routes.submissions import verify_submission
from mpc_cde.gateway.settings import Limits
from mpc_cde.gateway.store import Store, StoreTransaction
from mpc_cde.gateway.store_view import NewDocument
from tests.mpc_cde.client.paper import signed
from tests.mpc_cde.gateway.paper_gateway import PaperGateway, PaperMembers, problem, resigned
from tests.mpc_cde.gateway.test_real_process import open_now, post


@contextmanager
def writer_held(store: Store) -> Iterator[Callable[[], None]]:
    """Nobody else can write until the function is called."""
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with store.writing():
            held.set()
            release.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(10)
    try:
        yield release.set
    finally:
        release.set()
        holder.join()


async def submit_together(gateway: PaperGateway, *bodies: dict[str, bytes]) -> list[httpx.Response]:
    """All are verified and wait for the store before it lets anybody write."""
    answers: dict[int, httpx.Response] = {}
    keeping = gateway.app.state.desk.keeper.keeping
    asked = keeping.asked + len(bodies)

    async def submit(place: int, parts: dict[str, bytes]) -> None:
        answers[place] = await gateway.submit(parts)

    with writer_held(gateway.store) as release:
        async with anyio.create_task_group() as tasks:
            for place, parts in enumerate(bodies):
                tasks.start_soon(submit, place, parts)
            with anyio.fail_after(10):
                while keeping.asked < asked:
                    await anyio.lowlevel.checkpoint()
            release()
    return [answers[place] for place in range(len(bodies))]


DURABILITY = {"sqlite": ("PRAGMA synchronous", 2), "postgresql": ("SHOW synchronous_commit", "on")}
"""What to ask a connection whose commit returns when the disk has it, and what it answers; 2 is FULL."""


async def test_submissions_that_wait_share_a_commit(gateway: PaperGateway) -> None:
    await gateway.open_study()
    await gateway.enrol(*range(9))
    asking, durable = DURABILITY[gateway.store._engine.dialect.name]
    commits: list[object] = []

    def note(connection: Connection) -> None:
        if connection.get_execution_options().get("writes") is not None:
            commits.append(connection.exec_driver_sql(asking).scalar())

    before = gateway.app.state.desk.keeper.keeping.groups
    event.listen(gateway.store._engine, "commit", note)
    answers = await submit_together(gateway, *(gateway.paper.parts(number) for number in range(9)))
    event.remove(gateway.store._engine, "commit", note)
    assert [answer.status_code for answer in answers] == [201] * 9
    groups = gateway.app.state.desk.keeper.keeping.groups - before
    assert groups <= 2  # perhaps one ahead of all others
    assert commits == [durable] * (1 + groups)  # with the one that held them up
    assert sorted(answer.json()["number"] for answer in answers) == list(range(15, 24))


async def test_group_costs_as_many_statements_as_one_of_two(gateway: PaperGateway) -> None:
    """And each of it one verification of a signature."""
    await gateway.open_study()
    await gateway.enrol(*range(11))
    keeper = gateway.app.state.desk.keeper
    statements: list[str] = []

    def note(_1: object, _2: object, text: str, _4: object, _5: object, _6: object) -> None:
        statements.append(text)

    def costs_of(*numbers: int) -> tuple[int, int]:
        postings = []
        for number in numbers:
            parts = gateway.paper.parts(number)
            document = parse_envelope(parts[DOCUMENT_PART])
            postings.append(Posting(document, partial(verify_submission, document, parts)))
        _verifies_again.cache_clear()
        before = len(statements)
        kept = keeper._keep_all(keeper._verify_all(postings))
        assert [each.kept.number is not None for each in kept] == [True] * len(numbers)
        return _verifies_again.cache_info().misses, len(statements) - before

    event.listen(gateway.store._engine, "before_cursor_execute", note)
    try:
        costs_of(9)  # what is worked out of the study is at hand from now on
        (one_each, of_two), (again_one_each, of_seven) = costs_of(0, 1), costs_of(*range(2, 9))
    finally:
        event.remove(gateway.store._engine, "before_cursor_execute", note)
    assert (one_each, again_one_each) == (2, 7)
    assert of_two == of_seven <= 23


async def test_two_contents_of_one_sequence_in_one_group_keep_the_first(gateway: PaperGateway) -> None:
    await gateway.open_study()
    await gateway.enrol(0, 1)
    other = gateway.paper.submission(1).model_copy(update={"waiver": True})
    changed = gateway.paper.parts(1) | {DOCUMENT_PART: signed(other, [gateway.paper.member_key(1)]).to_json()}
    alone, first, second = await submit_together(
        gateway, gateway.paper.parts(0), gateway.paper.parts(1), changed
    )
    assert (alone.status_code, first.status_code) == (201, 201)
    problem(second, 409, "sequence-used")


async def test_study_is_full_within_one_group(tmp_path: Path) -> None:
    gateway = PaperGateway(tmp_path, paper=PaperMembers(roster_cap=2))
    await gateway.open_study()
    await gateway.enrol(0, 1, 2)
    try:
        answers = await submit_together(gateway, *(gateway.paper.parts(number) for number in range(3)))
    finally:
        await gateway.close()
    assert sorted(answer.status_code for answer in answers) == [201, 201, 409]


async def test_failure_in_the_midst_of_a_group_harms_only_its_own(
    gateway: PaperGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    await gateway.open_study()
    await gateway.enrol(0, 1, 2)
    put = StoreTransaction.put_document
    bad = gateway.paper.submission(1).digest()

    def put_and_fail(self: StoreTransaction, new: NewDocument, *, received: str) -> object:
        kept = put(self, new, received=received)
        if new.envelope.digest() == bad:
            raise RuntimeError("after it changed something")
        return kept

    monkeypatch.setattr(StoreTransaction, "put_document", put_and_fail)
    answers = await submit_together(gateway, *(gateway.paper.parts(number) for number in range(3)))
    assert [answer.status_code for answer in answers] == [201, 500, 201]
    with gateway.store.reading() as view:
        assert view.document(bad) is None
        assert view.count_submissions(gateway.paper.study.terms_digest()) == 2


async def post_lines(gateway: PaperGateway, collection: str, *envelopes: Envelope) -> httpx.Response:
    body = b"\n".join(envelope.to_json() for envelope in envelopes)
    headers = {"Content-Type": DOCUMENTS_MEDIA_TYPE}
    return await gateway.http.post(f"/v1/{collection}", content=body, headers=headers)


async def test_many_memberships_come_with_one_request(gateway: PaperGateway) -> None:
    await gateway.found()
    envelopes = [gateway.paper.membership_envelope(number) for number in range(12)]
    answer = await post_lines(gateway, "memberships", *envelopes)
    assert [each["status"] for each in answer.json()["documents"]] == [201] * 12
    again = await post_lines(gateway, "memberships", *envelopes[:2])
    assert [each["status"] for each in again.json()["documents"]] == [200] * 2
    assert gateway.app.state.desk.keeper.keeping.groups < 8  # groups of 1, 4 and the rest, twice


async def test_one_refused_receipt_leaves_the_others_alone(gateway: PaperGateway) -> None:
    await gateway.open_study()
    await gateway.submitted(0, 1)
    unknown, *known = (gateway.paper.receipts(number)[0] for number in (2, 0, 1))
    answer = await post_lines(gateway, "receipts", unknown, *known)
    documents = answer.json()["documents"]
    assert [each["status"] for each in documents] == [404, 201, 201]
    assert documents[0]["problem"]["type"] == "urn:mpc-cde:problem:not-found"


async def test_stranger_cannot_have_many_forgeries_verified_with_one_request(gateway: PaperGateway) -> None:
    await gateway.open_study()
    await gateway.submitted(*range(10))
    forged = [
        resigned(gateway.paper.receipts(number)[0], [gateway.paper.member_key(number)])
        for number in range(10)
    ]
    answer = await post_lines(gateway, "receipts", *forged)
    assert [each["status"] for each in answer.json()["documents"]] == [403] + [429] * 9


async def test_several_at_a_time_are_for_parties_and_registrars(gateway: PaperGateway) -> None:
    await gateway.open_study()
    answer = await post_lines(gateway, "receipts", *[gateway.paper.membership_envelope(0)] * 2)
    problem(answer, 422, "document-refused")
    problem(await post_lines(gateway, "receipts"), 400, "malformed-request")


ADDRESS = "127.0.0.1"
"""Whence the requests of these tests come."""


def few_tokens(tmp_path: Path, *, office: int, address: int) -> PaperGateway:
    """A gateway whose buckets hold so many tokens, and get none back while a test runs."""
    return PaperGateway(
        tmp_path,
        limits=Limits(
            requests_per_second_per_office=0.001,
            request_burst_per_office=office,
            requests_per_second_per_address=0.001,
            request_burst_per_address=address,
        ),
    )


async def test_stranger_cannot_spend_a_partys_tokens_by_sending_its_receipts_again(tmp_path: Path) -> None:
    """Three receipts are every member's to read; a body holds 256 lines."""
    gateway = few_tokens(tmp_path, office=12, address=1000)
    await gateway.open_study()
    await gateway.submitted(0)
    receipt = gateway.paper.receipts(0)[0]
    await gateway.posted("receipts", receipt)
    for _ in range(3):
        answer = await post_lines(gateway, "receipts", *[receipt] * 20)
        assert [each["status"] for each in answer.json()["documents"]] == [200] * 20
        assert (await gateway.post("receipts", receipt)).status_code == 200
    await gateway.submitted(1)
    assert (await gateway.post("receipts", gateway.paper.receipts(1)[0])).status_code == 201
    await gateway.close()


async def test_address_pays_for_every_line_that_is_refused_or_known(tmp_path: Path) -> None:
    """When it cannot, the rest of the body is not looked at."""
    gateway = few_tokens(tmp_path, office=1000, address=60)
    await gateway.open_study()
    await gateway.submitted(0)
    unknown, known = gateway.paper.receipts(2)[0], gateway.paper.receipts(0)[0]
    await gateway.posted("receipts", known)
    answer = await post_lines(gateway, "receipts", *[unknown] * 15, *[known] * 200)
    statuses = [each["status"] for each in answer.json()["documents"]]
    looked_at = 1 + 8 + 64  # groups grow
    assert statuses == [404] * 15 + [200] * (looked_at - 15) + [429] * (215 - looked_at)
    assert (await gateway.post("receipts", known)).status_code == 429
    await gateway.close()


async def test_new_documents_of_an_office_cost_its_address_one_request(tmp_path: Path) -> None:
    gateway = few_tokens(tmp_path, office=1000, address=30)
    await gateway.found()
    envelopes = [gateway.paper.membership_envelope(number) for number in range(12)]
    before = gateway.app.state.desk.addresses._buckets[ADDRESS].tokens
    answer = await post_lines(gateway, "memberships", *envelopes)
    assert [each["status"] for each in answer.json()["documents"]] == [201] * 12
    after = gateway.app.state.desk.addresses._buckets[ADDRESS].tokens
    assert before - after == pytest.approx(1, abs=0.1)
    await gateway.close()


def wait_for_run_file(home: Path) -> dict[str, Any]:
    """Of a process whose own parent is the tracer."""
    for _ in range(600):
        with suppress(OSError, ValueError):
            told: dict[str, Any] = json.loads((home / "run.json").read_bytes())
            return told
        time.sleep(0.05)
    raise AssertionError("the traced gateway is not up")


_CALL = re.compile(r"^\d+ +(fsync|fdatasync|write|writev|sendto|sendmsg)\((\d+)<([^>]*)>(.*)$")


@pytest.mark.skipif(which("strace") is None, reason="strace is not installed: `make test-tools` gets it")
def test_submission_is_on_disk_before_it_is_acknowledged(tmp_path: Path) -> None:
    """The system calls of a real gateway: between the body and its 201 the write-ahead log is synced."""
    paper, home, trace = open_now(PaperMembers()), tmp_path / "gateway", tmp_path / "trace"
    calls = "trace=fsync,fdatasync,write,writev,sendto,sendmsg"
    command = [sys.executable, "-m", "mpc_cde.gateway", "--home", str(home), "--port", "0"]
    strace = ["strace", "-f", "-y", "-s", "16", "-e", calls, "-e", "signal=none", "-o", str(trace)]
    with subprocess.Popen([*strace, *command], env={}, stderr=subprocess.DEVNULL) as process:
        told = wait_for_run_file(home)
        try:
            with httpx.Client(base_url=told["url"], trust_env=False, timeout=60) as http:
                post(http, "communities", paper.community_envelope)
                post(http, "studies", paper.study_envelope)
                for approval in paper.approvals:
                    post(http, "approvals", approval)
                post(http, "memberships", paper.membership_envelope(0))
                before = len(trace.read_text().splitlines())
                files = [(name, (name, content)) for name, content in paper.parts(0).items()]
                assert http.post("/v1/submissions", files=files).status_code == 201
        finally:
            os.kill(told["pid"], signal.SIGTERM)
        process.wait(30)
    seen = []
    for line in trace.read_text().splitlines()[before:]:
        call = _CALL.match(line)
        if call and call[1] in ("fsync", "fdatasync") and call[3].endswith("-wal"):
            seen.append("synced")
        elif call and "HTTP/1.1 201" in call[4]:
            seen.append("acknowledged")
    assert seen[:2] == ["synced", "acknowledged"]  # what the end of the process syncs comes after
