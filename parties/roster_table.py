"""The rows of signed rosters on disk: what the Merkle root of a roster document stands for."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from mpc_cde.documents.roster import Roster, RosterEntry, verify_payloads
from mpc_cde.documents.roster_rows import RosterRows
from mpc_cde.errors import BadDocument, BadProof, StoreDamaged
from parties.share_store import StoreTransaction, StoreView
from parties.store_tables import roster_rows as rows

_CHUNK = 500


def put_entries(transaction: StoreTransaction, roster: bytes, entries: RosterRows) -> None:
    """Keep the entries of a roster in row order; doing it twice changes nothing."""
    if transaction.connection.scalar(select(rows.c.row).where(rows.c.roster == roster).limit(1)) is not None:
        return
    for start in range(0, len(entries), _CHUNK):
        transaction.connection.execute(
            rows.insert(),
            [
                {
                    "roster": roster,
                    "row": row,
                    "submission": entries.submission(row),
                    "entry": entries.payload(row),
                }
                for row in range(start, min(start + _CHUNK, len(entries)))
            ],
        )


def has_signed_with(view: StoreView, study: bytes, member: bytes, *, up_to: int) -> bool:
    """Whether a roster that this party has signed, complete or not, holds a submission of this member up to this
    sequence."""
    own = [
        record.digest
        for record in view.submissions(study, member=member, state="accepted")
        if record.sequence <= up_to
    ]
    query = select(rows.c.row).where(rows.c.submission.in_(own)).limit(1)
    return bool(own) and view.connection.scalar(query) is not None


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


def read_entries(view: StoreView, roster: Roster) -> RosterRows:
    """The entries in row order, checked against the signed root. Raises StoreDamaged."""
    query = select(rows.c.entry).where(rows.c.roster == roster.digest()).order_by(rows.c.row)
    found = view.connection.scalars(query.execution_options(yield_per=_CHUNK))
    try:
        entries = RosterRows.parse(found)
        verify_payloads(roster, len(entries), entries.payloads())
    except (BadDocument, BadProof):
        raise StoreDamaged("the kept rows of a roster are not those that were signed") from None
    return entries
