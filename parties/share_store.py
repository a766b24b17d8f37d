"""What a party keeps: verified documents, its part of submissions, its place in the feed, what to send.

One SQLite file (WAL, synchronous=FULL) in the party's community directory. Read with `store.reading()`,
write with `store.writing()`: one transaction, so what a feed item caused and the number it had are kept
together or not at all, and a message that must go out (`enqueue`) is as durable as its cause.

    with store.reading() as view:
        view.documents("approval/v1", study=terms_digest)      verified documents, in order of arrival
        view.submissions(terms_digest, state="accepted")       every sequence, for the roster list
        view.sealed_shares(digests)                            correction and locked seeds, in the order asked
    with store.writing() as transaction:
        transaction.put_document(...); transaction.enqueue("/v1/signatures", envelope)

Only what was verified comes in: whoever calls `put_document` vouches for the signatures in the envelope.
Seeds are locked under a key that comes from the study's sealing key (seed_vault.py), so neither the file
nor a backup of it holds a share that can be read once that key is destroyed.

Everything here blocks: asynchronous callers go through `anyio.to_thread.run_sync`. Further tables (a
ledger, say) use `transaction.connection` and `ShareStore.create_tables`, and share the transaction.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from sqlalchemy import (
    Connection,
    Engine,
    Insert,
    MetaData,
    Table,
    bindparam,
    create_engine,
    event,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import DatabaseError, OperationalError

from mpc_cde.documents.envelope import Envelope, merge_signatures
from mpc_cde.errors import OwnError, StoreDamaged, StoreUnavailable
from mpc_cde.lookups import Lookup
from mpc_cde.node_log import EMPTY, LogHead
from parties import store_tables as tables
from parties.gathered_rows import Gathered, Interest
from parties.store_records import (
    AcceptedRow,
    OutboxItem,
    OutboxState,
    SealedShares,
    StoredDocument,
    SubmissionRecord,
    SubmissionState,
    stored_document,
    submission_columns,
    submission_record,
)

__all__ = [
    "OutboxItem",
    "OutboxState",
    "SealedShares",
    "ShareStore",
    "StoreTransaction",
    "StoreView",
    "StoredDocument",
    "SubmissionRecord",
    "SubmissionState",
]

_CHUNK = 500


_DOCUMENTS = Lookup(lambda values: select(tables.documents).where(tables.documents.c.digest.in_(values)))
_DOCUMENTS_ABOUT = Lookup(
    lambda values: select(tables.documents).where(tables.documents.c.subject.in_(values))
)
_REGISTERED = Lookup(
    lambda values: select(tables.register_entries).where(tables.register_entries.c.register_id.in_(values))
)
_SUBMISSIONS = Lookup(lambda values: submission_columns().where(tables.submissions.c.digest.in_(values)))
_SUBMISSIONS_OF = Lookup(
    lambda values: (
        submission_columns()
        .where(tables.submissions.c.member.in_(values))
        .order_by(tables.submissions.c.digest)
    )
)


class StoreView:
    """Reading, in or outside a transaction. What was gathered is answered from memory."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._gathered = Gathered()

    @property
    def connection(self) -> Connection:
        """For further tables; what this transaction has changed so far is seen through it."""
        return self._connection

    def gather(self, interests: Iterable[Interest]) -> None:
        """Read at once what is kept about these, so that looking at each costs no query."""
        wanted = Interest.union(interests)
        connection, gathered = self.connection, self._gathered
        gathered.documents.update(dict.fromkeys(wanted.digests))
        for row in _DOCUMENTS.rows_on(connection, wanted.digests):
            gathered.documents[row.digest] = stored_document(row)
        gathered.about.update((subject, []) for subject in wanted.subjects)
        for row in _DOCUMENTS_ABOUT.rows_on(connection, wanted.subjects):
            gathered.about[row.subject].append(stored_document(row))
        gathered.submissions.update(dict.fromkeys(wanted.digests))
        for row in _SUBMISSIONS.rows_on(connection, wanted.digests):
            gathered.submissions[row.digest] = submission_record(row)
        gathered.registered.update(dict.fromkeys(wanted.register_ids))
        for row in _REGISTERED.rows_on(connection, wanted.register_ids):
            gathered.registered[row.register_id] = row.member
        gathered.of_member.update((member, []) for member in wanted.members)
        for row in _SUBMISSIONS_OF.rows_on(connection, wanted.members):
            gathered.of_member[row.member].append(submission_record(row))

    def fact(self, key: str) -> str | None:
        """A small fact kept under `key`, or None."""
        value: str | None = self.connection.scalar(
            select(tables.meta.c.value).where(tables.meta.c.key == key)
        )
        return value

    @property
    def feed_number(self) -> int:
        """The number of the last feed item whose effects are in the store; 0 before the first."""
        return int(self.fact("feed_number") or 0)

    @property
    def log_head(self) -> LogHead:
        """How far the log went at the last commit that wrote to it."""
        length, _, digest = (self.fact("log_head") or "").partition(" ")
        return LogHead(int(length), bytes.fromhex(digest)) if digest else EMPTY

    def document(self, digest: bytes) -> StoredDocument | None:
        """The verified document with this digest, or None."""
        if digest in self._gathered.documents:
            return self._gathered.documents[digest]
        t = tables.documents
        row = self.connection.execute(select(t).where(t.c.digest == digest)).one_or_none()
        return None if row is None else stored_document(row)

    def documents(
        self,
        type_name: str,
        *,
        study: bytes | None = None,
        subject: bytes | None = None,
        party: int | None = None,
    ) -> list[StoredDocument]:
        """Verified documents of a type such as "approval/v1", as they came, narrowed by what is given."""
        if subject is not None:
            gathered = self._gathered.documents_about(type_name, subject, study, party)
            if gathered is not None:
                return gathered
        t = tables.documents
        query = select(t).where(t.c.type == type_name)
        if study is not None:
            query = query.where(t.c.study == study)
        if subject is not None:
            query = query.where(t.c.subject == subject)
        if party is not None:
            query = query.where(t.c.party == party)
        # Own documents have no feed number yet: they count as the newest, in order of digest.
        order = func.coalesce(t.c.feed_number, 1 << 60)
        return [
            stored_document(row) for row in self.connection.execute(query.order_by(order, t.c.digest)).all()
        ]

    def each_document(self, type_name: str, *, study: bytes | None = None) -> Iterator[StoredDocument]:
        """As `documents`, one after another and in no order: for types of which there are as many as members."""
        t = tables.documents
        query = select(t).where(t.c.type == type_name)
        if study is not None:
            query = query.where(t.c.study == study)
        for row in self.connection.execute(query.execution_options(yield_per=_CHUNK)):
            yield stored_document(row)

    def count_documents(self, type_name: str, *, study: bytes, subject: bytes) -> int:
        """How many verified documents of a type are about this study and subject."""
        t = tables.documents
        query = select(func.count()).where(t.c.type == type_name, t.c.study == study, t.c.subject == subject)
        return int(self.connection.scalar(query) or 0)

    def submission(self, digest: bytes) -> SubmissionRecord | None:
        """The judged submission with this digest, or None."""
        if digest in self._gathered.submissions:
            return self._gathered.submissions[digest]
        row = self.connection.execute(
            submission_columns().where(tables.submissions.c.digest == digest)
        ).one_or_none()
        return None if row is None else submission_record(row)

    def submissions(
        self, study: bytes, *, member: bytes | None = None, state: SubmissionState | None = None
    ) -> list[SubmissionRecord]:
        """Judged submissions of a study (of one member), all sequences, sorted by digest."""
        own = None if member is None else self._gathered.of_member.get(member)
        if own is not None:
            return [record for record in own if record.study == study and state in (None, record.state)]
        t = tables.submissions
        query = submission_columns().where(t.c.study == study)
        if member is not None:
            query = query.where(t.c.member == member)
        if state is not None:
            query = query.where(t.c.state == state)
        return [submission_record(row) for row in self.connection.execute(query.order_by(t.c.digest)).all()]

    def each_accepted(self, study: bytes) -> Iterator[AcceptedRow]:
        """What a roster list says of every accepted submission, by its digest; without reading any document."""
        t = tables.submissions
        query = select(t.c.digest, t.c.membership, t.c.member, t.c.sequence).where(
            t.c.study == study, t.c.state == "accepted"
        )
        for row in self.connection.execute(query.order_by(t.c.digest).execution_options(yield_per=_CHUNK)):
            yield AcceptedRow(row.digest, row.membership, row.member, row.sequence)

    def members_of_holding(self, study: bytes, holding: str) -> set[bytes]:
        """Members with an accepted submission under this holding."""
        t = tables.submissions
        query = select(t.c.member).where(t.c.study == study, t.c.holding == holding, t.c.state == "accepted")
        return set(self.connection.scalars(query).all())

    def count_members(self, study: bytes) -> int:
        """How many members have an accepted submission."""
        t = tables.submissions
        query = select(func.count(t.c.member.distinct())).where(t.c.study == study, t.c.state == "accepted")
        return int(self.connection.scalar(query) or 0)

    def count_refused(self, member: bytes) -> int:
        """How many submissions of this member were refused, in all studies."""
        own = self._gathered.of_member.get(member)
        if own is not None:
            return sum(record.state == "refused" for record in own)
        t = tables.submissions
        query = select(func.count()).where(t.c.member == member, t.c.state == "refused")
        return int(self.connection.scalar(query) or 0)

    def registered_member(self, register_id: bytes) -> bytes | None:
        """The member id that this entry of the external register was first certified for, or None."""
        if register_id in self._gathered.registered:
            return self._gathered.registered[register_id]
        t = tables.register_entries
        member: bytes | None = self.connection.scalar(
            select(t.c.member).where(t.c.register_id == register_id)
        )
        return member

    def holds_shares(self, study: bytes) -> bool:
        """Whether seeds of any submission of this study are kept."""
        t = tables.submissions
        query = select(t.c.digest).where(t.c.study == study, t.c.sealed_seeds.is_not(None)).limit(1)
        return self.connection.scalar(query) is not None

    def count_submissions(self, study: bytes) -> dict[str, int]:
        """How many submissions were accepted, and how many refused by which reason."""
        t = tables.submissions
        query = select(t.c.reason, func.count()).where(t.c.study == study).group_by(t.c.reason)
        return {reason: int(count) for reason, count in self.connection.execute(query)}

    def sealed_shares(self, submissions: Sequence[bytes]) -> Iterator[SealedShares]:
        """Correction and locked seeds of accepted submissions, in the order of their digests given here.

        Raises StoreDamaged if one of them is not held.
        """
        t = tables.submissions
        for start in range(0, len(submissions), _CHUNK):
            wanted = submissions[start : start + _CHUNK]
            query = select(t.c.digest, t.c.correction, t.c.sealed_seeds).where(
                t.c.digest.in_(wanted), t.c.state == "accepted"
            )
            found = {row.digest: row for row in self.connection.execute(query)}
            for digest in wanted:
                row = found.get(digest)
                if row is None or row.correction is None or row.sealed_seeds is None:
                    raise StoreDamaged("the seeds of an accepted submission are not in the store")
                yield SealedShares(digest, row.correction, row.sealed_seeds)

    def outbox(
        self, state: OutboxState = "pending", *, after: int = 0, limit: int | None = None
    ) -> list[OutboxItem]:
        """Messages numbered above `after`, in the order they were put in; delivered ones without their body."""
        t = tables.outbox
        query = select(t).where(t.c.state == state, t.c.number > after).order_by(t.c.number).limit(limit)
        return [
            OutboxItem(
                number=row.number,
                path=row.path,
                digest=row.digest,
                body=row.body,
                state=row.state,
                attempts=row.attempts,
                problem=row.problem,
                attachment_name=row.attachment_name,
                attachment=row.attachment,
            )
            for row in self.connection.execute(query)
        ]

    def unseen_messages(self) -> frozenset[int]:
        """Receipts and decisions that the gateway acknowledged and has not shown in the feed, by number."""
        o, d = tables.outbox.c, tables.documents.c
        query = (
            select(o.number)
            .join(tables.documents, d.digest == o.digest)
            .where(o.state == "delivered", d.feed_number.is_(None), d.type.in_(("receipt/v1", "decision/v1")))
        )
        return frozenset(self.connection.scalars(query).all())

    def count_outbox(self) -> dict[str, int]:
        """How many messages are pending, delivered, refused."""
        t = tables.outbox
        found = {
            state: int(count)
            for state, count in self.connection.execute(select(t.c.state, func.count()).group_by(t.c.state))
        }
        return {state: found.get(state, 0) for state in ("pending", "delivered", "refused")}


class StoreTransaction(StoreView):
    """Writing: everything in it is durable when the `with` block ends, or nothing is.

    New rows are put together and written in one statement a table, before the next use of the database.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._new_rows: dict[str, tuple[Insert, list[dict[str, Any]]]] = {}
        self._merged: list[dict[str, Any]] = []

    @property
    def connection(self) -> Connection:
        self.write_rows()
        return self._connection

    def write_rows(self) -> None:
        """Hand new rows, and documents that were merged with more signatures, to the database."""
        new, self._new_rows = self._new_rows, {}
        for statement, rows in new.values():
            self._connection.execute(statement, rows)
        merged, self._merged = self._merged, []
        if merged:
            t = tables.documents
            self._connection.execute(update(t).where(t.c.digest == bindparam("merged")), merged)

    def _insert(self, table: Table, *, or_ignore: bool = False, **row: Any) -> None:
        if table.name not in self._new_rows:
            statement = insert(table)
            self._new_rows[table.name] = (statement.prefix_with("OR IGNORE") if or_ignore else statement, [])
        self._new_rows[table.name][1].append(row)

    def set_fact(self, key: str, value: str) -> None:
        """Keep a small fact under `key`, in place of what was there."""
        t = tables.meta
        if self.connection.execute(t.update().where(t.c.key == key).values(value=value)).rowcount == 0:
            self.connection.execute(t.insert().values(key=key, value=value))

    def set_log_head(self, head: LogHead) -> None:
        """The log goes at least this far; a log that later ends before was cut."""
        self.set_fact("log_head", f"{head.length} {head.digest.hex()}")

    def set_feed_number(self, number: int) -> None:
        """Everything up to this feed item is done."""
        self.set_fact("feed_number", str(number))

    def put_document(self, stored: StoredDocument) -> bool:
        """Keep a verified document; signatures merge with those already held. True if anything is new.

        The caller vouches for every signature in the envelope. The first signature of a key stands: a signer
        that makes more and more of them can neither fill the envelope nor make an old document look new.
        """
        t = tables.documents
        before = self._held(stored)
        if before is None:
            self._insert(
                t,
                digest=stored.digest,
                type=stored.type_name,
                study=stored.study,
                subject=stored.subject,
                party=stored.party,
                feed_number=stored.feed_number,
                received=stored.received,
                envelope=stored.envelope.to_json(),
            )
            self._gathered.note_document(stored)
            return True
        held = {signature.keyid for signature in before.envelope.signatures}
        added = tuple(s for s in stored.envelope.signatures if s.keyid not in held)
        came_back = before.feed_number is None and stored.feed_number is not None
        if not added and not came_back:
            return False
        news = stored.envelope.model_copy(update={"signatures": added})
        merged = merge_signatures(before.envelope, [news])
        self._merged.append(
            {
                "merged": stored.digest,
                "envelope": merged.to_json(),
                "feed_number": stored.feed_number,
                "received": stored.received,
            }
        )
        self._gathered.note_document(
            replace(before, envelope=merged, feed_number=stored.feed_number, received=stored.received)
        )
        return bool(added)

    def _held(self, stored: StoredDocument) -> StoredDocument | None:
        """The document as it is kept; one whose subject was gathered would be there."""
        about = None if stored.subject is None else self._gathered.about.get(stored.subject)
        if about is None:
            return self.document(stored.digest)
        return next((other for other in about if other.digest == stored.digest), None)

    def claim_register_entry(self, register_id: bytes, member: bytes) -> None:
        """From now on this entry of the external register belongs to this member id."""
        t = tables.register_entries
        holder = self.registered_member(register_id)
        if holder is None:
            self._insert(t, register_id=register_id, member=member)
        elif holder != member:
            self.connection.execute(t.update().where(t.c.register_id == register_id).values(member=member))
        if register_id in self._gathered.registered:
            self._gathered.registered[register_id] = member

    def put_submission(
        self, record: SubmissionRecord, *, correction: bytes | None = None, sealed_seeds: bytes | None = None
    ) -> None:
        """Keep a judged submission (in place of its earlier refusal), with this party's part if accepted."""
        if (record.state == "accepted") != (correction is not None and sealed_seeds is not None):
            raise ValueError(
                "an accepted submission comes with its correction and seeds, a refused one without"
            )
        t = tables.submissions
        if self.submission(record.digest) is not None:
            self.connection.execute(t.delete().where(t.c.digest == record.digest, t.c.state == "refused"))
        self._insert(
            t,
            digest=record.digest,
            study=record.study,
            member=record.member,
            sequence=record.sequence,
            membership=record.membership,
            holding=record.holding,
            state=record.state,
            reason=record.reason,
            judged=record.judged,
            envelope=record.envelope.to_json(),
            correction=correction,
            sealed_seeds=sealed_seeds,
        )
        self._gathered.note_submission(record)

    def delete_shares(self, study: bytes) -> int:
        """Forget corrections and seeds of a study (records stay); returns of how many submissions."""
        t = tables.submissions
        result = self.connection.execute(
            t.update()
            .where(t.c.study == study, t.c.sealed_seeds.is_not(None))
            .values(correction=None, sealed_seeds=None)
        )
        return int(result.rowcount)

    def enqueue(
        self,
        path: str,
        envelope: Envelope,
        *,
        queued: str,
        attachment: tuple[str, bytes] | None = None,
    ) -> None:
        """Send this document to the gateway: kept until it is delivered or refused for good.

        `path` such as "/v1/receipts", `queued` a timestamp; `attachment` is a named JSON part that goes
        with it (body_parts.py), such as ("entries", ...) with a roster. The same message twice is one
        message.
        """
        body = envelope.to_json()
        identity = hashlib.sha256(path.encode() + b"\x00" + body).digest()
        self._insert(
            tables.outbox,
            or_ignore=True,
            identity=identity,
            path=path,
            digest=envelope.digest(),
            body=body,
            attachment_name=None if attachment is None else attachment[0],
            attachment=None if attachment is None else attachment[1],
            state="pending",
            attempts=0,
            queued=queued,
        )

    def settle(self, number: int, state: OutboxState, problem: str | None = None) -> None:
        """Note one attempt to send: delivered, refused for good, or still pending with a problem."""
        t = tables.outbox
        self.connection.execute(
            t.update()
            .where(t.c.number == number)
            .values(state=state, problem=problem, attempts=t.c.attempts + 1)
        )
        if state == "delivered":  # the document itself is kept among the documents
            self.connection.execute(t.update().where(t.c.number == number).values(body=b"", attachment=None))

    def retry_unseen(self, numbers: Iterable[int]) -> None:
        """Send these delivered messages once more; their documents are kept."""
        o, d = tables.outbox, tables.documents
        for number in numbers:
            kept = select(d.c.envelope).where(d.c.digest == o.c.digest).scalar_subquery()
            self.connection.execute(
                o.update().where(o.c.number == number).values(state="pending", attempts=0, body=kept)
            )

    def retry_refused(self) -> int:
        """Send what the gateway refused once more; returns how many messages."""
        t = tables.outbox
        changed = self.connection.execute(
            t.update().where(t.c.state == "refused").values(state="pending", attempts=0)
        )
        return int(changed.rowcount)


class ShareStore:
    """The party's store; open one per process, share it between threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.create_tables(tables.metadata)
        with self.writing() as transaction:
            version = transaction.fact("schema")
            if version is None:
                transaction.set_fact("schema", str(tables.SCHEMA_VERSION))
            elif version != str(tables.SCHEMA_VERSION):
                raise StoreDamaged(
                    f"the store has schema {version}, this program knows {tables.SCHEMA_VERSION}"
                )

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open or create the SQLite file (mode 0600). Raises StoreDamaged, StoreUnavailable."""
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 30})
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_immediate)
        try:
            return cls(engine)
        except DatabaseError as error:
            engine.dispose()
            raise StoreDamaged(f"{path}: no sound store ({type(error.orig).__name__})") from None
        except OwnError:
            engine.dispose()
            raise

    def create_tables(self, metadata: MetaData) -> None:
        """Make the tables that are not there yet."""
        with self._written_or_said():
            metadata.create_all(self._engine)
            for table in metadata.tables.values():
                for index in table.indexes:  # a store of an earlier version may lack one
                    index.create(self._engine, checkfirst=True)

    def close(self) -> None:
        """Let go of every connection."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[StoreView]:
        """A view of what is committed, without holding up writers."""
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield StoreView(connection)

    @contextmanager
    def writing(self) -> Iterator[StoreTransaction]:
        """One transaction; it is on disk when the block ends, and undone if the block raises.

        Raises StoreUnavailable if it cannot be written now.
        """
        with self._written_or_said(), self._engine.begin() as connection:
            transaction = StoreTransaction(connection)
            yield transaction
            transaction.write_rows()

    @contextmanager
    def _written_or_said(self) -> Iterator[None]:
        """SQLite's own words for a full disk or a failing one; they quote nothing that was to be kept."""
        try:
            yield
        except OperationalError as error:
            raise StoreUnavailable(f"{self._engine.url.database}: {error.orig}") from None

    def verify(self) -> None:
        """SQLite's own check of the file. Raises StoreDamaged."""
        try:
            with self.reading() as view:
                found = view.connection.exec_driver_sql("PRAGMA quick_check").scalar()
        except DatabaseError as error:
            found = type(error.orig).__name__  # so damaged that it cannot even be checked
        if found != "ok":
            raise StoreDamaged("the store does not pass SQLite's check")


def _set_up_sqlite(connection: Any, _: Any) -> None:
    # The driver's own transactions begin late and shared; BEGIN IMMEDIATE is sent by hand (_begin_immediate).
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Connection) -> None:
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
