"""The rules of a roster as loops over objects, one after another: what the arrays of the product must come to.

Slow and plain on purpose. Each rule stands where the page of documents and life cycles names it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from mpc_cde.life_cycles.roster_rules import (
    MAX_SEQUENCE_GROWTH,
    CertifiedFacts,
    Disagreement,
    ListedSubmission,
    ListedWithdrawal,
    ListFault,
    WhyLeftOut,
)


@dataclass(frozen=True)
class PlainList:
    """A party's list, as objects."""

    party: int
    submissions: tuple[ListedSubmission, ...]
    withdrawals: tuple[ListedWithdrawal, ...] = ()
    revoked: frozenset[bytes] = frozenset()


@dataclass(frozen=True)
class PlainEntry:
    """One row."""

    submission: bytes
    membership: bytes
    holding: str | None
    groups: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class PlainRoster:
    """What the lists come to."""

    entries: tuple[PlainEntry, ...]
    left_out: Mapping[bytes, WhyLeftOut]


def roster_from_lists(
    lists: Collection[PlainList],
    *,
    parties: int,
    memberships: Mapping[bytes, CertifiedFacts],
    receipted: Collection[tuple[int, bytes]] = (),
    roster_cap: int | None = None,
) -> PlainRoster | tuple[Disagreement, ...]:
    faults = [*_missing_or_twice(lists, parties), *_broken_promises(lists, receipted)]
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


def _missing_or_twice(lists: Collection[PlainList], parties: int) -> Iterable[Disagreement]:
    everybody = set(range(parties))
    shown = Counter(own.party for own in lists)
    for party in everybody - shown.keys():
        yield Disagreement(ListFault.PARTY_MISSING, party, None, "a roster list", "none")
    for party in shown.keys() - everybody:
        expected = f"a party from 0 to {parties - 1}"
        yield Disagreement(ListFault.PARTY_TWICE, party, None, expected, str(party))
    for party in shown.keys() & everybody:
        if shown[party] != 1:
            yield Disagreement(ListFault.PARTY_TWICE, party, None, "one roster list", str(shown[party]))


def _broken_promises(
    lists: Collection[PlainList],
    receipted: Collection[tuple[int, bytes]],
) -> Iterable[Disagreement]:
    """A party that gave a receipt and does not list what it is for: its own receipt proves it."""
    for own in lists:
        listed = {entry.submission for entry in own.submissions}
        for party, submission in receipted:
            if party == own.party and submission not in listed:
                yield Disagreement(
                    ListFault.RECEIPTED_BUT_NOT_LISTED, party, submission, "in its list", "missing"
                )


def _uncertified(
    lists: Collection[PlainList], memberships: Mapping[bytes, CertifiedFacts]
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


def _faults_of_one_list(own: PlainList) -> Iterable[Disagreement]:
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


def _differing_accounts(lists: Collection[PlainList]) -> Iterable[Disagreement]:
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


def _agree(lists: Collection[PlainList], memberships: Mapping[bytes, CertifiedFacts]) -> PlainRoster:
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

    entries: list[PlainEntry] = []
    counted_holdings: set[str] = set()
    for entry in sorted(newest.values(), key=lambda entry: (entry.membership, entry)):
        facts = memberships[entry.membership]
        if facts.kind.holding is not None and facts.kind.holding in counted_holdings:
            left_out[entry.submission] = WhyLeftOut.HOLDING_COUNTED_ONCE
            continue
        if facts.kind.holding is not None:
            counted_holdings.add(facts.kind.holding)
        groups = tuple(sorted(facts.kind.groups))
        entries.append(PlainEntry(entry.submission, entry.membership, facts.kind.holding, groups))
    entries.sort(key=lambda entry: entry.submission)
    return PlainRoster(tuple(entries), left_out)
