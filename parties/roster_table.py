"""The rows of signed rosters on disk: what the Merkle root of a roster document stands for."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Column, Index, Integer, LargeBinary, MetaData, Table, select

from mpc_cde.documents.roster import Roster, RosterEntry, verify_entries
from mpc_cde.errors import BadProof, StoreDamaged
from parties.share_store import StoreTransaction, StoreView

metadata = MetaData()

rows = Table(
    "roster_rows",
    metadata,
    Column("roster", LargeBinary(32), primary_key=True),
    Column("row", Integer, primary_key=True),
    Column("submission", LargeBinary(32), nullable=False),
    Column("entry", LargeBinary, nullable=False),
    Index("roster_rows_by_submission", "roster", "submission"),
)


def put_entries(transaction: StoreTransaction, roster: bytes, entries: Sequence[RosterEntry]) -> None:
    """Keep the entries of a roster in row order; doing it twice changes nothing."""
    if transaction.connection.scalar(select(rows.c.row).where(rows.c.roster == roster).limit(1)) is not None:
        return
    if entries:
        transaction.connection.execute(
            rows.insert(),
            [
                {
                    "roster": roster,
                    "row": row,
                    "submission": entry.submission,
                    "entry": entry.payload_bytes(),
                }
                for row, entry in enumerate(entries)
            ],
        )


def find_entry(
    view: StoreView, roster: bytes, submissions: Sequence[bytes]
) -> tuple[int, RosterEntry] | None:
    """The row of one member, whose accepted submissions these are, and its entry; a roster has one of each."""
    found = view.connection.execute(
        select(rows.c.row, rows.c.entry).where(
            rows.c.roster == roster, rows.c.submission.in_(list(submissions))
        )
    ).first()
    return None if found is None else (found.row, RosterEntry.parse_payload(found.entry))


def read_entries(view: StoreView, roster: Roster) -> tuple[RosterEntry, ...]:
    """The entries in row order, checked against the signed root. Raises StoreDamaged."""
    found = view.connection.scalars(
        select(rows.c.entry).where(rows.c.roster == roster.digest()).order_by(rows.c.row)
    )
    entries = tuple(RosterEntry.parse_payload(entry) for entry in found)
    try:
        verify_entries(roster, entries)
    except BadProof:
        raise StoreDamaged("the kept rows of a roster are not those that were signed") from None
    return entries
