"""The study's machine: one walk through it, what it refuses, and its laws under any sequence of events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mpc_cde.life_cycles import study
from mpc_cde.life_cycles.study import IllegalTransition, RaiseComplaint

OPENS = datetime(2026, 1, 1, 12, tzinfo=UTC)
CLOSES = OPENS + timedelta(days=14)
RETENTION = timedelta(days=100)
ROSTER, OTHER_ROSTER = b"r" * 32, b"s" * 32
CHECKED, OTHER_CHECKED = b"c" * 32, b"d" * 32
EVERYTHING = (
    study.Proposed,
    study.Approved,
    study.Open,
    study.Closing,
    study.Frozen,
    study.Checked,
    study.Answering,
    study.Expired,
    study.Deleted,
)
FINAL = (study.Deleted, study.Refused, study.Cancelled)


def plan(parties: int = 3, threshold: int = 1) -> study.StudyPlan:
    return study.StudyPlan(parties, threshold, OPENS, CLOSES, RETENTION)


def run(state: study.State, *events: study.Event) -> study.State:
    for event in events:
        state, _ = study.advance(state, event)
    return state


def check(party: int, checked: bytes = CHECKED, removed: frozenset[bytes] = frozenset()) -> study.Event:
    return study.CheckedRosterSigned(party, checked, ROSTER, frozenset({0, 1, 2}), removed)


def approved() -> study.State:
    return run(study.Proposed(plan()), *(study.ApprovalGiven(party) for party in range(3)))


def opened() -> study.State:
    return run(approved(), study.ClockReached(OPENS))


def closing() -> study.State:
    return run(opened(), *(study.ClosingSigned(party) for party in range(3)))


def frozen() -> study.State:
    return run(closing(), *(study.RosterSigned(party, ROSTER) for party in range(3)))


def checked() -> study.State:
    return run(frozen(), *(check(party) for party in range(3)))


def test_a_study_lives_from_proposal_to_deletion_and_says_what_to_do() -> None:
    state, commands = study.advance(approved(), study.ClockReached(OPENS))
    assert (type(state), commands) == (study.Open, (study.StartAccepting(),))
    state = run(state, study.ClosingSigned(0), study.ClosingSigned(2))
    state, commands = study.advance(state, study.ClosingSigned(1))
    assert (type(state), commands) == (study.Closing, (study.StopAccepting(), study.ExchangeRosterLists()))
    state = run(state, study.RosterSigned(0, ROSTER), study.RosterSigned(1, ROSTER))
    assert study.waiting_for(state) == {2}
    state, commands = study.advance(state, study.RosterSigned(2, ROSTER))
    assert (type(state), commands) == (study.Frozen, (study.RunInputChecks(ROSTER),))
    state, commands = study.advance(run(state, check(0), check(1)), check(2))
    assert (type(state), commands) == (study.Checked, (study.AcceptQueries(CHECKED),))
    state, commands = study.advance(state, study.QueryReceived(b"q" * 32))
    assert (type(state), commands) == (study.Answering, (study.DecideQuery(b"q" * 32),))
    state, commands = study.advance(state, study.ClockReached(CLOSES + RETENTION))
    assert (type(state), commands) == (study.Expired, (study.DestroyStudySecrets(),))
    state = run(state, *(study.DeletionLogged(party) for party in range(3)))
    assert state == study.Deleted(plan())


def test_without_all_closings_it_stays_open_until_five_minutes_after_closes() -> None:
    state = run(opened(), study.ClosingSigned(0), study.ClosingSigned(1))
    late = CLOSES + timedelta(minutes=5)
    assert isinstance(run(state, study.ClockReached(late - timedelta(seconds=1))), study.Open)
    assert isinstance(run(state, study.ClockReached(late)), study.Closing)


def test_one_look_at_the_clock_catches_up_with_everything_due() -> None:
    state, commands = study.advance(approved(), study.ClockReached(CLOSES + RETENTION))
    assert isinstance(state, study.Expired)
    assert commands == (
        study.StartAccepting(),
        study.StopAccepting(),
        study.ExchangeRosterLists(),
        study.DestroyStudySecrets(),
    )


def test_a_clock_that_goes_back_changes_nothing() -> None:
    assert study.advance(closing(), study.ClockReached(OPENS)) == (closing(), ())


def test_a_refusal_refuses_before_approval_and_cancels_until_the_closing() -> None:
    refusal = study.RefusalGiven(1, "too personal")
    assert run(study.Proposed(plan()), refusal) == study.Refused(plan(), 1, "too personal")
    assert run(approved(), refusal) == study.Cancelled(plan(), 1, "too personal")
    state, commands = study.advance(opened(), refusal)
    assert isinstance(state, study.Cancelled)
    assert commands == (study.StopAccepting(), study.DestroyStudySecrets())
    with pytest.raises(IllegalTransition, match="until the closing"):
        study.advance(closing(), refusal)


def test_a_refused_study_cannot_be_approved_after_all() -> None:
    state = run(study.Proposed(plan()), study.RefusalGiven(1, "no"))
    with pytest.raises(IllegalTransition) as caught:
        study.advance(state, study.ApprovalGiven(1))
    assert not caught.value.early


def test_a_study_without_all_approvals_at_its_closing_time_is_refused_and_its_keys_destroyed() -> None:
    state = run(study.Proposed(plan()), study.ApprovalGiven(0))
    state, commands = study.advance(state, study.ClockReached(CLOSES))
    assert isinstance(state, study.Refused)
    assert state.party is None
    assert commands == (study.DestroyStudySecrets(),)


def test_an_amendment_moves_the_closing_time_only_later_and_only_while_open() -> None:
    later = CLOSES + timedelta(days=1)
    state = run(opened(), study.Amended(later))
    assert state.plan.closes == later
    assert isinstance(run(state, study.ClockReached(CLOSES + timedelta(minutes=5))), study.Open)
    with pytest.raises(IllegalTransition, match="only later"):
        study.advance(state, study.Amended(CLOSES))
    with pytest.raises(IllegalTransition, match="no longer open"):
        study.advance(closing(), study.Amended(later))


def test_a_roster_with_another_digest_is_a_complaint_and_freezes_nothing() -> None:
    state = run(closing(), study.RosterSigned(0, ROSTER))
    state, commands = study.advance(state, study.RosterSigned(1, OTHER_ROSTER))
    assert commands == (RaiseComplaint("roster", 1, ROSTER, OTHER_ROSTER),)
    assert isinstance(run(state, study.RosterSigned(2, ROSTER)), study.Closing)


def test_a_party_cannot_sign_two_rosters() -> None:
    """Two complete rosters of one study would show the difference between them."""
    state = run(closing(), study.RosterSigned(0, ROSTER))
    after, commands = study.advance(state, study.RosterSigned(0, OTHER_ROSTER))
    assert after == state
    assert commands == (RaiseComplaint("roster", 0, ROSTER, OTHER_ROSTER),)
    after, commands = study.advance(frozen(), study.RosterSigned(0, OTHER_ROSTER))
    assert after == frozen()
    assert commands == (RaiseComplaint("roster", 0, ROSTER, OTHER_ROSTER),)


def test_a_liar_who_signs_a_checked_roster_first_evicts_nobody_and_stops_nobody() -> None:
    state, commands = study.advance(frozen(), check(0, OTHER_CHECKED, frozenset({b"v" * 32})))
    assert commands == ()
    state, commands = study.advance(state, check(1))
    assert commands == (RaiseComplaint("checked_roster", 1, OTHER_CHECKED, CHECKED),)
    state = run(state, check(2))
    assert isinstance(state, study.Frozen)
    after, commands = study.advance(state, check(0))
    assert after == state
    assert commands == (RaiseComplaint("checked_roster", 0, OTHER_CHECKED, CHECKED),)


def test_when_a_party_dies_before_signing_another_session_may_check_again() -> None:
    events: list[study.Event] = [study.ApprovalGiven(party) for party in range(4)]
    events += [study.ClockReached(CLOSES + timedelta(minutes=5))]
    events += [study.RosterSigned(party, ROSTER) for party in range(4)]
    state = run(study.Proposed(plan(parties=4)), *events, check(0), check(1))
    again = frozenset({0, 1, 3})
    for party in sorted(again):
        state, commands = study.advance(
            state, study.CheckedRosterSigned(party, OTHER_CHECKED, ROSTER, again, frozenset())
        )
        assert not any(isinstance(command, RaiseComplaint) for command in commands)
    assert isinstance(state, study.Checked)
    assert state.checked == OTHER_CHECKED
    assert run(state, check(2)) == state


@pytest.mark.parametrize("named", [frozenset({0, 1}), frozenset({0, 1, 7}), frozenset({0, 1, 2, 3})])
def test_a_checked_roster_must_name_exactly_the_parties_of_one_session(named: frozenset[int]) -> None:
    with pytest.raises(IllegalTransition, match="exactly 3 parties"):
        study.advance(frozen(), study.CheckedRosterSigned(0, CHECKED, ROSTER, named, frozenset()))


def test_a_checked_roster_signed_by_a_party_that_it_does_not_name_is_refused() -> None:
    state = study.Frozen(plan(parties=4), ROSTER)
    with pytest.raises(IllegalTransition, match="does not name party 3"):
        study.advance(state, check(3))


def test_a_checked_roster_of_another_roster_is_a_complaint() -> None:
    event = study.CheckedRosterSigned(0, CHECKED, OTHER_ROSTER, frozenset({0, 1, 2}), frozenset())
    assert study.advance(frozen(), event) == (
        frozen(),
        (RaiseComplaint("checked_roster", 0, ROSTER, OTHER_ROSTER),),
    )


def test_events_that_come_early_say_so() -> None:
    early: list[tuple[study.State, study.Event]] = [
        (approved(), study.ClosingSigned(0)),
        (opened(), study.RosterSigned(0, ROSTER)),
        (closing(), check(0)),
        (frozen(), study.QueryReceived(b"q" * 32)),
        (checked(), study.DeletionLogged(0)),
    ]
    for state, event in early:
        with pytest.raises(IllegalTransition) as caught:
            study.advance(state, event)
        assert caught.value.early


def test_a_party_that_does_not_exist_is_refused() -> None:
    for party in (-1, 3):
        with pytest.raises(IllegalTransition, match="none of the 3 parties"):
            study.advance(study.Proposed(plan()), study.ApprovalGiven(party))


@pytest.mark.parametrize(("parties", "threshold"), [(2, 1), (3, 0), (4, 2), (3, -1)])
def test_a_threshold_that_breaks_secrecy_or_correctness_is_no_plan(parties: int, threshold: int) -> None:
    with pytest.raises(ValueError, match="2t \\+ 1 <= m"):
        plan(parties, threshold)


def test_a_plan_needs_time_zones_and_ordered_times() -> None:
    with pytest.raises(ValueError, match="time zone"):
        study.StudyPlan(3, 1, OPENS.replace(tzinfo=None), CLOSES, RETENTION)
    with pytest.raises(ValueError, match="time zone"):
        study.StudyPlan(3, 1, OPENS, CLOSES.replace(tzinfo=None), RETENTION)
    for opens in (CLOSES, CLOSES + timedelta(seconds=1)):
        with pytest.raises(ValueError, match="opens before"):
            study.StudyPlan(3, 1, opens, CLOSES, RETENTION)
    grace = study.StudyPlan(3, 1, OPENS, CLOSES, timedelta(minutes=5))
    assert grace.expires == grace.stops_accepting
    with pytest.raises(ValueError, match="kept for at least"):
        study.StudyPlan(3, 1, OPENS, CLOSES, timedelta(minutes=5, seconds=-1))


PARTIES = st.integers(0, 3)
ROSTERS = st.sampled_from([ROSTER, ROSTER, ROSTER, OTHER_ROSTER])
SESSIONS = st.sampled_from([frozenset({0, 1, 2}), frozenset({0, 1, 3})])


class AnyHistory(RuleBasedStateMachine):
    """Every event at any moment: it moves forward, is ignored, or is refused without a trace."""

    @initialize(steps=st.integers(0, 18))
    def begin_somewhere(self, steps: int) -> None:
        self.state: study.State = study.Proposed(plan(parties=4))
        self.now = OPENS - timedelta(days=1)
        self.seen: set[study.Event] = set()
        self.frozen_rosters: set[bytes] = set()
        for _ in range(steps):
            self.everybody_moves_on(ROSTER, frozenset({0, 1, 2}))

    def happens(self, event: study.Event) -> None:
        before = self.state
        try:
            self.state, commands = study.advance(before, event)
        except IllegalTransition:
            return
        self.seen.add(event)
        again, repeated = (
            study.advance(self.state, event) if not isinstance(before, FINAL) else (self.state, ())
        )
        assert again == self.state, "an event said twice changes nothing more"
        assert all(isinstance(command, RaiseComplaint | study.DecideQuery) for command in repeated)
        if isinstance(before, FINAL):
            assert self.state == before, "final states stay"
        if type(before) is not type(self.state) and type(self.state) in EVERYTHING:
            assert EVERYTHING.index(type(self.state)) > EVERYTHING.index(type(before)), "no state goes back"
        if any(isinstance(command, study.RunInputChecks) for command in commands):
            assert isinstance(self.state, study.Frozen)
        if isinstance(self.state, study.Frozen | study.Checked | study.Answering):
            self.frozen_rosters.add(self.state.roster)

    def signed(self, kind: type[study.Event], *values: object) -> set[int]:
        return {
            event.party
            for event in self.seen
            if isinstance(event, kind) and all(value in vars_of(event) for value in values)
        }

    @rule(roster=ROSTERS, session=SESSIONS)
    def everybody_does_what_is_next(self, roster: bytes, session: frozenset[int]) -> None:
        self.everybody_moves_on(roster, session)

    def everybody_moves_on(self, roster: bytes, session: frozenset[int]) -> None:
        for party in range(4):
            match self.state:
                case study.Proposed():
                    self.happens(study.ApprovalGiven(party))
                case study.Open():
                    self.happens(study.ClosingSigned(party))
                case study.Closing():
                    self.happens(study.RosterSigned(party, roster))
                case study.Frozen():
                    self.signs_checked_roster(party, session, removed=False)
                case study.Expired():
                    self.happens(study.DeletionLogged(party))
                case _:
                    self.time_passes(24)

    @rule(party=PARTIES)
    def approves(self, party: int) -> None:
        self.happens(study.ApprovalGiven(party))

    @rule(party=PARTIES, unlikely=st.integers(0, 40))
    def refuses(self, party: int, unlikely: int) -> None:
        if unlikely == 17:
            self.happens(study.RefusalGiven(party, "no"))

    @rule(party=PARTIES)
    def signs_closing(self, party: int) -> None:
        self.happens(study.ClosingSigned(party))

    @rule(party=PARTIES, roster=ROSTERS)
    def signs_roster(self, party: int, roster: bytes) -> None:
        self.happens(study.RosterSigned(party, roster))

    @rule(party=PARTIES, session=SESSIONS, removed=st.booleans())
    def signs_any_checked_roster(self, party: int, session: frozenset[int], removed: bool) -> None:
        self.signs_checked_roster(party, session, removed=removed)

    def signs_checked_roster(self, party: int, session: frozenset[int], *, removed: bool) -> None:
        gone = frozenset({b"v" * 32}) if removed else frozenset[bytes]()
        digest = bytes(sorted(session)) + bytes([removed])
        self.happens(study.CheckedRosterSigned(party, digest, ROSTER, session, gone))

    @rule()
    def asks(self) -> None:
        self.happens(study.QueryReceived(b"q" * 32))

    @rule(party=PARTIES)
    def deletes(self, party: int) -> None:
        self.happens(study.DeletionLogged(party))

    @rule(days=st.integers(0, 3))
    def amends(self, days: int) -> None:
        self.happens(study.Amended(CLOSES + timedelta(days=days)))

    @rule(hours=st.sampled_from([-5, 1, 24, 24, 24 * 15, 24 * 90]))
    def any_time_passes(self, hours: int) -> None:
        self.time_passes(hours)

    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        self.happens(study.ClockReached(self.now))

    @invariant()
    def past_approval_every_party_has_approved(self) -> None:
        if isinstance(self.state, EVERYTHING[1:]):
            assert self.signed(study.ApprovalGiven) == {0, 1, 2, 3}

    @invariant()
    def a_frozen_roster_is_signed_by_all_and_is_the_only_one(self) -> None:
        assert len(self.frozen_rosters) <= 1
        for roster in self.frozen_rosters:
            assert self.signed(study.RosterSigned, roster) == {0, 1, 2, 3}

    @invariant()
    def a_checked_roster_is_signed_by_all_that_it_names(self) -> None:
        if isinstance(self.state, study.Checked | study.Answering):
            named = set(self.state.checked[:3])
            assert self.signed(study.CheckedRosterSigned, self.state.checked) >= named

    @invariant()
    def deleted_means_by_every_party(self) -> None:
        if isinstance(self.state, study.Deleted):
            assert self.signed(study.DeletionLogged) == {0, 1, 2, 3}


def vars_of(event: study.Event) -> list[object]:
    return [getattr(event, name) for name in event.__slots__]


AnyHistory.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestAnyHistory = AnyHistory.TestCase
