"""What the gateway keeps, and the one sequence in which parties read it.

A document is one row by its digest; signatures arrive one after another and are kept beside it. Whatever adds
something gets the next number of the feed in the same transaction, and that transaction is on disk before the
sender is told.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from sqlalchemy import (
    Connection,
    Engine,
    Table,
    bindparam,
    create_engine,
    delete,
    event,
    insert,
    select,
    update,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import StaticPool

from mpc_cde.errors import StoreDamaged
from mpc_cde.gateway import tables
from mpc_cde.gateway.store_view import NewDocument, Shelf, StoredDocument, StoreView, SubmissionRow
from mpc_cde.prepared_statements import PreparedStatement

MIGRATIONS: tuple[Callable[[Connection], None], ...] = ()
"""Step i leads from schema i + 1 to i + 2; none is needed yet."""
STAMPED: dict[str, str] = {
    "community/v1": "community",
    **dict.fromkeys(
        (
            "study/v1",
            "approval/v1",
            "refusal/v1",
            "amendment/v1",
            "closing/v1",
            "roster/v1",
            "checked-roster/v1",
            "query/v1",
        ),
        "studies",
    ),
}
"""Which fact counts changes of documents of a type."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kept:
    """A document as it is kept now; `number` is its new place in the feed, None if nothing was new."""

    number: int | None
    stored: StoredDocument


_f = tables.facts.c
_INSERT = {table: PreparedStatement(insert(table)) for table in tables.metadata.sorted_tables}
_SET_FACT = PreparedStatement(
    update(tables.facts).where(_f.name == bindparam("fact")).values(value=bindparam("number"))
)
_COUNT_FACT = PreparedStatement(
    update(tables.facts).where(_f.name == bindparam("fact")).values(value=_f.value + 1)
)


class StoreTransaction(StoreView):
    """Reads and writes of one transaction; durable when `Store.writing` has ended without an error.

    New rows are put together and written in one statement a table, before the next read of the database.
    """

    def __init__(self, connection: Connection, shelf: Shelf) -> None:
        super().__init__(connection, shelf)
        self._new_rows: dict[Table, list[dict[str, Any]]] = {}
        self._began_at = self._number = self._feed_number()
        self._joined: dict[bytes, int] = {}
        self.changes = 0
        """How many changes were made so far."""

    def put_document(self, new: NewDocument, *, received: str) -> Kept:
        """Keep a document, or what signatures are new of one that is here."""
        digest = new.digest
        known = self.document(digest)
        signers = frozenset[bytes]() if known is None else known.signers
        added = {signer: signature for signer, signature in new.signatures if signer not in signers}
        if known is not None and not added:
            return Kept(None, known)
        self._number += 1
        if known is None:
            kept = StoredDocument(
                digest=digest,
                type_name=new.type_name,
                payload_type=new.envelope.payload_type,
                payload=new.envelope.payload,
                signatures=tuple(sorted(added.items(), key=lambda item: item[0])),
                study=new.study,
                subject=new.subject,
                party=new.party,
                reader_key=new.reader_key,
                register_id=new.register_id,
                number=self._number,
                received=received,
            )
            self._insert(
                tables.documents,
                digest=digest,
                type=kept.type_name,
                payload_type=kept.payload_type,
                payload=kept.payload,
                study=kept.study,
                subject=kept.subject,
                party=kept.party,
                reader_key=kept.reader_key,
                register_id=kept.register_id,
                number=kept.number,
                received=received,
            )
        else:
            merged = sorted((*known.signatures, *added.items()), key=lambda item: item[0])
            kept = replace(known, signatures=tuple(merged))
        for signer, signature in added.items():
            self._insert(
                tables.signatures, digest=digest, signer=signer, keyid=signature.keyid, sig=signature.sig
            )
        self._insert(tables.feed, number=self._number, digest=digest)
        if new.type_name in STAMPED:
            self._count(STAMPED[new.type_name])
        self._gathered.note_document(kept)
        return Kept(self._number, kept)

    def once(self, what: object, find: Callable[[], T]) -> T:
        """Always found anew: a transaction changes what it sees."""
        return find()

    def recall(self, name: str, key: bytes, stamp: object, make: Callable[[], T]) -> T:
        """Always made anew: what a transaction sees may never come to be."""
        return make()

    def put_submission(self, row: SubmissionRow, *, correction: bytes, envelopes: Sequence[bytes]) -> None:
        """Keep the parts of a submission, beside its document."""
        if not self.submissions(row.study, member=row.member):
            self._joined[row.study] = self._joined.get(row.study, 0) + 1
        self._insert(
            tables.submissions,
            digest=row.digest,
            study=row.study,
            member=row.member,
            sequence=row.sequence,
            membership=row.membership,
            correction=correction,
        )
        for party, content in enumerate(envelopes):
            self._insert(tables.sealed_envelopes, submission=row.digest, party=party, content=content)
        self._gathered.note_submission(row)

    def put_roster_entries(self, roster: bytes, content: bytes) -> None:
        """Keep the entries of a roster, once."""
        if self.roster_entries(roster) is None:
            self._insert(tables.roster_entries, roster=roster, content=content)

    def count_members(self, study: bytes) -> int:
        """With those that joined in this transaction."""
        joined = self._joined.get(study, 0)

        def count_before() -> int:
            return self._count_rows_of_members(study) - joined

        return self._shelf.members.at(self._began_at, study, count_before) + joined

    def finish(self) -> None:
        """Write what is not written yet; the transaction is whole after this."""
        if self._number != self._began_at:
            _SET_FACT.execute(self.connection, {"fact": "feed", "number": self._number})
        self._flush()

    def is_durable(self) -> None:
        """To be called after the commit: from now on others may see what was counted here."""
        self._shelf.members.move_on(self._began_at, self._number, self._joined)

    def _insert(self, table: Table, **row: Any) -> None:
        self.changes += 1
        self._new_rows.setdefault(table, []).append(row)

    def _flush(self) -> None:
        rows, self._new_rows = self._new_rows, {}
        for table, new in rows.items():
            _INSERT[table].execute_for_each(self._connection, new)

    @property
    def connection(self) -> Connection:
        self._flush()
        return self._connection

    def _count(self, name: str) -> None:
        self.changes += 1
        _COUNT_FACT.execute(self.connection, {"fact": name})

    def _feed_number(self) -> int:
        value = self.fact("feed")
        if value is None:
            raise StoreDamaged("the store has lost the number of its feed")
        return value


class Store:
    """The gateway's store; open one per process, share it between threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._shelf = Shelf()
        self._one_writer = threading.Lock() if engine.dialect.name == "sqlite" else None
        self._prepare()

    @classmethod
    def open(cls, url: str) -> Store:
        """Open or create the store behind a URL of SQLAlchemy; a new SQLite file has mode 0600."""
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite":
            return cls._over(create_engine(parsed, pool_size=20, pool_pre_ping=True, hide_parameters=True))
        if parsed.database in (None, "", ":memory:"):
            engine = create_engine(
                parsed,
                poolclass=StaticPool,
                hide_parameters=True,
                connect_args={"check_same_thread": False},
            )
        else:
            os.close(os.open(str(parsed.database), os.O_CREAT | os.O_RDWR, 0o600))
            engine = create_engine(parsed, pool_size=20, hide_parameters=True, connect_args={"timeout": 30})
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return cls._over(engine)

    @classmethod
    def _over(cls, engine: Engine) -> Store:
        try:
            return cls(engine)
        except BaseException:
            engine.dispose()
            raise

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[StoreView]:
        """One consistent view."""
        with self._shared_connection(), self._engine.connect() as connection:
            if self._one_writer is None:  # SQLite gives every transaction one view as it is
                connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield StoreView(connection, self._shelf)

    @contextmanager
    def writing(self) -> Iterator[StoreTransaction]:
        """One transaction, on disk when the block ends without an error."""
        with self._writer(durable=True) as connection:
            transaction = StoreTransaction(connection, self._shelf)
            yield transaction
            transaction.finish()
        transaction.is_durable()

    def use_nonce(self, key: bytes, nonce: bytes, *, now: int, forget_at: int) -> bool:
        """Whether this reader had not used the nonce before. Survives the process, not a power failure."""
        t = tables.nonces
        with self._writer(durable=False) as connection:
            connection.execute(delete(t).where(t.c.forget_at < now))
            try:
                with connection.begin_nested():
                    connection.execute(insert(t).values(reader_key=key, nonce=nonce, forget_at=forget_at))
            except IntegrityError:
                return False
        return True

    @contextmanager
    def _writer(self, *, durable: bool) -> Iterator[Connection]:
        with self._lock(), self._engine.connect() as plain:
            connection = plain.execution_options(writes="durable" if durable else "soon")
            with connection.begin():
                if self._one_writer is None:  # elsewhere the row of the feed's number orders the writers
                    t = tables.facts.c
                    connection.execute(select(t.value).where(t.name == "feed").with_for_update())
                yield connection

    @contextmanager
    def _lock(self) -> Iterator[None]:
        if self._one_writer is None:
            yield
        else:
            with self._one_writer:
                yield

    @contextmanager
    def _shared_connection(self) -> Iterator[None]:
        """A store in memory has one connection, so there readers take turns with the writer."""
        if isinstance(self._engine.pool, StaticPool):
            with self._lock():
                yield
        else:
            yield

    def _prepare(self) -> None:
        with self._lock(), self._engine.connect() as plain:
            connection = plain.execution_options(writes="durable")
            with connection.begin():
                tables.metadata.create_all(connection)
                view = StoreView(connection, Shelf())
                version = view.fact("schema")
                if version is None:
                    facts = {"schema": tables.SCHEMA_VERSION, "feed": 0, "community": 0, "studies": 0}
                    for name, value in facts.items():
                        connection.execute(insert(tables.facts).values(name=name, value=value))
                    return
                if not 1 <= version <= tables.SCHEMA_VERSION:
                    raise StoreDamaged(
                        f"the store has schema {version}, this program knows {tables.SCHEMA_VERSION}"
                    )
                for step in MIGRATIONS[version - 1 :]:
                    step(connection)
                t = tables.facts
                connection.execute(update(t).where(t.c.name == "schema").values(value=tables.SCHEMA_VERSION))


def code_of(error: BaseException) -> str | None:
    """The database's own code for what it could not do, such as "SQLITE_FULL"; it quotes nothing."""
    cause = getattr(error, "orig", None)
    code = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None)
    return str(code) if code else None


def _set_up_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = (
        None  # transactions begin where `_begin_sqlite` says, not where the driver guesses
    )
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA busy_timeout=30000")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    if writes is not None:
        connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if writes == 'durable' else 'NORMAL'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
