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

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from mpc_cde.documents.roster_lines import (
    MEMBER_BYTES,
    Digests,
    ListedSubmission,
    RosterLines,
    digests_of,
    is_among,
    whole,
)
from mpc_cde.documents.roster_rows import RosterRows, RowKind
from mpc_cde.life_cycles.certified_register import CertifiedFacts, CertifiedRegister

__all__ = [
    "MAX_SEQUENCE_GROWTH",
    "AgreedRoster",
    "CertifiedFacts",
    "CertifiedRegister",
    "Disagreement",
    "ListFault",
    "ListedSubmission",
    "ListedWithdrawal",
    "PartyList",
    "WhyLeftOut",
    "is_standing",
    "is_within_reach",
    "roster_from_lists",
]

MAX_SEQUENCE_GROWTH = 1000

Which = npt.NDArray[np.bool_]


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
    submissions: RosterLines
    withdrawals: tuple[ListedWithdrawal, ...] = ()
    revoked: frozenset[bytes] = frozenset()
    shown_withdrawals: frozenset[bytes] = frozenset()


class WhyLeftOut(StrEnum):
    """Why a submission that some party listed is not in the roster."""

    NOT_ACCEPTED_BY_ALL = "not_accepted_by_all"
    WITHDRAWN = "withdrawn"
    REVOKED = "revoked"
    SUPERSEDED = "superseded"
    HOLDING_COUNTED_ONCE = "holding_counted_once"


@dataclass(frozen=True, slots=True)
class AgreedRoster:
    """Entries in the order of their submission digests (row i of every column is entry i), and who is not there."""

    entries: RosterRows
    registrars: Mapping[str, int]
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
    memberships: CertifiedRegister,
    receipted: Mapping[int, Digests] | None = None,
    receipted_withdrawals: Collection[tuple[int, bytes]] = (),
    roster_cap: int | None = None,
) -> AgreedRoster | tuple[Disagreement, ...]:
    """The roster of these lists, or every reason why there is none, sorted.

    `memberships`: all that the caller has verified. `receipted`: by party the submissions of every accepting receipt
    that the caller has seen, `receipted_withdrawals` (party, withdrawal) likewise. Total for m >= 1: it raises
    nothing, whatever the lists hold. Lists that are one and the same object are looked at once.
    """
    faults = [*_missing_or_twice(lists, parties), *_broken_promises(lists, receipted or {})]
    faults += _broken_promises_of_withdrawals(lists, receipted_withdrawals)
    for own in lists:
        faults += _faults_of_one_list(own)
    everywhere = _Everywhere.in_lists(lists)
    faults += _uncertified(lists, everywhere, memberships)
    faults += _differing_accounts(lists)
    if faults:
        return tuple(sorted(set(faults), key=Disagreement.sort_key))
    agreed = _agree(lists, everywhere, memberships)
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
    lists: Collection[PartyList], receipted: Mapping[int, Digests]
) -> Iterable[Disagreement]:
    """A party that gave a receipt and does not list what it is for: its own receipt proves it."""
    for own in lists:
        promised = receipted.get(own.party)
        if promised is None:
            continue
        for submission in promised[~is_among(promised, own.submissions.submissions)]:
            yield Disagreement(
                ListFault.RECEIPTED_BUT_NOT_LISTED, own.party, whole(submission), "in its list", "missing"
            )


def _broken_promises_of_withdrawals(
    lists: Collection[PartyList], receipted: Collection[tuple[int, bytes]]
) -> Iterable[Disagreement]:
    for own in lists:
        for party, withdrawal in receipted:
            if party == own.party and withdrawal not in own.shown_withdrawals:
                yield Disagreement(
                    ListFault.WITHDRAWAL_NOT_LISTED,
                    party,
                    withdrawal,
                    "the withdrawal that it gave a receipt for",
                    "missing",
                )


@dataclass(frozen=True, slots=True)
class _Everywhere:
    """Lines that every list holds, as a part of the first list's."""

    first: RosterLines
    which: Which

    @classmethod
    def in_lists(cls, lists: Collection[PartyList]) -> _Everywhere:
        different = _different([own.submissions for own in lists])
        if not different:
            return cls(RosterLines.pack(()), np.zeros(0, dtype=np.bool_))
        first, *others = different
        which = np.ones(len(first), dtype=np.bool_)
        for other in others:
            which &= _holds(other, first)
        return cls(first, which)


def _different(lines: Sequence[RosterLines]) -> list[RosterLines]:
    """Each object once: honest lists are all the same one."""
    return list({id(each): each for each in lines}.values())


def _holds(held: RosterLines, lines: RosterLines) -> Which:
    """Which of `lines` stand in `held` just as they are."""
    if not len(held):
        return np.zeros(len(lines), dtype=np.bool_)
    places = np.minimum(np.searchsorted(held.submissions, lines.submissions), len(held) - 1)
    same = np.ones(len(lines), dtype=np.bool_)
    for name in ("submission", "member", "sequence", "membership"):
        same &= held.lines[name][places] == lines.lines[name]
    return same


def _uncertified(
    lists: Collection[PartyList], everywhere: _Everywhere, memberships: CertifiedRegister
) -> Iterable[Disagreement]:
    """What all list and the caller knows no membership of; what only some list does not count anyway.

    Else a gateway that keeps a membership from one party would have it accuse all the others.
    """
    unknown = everywhere.which & ~memberships.knows(everywhere.first.lines["membership"])
    for submission in everywhere.first.submissions[unknown]:
        for own in lists:
            yield Disagreement(
                ListFault.MEMBERSHIP_UNKNOWN, own.party, whole(submission), "a valid membership", "unknown"
            )


def _faults_of_one_list(own: PartyList) -> Iterable[Disagreement]:
    lines = own.submissions.lines
    order = np.lexsort((lines["sequence"], lines["member"]))
    member, sequence = lines["member"][order], lines["sequence"][order].astype(np.int64)
    again = (member[1:] == member[:-1]) & (sequence[1:] == sequence[:-1])
    for start, count in _runs(again):
        lowest = lines["submission"][order[start : start + count].min()]
        yield Disagreement(
            ListFault.SEQUENCE_USED_TWICE, own.party, whole(lowest), "one per sequence", str(count)
        )
    if _leaps(member, sequence, own.withdrawals):
        expected = f"sequences that grow by at most {MAX_SEQUENCE_GROWTH}"
        yield Disagreement(ListFault.SEQUENCE_OUT_OF_REACH, own.party, None, expected, "a jump")


def _runs(again: Which) -> Iterable[tuple[int, int]]:
    """Where things stand that are like the one before: (first, how many)."""
    padded = np.concatenate(([False], again, [False]))
    starts = np.flatnonzero(padded[1:] & ~padded[:-1])
    ends = np.flatnonzero(padded[:-1] & ~padded[1:])
    return [(int(start), int(end - start) + 1) for start, end in zip(starts, ends, strict=True)]


def _leaps(
    member: Digests, sequence: npt.NDArray[np.int64], withdrawals: Collection[ListedWithdrawal]
) -> bool:
    """Whether some member's sequences, which are sorted by member, leave a gap that intake does not allow.

    Each chain begins at 0; what a member withdrew stands in its chain too.
    """
    if withdrawals:
        gone = digests_of((withdrawal.member for withdrawal in withdrawals), size=MEMBER_BYTES)
        member = np.concatenate((member, gone))
        sequence = np.concatenate((sequence, [withdrawal.sequence for withdrawal in withdrawals]))
        order = np.lexsort((sequence, member))
        member, sequence = member[order], sequence[order]
    goes_on = np.concatenate(([False], member[1:] == member[:-1]))
    before = np.where(goes_on, np.concatenate(([0], sequence[:-1])), 0)
    return bool((sequence < 0).any() or (sequence - before > MAX_SEQUENCE_GROWTH).any())


def _differing_accounts(lists: Collection[PartyList]) -> Iterable[Disagreement]:
    """The same digest with another member or sequence: who errs cannot be told from the lists.

    Another membership is no error: a gateway shows a party the newer one of a member sooner or later.
    """
    accounts: dict[bytes, set[tuple[bytes, int]]] = {}
    different = _different([own.submissions for own in lists])
    for place, one in enumerate(different):
        for other in different[place + 1 :]:
            for entry in (*_told_otherwise(one, other), *_told_otherwise(other, one)):
                accounts.setdefault(entry.submission, set()).add((entry.member, entry.sequence))
    for submission, told in accounts.items():
        expected = "one member and sequence"
        found = f"{len(told)} accounts"
        yield Disagreement(ListFault.ACCOUNTS_DIFFER, None, submission, expected, found)


def _told_otherwise(lines: RosterLines, other: RosterLines) -> RosterLines:
    """Lines about submissions of which the other list tells another member or sequence."""
    if not len(other):
        return RosterLines(lines.lines[:0])
    places = np.minimum(np.searchsorted(other.submissions, lines.submissions), len(other) - 1)
    met = other.lines[places] if len(lines) else other.lines[:0]
    differs = (met["member"] != lines.lines["member"]) | (met["sequence"] != lines.lines["sequence"])
    return RosterLines(lines.lines[(met["submission"] == lines.lines["submission"]) & differs])


@dataclass(slots=True)
class _LeftOut:
    """Who is not there, and why."""

    why: dict[bytes, WhyLeftOut] = field(default_factory=dict)

    def note(self, submissions: Digests, why: WhyLeftOut) -> None:
        for submission in submissions:
            self.why[whole(submission)] = why


def _agree(
    lists: Collection[PartyList], everywhere: _Everywhere, memberships: CertifiedRegister
) -> AgreedRoster:
    revoked = frozenset[bytes]().union(*(own.revoked for own in lists))
    withdrawn: dict[bytes, int] = {}
    for own in lists:
        for withdrawal in own.withdrawals:
            withdrawn[withdrawal.member] = max(withdrawal.sequence, withdrawn.get(withdrawal.member, 0))

    left_out = _LeftOut()
    for lines in _different([own.submissions for own in lists]):
        if lines is not everywhere.first:
            apart = RosterLines(lines.lines[~_holds(everywhere.first, lines)])
            _leave_out(apart, np.zeros(len(apart), dtype=np.bool_), revoked, withdrawn, left_out)
    standing = _leave_out(everywhere.first, everywhere.which, revoked, withdrawn, left_out)
    newest = _newest_of_each(everywhere.first, standing, left_out)
    rows = _one_of_each_holding(everywhere.first, newest, memberships, left_out)
    submissions = everywhere.first.submissions[rows]
    certified = everywhere.first.lines["membership"][rows]
    numbers = memberships.numbers_of(certified)
    kinds: dict[RowKind, int] = {}
    kind_of = np.array(
        [kinds.setdefault(facts.kind, len(kinds)) for facts in memberships.facts], dtype=np.int32
    )
    registrars: dict[str, int] = {}
    for number, count in enumerate(np.bincount(numbers, minlength=len(memberships.facts))):
        if count:
            name = memberships.facts[number].registrar
            registrars[name] = registrars.get(name, 0) + int(count)
    entries = RosterRows(
        submissions,
        certified,
        kind_of[numbers] if len(kind_of) else numbers,
        tuple(kinds),
    )
    return AgreedRoster(entries, registrars, left_out.why)


def _leave_out(
    lines: RosterLines,
    counted: Which,
    revoked: Collection[bytes],
    withdrawn: Mapping[bytes, int],
    left_out: _LeftOut,
) -> Which:
    """Which of `lines` stand: all of `counted` but those of revoked members and what members withdrew."""
    member, sequence = lines.lines["member"], lines.lines["sequence"]
    out = is_among(member, digests_of(sorted(revoked), size=MEMBER_BYTES))
    left_out.note(lines.submissions[out], WhyLeftOut.REVOKED)
    gone = digests_of(sorted(withdrawn), size=MEMBER_BYTES)
    up_to = np.array([withdrawn[each] for each in sorted(withdrawn)], dtype=np.int64)
    left = is_among(member, gone) & ~out
    left[left] = sequence[left] <= up_to[np.searchsorted(gone, member[left])]
    left_out.note(lines.submissions[left], WhyLeftOut.WITHDRAWN)
    standing = counted & ~out & ~left
    left_out.note(lines.submissions[~counted & ~out & ~left], WhyLeftOut.NOT_ACCEPTED_BY_ALL)
    return standing


def _newest_of_each(lines: RosterLines, standing: Which, left_out: _LeftOut) -> npt.NDArray[np.intp]:
    """Of each member the row with the highest sequence."""
    rows = np.flatnonzero(standing)
    member, sequence = lines.lines["member"][rows], lines.lines["sequence"][rows]
    order = rows[np.lexsort((sequence, member))]
    ordered = lines.lines["member"][order]
    is_last = np.concatenate((ordered[1:] != ordered[:-1], [True])) if len(order) else np.zeros(0, np.bool_)
    left_out.note(lines.submissions[order[~is_last]], WhyLeftOut.SUPERSEDED)
    return np.sort(order[is_last])


def _one_of_each_holding(
    lines: RosterLines,
    rows: npt.NDArray[np.intp],
    memberships: CertifiedRegister,
    left_out: _LeftOut,
) -> npt.NDArray[np.intp]:
    """These rows, but of a holding only the one with the lowest membership digest, then the lowest submission."""
    has_holding = np.array(
        [facts.kind.holding is not None for facts in memberships.facts] or [False], dtype=np.bool_
    )
    numbers = memberships.numbers_of(lines.lines["membership"][rows])
    held = np.flatnonzero(has_holding[numbers])
    membership, submission = lines.lines["membership"][rows[held]], lines.submissions[rows[held]]
    counted: set[str | None] = set()
    out = []
    for place in held[np.lexsort((submission, membership))]:
        holding = memberships.facts[numbers[place]].kind.holding
        if holding in counted:
            out.append(place)
        counted.add(holding)
    left_out.note(
        lines.submissions[rows[out]] if out else lines.submissions[:0], WhyLeftOut.HOLDING_COUNTED_ONCE
    )
    return np.delete(rows, out) if out else rows
