"""The rows of signed rosters on disk: what the Merkle root of a roster document stands for."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, select

from mpc_cde.documents.roster import Roster, RosterEntry, verify_entries
from mpc_cde.errors import BadProof, StoreDamaged
from parties.share_store import StoreTransaction, StoreView

metadata = MetaData()

rows = Table(
    "roster_rows",
    metadata,
    Column("roster", LargeBinary(32), primary_key=True),
    Column("row", Integer, primary_key=True),
    Column("entry", LargeBinary, nullable=False),
)


def put_entries(transaction: StoreTransaction, roster: bytes, entries: Sequence[RosterEntry]) -> None:
    """Keep the entries of a roster in row order; doing it twice changes nothing."""
    if transaction.connection.scalar(select(rows.c.row).where(rows.c.roster == roster).limit(1)) is not None:
        return
    if entries:
        transaction.connection.execute(
            rows.insert(),
            [
                {"roster": roster, "row": row, "entry": entry.payload_bytes()}
                for row, entry in enumerate(entries)
            ],
        )


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
