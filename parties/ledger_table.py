"""The release ledger on disk: one row a cell of a started job, in the share store's own transactions."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from mpc_cde.documents.query import QueryItem
from parties.release_ledger import Ledger, LedgerEntry, ledger_of
from parties.share_store import StoreTransaction, StoreView
from parties.store_tables import releases


def read_ledger(view: StoreView, study_terms: bytes) -> Ledger:
    """All that was begun of a study at this party."""
    rows = view.connection.execute(
        select(releases).where(releases.c.study == study_terms).order_by(releases.c.number)
    )
    return ledger_of(
        LedgerEntry(
            study_terms=row.study,
            checked_roster=row.checked_roster,
            query=row.query,
            job=row.job,
            attempt=row.attempt,
            item=QueryItem.parse_payload(row.item),
            withheld=row.withheld,
        )
        for row in rows
    )


def begin_job(
    transaction: StoreTransaction,
    *,
    study_terms: bytes,
    checked_roster: bytes,
    query: bytes,
    job: bytes,
    attempt: int,
    items: Sequence[QueryItem],
) -> None:
    """Enter every cell of a job before its first message; beginning it twice changes nothing."""
    known = transaction.connection.scalar(select(releases.c.number).where(releases.c.job == job).limit(1))
    if known is not None:
        return
    transaction.connection.execute(
        releases.insert(),
        [
            {
                "study": study_terms,
                "checked_roster": checked_roster,
                "query": query,
                "job": job,
                "attempt": attempt,
                "position": position,
                "item": item.payload_bytes(),
                "withheld": None,
            }
            for position, item in enumerate(items)
        ],
    )


def note_outcomes(transaction: StoreTransaction, job: bytes, withheld: Sequence[bool]) -> None:
    """Which cells of a finished job were withheld: only those stop counting as out."""
    for position, is_withheld in enumerate(withheld):
        transaction.connection.execute(
            releases.update()
            .where(releases.c.job == job, releases.c.position == position)
            .values(withheld=is_withheld)
        )
