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
from mpc_cde.documents.membership import Membership
from mpc_cde.documents.merkle import MerkleTree
from mpc_cde.documents.receipt import Receipt
from mpc_cde.documents.roster import Roster, RosterProof, verify_payloads
from mpc_cde.documents.roster_lines import RosterLines
from mpc_cde.documents.roster_rows import RosterRows, RowKind
from mpc_cde.documents.withdrawal import Withdrawal
from mpc_cde.errors import BadProof, NotFound
from mpc_cde.gateway.admission import Context
from mpc_cde.gateway.parsed import parse_stored
from mpc_cde.gateway.standing import is_revoked
from mpc_cde.gateway.store_view import StoredDocument, SubmissionRow
from mpc_cde.gateway.study_files import StudyFile
from mpc_cde.life_cycles import roster_rules

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
    rows = _worked_out_entries(file, context)
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


def _worked_out_entries(file: StudyFile, context: Context) -> RosterRows | None:
    """What the parties' lists come to if they hold what their receipts say; None if they cannot."""
    view, study = context.view, file.terms_digest
    submissions = {row.digest: row for row in view.submissions(study)}
    accepted: dict[int, list[SubmissionRow]] = {j: [] for j in range(file.community.party_count)}
    for stored in view.documents(Receipt.type_name(), study=study):
        receipt = parse_stored(stored, Receipt)
        if receipt.accepted and receipt.submission in submissions:
            accepted[receipt.party].append(submissions[receipt.submission])
    digests = sorted({row.membership for row in submissions.values()})
    memberships = {
        digest: parse_stored(found, Membership) for digest, found in view.documents_by_digest(digests).items()
    }
    withdrawals = tuple(
        roster_rules.ListedWithdrawal(w.member, w.sequence)
        for w in (parse_stored(s, Withdrawal) for s in view.documents(Withdrawal.type_name(), study=study))
    )
    revoked = frozenset(m.member for m in memberships.values() if is_revoked(view, context.chain, m.member))
    agreed = roster_rules.roster_from_lists(
        [
            roster_rules.PartyList(
                party,
                RosterLines.pack(
                    roster_rules.ListedSubmission(row.digest, row.member, row.sequence, row.membership)
                    for row in rows
                ),
                withdrawals,
                revoked,
            )
            for party, rows in accepted.items()
        ],
        parties=file.community.party_count,
        memberships=roster_rules.CertifiedRegister.of(
            (digest, roster_rules.CertifiedFacts(RowKind(m.holding, _groups(m, file))))
            for digest, m in memberships.items()
        ),
    )
    return agreed.entries if isinstance(agreed, roster_rules.AgreedRoster) else None


def _groups(membership: Membership, file: StudyFile) -> tuple[tuple[str, str], ...]:
    """Certified values of the study's attributes; a value that the study does not list is none."""
    return tuple(
        sorted(
            (group.attribute, membership.attributes[group.attribute])
            for group in file.terms.groups
            if membership.attributes.get(group.attribute) in group.values
        )
    )
