"""Laws of the store, on every database that is there."""

from __future__ import annotations

import stat
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from mpc_cde.documents.envelope import Envelope
from mpc_cde.documents.membership import Membership
from mpc_cde.errors import StoreDamaged
from mpc_cde.gateway.parsed import parse_stored
from mpc_cde.gateway.store import Store
from mpc_cde.gateway.store_view import NewDocument, SubmissionRow
from tests.mpc_cde.gateway.paper_gateway import PaperMembers

PAPER = PaperMembers()


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = Store.open(store_url)
    yield opened
    opened.close()


def membership(number: int, *signers: int) -> NewDocument:
    envelope = PAPER.membership_envelope(number)
    by_hint = {key.keyid: key.public_bytes for key in PAPER.registrar_keys}
    signatures = [(by_hint[s.keyid], s) for s in envelope.signatures]
    chosen = {PAPER.registrar_keys[i].public_bytes for i in signers or (0, 1)}
    return NewDocument(
        type_name="membership/v1",
        digest=envelope.digest(),
        envelope=Envelope(payload_type=envelope.payload_type, payload=envelope.payload, signatures=()),
        signatures=tuple((signer, s) for signer, s in signatures if signer in chosen),
        subject=PAPER.membership(number).member,
    )


def put(store: Store, new: NewDocument) -> int | None:
    with store.writing() as transaction:
        return transaction.put_document(new, received="2026-06-01T00:00:00Z").number


def test_documents_come_back_with_their_signatures(store: Store) -> None:
    assert put(store, membership(0)) == 1
    with store.reading() as view:
        (stored,) = view.documents("membership/v1", subject=PAPER.membership(0).member)
        assert view.document(stored.digest) == stored
    assert stored.digest == PAPER.membership(0).digest()
    assert set(stored.envelope.signatures) == set(PAPER.membership_envelope(0).signatures)


def test_same_document_again_is_no_news_and_a_new_signature_is(store: Store) -> None:
    assert put(store, membership(0, 0)) == 1
    assert put(store, membership(0, 0)) is None
    assert put(store, membership(0, 0, 1)) == 2
    with store.reading() as view:
        assert [place.number for place in view.feed_after(0, limit=10)] == [1, 2]
        stored = view.document(PAPER.membership(0).digest())
    assert stored is not None
    assert (stored.number, len(stored.signers)) == (1, 2)


def test_transaction_that_fails_leaves_nothing(store: Store) -> None:
    def put_and_fail() -> None:
        with store.writing() as transaction:
            transaction.put_document(membership(0), received="2026-06-01T00:00:00Z")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        put_and_fail()
    assert put(store, membership(1)) == 1


def test_one_sequence_has_one_content_even_if_two_pass_the_checks(store: Store) -> None:
    row = SubmissionRow(bytes(32), bytes(32), bytes(16), 1, bytes(32))
    with store.writing() as transaction:
        transaction.put_submission(row, correction=b"c", envelopes=[b"0", b"1", b"2"])
    other = SubmissionRow(bytes(31) + b"1", bytes(32), bytes(16), 1, bytes(32))
    with pytest.raises(Exception, match=r"UNIQUE|unique"), store.writing() as transaction:
        transaction.put_submission(other, correction=b"c", envelopes=[])
    with store.reading() as view:
        assert view.submissions(bytes(32)) == [row]
        assert view.parts_for(1, [bytes(32)]) == {bytes(32): (b"c", b"1")}
        assert view.count_members(bytes(32)) == 1


def test_numbers_have_no_gaps_and_no_reader_sees_a_later_one_first(store: Store) -> None:
    stop = threading.Event()
    seen: list[list[int]] = []

    def watch() -> None:
        while not stop.is_set():
            with store.reading() as view:
                seen.append([place.number for place in view.feed_after(0, limit=1000)])

    watcher = threading.Thread(target=watch)
    watcher.start()
    writers = [
        threading.Thread(target=lambda start=start: [put(store, membership(start + i)) for i in range(10)])
        for start in (0, 10, 20)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    stop.set()
    watcher.join()
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in seen)
    with store.reading() as view:
        assert [place.number for place in view.feed_after(0, limit=1000)] == list(range(1, 31))


def test_nonce_serves_once_until_it_is_forgotten(store: Store) -> None:
    key, nonce = bytes(32), bytes(16)
    assert store.use_nonce(key, nonce, now=100, forget_at=200)
    assert not store.use_nonce(key, nonce, now=150, forget_at=200)
    assert store.use_nonce(bytes(31) + b"1", nonce, now=150, forget_at=200)
    assert store.use_nonce(key, nonce, now=201, forget_at=300)


def test_reopened_store_goes_on(store_url: str) -> None:
    first = Store.open(store_url)
    put(first, membership(0))
    first.close()
    second = Store.open(store_url)
    assert put(second, membership(1)) == 2
    second.close()


def test_store_of_another_version_is_refused(store_url: str) -> None:
    Store.open(store_url).close()
    engine = create_engine(store_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE facts SET value = 99 WHERE name = 'schema'"))
    engine.dispose()
    with pytest.raises(StoreDamaged, match="schema 99"):
        Store.open(store_url)


def test_sqlite_file_is_for_its_owner_alone_and_syncs_what_is_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    store = Store.open(f"sqlite:///{path}")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with store.writing() as transaction:
        assert transaction.connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert transaction.connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    store.close()


def test_kept_document_that_was_altered_is_not_read_as_the_one_that_was_kept(store: Store) -> None:
    """It still has the form of one, so only its digest tells."""
    put(store, membership(0))
    with store.reading() as view:
        (stored,) = view.documents("membership/v1")
    other = replace(stored, payload=PAPER.membership_envelope(1).payload)
    assert parse_stored(stored, Membership) == PAPER.membership(0)
    with pytest.raises(StoreDamaged):
        parse_stored(other, Membership)
