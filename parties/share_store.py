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
ledger, say) stand in store_tables.py; whoever uses them does so through `transaction.connection`, in the same
transaction.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, OperationalError

from mpc_cde.errors import OwnError, StoreDamaged, StoreUnavailable
from parties import store_schema
from parties.store_records import (
    OutboxItem,
    OutboxState,
    SealedShares,
    StoredDocument,
    SubmissionRecord,
    SubmissionState,
)
from parties.store_transaction import StoreTransaction
from parties.store_view import StoreView

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


class ShareStore:
    """The party's store; open one per process, share it between threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        with self._written_or_said(), engine.begin() as connection:
            store_schema.bring_up_to_date(connection)

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
