"""The entries of a roster where no party posted them, since they are more than a body holds: worked out.

From what it keeps (receipts, memberships, withdrawals, revocations), by the parties' own rules. What comes out is
believed only if it leads to the signed root. Documents are read one after another; held are some 250 bytes a member.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mpc_cde.documents.membership import Membership
from mpc_cde.documents.receipt import Receipt
from mpc_cde.documents.revocation import Revocation
from mpc_cde.documents.roster_lines import LINE, RosterLines, digests_in, is_among, pack_line
from mpc_cde.documents.roster_rows import RosterRows, RowKind
from mpc_cde.documents.withdrawal import Withdrawal
from mpc_cde.gateway.admission import Context
from mpc_cde.gateway.parsed import parse_stored
from mpc_cde.gateway.standing import is_revoked
from mpc_cde.gateway.study_files import StudyFile
from mpc_cde.life_cycles import roster_rules
from mpc_cde.life_cycles.certified_register import CertifiedFacts, CertifiedRegister


def worked_out_entries(file: StudyFile, context: Context) -> RosterRows | None:
    """What the parties' lists come to if they hold what their receipts say; None if they cannot."""
    view, study = context.view, file.terms_digest
    lines = _lines(file, context)
    accepted = _accepted(file, context)
    withdrawals = tuple(
        roster_rules.ListedWithdrawal(w.member, w.sequence)
        for w in (parse_stored(s, Withdrawal) for s in view.documents(Withdrawal.type_name(), study=study))
    )
    revoked = frozenset(
        stored.subject
        for stored in view.documents(Revocation.type_name())
        if stored.subject is not None and is_revoked(view, context.chain, stored.subject)
    )
    agreed = roster_rules.roster_from_lists(
        [
            roster_rules.PartyList(
                party, _those(lines, accepted.get(party, bytearray())), withdrawals, revoked
            )
            for party in range(file.community.party_count)
        ],
        parties=file.community.party_count,
        memberships=CertifiedRegister.of(_certified(file, context)),
    )
    return agreed.entries if isinstance(agreed, roster_rules.AgreedRoster) else None


def _lines(file: StudyFile, context: Context) -> RosterLines:
    packed = bytearray()
    for row in context.view.each_submission(file.terms_digest):
        packed += pack_line(row.digest, row.membership, row.member, row.sequence)
    return RosterLines.sorted(np.frombuffer(packed, dtype=LINE))


def _accepted(file: StudyFile, context: Context) -> dict[int, bytearray]:
    """By party the submissions that it accepted, one after another."""
    found: dict[int, bytearray] = {}
    for _, payload in context.view.each_payload(Receipt.type_name(), study=file.terms_digest):
        receipt = Receipt.read_kept(payload)
        if receipt.accepted:
            found.setdefault(receipt.party, bytearray()).extend(receipt.submission)
    return found


def _those(lines: RosterLines, accepted: bytearray) -> RosterLines:
    """The lines of these submissions; the very same if it is all of them."""
    which = is_among(lines.submissions, np.unique(digests_in(accepted)))
    return lines if which.all() else RosterLines(lines.lines[which])


def _certified(file: StudyFile, context: Context) -> Iterator[tuple[bytes, CertifiedFacts]]:
    for digest, payload in context.view.each_payload(Membership.type_name()):
        membership = Membership.read_kept(payload)
        kind = RowKind(membership.holding, _groups(membership, file))
        yield digest, CertifiedFacts(kind, membership.registrar)


def _groups(membership: Membership, file: StudyFile) -> tuple[tuple[str, str], ...]:
    """Certified values of the study's attributes; a value that the study does not list is none."""
    return tuple(
        sorted(
            (group.attribute, membership.attributes[group.attribute])
            for group in file.terms.groups
            if membership.attributes.get(group.attribute) in group.values
        )
    )
