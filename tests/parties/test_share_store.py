"""The store of a party: transactions, merging signatures, the outbox, what a file gives away."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from mpc_cde.documents.closing import Closing
from mpc_cde.documents.envelope import Envelope, add_signature, sign_document
from mpc_cde.documents.roster import RosterEntry
from mpc_cde.errors import StoreDamaged
from parties import roster_table
from parties import store_tables as tables
from parties.share_store import ShareStore, StoredDocument, StoreView, SubmissionRecord
from tests.parties.keys import TestSigner

STUDY = b"s" * 32
NOW = "2026-11-24T10:00:00Z"


@pytest.fixture
def store(tmp_path: Path) -> ShareStore:
    return ShareStore.open(tmp_path / "node.sqlite3")


def closing(*signers: TestSigner) -> Envelope:
    envelope = sign_document(Closing(study_terms=STUDY, steward="chamber", time=NOW), signers[0])
    for signer in signers[1:]:
        envelope = add_signature(envelope, signer)
    return envelope


def stored(envelope: Envelope, number: int | None = 1) -> StoredDocument:
    return StoredDocument(envelope.digest(), "closing/v1", envelope, study=STUDY, feed_number=number)


def record(
    name: str, *, sequence: int = 1, state: str = "accepted", holding: str | None = None
) -> SubmissionRecord:
    envelope = sign_document(Closing(study_terms=STUDY, steward=name, time=NOW), TestSigner(b"member"))
    return SubmissionRecord(
        digest=envelope.digest(),
        study=STUDY,
        member=b"member".ljust(16, b"."),
        sequence=sequence,
        membership=None,
        holding=holding,
        state="accepted" if state == "accepted" else "refused",
        reason=state,
        judged=NOW,
        envelope=envelope,
    )


def test_signatures_on_one_document_merge(store: ShareStore) -> None:
    one, two = TestSigner(b"one"), TestSigner(b"two")
    with store.writing() as transaction:
        assert transaction.put_document(stored(closing(one)))
        assert not transaction.put_document(stored(closing(one), number=7))
        assert transaction.put_document(stored(closing(two), number=9))
    with store.reading() as view:
        found = view.document(closing(one).digest())
    assert found is not None
    assert found.envelope == closing(one, two)
    assert found.feed_number == 9


def test_more_signatures_by_one_key_change_nothing(store: ShareStore) -> None:
    """Whoever holds a key can make many signatures with it; 64 of them would keep all others out."""
    signer = TestSigner(b"one")
    first = closing(signer)
    with store.writing() as transaction:
        transaction.put_document(stored(first))
        for number in range(100):
            other = first.signatures[0].model_copy(update={"sig": bytes([number]) * 64})
            again = first.model_copy(update={"signatures": (other,)})
            assert not transaction.put_document(stored(again, number=number + 2))
        assert transaction.put_document(stored(closing(TestSigner(b"two")), number=200))


def test_effects_and_feed_number_are_kept_together_or_not_at_all(store: ShareStore) -> None:
    class CrashError(Exception):
        pass

    with pytest.raises(CrashError), store.writing() as transaction:  # noqa: PT012 -- the crash ends the block
        transaction.put_document(stored(closing(TestSigner(b"one"))))
        transaction.enqueue("/v1/receipts", closing(TestSigner(b"one")), queued=NOW)
        transaction.set_feed_number(5)
        raise CrashError
    with store.reading() as view:
        assert view.feed_number == 0
        assert view.documents("closing/v1") == []
        assert view.outbox() == []


def test_what_was_committed_is_there_after_reopening(store: ShareStore, tmp_path: Path) -> None:
    with store.writing() as transaction:
        transaction.set_feed_number(5)
    again = ShareStore.open(tmp_path / "node.sqlite3")  # the first one was never closed, as after a kill
    with again.reading() as view:
        assert view.feed_number == 5


def test_an_accepted_submission_is_never_replaced(store: ShareStore) -> None:
    with store.writing() as transaction:
        transaction.put_submission(record("a", state="refused_for_now"))
        transaction.put_submission(record("a"), correction=b"c", sealed_seeds=b"s")
    with pytest.raises(Exception, match="UNIQUE"), store.writing() as transaction:
        transaction.put_submission(record("a"), correction=b"x", sealed_seeds=b"x")
    with pytest.raises(Exception, match="UNIQUE"), store.writing() as transaction:
        transaction.put_submission(record("b"), correction=b"x", sealed_seeds=b"x")  # same sequence


def test_shares_come_in_the_order_asked_and_a_missing_one_is_an_error(store: ShareStore) -> None:
    with store.writing() as transaction:
        for number, name in enumerate(("a", "b", "c"), start=1):
            transaction.put_submission(
                record(name, sequence=number), correction=name.encode(), sealed_seeds=b"s"
            )
    wanted = [record(name).digest for name in ("c", "a", "b")]
    with store.reading() as view:
        assert [shares.correction for shares in view.sealed_shares(wanted)] == [b"c", b"a", b"b"]
        with pytest.raises(StoreDamaged):
            list(view.sealed_shares([*wanted, bytes(32)]))
    with store.writing() as transaction:
        assert transaction.delete_shares(STUDY) == 3
    with store.reading() as view, pytest.raises(StoreDamaged):
        list(view.sealed_shares(wanted))


@pytest.mark.parametrize("column", ["payload", "form"])
def test_a_row_that_the_disk_altered_is_noticed_though_it_still_parses(
    store: ShareStore, column: str
) -> None:
    """One letter of a name, or of the JSON around it, in what is kept for years."""
    with store.writing() as transaction:
        transaction.put_document(stored(closing(TestSigner(b"one"))))
        transaction.put_submission(record("a"), correction=b"c", sealed_seeds=b"s")
    for table in (tables.documents, tables.submissions):
        with store.writing() as transaction:
            kept = transaction.connection.scalar(select(table.c.envelope))
            altered = other_steward(kept) if column == "payload" else kept.replace(b'"payload"', b'"qayload"')
            transaction.connection.execute(table.update().values(envelope=altered))
    reads: tuple[Callable[[StoreView], object], ...] = (
        lambda view: view.document(closing(TestSigner(b"one")).digest()),
        lambda view: view.documents("closing/v1"),
        lambda view: list(view.each_payload("closing/v1")),
        lambda view: view.submission(record("a").digest),
        lambda view: view.submissions(STUDY),
        lambda view: list(view.sealed_shares([record("a").digest])),
    )
    for read in reads:
        with store.reading() as view, pytest.raises(StoreDamaged, match="the store's"):
            read(view)


def test_payloads_come_without_their_envelopes(store: ShareStore) -> None:
    documents = [closing(TestSigner(name)) for name in (b"one", b"another, longer by some letters")]
    with store.writing() as transaction:
        for document in documents:
            transaction.put_document(stored(document))
    with store.reading() as view:
        found = dict(view.each_payload("closing/v1"))
        assert found == {envelope.digest(): envelope.payload for envelope in documents}
        assert not list(view.each_payload("closing/v1", study=bytes(32)))


def other_steward(kept: bytes) -> bytes:
    """The same signed document with one bit of its payload another; it still parses."""
    envelope = Envelope.read_kept(kept)
    payload = bytearray(envelope.payload)
    payload[payload.index(b"steward") + len('steward":"')] ^= 1
    return envelope.model_copy(update={"payload": bytes(payload)}).to_json()


def test_a_holding_shows_who_submitted_under_it(store: ShareStore) -> None:
    with store.writing() as transaction:
        transaction.put_submission(record("a", holding="north"), correction=b"c", sealed_seeds=b"s")
        transaction.put_submission(record("b", sequence=2, holding="south", state="refused_for_now"))
    with store.reading() as view:
        assert view.members_of_holding(STUDY, "north") == {b"member".ljust(16, b".")}
        assert view.members_of_holding(STUDY, "south") == set()
        assert view.count_submissions(STUDY) == {"accepted": 1, "refused_for_now": 1}


def test_a_message_queued_twice_is_one_message(store: ShareStore) -> None:
    with store.writing() as transaction:
        for _ in range(2):
            transaction.enqueue("/v1/receipts", closing(TestSigner(b"one")), queued=NOW)
        transaction.enqueue("/v1/receipts", closing(TestSigner(b"two")), queued=NOW)
    with store.reading() as view:
        first, second = view.outbox()
    with store.writing() as transaction:
        transaction.settle(first.number, "delivered")
        transaction.settle(second.number, "pending", "no answer")
    with store.reading() as view:
        (left,) = view.outbox()
        assert (left.number, left.attempts, left.problem) == (second.number, 1, "no answer")
        assert view.count_outbox() == {"pending": 1, "delivered": 1, "refused": 0}


def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "node.sqlite3"
    path.write_bytes(b"this is not a database" * 100)
    with pytest.raises(StoreDamaged):
        ShareStore.open(path)


def test_a_document_that_comes_again_stays_where_it_came_first(store: ShareStore) -> None:
    one = closing(TestSigner(b"one"))
    with store.writing() as transaction:
        assert transaction.put_document(stored(one, number=1))
        assert not transaction.put_document(stored(one, number=7))
    with store.reading() as view:
        found = view.document(one.digest())
    assert found is not None
    assert found.feed_number == 1


def test_a_store_that_does_not_say_which_schema_it_has_is_refused(store: ShareStore, tmp_path: Path) -> None:
    with store.writing() as transaction:
        transaction.set_fact("schema", "two")
    with pytest.raises(StoreDamaged, match="does not say which schema"):
        ShareStore.open(tmp_path / "node.sqlite3")


def test_a_store_of_the_first_schema_may_have_the_columns_of_the_next(
    store: ShareStore, tmp_path: Path
) -> None:
    with store.writing() as transaction:
        transaction.set_fact("schema", "1")
        transaction.enqueue("/v1/receipts", closing(TestSigner(b"one")), queued=NOW)
    with ShareStore.open(tmp_path / "node.sqlite3").reading() as view:
        assert view.fact("schema") == str(tables.SCHEMA_VERSION)
        assert len(view.outbox()) == 1


def test_a_store_of_a_later_version_is_refused(store: ShareStore, tmp_path: Path) -> None:
    with store.writing() as transaction:
        transaction.set_fact("schema", "999")
    with pytest.raises(StoreDamaged, match="schema 999"):
        ShareStore.open(tmp_path / "node.sqlite3")


def test_the_file_is_closed_to_others(store: ShareStore, tmp_path: Path) -> None:
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name


@pytest.mark.parametrize("held", [(None, b"seeds"), (b"correction", None)])
def test_a_submission_that_lost_a_part_is_an_error_and_no_zero(
    store: ShareStore, held: tuple[bytes | None, bytes | None]
) -> None:
    with store.writing() as transaction:
        transaction.put_submission(record("one"), correction=b"correction", sealed_seeds=b"seeds")
        transaction.connection.execute(
            tables.submissions.update().values(correction=held[0], sealed_seeds=held[1])
        )
    with store.reading() as view, pytest.raises(StoreDamaged):
        list(view.sealed_shares([record("one").digest]))


@pytest.mark.parametrize(
    ("state", "correction", "seeds"),
    [
        ("accepted", None, None),
        ("accepted", b"c", None),
        ("accepted", None, b"s"),
        ("refused_here", b"c", b"s"),
    ],
)
def test_what_is_accepted_comes_with_its_parts_and_nothing_else_does(
    store: ShareStore, state: str, correction: bytes | None, seeds: bytes | None
) -> None:
    with pytest.raises(ValueError, match="comes with its correction"), store.writing() as transaction:
        transaction.put_submission(record("one", state=state), correction=correction, sealed_seeds=seeds)


def test_an_own_document_gets_its_place_when_it_comes_back_by_the_feed(store: ShareStore) -> None:
    own = closing(TestSigner(b"own"))
    with store.writing() as transaction:
        assert transaction.put_document(stored(own, number=None))
        assert not transaction.put_document(stored(own, number=5))
    with store.reading() as view:
        found = view.document(own.digest())
    assert found is not None
    assert found.feed_number == 5


def fill(store: ShareStore) -> None:
    """So much that opening the file does not read its last page."""
    with store.writing() as transaction:
        for number in range(200):
            transaction.connection.execute(
                tables.register_entries.insert().values(register_id=b"%032d" % number, member=b"m" * 16)
            )


def damage_last_page(path: Path) -> None:
    content = bytearray(path.read_bytes())
    last = len(content) // 4096 - 1
    content[4096 * last + 8 : 4096 * last + 40] = b"\xff" * 32
    path.write_bytes(content)


def test_a_store_whose_pages_were_altered_does_not_pass(store: ShareStore, tmp_path: Path) -> None:
    fill(store)
    store.verify()
    store.close()
    damage_last_page(tmp_path / "node.sqlite3")
    reopened = ShareStore.open(tmp_path / "node.sqlite3")
    with pytest.raises(StoreDamaged, match="does not pass"):
        reopened.verify()


def test_a_store_of_the_first_schema_is_brought_forward(tmp_path: Path) -> None:
    """As it was before rows of rosters named their submission, and before messages had attachments."""
    entry = RosterEntry(submission=b"s" * 32, membership=b"m" * 32)
    path = tmp_path / "old.sqlite3"
    with closing_connection(path) as old:
        old.execute("CREATE TABLE meta (key VARCHAR(64) PRIMARY KEY, value TEXT NOT NULL)")
        old.execute("INSERT INTO meta VALUES ('schema', '1'), ('feed_number', '7')")
        old.execute(
            "CREATE TABLE roster_rows (roster BLOB, row INTEGER, entry BLOB, PRIMARY KEY (roster, row))"
        )
        old.execute("INSERT INTO roster_rows VALUES (?, 0, ?)", (b"r" * 32, entry.payload_bytes()))
        old.execute(
            "CREATE TABLE outbox (number INTEGER PRIMARY KEY, identity BLOB, path TEXT, digest BLOB, body BLOB,"
            " state TEXT, attempts INTEGER, problem TEXT, queued TEXT)"
        )
        old.execute(
            "INSERT INTO outbox VALUES (1, x'01', '/v1/receipts', x'02', x'03', 'pending', 0, NULL, ?)",
            (NOW,),
        )
    for _ in range(2):  # what was brought forward is opened as it is
        store = ShareStore.open(path)
        with store.writing() as transaction:
            assert transaction.feed_number == 7
            assert transaction.fact("schema") == str(tables.SCHEMA_VERSION)
            assert transaction.outbox()[0].body == b"\x03"
            assert roster_table.find_entry(transaction, b"r" * 32, [b"s" * 32]) == (0, entry)
            transaction.enqueue("/v1/receipts", closing(TestSigner(b"one")), queued=NOW)
        store.close()


def test_a_store_whose_tables_are_not_of_its_schema_is_refused(tmp_path: Path) -> None:
    """Else it fails at the first document of some kind, in the middle of a study."""
    path = tmp_path / "other.sqlite3"
    with closing_connection(path) as other:
        other.execute("CREATE TABLE meta (key VARCHAR(64) PRIMARY KEY, value TEXT NOT NULL)")
        other.execute("INSERT INTO meta VALUES ('schema', ?)", (str(tables.SCHEMA_VERSION),))
        other.execute("CREATE TABLE releases (number INTEGER PRIMARY KEY, study BLOB)")
    with pytest.raises(StoreDamaged, match="table releases lacks attempt, checked_roster, item"):
        ShareStore.open(path)


@contextmanager
def closing_connection(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path)
    with connection:
        yield connection
    connection.close()
