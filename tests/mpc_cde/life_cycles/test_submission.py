"""The submission's machine: what its member is told, and its laws under any sequence of events."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mpc_cde.life_cycles import submission
from mpc_cde.life_cycles.submission import (
    DestroyShares,
    IllegalTransition,
    News,
    RaiseComplaint,
    TellMember,
    WhyLeftOut,
)

DIGEST, LATER = b"1" * 32, b"2" * 32
ROSTER, OTHER_ROSTER, CHECKED = b"r" * 32, b"s" * 32, b"c" * 32
SUBJECT = submission.Subject(DIGEST, sequence=7, parties=3)
STORED = submission.Stored(SUBJECT)
IN_ROSTER = submission.RosterFrozen(ROSTER, None)
ENDS = (
    submission.Refused,
    submission.Superseded,
    submission.Withdrawn,
    submission.LeftOut,
    submission.Removed,
)


def run(state: submission.State, *events: submission.Event) -> submission.State:
    for event in events:
        state, _ = submission.advance(state, event)
    return state


def receipted(count: int = 3) -> submission.State:
    return run(STORED, *(submission.Accepted(party) for party in range(count)))


def counted() -> submission.State:
    return run(receipted(), IN_ROSTER)


def test_three_receipts_and_the_roster_make_a_submission_count() -> None:
    state = receipted(2)
    assert submission.accepted_by(state) == {0, 1}
    state, commands = submission.advance(state, submission.Accepted(2))
    assert commands == (TellMember(News.HELD_BY_ALL),)
    state, commands = submission.advance(state, IN_ROSTER)
    assert commands == (TellMember(News.COUNTED),)
    state, commands = submission.advance(state, submission.InputsChecked(CHECKED, None))
    assert (state, commands) == (submission.Counted(SUBJECT, ROSTER, CHECKED), ())


def test_a_roster_that_outruns_a_receipt_counts_only_when_the_receipt_is_here() -> None:
    state = run(receipted(2), IN_ROSTER, submission.InputsChecked(CHECKED, None))
    assert isinstance(state, submission.InRoster)
    state, commands = submission.advance(state, submission.Accepted(2))
    assert state == submission.Counted(SUBJECT, ROSTER, CHECKED)
    assert commands == (TellMember(News.COUNTED),)


def test_one_refusal_is_enough_and_final() -> None:
    state, commands = submission.advance(receipted(2), submission.RefusedBy(2, "wrong_seed"))
    assert commands == (TellMember(News.REFUSED), DestroyShares(DIGEST))
    for event in (submission.RefusedBy(2, "wrong_seed"), submission.WithdrawalStored(7)):
        assert submission.advance(state, event) == (state, ())
    after, commands = submission.advance(state, IN_ROSTER)
    assert after == state
    assert commands == (RaiseComplaint("roster", None, "refused", "in the roster"),)


def test_a_party_cannot_refuse_what_it_has_receipted_nor_the_reverse() -> None:
    state, commands = submission.advance(receipted(1), submission.RefusedBy(0, "second thoughts"))
    assert state == receipted(1)
    assert commands == (RaiseComplaint("receipt", 0, "accepted", "refused"),)
    assert submission.advance(counted(), submission.RefusedBy(1, "late")) == (
        counted(),
        (RaiseComplaint("receipt", 1, "accepted", "refused"),),
    )
    refused = run(STORED, submission.RefusedBy(1, "wrong_seed"))
    assert submission.advance(refused, submission.Accepted(1)) == (
        refused,
        (RaiseComplaint("receipt", 1, "refused", "accepted"),),
    )


def test_a_later_submission_supersedes_only_with_a_higher_sequence() -> None:
    state, commands = submission.advance(receipted(), submission.LaterAccepted(LATER, 8))
    assert state == submission.Superseded(SUBJECT, LATER)
    assert commands == (TellMember(News.SUPERSEDED), DestroyShares(DIGEST))
    for sequence in (6, 7):
        with pytest.raises(IllegalTransition, match="not a later one"):
            submission.advance(receipted(), submission.LaterAccepted(LATER, sequence))


def test_a_withdrawal_is_final_when_the_roster_is_signed_without_it() -> None:
    state = run(receipted(), submission.WithdrawalStored(7))
    assert isinstance(state, submission.WithdrawalAsked)
    state, commands = submission.advance(state, submission.RosterFrozen(ROSTER, WhyLeftOut.WITHDRAWN))
    assert state == submission.Withdrawn(SUBJECT)
    assert commands == (TellMember(News.WITHDRAWN), DestroyShares(DIGEST))


def test_a_withdrawal_that_no_list_holds_comes_too_late_and_the_member_hears_it() -> None:
    state, commands = submission.advance(run(receipted(), submission.WithdrawalStored(7)), IN_ROSTER)
    assert isinstance(state, submission.Counted)
    assert commands == (TellMember(News.WITHDRAWAL_TOO_LATE), TellMember(News.COUNTED))


def test_parties_that_know_of_a_withdrawal_are_counted_and_held_to_it() -> None:
    state = run(receipted(), submission.WithdrawalStored(7), submission.WithdrawalKnown(0))
    assert isinstance(state, submission.WithdrawalAsked)
    assert state.known_to == {0}
    _, commands = submission.advance(state, IN_ROSTER)
    assert commands == (RaiseComplaint("roster", 0, "withdrawn", "in the roster"), TellMember(News.COUNTED))
    state, commands = submission.advance(
        run(state, submission.WithdrawalKnown(2)), submission.WithdrawalKnown(1)
    )
    assert commands == (TellMember(News.WITHDRAWAL_KNOWN_TO_ALL),)
    assert submission.advance(state, submission.WithdrawalKnown(1)) == (state, ())
    withdrawn = run(state, submission.RosterFrozen(ROSTER, WhyLeftOut.WITHDRAWN))
    assert submission.advance(withdrawn, submission.WithdrawalKnown(1)) == (withdrawn, ())
    assert submission.advance(counted(), submission.WithdrawalKnown(1)) == (
        counted(),
        (RaiseComplaint("roster", 1, "withdrawn", "in the roster"),),
    )
    with pytest.raises(IllegalTransition, match="has not withdrawn it"):
        submission.advance(receipted(), submission.WithdrawalKnown(1))


def test_withdrawal_ends_when_the_roster_is_signed() -> None:
    with pytest.raises(IllegalTransition, match="withdrawal ended"):
        submission.advance(counted(), submission.WithdrawalStored(7))


def test_an_old_withdrawal_replayed_does_not_touch_a_newer_submission() -> None:
    assert submission.advance(receipted(), submission.WithdrawalStored(6)) == (receipted(), ())


def test_a_fault_found_by_the_input_checks_removes_it_with_its_kind() -> None:
    event = submission.InputsChecked(CHECKED, "malformed_encoding")
    state, commands = submission.advance(counted(), event)
    assert state == submission.Removed(SUBJECT, ROSTER, "malformed_encoding")
    assert commands == (TellMember(News.REMOVED), DestroyShares(DIGEST))
    assert submission.advance(state, event) == (state, ())
    _, commands = submission.advance(state, submission.InputsChecked(CHECKED, None))
    assert commands == (RaiseComplaint("checked_roster", None, "removed", "no fault"),)


def test_a_checked_roster_cannot_evict_what_it_has_passed() -> None:
    state = run(counted(), submission.InputsChecked(CHECKED, None))
    after, commands = submission.advance(state, submission.InputsChecked(b"x" * 32, "malformed_encoding"))
    assert after == state
    assert commands == (RaiseComplaint("checked_roster", None, "counted", "malformed_encoding"),)


def test_checks_before_the_roster_come_early() -> None:
    with pytest.raises(IllegalTransition) as caught:
        submission.advance(receipted(), submission.InputsChecked(CHECKED, None))
    assert caught.value.early


def test_left_out_by_a_rule_says_which() -> None:
    state = run(receipted(), submission.RosterFrozen(ROSTER, WhyLeftOut.REVOKED))
    assert state == submission.LeftOut(SUBJECT, "revoked")
    state = run(receipted(2), submission.RosterFrozen(ROSTER, WhyLeftOut.NOT_ACCEPTED_BY_ALL))
    assert state == submission.LeftOut(SUBJECT, "not_accepted_by_all")
    assert run(receipted(), submission.RosterFrozen(ROSTER, WhyLeftOut.SUPERSEDED)) == submission.Superseded(
        SUBJECT, None
    )


def test_a_roster_cannot_drop_what_all_parties_have_accepted_unnoticed() -> None:
    event = submission.RosterFrozen(ROSTER, WhyLeftOut.NOT_ACCEPTED_BY_ALL)
    _, commands = submission.advance(receipted(), event)
    assert RaiseComplaint("roster", None, "in the roster", "accepted by all, left out") in commands


def test_a_second_roster_is_a_complaint() -> None:
    after, commands = submission.advance(counted(), submission.RosterFrozen(OTHER_ROSTER, None))
    assert after == counted()
    assert commands == (RaiseComplaint("roster", None, ROSTER, OTHER_ROSTER),)


def test_a_cancelled_study_leaves_it_out_but_an_expired_one_changes_no_past() -> None:
    assert run(receipted(1), submission.StudyEnded("cancelled")) == submission.LeftOut(SUBJECT, "cancelled")
    assert run(counted(), submission.StudyEnded("expired")) == counted()
    asked = run(receipted(), submission.WithdrawalStored(9))
    assert run(asked, submission.StudyEnded("refused")) == submission.Withdrawn(SUBJECT)


def test_a_receipt_of_a_party_that_does_not_exist_is_refused() -> None:
    for event in (submission.Accepted(3), submission.RefusedBy(-1, "no"), submission.WithdrawalKnown(3)):
        with pytest.raises(IllegalTransition, match="none of the 3 parties"):
            submission.advance(STORED, event)


EVENTS = st.one_of(
    st.builds(submission.Accepted, st.integers(0, 2)),
    st.builds(submission.Accepted, st.integers(0, 2)),
    st.builds(submission.RefusedBy, st.integers(0, 2), st.just("wrong_seed")),
    st.builds(submission.LaterAccepted, st.just(LATER), st.integers(6, 9)),
    st.builds(submission.WithdrawalStored, st.integers(5, 9)),
    st.builds(submission.WithdrawalKnown, st.integers(0, 2)),
    st.builds(
        submission.RosterFrozen,
        st.sampled_from([ROSTER, ROSTER, OTHER_ROSTER]),
        st.sampled_from([None, None, None, *WhyLeftOut]),
    ),
    st.builds(submission.InputsChecked, st.just(CHECKED), st.sampled_from([None, "malformed_encoding"])),
    st.builds(submission.StudyEnded, st.sampled_from(["cancelled", "expired"])),
)
RANKS = {
    submission.Stored: 0,
    submission.Receipted: 1,
    submission.WithdrawalAsked: 2,
    submission.InRoster: 3,
    submission.Counted: 4,
    **dict.fromkeys(ENDS, 5),
}


class AnyHistory(RuleBasedStateMachine):
    """Every event at any moment, in any order and as often as may be."""

    @initialize(receipts=st.integers(0, 3))
    def store(self, receipts: int) -> None:
        self.state: submission.State = STORED
        self.accepted: set[int] = set()
        self.rosters: set[bytes] = set()
        self.was_refused = False
        for party in range(receipts):
            self.happens(submission.Accepted(party))

    @rule(event=EVENTS)
    def happens(self, event: submission.Event) -> None:
        before = self.state
        try:
            self.state, commands = submission.advance(before, event)
        except IllegalTransition:
            return
        if isinstance(event, submission.Accepted):
            self.accepted.add(event.party)
        if isinstance(event, submission.RosterFrozen) and event.left_out is None:
            self.rosters.add(event.roster)
        self.was_refused |= isinstance(self.state, submission.Refused)
        assert RANKS[type(self.state)] >= RANKS[type(before)], "no state goes back"
        if isinstance(before, ENDS):
            assert self.state == before, "an end is final"
            assert all(isinstance(command, RaiseComplaint) for command in commands)
        assert (DestroyShares(DIGEST) in commands) == (isinstance(self.state, ENDS) and self.state != before)

    @invariant()
    def counted_means_every_receipt_and_a_roster(self) -> None:
        if isinstance(self.state, submission.Counted):
            assert self.accepted == {0, 1, 2}
            assert self.state.roster in self.rosters

    @invariant()
    def refused_is_final(self) -> None:
        assert not self.was_refused or isinstance(self.state, submission.Refused)

    @invariant()
    def removed_was_in_a_roster(self) -> None:
        if isinstance(self.state, submission.Removed):
            assert self.state.roster in self.rosters

    @invariant()
    def receipts_are_never_made_up(self) -> None:
        if not isinstance(self.state, submission.Removed):
            assert submission.accepted_by(self.state) <= self.accepted


AnyHistory.TestCase.settings = settings(max_examples=100, stateful_step_count=15, deadline=None)
TestAnyHistory = AnyHistory.TestCase
