"""The roster at one party: its own list, the checks of the others' lists, and what all of them come to.

Pure over the share store: no network. `agreement.py` carries commitments, lists and signatures over the
mesh, so that a gateway which shows different parties different documents cannot make two rosters: what any
list holds of withdrawals and revocations counts, with its proof, and a receipt without its submission or
withdrawal in the signer's list is a complaint that the receipt proves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mpc_cde.documents.authority import (
    is_certified,
    is_in_force,
    open_from_party,
    open_membership,
    open_revocation,
)
from mpc_cde.documents.community import Community
from mpc_cde.documents.envelope import Envelope, has_signature, open_envelope, sign_document
from mpc_cde.documents.membership import Membership
from mpc_cde.documents.receipt import Receipt, WithdrawalReceipt
from mpc_cde.documents.revocation import Revocation
from mpc_cde.documents.roster import Roster, roster_document
from mpc_cde.documents.roster_lines import LINE, Digests, RosterLines, digests_in, pack_line
from mpc_cde.documents.roster_list import RosterList
from mpc_cde.documents.roster_rows import RosterRows
from mpc_cde.documents.study_terms import StudyTerms
from mpc_cde.documents.withdrawal import Withdrawal
from mpc_cde.errors import BadDocument, BadSignature
from mpc_cde.keys import SigningKey
from mpc_cde.life_cycles import roster_rules
from mpc_cde.life_cycles.roster_rules import Disagreement, PartyList
from parties.known_members import KnownMembers, read_members
from parties.share_store import StoreView


class ListRefused(Exception):
    """A party's list is not what an honest party shows; `party` showed it."""

    def __init__(self, party: int, expected: str, found: str) -> None:
        super().__init__(f"roster list of party {party}: expected {expected}, found {found}")
        self.party = party
        self.expected = expected
        self.found = found


class RosterWaits(Exception):
    """The lists lead to no roster; `disagreements` say why, sorted, the same at every party."""

    def __init__(self, disagreements: Sequence[Disagreement]) -> None:
        first = disagreements[0]
        whose = "all lists" if first.party is None else f"party {first.party}'s list"
        super().__init__(f"{whose}: {first.fault}: expected {first.expected}, found {first.found}")
        self.disagreements = tuple(disagreements)


class LeftMeanwhile(Exception):
    """A member withdrew, or was revoked, after this party had made its list: the lists are made and shown again."""

    def __init__(self, document: bytes) -> None:
        super().__init__("a withdrawal or revocation came after the lists were made; they are made again")
        self.document = document


@dataclass(frozen=True, slots=True)
class AgreedInputs:
    """What the lists come to: the roster as a document, and its entries in row order."""

    roster: Roster
    entries: RosterRows


@dataclass(frozen=True, slots=True)
class Promises:
    """Receipts that are here, own ones too: by party the submissions of accepting ones, and (party, withdrawal)."""

    accepted: Mapping[int, Digests]
    withdrawn: frozenset[tuple[int, bytes]]


@dataclass(frozen=True, slots=True)
class RosterBasis:
    """What one party knows of a study when the roster is made; read from its store at one moment.

    `own_list` speaks of the submissions in `lines`.
    """

    community: Community
    terms: StudyTerms
    party: int
    members: KnownMembers
    promises: Promises
    own_list: RosterList
    lines: RosterLines

    @property
    def terms_digest(self) -> bytes:
        return self.own_list.study_terms


@dataclass(frozen=True, slots=True)
class ShownList:
    """A list that a party signed, and the submissions that it speaks of."""

    document: RosterList
    lines: RosterLines

    @classmethod
    def of(cls, document: RosterList, lines: RosterLines) -> ShownList:
        """The document, speaking of these submissions instead."""
        update = {"count": len(lines), "parts": lines.part_digests()}
        return cls(document.model_copy(update=update), lines)


def read_promises(view: StoreView, study: bytes) -> Promises:
    """Who promised what so far. Each party makes its list after all have read this, so what is missing there was not
    promised a moment later.
    """
    return Promises(_accepted_by_receipt(view, study), frozenset(_withdrawn_by_receipt(view, study)))


def read_basis(
    view: StoreView,
    community: Community,
    terms: StudyTerms,
    party: int,
    promises: Promises,
    members: KnownMembers | None = None,
) -> RosterBasis:
    """Everything this party accepted and saw of the study; its list is to keep `promises`, as all the others.

    The list shows of revocations and memberships what counts in this version of the community alone: for others it
    would be refused, and its signer accused. `members` may have been read before: what came since is read now.
    """
    study = terms.digest()
    lines = _accepted_lines(view, study)
    members = (members or read_members(view, terms)).with_those(view, terms, lines)
    withdrawals = list(view.documents(Withdrawal.type_name(), study=study))
    own_list = RosterList(
        study_terms=study,
        party=party,
        count=len(lines),
        parts=lines.part_digests(),
        withdrawals=_by_digest(stored.envelope for stored in withdrawals),
        revocations=_by_digest(
            stored.envelope
            for stored in view.documents(Revocation.type_name())
            if is_in_force(stored.envelope, community)
        ),
        memberships=_by_digest(
            certified.envelope
            for stored in withdrawals
            for certified in view.documents(Membership.type_name(), subject=stored.subject)
            if has_signature(stored.envelope, certified.parse(Membership).signing_key)
            and is_certified(certified.envelope, community)
        ),
    )
    return RosterBasis(community, terms, party, members, promises, own_list, lines)


def _accepted_lines(view: StoreView, study: bytes) -> RosterLines:
    packed = bytearray()
    for row in view.each_accepted(study):
        packed += pack_line(row.submission, row.membership or bytes(32), row.member, row.sequence)
    return RosterLines.sorted(np.frombuffer(packed, dtype=LINE))


def _accepted_by_receipt(view: StoreView, study: bytes) -> dict[int, Digests]:
    found: dict[int, bytearray] = {}
    for _, payload in view.each_payload(Receipt.type_name(), study=study):
        receipt = Receipt.read_kept(payload)
        if receipt.accepted:
            found.setdefault(receipt.party, bytearray()).extend(receipt.submission)
    return {party: np.unique(digests_in(submissions)) for party, submissions in found.items()}


def _withdrawn_by_receipt(view: StoreView, study: bytes) -> Iterator[tuple[int, bytes]]:
    for _, payload in view.each_payload(WithdrawalReceipt.type_name(), study=study):
        receipt = WithdrawalReceipt.read_kept(payload)
        yield receipt.party, receipt.withdrawal


def verify_promises(view: StoreView, basis: RosterBasis, entries: RosterRows) -> None:
    """Returns if this party may sign a roster with these rows: none is of a member that withdrew it since the list
    was made, and has this party's receipt for that, or that was revoked since. Raises LeftMeanwhile.
    """
    study = basis.terms_digest
    listed = {envelope.digest() for envelope in basis.own_list.withdrawals}
    for stored in view.documents(Withdrawal.type_name(), study=study):
        if stored.digest in listed:
            continue
        withdrawal = stored.parse(Withdrawal)
        own = view.submissions(study, member=withdrawal.member, state="accepted")
        if any(
            entries.row_of(record.digest) is not None and record.sequence <= withdrawal.sequence
            for record in own
        ):
            raise LeftMeanwhile(stored.digest)
    shown = {envelope.digest() for envelope in basis.own_list.revocations}
    for stored in view.documents(Revocation.type_name()):
        if stored.digest in shown or not is_in_force(stored.envelope, basis.community):
            continue
        revoked = view.submissions(study, member=stored.parse(Revocation).subject, state="accepted")
        if any(entries.row_of(record.digest) is not None for record in revoked):
            raise LeftMeanwhile(stored.digest)


def _by_digest(envelopes: Iterable[Envelope]) -> tuple[Envelope, ...]:
    found = {envelope.digest(): envelope for envelope in envelopes}
    return tuple(found[digest] for digest in sorted(found))


def sign_list(basis: RosterBasis, signing_key: SigningKey) -> Envelope:
    return sign_document(basis.own_list, signing_key)


def open_list(basis: RosterBasis, party: int, envelope: Envelope, committed: bytes) -> RosterList:
    """The list that `party` committed to. Raises ListRefused."""
    if envelope.digest() != committed:
        raise ListRefused(party, "the list it committed to", "another")
    try:
        opened = open_from_party(envelope, RosterList, basis.community)
    except (BadDocument, BadSignature) as error:
        raise ListRefused(party, "a list that it signed", str(error)[:120]) from None
    if opened.party != party or opened.study_terms != basis.terms_digest:
        raise ListRefused(party, "its own list of this study", "another party's or study's")
    return opened


def agree(basis: RosterBasis, lists: Mapping[int, ShownList]) -> AgreedInputs:
    """The roster of these lists. Raises RosterWaits with every reason, ListRefused for a proof that fails."""
    return agree_on(basis, [read_list(basis, party, lists[party]) for party in sorted(lists)])


def agree_on(basis: RosterBasis, lists: Collection[PartyList]) -> AgreedInputs:
    """The roster of lists that were read. Raises RosterWaits with every reason."""
    found = roster_rules.roster_from_lists(
        lists,
        parties=basis.community.party_count,
        memberships=basis.members.register,
        receipted=basis.promises.accepted,
        receipted_withdrawals=basis.promises.withdrawn,
        roster_cap=basis.terms.roster_cap,
    )
    if not isinstance(found, roster_rules.AgreedRoster):
        raise RosterWaits(found)
    entries = found.entries
    roster = roster_document(basis.terms_digest, len(entries), entries.payloads(), found.registrars)
    return AgreedInputs(roster, entries)


def read_list(basis: RosterBasis, party: int, shown: ShownList) -> PartyList:
    """The list of a party as the rules take it; what takes members out must be proved by signatures inside it.

    Raises ListRefused.
    """
    return PartyList(
        party,
        shown.lines,
        _withdrawals(basis, party, shown.document),
        _revoked(basis, party, shown.document),
        frozenset(envelope.digest() for envelope in shown.document.withdrawals),
    )


def _withdrawals(
    basis: RosterBasis, party: int, shown: RosterList
) -> tuple[roster_rules.ListedWithdrawal, ...]:
    brought = list(_shown_memberships(basis, party, shown))
    if not shown.withdrawals:
        return ()
    keys_brought: dict[bytes, list[bytes]] = {}
    for membership in brought:
        keys_brought.setdefault(membership.member, []).append(membership.signing_key)
    withdrawals = []
    for envelope in shown.withdrawals:
        try:
            claimed = open_envelope(envelope, Withdrawal)
        except BadDocument:
            raise ListRefused(party, "withdrawals", "something else") from None
        keys = [*basis.members.keys_of(claimed.member), *keys_brought.get(claimed.member, ())]
        if claimed.study_terms == basis.terms_digest and not keys:
            continue  # the gateway kept this member from this party, which accepted nothing of it either
        if claimed.study_terms != basis.terms_digest or not any(has_signature(envelope, key) for key in keys):
            raise ListRefused(party, "withdrawals that members signed", "one that none did")
        withdrawals.append(roster_rules.ListedWithdrawal(claimed.member, claimed.sequence))
    return tuple(withdrawals)


def _revoked(basis: RosterBasis, party: int, shown: RosterList) -> frozenset[bytes]:
    revoked = set()
    for envelope in shown.revocations:
        try:
            revocation = open_revocation(envelope, basis.community)
        except (BadDocument, BadSignature):
            raise ListRefused(party, "revocations that a registrar signed", "one that none did") from None
        if revocation.kind == "member":
            revoked.add(revocation.subject)
    return frozenset(revoked)


def _shown_memberships(basis: RosterBasis, party: int, shown: RosterList) -> Iterator[Membership]:
    """Those that the list brings along: certified, or the party made them up."""
    for envelope in shown.memberships:
        try:
            yield open_membership(envelope, basis.community)
        except (BadDocument, BadSignature):
            raise ListRefused(party, "memberships that registrars certified", "one that none did") from None
