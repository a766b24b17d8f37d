"""From a closed study to a signed result, three nodes in one process, over real stores and columns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import select

from mpc_cde.documents.authority import open_from_all_parties, open_from_computing_parties
from mpc_cde.documents.canonical import timestamp_of
from mpc_cde.documents.checked_roster import CheckedRoster
from mpc_cde.documents.complaint import Complaint
from mpc_cde.documents.decision import Decision
from mpc_cde.documents.envelope import Envelope, open_envelope, sign_document
from mpc_cde.documents.receipt import WithdrawalReceipt
from mpc_cde.documents.result import Result
from mpc_cde.documents.roster import Roster
from mpc_cde.documents.roster_list import RosterList
from mpc_cde.encodings import encodings_of
from mpc_cde.errors import OwnError
from parties import column_builder, columns, ledger_table
from parties.conductor import Conductor, Wanted
from parties.desk import Desk
from parties.job_proposals import Proposal
from parties.policy import PartyPolicy
from parties.roster import read_basis, read_promises
from parties.seed_vault import SeedVault
from parties.share_store import StoredDocument
from parties.store_tables import submissions as submission_rows
from parties.studies import KnownStudy
from protocols.encoding import encode_submission
from tests.mpc_cde.client.paper import PaperCommunity, signed
from tests.parties.memory_sessions import MemoryMesh, MemorySessions
from tests.parties.paper_node import ManualClock, PaperNode, PaperSubmission, make_submission

AFTER_CLOSING = datetime(2027, 1, 1, 1, 0, tzinfo=UTC)
SALES = [30, 55, 120, 125, 240, 333, 334, 490, 512, 777, 801, 5000, 5005, 9000]


def submissions(paper: PaperCommunity, malformed: tuple[int, ...] = ()) -> list[PaperSubmission]:
    """One member a row; a malformed one shares numbers that are no indicators."""
    encodings = encodings_of(paper.study.terms)
    found = []
    for number, sales in enumerate(SALES):
        margin = None if number % 5 == 4 else Decimal(number) / 2
        vector = encode_submission(encodings, [Decimal(sales), margin])
        found.append(make_submission(paper, number, vector=None if number in malformed else vector))
    return found


@dataclass
class Party:
    """One node with its conductor; what it posts goes to every other node, as a gateway would relay it."""

    node: PaperNode
    conductor: Conductor
    delivered: set[tuple[str, bytes]] = field(default_factory=set)


class Three:
    """Three parties, the documents relayed among them by hand."""

    def __init__(self, paper: PaperCommunity, path: Path, mesh: MemoryMesh) -> None:
        self.paper = paper
        self.clock = ManualClock()
        self.parties = []
        for index in range(paper.m):
            directory = path / str(index)
            directory.mkdir(mode=0o700)
            node = PaperNode(paper, directory, index, self.clock)
            self.parties.append(Party(node, self._conductor(node, mesh)))

    def _conductor(self, node: PaperNode, mesh: MemoryMesh) -> Conductor:
        async def prepare(study: bytes, roster_digest: bytes) -> Path:
            directory = node.home.columns_path / roster_digest.hex()
            terms = self.paper.study.terms
            try:
                column_builder.verify_columns(directory, roster_digest, terms)
            except column_builder.ColumnsDamaged:
                with node.store.reading() as view:
                    roster, entries = desk.roster(view, roster_digest)
                    column_builder.build_columns(
                        view,
                        SeedVault(self.paper.sealing_keys[node.index], study),
                        community=self.paper.community,
                        terms=terms,
                        party=node.index,
                        roster=roster,
                        entries=entries,
                        directory=directory,
                    )
            return directory / columns.SHARES

        desk = Desk(
            store=node.store,
            log=node.log,
            intake=node.intake,
            identity=self.paper.party_keys[node.index],
            clock=self.clock,
            wake_outbox=lambda: None,
        )

        async def no_pause(_: float) -> None:
            await asyncio.sleep(0.01)

        return Conductor(
            desk=desk,
            home=node.home,
            sessions=MemorySessions(mesh, node.index),
            policy=PartyPolicy(2, 2),
            prepare_columns=prepare,
            pause=no_pause,
        )

    def relay(self) -> None:
        """Everything in an outbox reaches every node, own documents too."""
        for party in self.parties:
            with party.node.store.reading() as view:
                items = [(item.path, item.body) for item in view.outbox()]
            for path, body in items:
                envelope = Envelope.parse_json(body)
                if (path, body) in party.delivered:
                    continue
                party.delivered.add((path, body))
                for other in self.parties:
                    other.node.take(envelope)
                    other.conductor.wake()

    def documents(self, index: int, type_name: str) -> list[StoredDocument]:
        with self.parties[index].node.store.reading() as view:
            return view.documents(type_name)

    def outbox(self, index: int, path: str) -> list[Envelope]:
        with self.parties[index].node.store.reading() as view:
            return [Envelope.parse_json(item.body) for item in view.outbox() if item.path == path]

    @asynccontextmanager
    async def running(self, *indices: int) -> AsyncIterator[None]:
        """Those parties, or all."""
        parties = [self.parties[index] for index in indices] or self.parties
        tasks = [asyncio.create_task(party.conductor.run()) for party in parties]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(end, asyncio.CancelledError) for end in ended), ended

    async def until(self, ready: object, *, relay: bool = True, seconds: float = 20.0) -> None:
        assert callable(ready)
        give_up = asyncio.get_running_loop().time() + seconds
        while not ready():
            if asyncio.get_running_loop().time() > give_up:
                pytest.fail(str([(p.conductor.doing, p.conductor.last_failure) for p in self.parties]))
            if relay:
                self.relay()
            await asyncio.sleep(0.02)


@pytest.fixture
def paper() -> PaperCommunity:
    return PaperCommunity()


def submit_and_close(three: Three, submitted: list[PaperSubmission], *withdrawn: Envelope) -> None:
    for party in three.parties:
        party.node.open_study(len(SALES))
        party.node.take(*submitted, *withdrawn)
    three.relay()
    three.clock.now = AFTER_CLOSING
    for party in three.parties:
        party.conductor.wake()


async def test_a_closed_study_becomes_a_signed_checked_roster_and_an_answer(
    paper: PaperCommunity, tmp_path: Path
) -> None:
    mesh = MemoryMesh(paper.m, paper.t)
    three = Three(paper, tmp_path, mesh)
    submitted = submissions(paper, malformed=(3,))
    submit_and_close(three, submitted)
    async with three.running():
        await three.until(lambda: all(three.documents(i, "checked-roster/v1") for i in range(3)))
        roster = open_from_all_parties(three.documents(1, "roster/v1")[0].envelope, Roster, paper.community)
        checked = open_from_computing_parties(
            three.documents(1, "checked-roster/v1")[0].envelope, CheckedRoster, paper.community
        )
        assert roster.count == len(SALES)
        assert [entry.submission for entry in checked.removed] == [submitted[3].digest]
        query = paper.query().model_copy(update={"expires": "2027-06-01T00:00:00Z"})
        researcher = signed(paper.researcher(), paper.party_keys)
        for party in three.parties:
            party.node.take(researcher, signed(query, [paper.researcher_key]))
            party.conductor.wake()
        await three.until(lambda: all(three.documents(i, "result/v1") for i in range(3)))
    result = open_from_computing_parties(three.documents(0, "result/v1")[0].envelope, Result, paper.community)
    kept = [sales for number, sales in enumerate(SALES) if number != 3]
    by_function = {(cell.function, cell.figures): cell for cell in result.cells}
    assert by_function["count@1", ("sales",)].values == (str(len(kept)),)
    assert by_function["sum@1", ("sales",)].values == (str(sum(kept)),)
    assert {head.party for head in result.log_heads} == {0, 1, 2}
    decisions = [stored.parse(Decision) for stored in three.documents(0, "decision/v1")]
    assert [d.answer for d in decisions] == ["yes"] * 3
    assert len(three.documents(0, "result/v1")) == 1


async def test_a_job_that_failed_runs_again_and_stays_charged(paper: PaperCommunity, tmp_path: Path) -> None:
    mesh = MemoryMesh(paper.m, paper.t)
    three = Three(paper, tmp_path, mesh)
    submit_and_close(three, submissions(paper))
    async with three.running():
        await three.until(lambda: all(three.documents(i, "checked-roster/v1") for i in range(3)))
        mesh.failing_jobs = 1
        query = paper.query().model_copy(update={"expires": "2027-06-01T00:00:00Z"})
        for party in three.parties:
            party.node.take(
                signed(paper.researcher(), paper.party_keys), signed(query, [paper.researcher_key])
            )
            party.conductor.wake()
        await three.until(lambda: all(three.documents(i, "result/v1") for i in range(3)))
    attempts = [job.job_id for job in mesh.jobs if job.kind == "answer_query"]
    assert len(set(attempts)) == 2
    desk = three.parties[0].conductor.desk
    from parties.ledger_table import read_ledger

    with desk.store.reading() as view:
        ledger = read_ledger(view, paper.study.terms_digest())
    assert ledger.attempts(query.digest()) == 2


async def test_every_party_says_that_a_query_has_no_attempt_left(
    paper: PaperCommunity, tmp_path: Path
) -> None:
    mesh = MemoryMesh(paper.m, paper.t)
    three = Three(paper, tmp_path, mesh)
    submit_and_close(three, submissions(paper))
    query = paper.query().model_copy(update={"expires": "2027-06-01T00:00:00Z"})
    async with three.running():
        await three.until(lambda: all(three.documents(i, "checked-roster/v1") for i in range(3)))
        mesh.failing_jobs = 3 * paper.m  # every attempt, as each party comes to it
        for party in three.parties:
            party.node.take(
                signed(paper.researcher(), paper.party_keys), signed(query, [paper.researcher_key])
            )
            party.conductor.wake()
        await three.until(lambda: all(three.outbox(i, "/v1/complaints") for i in range(3)))
    for index in range(3):
        (envelope,) = three.outbox(index, "/v1/complaints")
        complaint = open_envelope(envelope, Complaint)
        assert (complaint.party, complaint.step) == (index, "attempts")
        assert complaint.evidence == (query.digest(),)
    assert not three.documents(0, "result/v1")


async def test_a_party_that_was_stopped_in_the_last_attempt_says_so_and_nobody_waits_for_it(
    paper: PaperCommunity, tmp_path: Path
) -> None:
    """Its session failed with its process, so that only its ledger knows; the others have attempts left."""
    three = Three(paper, tmp_path, MemoryMesh(paper.m, paper.t))
    submit_and_close(three, submissions(paper))
    query = paper.query().model_copy(update={"expires": "2027-06-01T00:00:00Z"})
    async with three.running():
        await three.until(lambda: all(three.documents(i, "checked-roster/v1") for i in range(3)))
    for party in three.parties:
        party.node.take(signed(paper.researcher(), paper.party_keys), signed(query, [paper.researcher_key]))
        with party.node.store.writing() as transaction:
            party.conductor._decide(transaction)
    three.relay()
    checked = three.documents(0, "checked-roster/v1")[0].digest
    stopped = three.parties[1]
    for attempt in (1, 2, 3):
        assert await pending_at(stopped) == [query.digest()]
        with stopped.node.store.writing() as transaction:
            ledger_table.begin_job(
                transaction,
                study_terms=paper.study.terms_digest(),
                checked_roster=checked,
                query=query.digest(),
                job=bytes([attempt]) * 32,
                attempt=attempt,
                items=query.items,
            )
    assert await pending_at(stopped) == []
    async with three.running(1):
        await three.until(lambda: all(three.documents(i, "complaint/v1") for i in range(3)))
    async with three.running():
        await three.until(lambda: all(three.outbox(i, "/v1/complaints") for i in range(3)))
        await three.until(lambda: all(party.conductor.doing == "waiting" for party in three.parties))
    for index in range(3):
        (envelope,) = three.outbox(index, "/v1/complaints")
        complaint = open_envelope(envelope, Complaint)
        assert (complaint.party, complaint.step, complaint.evidence) == (index, "attempts", (query.digest(),))
    assert not three.documents(0, "result/v1")


async def pending_at(party: Party) -> list[bytes]:
    """Queries to one study that this party may still answer."""
    desk = party.conductor.desk
    return await desk.read(
        lambda view: [
            pending.digest for known in desk.studies(view) for pending in desk.pending_queries(view, known)
        ]
    )


def list_of(three: Three, party: int) -> RosterList:
    with three.parties[party].node.store.reading() as view:
        paper = three.paper
        promises = read_promises(view, paper.study.terms_digest())
        return read_basis(view, paper.community, paper.study.terms, party, promises).own_list


async def test_a_list_that_lacks_a_receipted_submission_is_a_complaint(
    paper: PaperCommunity, tmp_path: Path
) -> None:
    """Party 2 hides a submission that it has receipted, and signs the shorter list."""
    three = Three(paper, tmp_path, MemoryMesh(paper.m, paper.t))
    submit_and_close(three, submissions(paper))
    with three.parties[2].node.store.writing() as transaction:
        (hidden, *_) = transaction.connection.scalars(select(submission_rows.c.digest))
        transaction.connection.execute(submission_rows.delete().where(submission_rows.c.digest == hidden))
    async with three.running():
        await three.until(lambda: three.outbox(0, "/v1/complaints"), relay=False)
    complaint = open_envelope(three.outbox(0, "/v1/complaints")[0], Complaint)
    assert complaint.accused_party == 2
    assert complaint.step == "receipted_but_not_listed"
    assert complaint.evidence == (hidden,)
    assert not three.documents(0, "roster/v1")


async def test_a_list_that_lacks_a_receipted_withdrawal_is_a_complaint(
    paper: PaperCommunity, tmp_path: Path
) -> None:
    def drop_withdrawals(sender: int, step: str, payload: bytes) -> bytes:
        """Party 2 hides the withdrawal that it gave a receipt for, and signs the list without it."""
        if sender == 2 and step in ("roster commitment", "roster list"):
            shorter = list_of(three, 2).model_copy(update={"withdrawals": (), "memberships": ()})
            envelope = sign_document(RosterList.model_validate(shorter.model_dump()), paper.party_keys[2])
            return envelope.digest() if step == "roster commitment" else envelope.to_json()
        return payload

    mesh = MemoryMesh(paper.m, paper.t, tamper=drop_withdrawals)
    three = Three(paper, tmp_path, mesh)
    withdrawn = paper.withdrawal(3)
    submit_and_close(three, submissions(paper), withdrawn)
    async with three.running():
        await three.until(lambda: three.outbox(0, "/v1/complaints"), relay=False)
    complaint = open_envelope(three.outbox(0, "/v1/complaints")[0], Complaint)
    assert (complaint.accused_party, complaint.step) == (2, "withdrawal_not_listed")
    assert complaint.evidence == (withdrawn.digest(),)
    assert not three.documents(0, "roster/v1")


async def roster_when(
    paper: PaperCommunity, tmp_path: Path, step: str
) -> tuple[Roster, list[WithdrawalReceipt]]:
    """The roster, and party 0's receipts, if a member's withdrawal comes to party 0 at this step of an agreement."""
    came: list[str] = []

    def withdraw(sender: int, at: str, payload: bytes) -> bytes:
        if sender == 0 and at == step and not came:
            came.append(at)
            three.parties[0].node.take(paper.withdrawal(3))
        return payload

    three = Three(paper, tmp_path, MemoryMesh(paper.m, paper.t, tamper=withdraw))
    submit_and_close(three, submissions(paper))
    async with three.running():
        await three.until(lambda: three.documents(0, "roster/v1"), relay=False)
    assert came
    (kept,) = three.documents(0, "roster/v1")
    roster = open_from_all_parties(kept.envelope, Roster, paper.community)
    assert not any(three.outbox(index, "/v1/complaints") for index in range(paper.m))
    return roster, three.parties[0].node.withdrawal_receipts()


@pytest.mark.parametrize("step", ["roster promises read", "roster commitment", "roster list"])
async def test_withdrawal_that_comes_after_the_lists_were_made_counts_and_breaks_no_promise(
    paper: PaperCommunity, tmp_path: Path, step: str
) -> None:
    roster, receipts = await roster_when(paper, tmp_path, step)
    assert roster.count == len(SALES) - 1
    assert [receipt.withdrawal for receipt in receipts] == [paper.withdrawal(3).digest()]


async def test_withdrawal_that_comes_after_signing_gets_no_receipt(
    paper: PaperCommunity, tmp_path: Path
) -> None:
    """The signature has left: whoever holds the others' can complete the roster."""
    roster, receipts = await roster_when(paper, tmp_path, "roster signature")
    assert roster.count == len(SALES)
    assert receipts == []


async def test_a_list_other_than_committed_is_refused(paper: PaperCommunity, tmp_path: Path) -> None:
    def other(sender: int, step: str, payload: bytes) -> bytes:
        return bytes(32) if sender == 1 and step == "roster commitment" else payload

    mesh = MemoryMesh(paper.m, paper.t, tamper=other)
    three = Three(paper, tmp_path, mesh)
    submit_and_close(three, submissions(paper))
    async with three.running():
        await three.until(lambda: three.outbox(2, "/v1/complaints"), relay=False)
    complaint = open_envelope(three.outbox(2, "/v1/complaints")[0], Complaint)
    assert (complaint.accused_party, complaint.expected) == (1, "the list it committed to")
    assert not three.documents(2, "roster/v1")


async def test_a_checked_roster_signed_by_another_key_is_not_that_partys(
    paper: PaperCommunity, tmp_path: Path
) -> None:
    def lie(sender: int, step: str, payload: bytes) -> bytes:
        if sender != 0 or step != "signature":
            return payload
        honest = open_envelope(Envelope.parse_json(payload), CheckedRoster)
        return sign_document(honest, paper.party_keys[2]).to_json()

    mesh = MemoryMesh(paper.m, paper.t, tamper=lie)
    three = Three(paper, tmp_path, mesh)
    submit_and_close(three, submissions(paper))
    async with three.running():
        await three.until(lambda: three.outbox(1, "/v1/complaints"), relay=False)
    complaint = open_envelope(three.outbox(1, "/v1/complaints")[0], Complaint)
    assert (complaint.accused_party, complaint.expected) == (0, "its signature")
    assert not three.documents(1, "checked-roster/v1")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"study_terms": bytes(32)}, "the proposal is about another study"),
        ({"subject": bytes(32)}, "the roster is not frozen here, or is another one"),
        ({"roster": bytes(32)}, "the roster is not frozen here, or is another one"),
        ({"kind": "query"}, "the inputs are not checked here"),
    ],
)
async def test_a_proposal_that_does_not_fit_the_own_store_is_refused(
    paper: PaperCommunity, tmp_path: Path, changes: dict[str, object], reason: str
) -> None:
    def lie(sender: int, _receiver: int, step: str, payload: bytes) -> bytes:
        if sender != 0 or step != "proposal":
            return payload
        return Proposal.parse_payload(payload).model_copy(update=changes).payload_bytes()

    three = Three(paper, tmp_path, MemoryMesh(paper.m, paper.t, lie=lie))
    submit_and_close(three, submissions(paper))

    def reasons() -> set[str]:
        entries = three.parties[0].node.log.entries()
        return {entry.details["reason"] for entry in entries if entry.event == "job.refused"}

    async with three.running():
        await three.until(reasons, relay=False)
    assert reasons() == {reason}
    assert not three.documents(1, "checked-roster/v1")


async def test_another_result_from_the_same_inputs_is_refused(paper: PaperCommunity, tmp_path: Path) -> None:
    def lie(sender: int, step: str, payload: bytes) -> bytes:
        if sender != 0 or step != "signature":
            return payload
        honest = open_envelope(Envelope.parse_json(payload), CheckedRoster)
        return sign_document(honest.model_copy(update={"roster": bytes(32)}), paper.party_keys[0]).to_json()

    mesh = MemoryMesh(paper.m, paper.t, tamper=lie)
    three = Three(paper, tmp_path, mesh)
    submit_and_close(three, submissions(paper))
    async with three.running():
        await three.until(lambda: three.outbox(1, "/v1/complaints"), relay=False)
    assert open_envelope(three.outbox(1, "/v1/complaints")[0], Complaint).accused_party == 0
    assert not three.documents(1, "checked-roster/v1")


async def test_damaged_columns_are_built_again(paper: PaperCommunity, tmp_path: Path) -> None:
    mesh = MemoryMesh(paper.m, paper.t)
    three = Three(paper, tmp_path, mesh)
    submit_and_close(three, submissions(paper))
    async with three.running():
        await three.until(lambda: all(three.documents(i, "checked-roster/v1") for i in range(3)))
        directory = next(three.parties[0].node.home.columns_path.iterdir())
        shares = bytearray((directory / columns.SHARES).read_bytes())
        whole = bytes(shares)
        shares[8] ^= 1
        (directory / columns.SHARES).write_bytes(shares)
        await three.parties[0].conductor._prepare_columns(
            paper.study.terms_digest(), bytes.fromhex(directory.name)
        )
        assert (directory / columns.SHARES).read_bytes() == whole
    assert timestamp_of(three.clock()) > "2027"


def test_a_study_without_its_key_or_made_for_other_parties_is_not_served(
    paper: PaperCommunity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    three = Three(paper, tmp_path, MemoryMesh(paper.m, paper.t))
    submit_and_close(three, submissions(paper)[:3])
    party = three.parties[0]

    def wanted() -> list[str]:
        with party.node.store.reading() as view:
            return [want.kind for want in party.conductor._look(view)[0]]

    assert wanted() == ["agreement"]
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(KnownStudy, "is_among", lambda *_: False)
        assert wanted() == []
    party.node.home.destroy_sealing_key(paper.study.terms_digest())
    assert wanted() == []


async def test_nothing_is_computed_for_a_study_that_ended_since_it_was_wanted(
    paper: PaperCommunity, tmp_path: Path
) -> None:
    three = Three(paper, tmp_path, MemoryMesh(paper.m, paper.t))
    party = three.parties[0]
    party.node.open_study()
    with pytest.raises(OwnError, match="no signed roster"):
        await party.conductor._serve(Wanted("computing", paper.study.terms_digest()))


def test_a_result_answers_only_when_every_party_in_it_has_signed(
    paper: PaperCommunity, tmp_path: Path
) -> None:
    three = Three(paper, tmp_path, MemoryMesh(paper.m, paper.t))
    party = three.parties[0]
    party.node.open_study()

    def is_answered() -> bool:
        with party.node.store.reading() as view:
            return party.conductor.desk.is_answered(view, paper.query().digest())

    assert not is_answered()
    party.node.take(signed(paper.result(), paper.party_keys[:2]))
    assert not is_answered()
    party.node.take(signed(paper.result(), paper.party_keys))
    assert is_answered()
