"""Who counts: from the lists of all parties to the one roster, or to what they disagree on.

The roster is the intersection of the lists, less what withdrawals and revocations in ANY list take out,
then per member the highest sequence, then per holding one membership. It does not depend on the order of
the lists or of anything inside them. Party and member are names here, never proofs: signatures were
verified before.

A withdrawal takes out its member's submissions up to and including its sequence; a revocation takes the
member out altogether (whose keys were revoked gets a new member id). Where two memberships of one holding
are left, which intake prevents, the one with the lower membership digest counts. A submission that parties
accepted under different memberships, as a gateway can arrange, was accepted by all under none: it is left out.

A sequence grows by at most 1,000 at a time. An intake that follows `is_within_reach` cannot make a list
that breaks this, so a list that does is a complaint against its signer, and its withdrawals cannot lock a
member out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

MAX_SEQUENCE_GROWTH = 1000


@dataclass(frozen=True, slots=True, order=True)
class ListedSubmission:
    """A submission that a party accepted: digest, member, sequence, and the membership it was accepted by."""

    submission: bytes
    member: bytes
    sequence: int
    membership: bytes


@dataclass(frozen=True, slots=True, order=True)
class ListedWithdrawal:
    """A withdrawal that a party saw."""

    member: bytes
    sequence: int


@dataclass(frozen=True, slots=True)
class PartyList:
    """One party's roster list. `revoked` are members; the order of all means nothing.

    `shown_withdrawals` are the digests of all withdrawals in it, also of members that its reader does not know.
    """

    party: int
    submissions: tuple[ListedSubmission, ...]
    withdrawals: tuple[ListedWithdrawal, ...] = ()
    revoked: frozenset[bytes] = frozenset()
    shown_withdrawals: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class CertifiedFacts:
    """What a membership certifies and a roster carries on: the holding, and (attribute, value) pairs."""

    holding: str | None = None
    groups: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class AgreedEntry:
    """One row of the roster."""

    submission: bytes
    membership: bytes
    holding: str | None
    groups: tuple[tuple[str, str], ...]
    member: bytes


class WhyLeftOut(StrEnum):
    """Why a submission that some party listed is not in the roster."""

    NOT_ACCEPTED_BY_ALL = "not_accepted_by_all"
    WITHDRAWN = "withdrawn"
    REVOKED = "revoked"
    SUPERSEDED = "superseded"
    HOLDING_COUNTED_ONCE = "holding_counted_once"


@dataclass(frozen=True, slots=True)
class AgreedRoster:
    """Entries sorted by submission digest (row i of every column is entry i), and who is not there."""

    entries: tuple[AgreedEntry, ...]
    left_out: Mapping[bytes, WhyLeftOut]


class ListFault(StrEnum):
    """What is wrong with lists; the values are the steps of complaints."""

    PARTY_MISSING = "list_missing"
    PARTY_TWICE = "list_twice"
    RECEIPTED_BUT_NOT_LISTED = "receipted_but_not_listed"
    WITHDRAWAL_NOT_LISTED = "withdrawal_not_listed"
    SEQUENCE_OUT_OF_REACH = "sequence_out_of_reach"
    SEQUENCE_USED_TWICE = "sequence_used_twice"
    MEMBERSHIP_UNKNOWN = "membership_unknown"
    ACCOUNTS_DIFFER = "accounts_differ"
    ROSTER_CAP_EXCEEDED = "roster_cap_exceeded"


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One reason why the roster must wait: whose list (None: all), which submission or withdrawal (None: no one)."""

    fault: ListFault
    party: int | None
    submission: bytes | None
    expected: str
    found: str

    def sort_key(self) -> tuple[str, int, bytes, str, str]:
        """An order that is the same everywhere."""
        party = -1 if self.party is None else self.party
        return (self.fault.value, party, self.submission or b"", self.expected, self.found)


def is_within_reach(sequence: int, used: Iterable[int]) -> bool:
    """Whether a member of whom these sequences (submissions and withdrawals) were accepted may use it next.

    A lower one than the highest is in reach as well: documents may arrive in another order than they were
    signed.
    """
    return 1 <= sequence <= max(used, default=0) + MAX_SEQUENCE_GROWTH


def is_standing(submitted: Iterable[int], withdrawn: Iterable[int]) -> bool:
    """Whether a member has figures in a study: the highest sequence it submitted lies above all that it withdrew.

    Who has none takes no place of the roster, nor that of its holding.
    """
    return max(submitted, default=0) > max(withdrawn, default=0)


def roster_from_lists(
    lists: Collection[PartyList],
    *,
    parties: int,
    memberships: Mapping[bytes, CertifiedFacts],
    receipted: Collection[tuple[int, bytes]] = (),
    receipted_withdrawals: Collection[tuple[int, bytes]] = (),
    roster_cap: int | None = None,
) -> AgreedRoster | tuple[Disagreement, ...]:
    """The roster of these lists, or every reason why there is none, sorted.

    `memberships`: by digest, all that the caller has verified. `receipted`: (party, submission) of every
    accepting receipt that the caller has seen, `receipted_withdrawals` (party, withdrawal) likewise. Total for
    m >= 1: it raises nothing, whatever the lists hold.
    """
    faults = [*_missing_or_twice(lists, parties), *_broken_promises(lists, receipted, receipted_withdrawals)]
    for own in lists:
        faults += _faults_of_one_list(own)
    faults += _uncertified(lists, memberships)
    faults += _differing_accounts(lists)
    if faults:
        return tuple(sorted(set(faults), key=Disagreement.sort_key))
    agreed = _agree(lists, memberships)
    if roster_cap is not None and len(agreed.entries) > roster_cap:
        expected = f"at most {roster_cap} entries"
        return (Disagreement(ListFault.ROSTER_CAP_EXCEEDED, None, None, expected, str(len(agreed.entries))),)
    return agreed


def _missing_or_twice(lists: Collection[PartyList], parties: int) -> Iterable[Disagreement]:
    counts = [sum(own.party == party for own in lists) for party in range(parties)]
    for party, count in enumerate(counts):
        if count == 0:
            yield Disagreement(ListFault.PARTY_MISSING, party, None, "a roster list", "none")
        elif count > 1:
            yield Disagreement(ListFault.PARTY_TWICE, party, None, "one roster list", str(count))
    for own in lists:
        if not 0 <= own.party < parties:
            expected = f"a party from 0 to {parties - 1}"
            yield Disagreement(ListFault.PARTY_TWICE, own.party, None, expected, str(own.party))


def _broken_promises(
    lists: Collection[PartyList],
    receipted: Collection[tuple[int, bytes]],
    receipted_withdrawals: Collection[tuple[int, bytes]],
) -> Iterable[Disagreement]:
    """A party that gave a receipt and does not list what it is for: its own receipt proves it."""
    for own in lists:
        listed = {entry.submission for entry in own.submissions}
        for party, submission in receipted:
            if party == own.party and submission not in listed:
                yield Disagreement(
                    ListFault.RECEIPTED_BUT_NOT_LISTED, party, submission, "in its list", "missing"
                )
        for party, withdrawal in receipted_withdrawals:
            if party == own.party and withdrawal not in own.shown_withdrawals:
                yield Disagreement(
                    ListFault.WITHDRAWAL_NOT_LISTED,
                    party,
                    withdrawal,
                    "the withdrawal that it gave a receipt for",
                    "missing",
                )


def _uncertified(
    lists: Collection[PartyList], memberships: Mapping[bytes, CertifiedFacts]
) -> Iterable[Disagreement]:
    """What all list and the caller knows no membership of; what only some list does not count anyway.

    Else a gateway that keeps a membership from one party would have it accuse all the others.
    """
    common = frozenset.intersection(*(frozenset(own.submissions) for own in lists)) if lists else frozenset()
    for own in lists:
        for entry in own.submissions:
            if entry in common and entry.membership not in memberships:
                yield Disagreement(
                    ListFault.MEMBERSHIP_UNKNOWN, own.party, entry.submission, "a valid membership", "unknown"
                )


def _faults_of_one_list(own: PartyList) -> Iterable[Disagreement]:
    by_sequence: dict[tuple[bytes, int], set[ListedSubmission]] = {}
    chains: dict[bytes, set[int]] = {}
    for entry in own.submissions:
        by_sequence.setdefault((entry.member, entry.sequence), set()).add(entry)
        chains.setdefault(entry.member, {0}).add(entry.sequence)
    for withdrawal in own.withdrawals:
        chains.setdefault(withdrawal.member, {0}).add(withdrawal.sequence)
    for entries in by_sequence.values():
        if len(entries) > 1:
            lowest = min(entries).submission
            found = str(len(entries))
            yield Disagreement(ListFault.SEQUENCE_USED_TWICE, own.party, lowest, "one per sequence", found)
    for chain in chains.values():
        ordered = sorted(chain)
        if ordered[0] < 0 or any(high - low > MAX_SEQUENCE_GROWTH for low, high in pairwise(ordered)):
            expected = f"sequences that grow by at most {MAX_SEQUENCE_GROWTH}"
            yield Disagreement(ListFault.SEQUENCE_OUT_OF_REACH, own.party, None, expected, "a jump")


def _differing_accounts(lists: Collection[PartyList]) -> Iterable[Disagreement]:
    """The same digest with another member or sequence: who errs cannot be told from the lists.

    Another membership is no error: a gateway shows a party the newer one of a member sooner or later.
    """
    accounts: dict[bytes, set[tuple[bytes, int]]] = {}
    for own in lists:
        for entry in own.submissions:
            accounts.setdefault(entry.submission, set()).add((entry.member, entry.sequence))
    for submission, told in accounts.items():
        if len(told) > 1:
            expected = "one member and sequence"
            found = f"{len(told)} accounts"
            yield Disagreement(ListFault.ACCOUNTS_DIFFER, None, submission, expected, found)


def _agree(lists: Collection[PartyList], memberships: Mapping[bytes, CertifiedFacts]) -> AgreedRoster:
    everywhere = frozenset.intersection(*(frozenset(own.submissions) for own in lists))
    anywhere = frozenset.union(*(frozenset(own.submissions) for own in lists))
    revoked = frozenset[bytes]().union(*(own.revoked for own in lists))
    withdrawn: dict[bytes, int] = {}
    for own in lists:
        for withdrawal in own.withdrawals:
            withdrawn[withdrawal.member] = max(withdrawal.sequence, withdrawn.get(withdrawal.member, 0))

    left_out: dict[bytes, WhyLeftOut] = {}
    newest: dict[bytes, ListedSubmission] = {}
    for entry in sorted(anywhere, key=lambda entry: (entry.sequence, entry)):
        if entry.member in revoked:
            left_out[entry.submission] = WhyLeftOut.REVOKED
        elif entry.sequence <= withdrawn.get(entry.member, 0):
            left_out[entry.submission] = WhyLeftOut.WITHDRAWN
        elif entry not in everywhere:
            left_out[entry.submission] = WhyLeftOut.NOT_ACCEPTED_BY_ALL
        else:
            if entry.member in newest:
                left_out[newest[entry.member].submission] = WhyLeftOut.SUPERSEDED
            newest[entry.member] = entry

    entries: list[AgreedEntry] = []
    counted_holdings: set[str] = set()
    for entry in sorted(newest.values(), key=lambda entry: (entry.membership, entry)):
        facts = memberships[entry.membership]
        if facts.holding is not None and facts.holding in counted_holdings:
            left_out[entry.submission] = WhyLeftOut.HOLDING_COUNTED_ONCE
            continue
        if facts.holding is not None:
            counted_holdings.add(facts.holding)
        groups = tuple(sorted(facts.groups))
        entries.append(AgreedEntry(entry.submission, entry.membership, facts.holding, groups, entry.member))
    entries.sort(key=lambda entry: entry.submission)
    return AgreedRoster(tuple(entries), left_out)
