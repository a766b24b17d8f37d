"""Proofs that a submission is in the signed roster, from the entries of the roster.

A party may post the entries with its signature. Without that the gateway works them out from what it keeps
(receipts, memberships, withdrawals, revocations) by the parties' own rules, and believes the outcome only if
it leads to the signed root.
"""

from __future__ import annotations

import threading

from mpc_cde.body_parts import parse_entries
from mpc_cde.documents.canonical import encode_base64url
from mpc_cde.documents.checked_roster import CheckedRoster
from mpc_cde.documents.merkle import MerkleTree
from mpc_cde.documents.roster import Roster, RosterProof, verify_payloads
from mpc_cde.documents.roster_rows import RosterRows
from mpc_cde.errors import BadProof, NotFound
from mpc_cde.gateway.admission import Context
from mpc_cde.gateway.parsed import parse_stored
from mpc_cde.gateway.store_view import StoredDocument
from mpc_cde.gateway.study_files import StudyFile
from mpc_cde.gateway.worked_out_roster import worked_out_entries

MAX_TREES = 16


class ProofDesk:
    """Keeps the trees of the latest rosters, so that a proof costs a look-up. For several threads."""

    def __init__(self) -> None:
        self._trees: dict[bytes, tuple[RosterRows, MerkleTree]] = {}
        self._lock = threading.Lock()

    def proof(self, file: StudyFile, submission: bytes, context: Context) -> RosterProof:
        """The row of a submission in the roster that every party signed. Raises NotFound."""
        stored = file.roster
        if stored is None:
            raise NotFound(f"no roster is signed by every party; the study is {file.state.name}")
        with self._lock:
            if stored.digest not in self._trees:
                while len(self._trees) >= MAX_TREES:
                    del self._trees[next(iter(self._trees))]
                entries = _entries_of(stored, file, context)
                self._trees[stored.digest] = entries, MerkleTree(entries.payloads())
            rows, tree = self._trees[stored.digest]
        row = rows.row_of(submission)
        if row is None:
            raise NotFound("this submission is not in the roster that every party signed")
        return RosterProof(entry=rows[row], row=row, proof=tree.inclusion_proof(row))


def is_removed(file: StudyFile, submission: bytes) -> bool:
    """Whether the input checks removed it, so that its digest is public."""
    stored = file.checked_roster
    return stored is not None and parse_stored(stored, CheckedRoster).fault_of(submission) is not None


def verify_posted_entries(content: bytes, roster: Roster) -> None:
    """Returns if these are the entries of the roster, posted with a signature. Raises BadDocument, BadProof."""
    rows = parse_entries(content)
    verify_payloads(roster, len(rows), rows.payloads())


def _entries_of(stored: StoredDocument, file: StudyFile, context: Context) -> RosterRows:
    content = context.view.roster_entries(stored.digest)
    if content is not None:
        return parse_entries(content)
    rows = worked_out_entries(file, context)
    try:
        if rows is not None:
            verify_payloads(parse_stored(stored, Roster), len(rows), rows.payloads())
            return rows
    except BadProof:
        pass
    raise NotFound(
        f"the entries of roster {encode_base64url(stored.digest)} are not known here",
        hint="Ask a party to post them with its signature of the roster.",
    ) from None
