"""Who counts: the rules one by one, their laws, and what a hostile list or a thief of a key can do."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_cde.documents.roster import RosterEntry
from mpc_cde.documents.roster_lines import RosterLines, digests_of
from mpc_cde.documents.roster_rows import RowKind
from mpc_cde.life_cycles.roster_rules import (
    MAX_SEQUENCE_GROWTH,
    AgreedRoster,
    CertifiedFacts,
    CertifiedRegister,
    Disagreement,
    ListedSubmission,
    ListedWithdrawal,
    ListFault,
    PartyList,
    WhyLeftOut,
    is_standing,
    is_within_reach,
    roster_from_lists,
)
from tests.mpc_cde.life_cycles import plain_roster_rules as plain

MEMBERS = [bytes([number]) * 16 for number in range(6)]


def digest(*parts: object) -> bytes:
    return hashlib.sha256(repr(parts).encode()).digest()


def membership(member: bytes) -> bytes:
    return digest("membership", member)


def listed(member: bytes, sequence: int = 1, content: str = "") -> ListedSubmission:
    return ListedSubmission(digest(member, sequence, content), member, sequence, membership(member))


def facts_of(holding: str | None = None, groups: tuple[tuple[str, str], ...] = ()) -> CertifiedFacts:
    return CertifiedFacts(RowKind(holding, groups), "registrar")


Facts = dict[bytes, CertifiedFacts]
FACTS: Facts = {membership(member): facts_of(None, (("size", "small"),)) for member in MEMBERS}


def party_list(party: int, submissions: Iterable[ListedSubmission], *more: object) -> PartyList:
    return PartyList(party, RosterLines.pack(submissions), *more)  # type: ignore[arg-type]  # tests pass the optional arguments through


def certified_by(facts: Facts) -> CertifiedRegister:
    return CertifiedRegister.of(facts.items())


def roster(*lists: PartyList, facts: Facts | None = None) -> AgreedRoster:
    agreed = roster_from_lists(lists, parties=len(lists), memberships=certified_by(facts or FACTS))
    assert isinstance(agreed, AgreedRoster)
    assert sum(agreed.registrars.values()) == len(agreed.entries)
    return agreed


def faults(
    *lists: PartyList,
    parties: int | None = None,
    receipted: Iterable[tuple[int, bytes]] = (),
    receipted_withdrawals: Collection[tuple[int, bytes]] = (),
    roster_cap: int | None = None,
) -> tuple[Disagreement, ...]:
    promised = sorted(receipted)
    found = roster_from_lists(
        lists,
        parties=parties or len(lists),
        memberships=certified_by(FACTS),
        receipted={party: digests_of(d for p, d in promised if p == party) for party, _ in promised},
        receipted_withdrawals=receipted_withdrawals,
        roster_cap=roster_cap,
    )
    assert isinstance(found, tuple)
    return found


def alike(*submissions: ListedSubmission) -> list[PartyList]:
    return [party_list(party, submissions) for party in range(3)]


MEMBER_OF = {membership(member): member for member in MEMBERS}


def contributor(entry: RosterEntry) -> str | bytes:
    return entry.holding or MEMBER_OF[entry.membership]


def members(agreed: AgreedRoster) -> set[bytes]:
    return {MEMBER_OF[entry.membership] for entry in agreed.entries}


def test_only_what_every_party_accepted_counts() -> None:
    first, second = listed(MEMBERS[0]), listed(MEMBERS[1])
    agreed = roster(party_list(0, (first, second)), party_list(1, (second,)), party_list(2, (second, first)))
    assert members(agreed) == {MEMBERS[1]}
    assert agreed.left_out == {first.submission: WhyLeftOut.NOT_ACCEPTED_BY_ALL}


def test_entries_are_sorted_by_raw_bytes_and_carry_what_is_certified() -> None:
    facts = {membership(member): facts_of(f"h{member[0]}", (("z", "1"), ("a", "2"))) for member in MEMBERS}
    agreed = roster(*alike(*(listed(member) for member in MEMBERS)), facts=facts)
    digests = [entry.submission for entry in agreed.entries]
    assert digests == sorted(digests)
    assert all(entry.groups == {"a": "2", "z": "1"} for entry in agreed.entries)
    assert {entry.holding for entry in agreed.entries} == {f"h{number}" for number in range(6)}


def test_the_highest_sequence_of_a_member_counts() -> None:
    old, new = listed(MEMBERS[0], 1), listed(MEMBERS[0], 2)
    agreed = roster(*alike(new, old))
    assert [entry.submission for entry in agreed.entries] == [new.submission]
    assert agreed.left_out == {old.submission: WhyLeftOut.SUPERSEDED}


def test_a_newer_one_that_not_all_accepted_leaves_the_older_in() -> None:
    old, new = listed(MEMBERS[0], 1), listed(MEMBERS[0], 2)
    agreed = roster(party_list(0, (old, new)), party_list(1, (old,)), party_list(2, (old, new)))
    assert [entry.submission for entry in agreed.entries] == [old.submission]


def test_a_withdrawal_in_any_list_takes_out_everything_up_to_its_sequence() -> None:
    lists = alike(listed(MEMBERS[0], 1), listed(MEMBERS[0], 2), listed(MEMBERS[1]))
    lists[1] = replace(lists[1], withdrawals=(ListedWithdrawal(MEMBERS[0], 2),))
    agreed = roster(*lists)
    assert members(agreed) == {MEMBERS[1]}
    assert set(agreed.left_out.values()) == {WhyLeftOut.WITHDRAWN}


def test_a_replayed_old_withdrawal_does_not_take_out_a_newer_submission() -> None:
    lists = alike(listed(MEMBERS[0], 3))
    lists[2] = replace(lists[2], withdrawals=(ListedWithdrawal(MEMBERS[0], 2),))
    assert members(roster(*lists)) == {MEMBERS[0]}


def test_a_revocation_in_any_list_takes_the_member_out() -> None:
    lists = alike(listed(MEMBERS[0], 1), listed(MEMBERS[0], 2), listed(MEMBERS[1]))
    lists[0] = replace(lists[0], revoked=frozenset({MEMBERS[0]}))
    agreed = roster(*lists)
    assert members(agreed) == {MEMBERS[1]}
    assert set(agreed.left_out.values()) == {WhyLeftOut.REVOKED}


def test_a_holding_with_two_memberships_counts_once() -> None:
    facts = {**FACTS, **{membership(member): facts_of("holding") for member in MEMBERS[:2]}}
    agreed = roster(*alike(*(listed(member) for member in MEMBERS[:3])), facts=facts)
    kept = min(MEMBERS[:2], key=membership)
    assert members(agreed) == {kept, MEMBERS[2]}
    assert WhyLeftOut.HOLDING_COUNTED_ONCE in agreed.left_out.values()


def test_a_holding_whose_first_membership_was_revoked_counts_by_its_second() -> None:
    facts = {**FACTS, **{membership(member): facts_of("holding") for member in MEMBERS[:2]}}
    first = min(MEMBERS[:2], key=membership)
    lists = alike(*(listed(member) for member in MEMBERS[:2]))
    lists[1] = replace(lists[1], revoked=frozenset({first}))
    assert members(roster(*lists, facts=facts)) == set(MEMBERS[:2]) - {first}


def test_empty_lists_make_an_empty_roster() -> None:
    assert len(roster(*alike()).entries) == 0


def test_a_party_without_a_list_makes_the_roster_wait() -> None:
    lists = alike(listed(MEMBERS[0]))
    for party in range(3):
        (missing,) = faults(*lists[:party], *lists[party + 1 :], parties=3)
        assert missing == Disagreement(ListFault.PARTY_MISSING, party, None, "a roster list", "none")
    assert [each.party for each in faults(parties=3)] == [0, 1, 2]


def test_a_party_with_two_lists_is_named_even_if_they_say_the_same() -> None:
    lists = alike(listed(MEMBERS[0]))
    (twice,) = faults(*lists, lists[1], parties=3)
    assert twice == Disagreement(ListFault.PARTY_TWICE, 1, None, "one roster list", "2")


@pytest.mark.parametrize("party", [-1, 3])
def test_a_list_of_no_party_makes_the_roster_wait(party: int) -> None:
    lists = alike(listed(MEMBERS[0]))
    (unknown,) = faults(*lists, replace(lists[1], party=party), parties=3)
    assert unknown == Disagreement(ListFault.PARTY_TWICE, party, None, "a party from 0 to 2", str(party))


def test_a_party_that_drops_what_it_receipted_is_named() -> None:
    kept, dropped = listed(MEMBERS[0]), listed(MEMBERS[1])
    lists = alike(kept, dropped)
    lists[1] = party_list(1, (kept,))
    (complaint,) = faults(*lists, receipted=[(0, dropped.submission), (1, dropped.submission)])
    assert (complaint.fault, complaint.party, complaint.submission) == (
        ListFault.RECEIPTED_BUT_NOT_LISTED,
        1,
        dropped.submission,
    )


def test_a_party_that_drops_a_withdrawal_it_receipted_is_named() -> None:
    kept, dropped = digest("withdrawal", 1), digest("withdrawal", 2)
    shown = frozenset({kept})
    lists = [replace(own, shown_withdrawals=shown) for own in alike(listed(MEMBERS[0]))]
    lists[0] = replace(lists[0], shown_withdrawals=frozenset({kept, dropped}))
    (complaint,) = faults(*lists, receipted_withdrawals=[(0, dropped), (1, dropped), (1, kept), (2, kept)])
    assert (complaint.fault, complaint.party, complaint.submission) == (
        ListFault.WITHDRAWAL_NOT_LISTED,
        1,
        dropped,
    )


def test_parties_that_tell_different_things_of_one_submission_disagree() -> None:
    entry = listed(MEMBERS[0])
    lists = alike(entry)
    for lie in (
        replace(entry, member=MEMBERS[1]),
        replace(entry, sequence=2),
    ):
        lists[2] = party_list(2, (lie,))
        (complaint,) = faults(*lists)
        assert (complaint.fault, complaint.submission) == (ListFault.ACCOUNTS_DIFFER, entry.submission)


def test_a_submission_that_parties_accepted_under_different_memberships_is_left_out() -> None:
    entry, other = listed(MEMBERS[0]), listed(MEMBERS[1])
    lists = alike(entry, other)
    lists[2] = party_list(2, (replace(entry, membership=membership(MEMBERS[1])), other))
    agreed = roster(*lists)
    assert [row.submission for row in agreed.entries] == [other.submission]
    assert agreed.left_out == {entry.submission: WhyLeftOut.NOT_ACCEPTED_BY_ALL}


def test_a_membership_that_nobody_certified_is_a_complaint() -> None:
    forged = replace(listed(MEMBERS[0]), membership=b"f" * 32)
    assert {fault.fault for fault in faults(*alike(forged))} == {ListFault.MEMBERSHIP_UNKNOWN}


def test_two_submissions_under_one_sequence_in_one_list_are_a_complaint() -> None:
    lists = alike(listed(MEMBERS[0]))
    lists[0] = party_list(0, (listed(MEMBERS[0]), listed(MEMBERS[0], 1, "other content")))
    (complaint,) = faults(*lists)
    assert (complaint.fault, complaint.party) == (ListFault.SEQUENCE_USED_TWICE, 0)


def test_a_gateway_that_gives_parties_different_submissions_of_one_sequence_gets_neither_counted() -> None:
    lists = alike(listed(MEMBERS[0]))
    lists[0] = party_list(0, (listed(MEMBERS[0], 1, "other content"),))
    agreed = roster(*lists)
    assert len(agreed.entries) == 0
    assert set(agreed.left_out.values()) == {WhyLeftOut.NOT_ACCEPTED_BY_ALL}


def test_more_entries_than_the_roster_cap_are_not_cut_off_silently() -> None:
    (complaint,) = faults(*alike(listed(MEMBERS[0]), listed(MEMBERS[1])), roster_cap=1)
    assert complaint.fault is ListFault.ROSTER_CAP_EXCEEDED


@pytest.mark.parametrize("jump", [MAX_SEQUENCE_GROWTH + 2, 2**53 - 1])
def test_a_thief_that_jumps_to_a_high_sequence_is_refused_at_intake_and_in_a_list(jump: int) -> None:
    assert not is_within_reach(jump, [1])
    lists = alike(listed(MEMBERS[0], 1))
    lists[2] = party_list(2, (listed(MEMBERS[0], 1), listed(MEMBERS[0], jump)))
    (complaint,) = faults(*lists)
    assert (complaint.fault, complaint.party) == (ListFault.SEQUENCE_OUT_OF_REACH, 2)
    lists[2] = party_list(2, (listed(MEMBERS[0], 1),), (ListedWithdrawal(MEMBERS[0], jump),))
    (complaint,) = faults(*lists)
    assert (complaint.fault, complaint.party) == (ListFault.SEQUENCE_OUT_OF_REACH, 2)


@pytest.mark.parametrize(
    ("sequence", "used", "is_in_reach"),
    [
        (1, [], True),
        (0, [], False),
        (-1, [3], False),
        (1, [3], True),
        (MAX_SEQUENCE_GROWTH, [], True),
        (MAX_SEQUENCE_GROWTH + 1, [], False),
        (MAX_SEQUENCE_GROWTH + 5, [5, 2], True),
        (MAX_SEQUENCE_GROWTH + 6, [5, 2], False),
    ],
)
def test_sequences_begin_at_one_and_grow_by_so_much(
    sequence: int, used: list[int], is_in_reach: bool
) -> None:
    assert is_within_reach(sequence, used) == is_in_reach


@pytest.mark.parametrize(
    ("submitted", "withdrawn", "stands"),
    [([], [], False), ([1], [], True), ([2, 1], [2], False), ([2, 3], [2, 1], True), ([], [1], False)],
)
def test_who_withdrew_the_newest_takes_no_place(
    submitted: list[int], withdrawn: list[int], stands: bool
) -> None:
    assert is_standing(submitted, withdrawn) == stands


def test_a_thief_who_climbs_as_fast_as_allowed_leaves_the_owner_a_next_sequence() -> None:
    used = [1]
    for _ in range(20):
        used.append(max(used) + MAX_SEQUENCE_GROWTH)
        assert is_within_reach(used[-1], used[:-1])
        assert is_within_reach(used[-1] + 1, used), "the owner can always go one further"
    own = listed(MEMBERS[0], used[-1] + 1)
    thief = [listed(MEMBERS[0], sequence) for sequence in used]
    agreed = roster(*alike(*thief, own))
    assert [entry.submission for entry in agreed.entries] == [own.submission]


@given(st.lists(st.integers(-5, 4000), max_size=30))
def test_an_intake_that_keeps_to_the_reach_never_makes_a_list_that_breaks_it(offered: list[int]) -> None:
    used: list[int] = []
    for sequence in offered:
        if sequence not in used and is_within_reach(sequence, used):
            used.append(sequence)
    roster(*alike(*(listed(MEMBERS[0], sequence) for sequence in used)))


LISTED = st.builds(
    listed, st.sampled_from(MEMBERS), st.integers(1, 4), st.sampled_from(["", "", "", "other"])
)
HOLDINGS = st.lists(st.sampled_from([None, "a", "b"]), min_size=6, max_size=6)


@st.composite
def party_lists(draw: st.DrawFn) -> PartyList:
    entries = draw(st.lists(LISTED, max_size=14, unique_by=lambda entry: (entry.member, entry.sequence)))
    withdrawals = draw(
        st.lists(st.builds(ListedWithdrawal, st.sampled_from(MEMBERS), st.integers(1, 4)), max_size=2)
    )
    revoked = draw(st.frozensets(st.sampled_from(MEMBERS), max_size=1))
    return party_list(0, tuple(entries), tuple(withdrawals), revoked)


@st.composite
def list_sets(draw: st.DrawFn, count: int) -> list[PartyList]:
    common = draw(party_lists())
    lists = []
    for party in range(count):
        own = draw(party_lists())
        taken = {(entry.member, entry.sequence) for entry in common.submissions}
        extra = tuple(entry for entry in own.submissions if (entry.member, entry.sequence) not in taken)
        dropped = draw(st.integers(0, 3))
        shown = draw(st.permutations([*[*common.submissions][dropped:], *extra]))
        lists.append(party_list(party, tuple(shown), own.withdrawals, own.revoked))
    return lists


def certified(holdings: list[str | None]) -> Facts:
    pairs = zip(MEMBERS, holdings, strict=True)
    return {membership(member): facts_of(holding) for member, holding in pairs}


def contributors(agreed: AgreedRoster) -> set[object]:
    return {contributor(entry) for entry in agreed.entries}


@settings(max_examples=60)
@given(list_sets(3), HOLDINGS)
def test_the_order_of_lists_and_of_their_entries_does_not_matter(
    lists: list[PartyList], holdings: list[str | None]
) -> None:
    facts = certified(holdings)
    expected = roster(*lists, facts=facts)
    for order in permutations(lists):
        turned = [
            replace(
                own, submissions=RosterLines.pack([*own.submissions][::-1]), withdrawals=own.withdrawals[::-1]
            )
            for own in order
        ]
        assert roster(*turned, facts=facts) == expected


@settings(max_examples=150)
@given(list_sets(4), HOLDINGS)
def test_one_more_party_only_shrinks_who_contributes(
    lists: list[PartyList], holdings: list[str | None]
) -> None:
    facts = certified(holdings)
    assert contributors(roster(*lists, facts=facts)) <= contributors(roster(*lists[:3], facts=facts))


@settings(max_examples=150)
@given(list_sets(3), HOLDINGS)
def test_every_listed_submission_either_counts_or_has_a_reason_and_no_contributor_counts_twice(
    lists: list[PartyList], holdings: list[str | None]
) -> None:
    agreed = roster(*lists, facts=certified(holdings))
    counted = {entry.submission for entry in agreed.entries}
    everything = {entry.submission for own in lists for entry in own.submissions}
    assert counted | agreed.left_out.keys() == everything
    assert not counted & agreed.left_out.keys()
    assert len(members(agreed)) == len(agreed.entries)
    assert len(contributors(agreed)) == len(agreed.entries)
    assert all(
        all(entry.submission in {e.submission for e in own.submissions} for own in lists)
        for entry in agreed.entries
    )


@settings(max_examples=150)
@given(list_sets(3), HOLDINGS)
def test_double_counting_would_show_in_a_sum_of_unique_powers_of_two(
    lists: list[PartyList], holdings: list[str | None]
) -> None:
    """Each contributor weighs its own power of two, so that each bit of the total is set once or never."""
    agreed = roster(*lists, facts=certified(holdings))
    names = [*MEMBERS, "a", "b"]
    total = sum(1 << names.index(contributor(entry)) for entry in agreed.entries)
    assert total.bit_count() == len(agreed.entries)
    assert total == sum(1 << names.index(name) for name in contributors(agreed))  # type: ignore[arg-type]  # a name is bytes or text


@given(list_sets(3))
def test_whatever_lists_hold_the_rules_are_total(lists: list[PartyList]) -> None:
    both = RosterLines.pack([*lists[0].submissions, *lists[1].submissions])
    hostile = replace(lists[0], party=5, submissions=both)
    outcome = roster_from_lists([*lists, hostile], parties=3, memberships=certified_by({}))
    assert isinstance(outcome, tuple)
    assert list(outcome) == sorted(outcome, key=Disagreement.sort_key)


ANY_SEQUENCE = st.sampled_from([1, 1, 2, 3, 900, 1002, 2500, 2**53 - 1])
STRANGE = st.builds(
    ListedSubmission,
    st.sampled_from([digest("strange", number) for number in range(5)]),
    st.sampled_from(MEMBERS),
    ANY_SEQUENCE,
    st.sampled_from([membership(MEMBERS[0]), membership(MEMBERS[1]), b"\x00" * 32, b"unknown" + bytes(25)]),
)


@st.composite
def strange_lists(draw: st.DrawFn) -> list[plain.PlainList]:
    """Lists that agree in most, with whatever a party could put into one."""
    common = draw(st.lists(st.one_of(LISTED, STRANGE), max_size=6))
    lists = []
    for party in draw(st.sampled_from([(0, 1, 2), (0, 1, 2), (0, 1, 2), (0, 1), (0, 1, 1), (0, 2, 7)])):
        own = draw(st.lists(st.one_of(LISTED, STRANGE), max_size=2))
        dropped = draw(st.sampled_from([0, 0, 0, 1]))
        shown = {entry.submission: entry for entry in [*common[dropped:], *own]}
        withdrawals = draw(
            st.lists(st.builds(ListedWithdrawal, st.sampled_from(MEMBERS), ANY_SEQUENCE), max_size=1)
        )
        revoked = draw(st.frozensets(st.sampled_from(MEMBERS), max_size=1))
        lists.append(plain.PlainList(party, tuple(shown.values()), tuple(withdrawals), revoked))
    return lists


@settings(max_examples=300)
@given(strange_lists(), HOLDINGS, st.sampled_from([None, 1]), st.data())
def test_arrays_come_to_what_loops_over_objects_come_to(
    lists: list[plain.PlainList], holdings: list[str | None], cap: int | None, data: st.DataObject
) -> None:
    facts = {**certified(holdings), b"\x00" * 32: facts_of(None, (("size", "none"),))}
    promised = [
        (own.party, entry.submission)
        for own in lists
        for entry in data.draw(st.lists(st.one_of(LISTED, STRANGE), max_size=1))
    ]
    expected = plain.roster_from_lists(
        lists, parties=3, memberships=facts, receipted=promised, roster_cap=cap
    )
    found = roster_from_lists(
        [
            PartyList(own.party, RosterLines.pack(own.submissions), own.withdrawals, own.revoked)
            for own in lists
        ],
        parties=3,
        memberships=certified_by(facts),
        receipted={
            party: digests_of(sorted(submission for p, submission in promised if p == party))
            for party, _ in promised
        },
        roster_cap=cap,
    )
    if isinstance(expected, tuple):
        assert found == expected
        return
    assert isinstance(found, AgreedRoster)
    assert found.left_out == expected.left_out
    assert [
        plain.PlainEntry(e.submission, e.membership, e.holding, tuple(sorted(e.groups.items())))
        for e in found.entries
    ] == list(expected.entries)
