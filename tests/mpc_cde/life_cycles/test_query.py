"""The query's machine: decisions, attempts, signatures, and its laws under any sequence of events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mpc_cde.life_cycles import query
from mpc_cde.life_cycles.query import IllegalTransition, News, RaiseComplaint, TellAsker

ASKED = datetime(2026, 2, 1, tzinfo=UTC)
LIMIT = ASKED + timedelta(hours=24)
EXPIRES = ASKED + timedelta(days=30)
SESSION = frozenset({0, 1, 2})
JOBS = [b"j" * 32, b"k" * 32, b"l" * 32]
RESULT, OTHER = b"r" * 32, b"s" * 32
ENDS = (query.Published, query.Withheld, query.Declined, query.Failed)


def subject(parties: int = 3) -> query.Subject:
    return query.Subject(b"q" * 32, parties, 1, LIMIT, EXPIRES)


def run(state: query.State, *events: query.Event) -> query.State:
    for event in events:
        state, _ = query.advance(state, event)
    return state


def yes(party: int) -> query.DecisionGiven:
    return query.DecisionGiven(party, agrees=True, rule="approved_function", explanation="in the study")


def no(party: int) -> query.DecisionGiven:
    return query.DecisionGiven(party, agrees=False, rule="own_minimum", explanation="fewer than we allow")


def sign(
    party: int, result: bytes = RESULT, job: bytes = JOBS[0], *, withheld: bool = False
) -> query.ResultSigned:
    return query.ResultSigned(party, job, result, SESSION, withheld)


def decided() -> query.State:
    return run(query.Received(subject()), *(yes(party) for party in range(3)))


def running(attempt: int = 1) -> query.State:
    state = decided()
    for number in range(1, attempt):
        state = run(
            state, query.JobAccepted(number, JOBS[number - 1], SESSION), query.JobFailed(number, "lost")
        )
    return run(state, query.JobAccepted(attempt, JOBS[attempt - 1], SESSION))


def computed() -> query.State:
    return run(running(), query.JobComputed(JOBS[0], RESULT, all_withheld=False))


def signed(*, withheld: bool = False) -> query.State:
    return run(decided(), *(sign(party, withheld=withheld) for party in range(3)))


def test_a_query_goes_from_question_to_published_answer_and_says_what_to_do() -> None:
    state = run(query.Received(subject()), yes(2), yes(0))
    assert query.waiting_for(state) == {1}
    state, commands = query.advance(state, yes(1))
    assert (type(state), commands) == (query.Decided, (query.ProposeJob(1),))
    state, commands = query.advance(state, query.JobAccepted(1, JOBS[0], SESSION))
    assert commands == (query.ChargeLedger(JOBS[0]), query.RunJob(JOBS[0], SESSION)), "charged before it runs"
    state, commands = query.advance(state, query.JobComputed(JOBS[0], RESULT, all_withheld=False))
    assert (type(state), commands) == (query.Computed, (query.SignResult(RESULT),))
    state = run(state, sign(1), sign(0))
    assert query.waiting_for(state) == {2}
    state, commands = query.advance(state, sign(2))
    assert (type(state), commands) == (query.Signed, (query.PublishResult(RESULT),))
    state, commands = query.advance(state, query.ResultServed(RESULT))
    assert (type(state), commands) == (query.Published, (TellAsker(News.PUBLISHED),))


def test_a_result_without_any_value_ends_withheld() -> None:
    state, commands = query.advance(signed(withheld=True), query.ResultServed(RESULT))
    assert (type(state), commands) == (query.Withheld, (TellAsker(News.WITHHELD),))


def test_a_refusal_is_weighed_when_every_party_has_answered_so_that_every_reason_is_there() -> None:
    state = run(query.Received(subject()), no(1), yes(0))
    assert isinstance(state, query.Received)
    state, commands = query.advance(state, yes(2))
    assert (type(state), commands) == (query.Declined, (TellAsker(News.DECLINED),))
    assert [decision.agrees for decision in state.work.decisions] == [True, False, True]


def test_no_answer_within_the_limit_counts_as_a_refusal_that_names_the_party() -> None:
    state = run(query.Received(subject()), yes(0), yes(2))
    assert run(state, query.ClockReached(LIMIT - timedelta(seconds=1))) == state
    state = run(state, query.ClockReached(LIMIT))
    assert isinstance(state, query.Declined)
    assert state.work.decision_of(1) == query.Decision(
        1, agrees=False, rule=query.NO_ANSWER, explanation="no answer from party 1"
    )
    assert run(state, yes(1)) == state, "a late yes opens nothing again"


def test_a_party_cannot_change_its_decision() -> None:
    state = run(query.Received(subject()), no(1))
    after, commands = query.advance(state, yes(1))
    assert after == state
    assert commands == (RaiseComplaint("decision", 1, "no", "yes"),)
    _, commands = query.advance(decided(), no(2))
    assert commands == (RaiseComplaint("decision", 2, "yes", "no"),)


def test_three_attempts_and_no_more() -> None:
    state = running(attempt=3)
    assert state.work.failures == ("lost", "lost")
    state, commands = query.advance(state, query.JobFailed(3, "party 2 was silent"))
    assert commands == (TellAsker(News.FAILED),)
    assert isinstance(state, query.Failed)
    assert state.why == "party 2 was silent"
    with pytest.raises(IllegalTransition):
        query.advance(state, query.JobAccepted(4, b"m" * 32, SESSION))


def test_a_failed_attempt_asks_for_the_next_and_its_number_cannot_be_used_again() -> None:
    state, commands = query.advance(running(), query.JobFailed(1, "lost"))
    assert (type(state), commands) == (query.Retrying, (query.ProposeJob(2),))
    assert run(state, query.JobFailed(1, "lost")) == state
    with pytest.raises(IllegalTransition, match="not the next"):
        query.advance(state, query.JobAccepted(1, JOBS[0], SESSION))


def test_a_second_job_cannot_start_beside_a_running_one() -> None:
    assert run(running(), query.JobAccepted(1, JOBS[0], SESSION)) == running()
    for attempt in (1, 2):
        with pytest.raises(IllegalTransition):
            query.advance(running(), query.JobAccepted(attempt, JOBS[1], SESSION))


@pytest.mark.parametrize("session", [frozenset({0, 1}), frozenset({0, 1, 9}), frozenset({0, 1, 2, 3})])
def test_only_exactly_2t_plus_1_parties_compute(session: frozenset[int]) -> None:
    state = run(query.Received(subject(parties=4)), *(yes(party) for party in range(4)))
    with pytest.raises(IllegalTransition, match="exactly 3 parties"):
        query.advance(state, query.JobAccepted(1, JOBS[0], session))
    with pytest.raises(IllegalTransition, match="exactly 3 parties"):
        query.advance(state, query.ResultSigned(0, JOBS[0], RESULT, session, all_withheld=False))


def test_a_job_or_result_before_all_decisions_comes_early() -> None:
    state = run(query.Received(subject()), yes(0), yes(1))
    for event in (query.JobAccepted(1, JOBS[0], SESSION), sign(0)):
        with pytest.raises(IllegalTransition) as caught:
            query.advance(state, event)
        assert caught.value.early


def test_a_result_of_a_declined_query_is_refused() -> None:
    state = run(query.Received(subject()), no(0), yes(1), yes(2))
    with pytest.raises(IllegalTransition, match="without a result"):
        query.advance(state, sign(0))


def test_a_party_that_did_not_compute_cannot_sign() -> None:
    state = run(query.Received(subject(parties=4)), *(yes(party) for party in range(4)))
    with pytest.raises(IllegalTransition, match="does not name party 3"):
        query.advance(state, sign(3))


def test_a_liar_who_signs_another_result_first_is_seen_and_publishes_nothing() -> None:
    state, commands = query.advance(decided(), sign(0, OTHER))
    assert commands == ()
    state, commands = query.advance(state, sign(1))
    assert commands == (RaiseComplaint("result", 1, OTHER, RESULT),)
    state = run(state, sign(2))
    assert isinstance(state, query.Computed)
    after, commands = query.advance(state, sign(0))
    assert after == state
    assert commands == (RaiseComplaint("result", 0, OTHER, RESULT),)


def test_an_own_result_that_differs_from_a_signed_one_is_a_complaint() -> None:
    state = run(running(), sign(1, OTHER))
    _, commands = query.advance(state, query.JobComputed(JOBS[0], RESULT, all_withheld=False))
    assert commands == (query.SignResult(RESULT), RaiseComplaint("result", 1, RESULT, "another result"))
    _, commands = query.advance(computed(), sign(1, OTHER))
    assert commands == (RaiseComplaint("result", 1, RESULT, OTHER),)


def test_signatures_of_a_failed_attempt_stay_valid_and_the_first_complete_result_wins() -> None:
    state = run(computed(), sign(0), sign(1), query.JobFailed(1, "party 2 died"))
    state = run(state, query.JobAccepted(2, JOBS[1], SESSION), sign(0, OTHER, JOBS[1]))
    state = run(state, sign(2))
    assert isinstance(state, query.Signed)
    assert state.result == RESULT
    assert run(state, sign(1, OTHER, JOBS[1])) == state


def test_another_result_than_the_signed_one_cannot_be_served() -> None:
    with pytest.raises(IllegalTransition, match="another result"):
        query.advance(signed(), query.ResultServed(OTHER))
    with pytest.raises(IllegalTransition) as caught:
        query.advance(computed(), query.ResultServed(RESULT))
    assert caught.value.early


def test_a_question_that_expires_before_its_job_runs_fails_but_a_running_job_may_finish() -> None:
    state = run(decided(), query.ClockReached(EXPIRES))
    assert isinstance(state, query.Failed)
    assert state.why == "the question expired"
    assert run(running(), query.ClockReached(EXPIRES)) == running()


def test_a_spare_party_joins_at_the_second_attempt() -> None:
    state = run(query.Received(subject(parties=4)), *(yes(party) for party in range(4)), sign(0))
    assert isinstance(state, query.Computed)
    state = run(state, query.JobAccepted(2, JOBS[1], frozenset({0, 1, 3})))
    assert isinstance(state, query.Running)


def test_a_decision_of_a_party_that_does_not_exist_is_refused() -> None:
    with pytest.raises(IllegalTransition, match="none of the 3 parties"):
        query.advance(query.Received(subject()), yes(3))


def test_times_without_a_zone_are_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        query.Subject(b"q" * 32, 3, 1, LIMIT.replace(tzinfo=None), EXPIRES)
    with pytest.raises(ValueError, match="time zone"):
        query.Subject(b"q" * 32, 3, 1, LIMIT, EXPIRES.replace(tzinfo=None))


def test_parties_too_few_for_the_threshold_answer_no_query() -> None:
    with pytest.raises(ValueError, match="2t \\+ 1 <= m"):
        query.Subject(b"q" * 32, 2, 1, LIMIT, EXPIRES)


PHASES = {
    query.Received: 0,
    query.Decided: 1,
    query.Running: 2,
    query.Computed: 3,
    query.Retrying: 4,
    query.Signed: 5,
    **dict.fromkeys(ENDS, 6),
}
SESSIONS = st.sampled_from([frozenset({0, 1, 2}), frozenset({0, 1, 2}), frozenset({1, 2, 3})])
PARTIES = st.integers(0, 3)


class AnyHistory(RuleBasedStateMachine):
    """Every event at any moment; four parties, threshold one."""

    @initialize(answers=st.integers(0, 7), lost=st.integers(0, 2))
    def ask(self, answers: int, lost: int) -> None:
        self.state: query.State = query.Received(subject(parties=4))
        self.now = ASKED
        self.agreed: set[int] = set()
        self.signatures: set[tuple[int, bytes, bytes]] = set()
        self.results: set[bytes] = set()
        self.jobs = 0
        for party in range(min(answers, 4)):
            self.happens(yes(party))
        for attempt in range(1, lost + 1):
            self.happens(query.JobAccepted(attempt, JOBS[attempt - 1], SESSION))
            self.happens(query.JobFailed(attempt, "lost"))

    def happens(self, event: query.Event) -> None:
        before = self.state
        try:
            self.state, commands = query.advance(before, event)
        except IllegalTransition:
            return
        self.jobs += sum(isinstance(command, query.RunJob) for command in commands)
        if isinstance(event, query.DecisionGiven) and event.agrees and isinstance(before, query.Received):
            self.agreed.add(event.party)
        if isinstance(event, query.ResultSigned):
            self.signatures.add((event.party, event.job, event.result))
        if isinstance(self.state, query.Signed | query.Published | query.Withheld):
            self.results.add(self.state.result)
        assert self.rank(self.state) >= self.rank(before), "no state goes back"
        if isinstance(before, ENDS):
            assert self.state == before, "an end is final"
        charged = any(isinstance(command, query.ChargeLedger) for command in commands)
        assert charged == any(isinstance(command, query.RunJob) for command in commands)
        again, repeated = query.advance(self.state, event) if self.state is not before else (before, ())
        assert again == self.state, "an event said twice changes nothing more"
        assert all(isinstance(command, RaiseComplaint) for command in repeated)

    @staticmethod
    def rank(state: query.State) -> tuple[bool, bool, int, int]:
        """Within an attempt the phases follow each other; a signed result outlives all attempts."""
        ended, done = isinstance(state, ENDS), isinstance(state, query.Signed)
        return (ended, done, state.work.attempt, PHASES[type(state)])

    @rule(party=PARTIES, whim=st.integers(0, 30))
    def decides(self, party: int, whim: int) -> None:
        self.happens(no(party) if whim == 17 else yes(party))

    @rule(job=st.sampled_from(JOBS), result=st.sampled_from([RESULT, RESULT, OTHER]))
    def everybody_signs(self, job: bytes, result: bytes) -> None:
        for party in sorted(SESSION):
            self.signs(party, job, result)

    @rule(attempt=st.integers(1, 4), session=SESSIONS, job=st.sampled_from(JOBS))
    def accepts_job(self, attempt: int, session: frozenset[int], job: bytes) -> None:
        self.happens(query.JobAccepted(attempt, job, session))

    @rule()
    def starts_what_is_next(self) -> None:
        attempt = self.state.work.attempt + 1
        if attempt <= 3:
            self.happens(query.JobAccepted(attempt, JOBS[attempt - 1], SESSION))

    @rule(job=st.sampled_from(JOBS), result=st.sampled_from([RESULT, RESULT, OTHER]))
    def computes(self, job: bytes, result: bytes) -> None:
        self.happens(query.JobComputed(job, result, all_withheld=False))

    @rule(attempt=st.integers(1, 3))
    def fails(self, attempt: int) -> None:
        self.happens(query.JobFailed(attempt, "lost"))

    @rule(party=PARTIES, job=st.sampled_from(JOBS), result=st.sampled_from([RESULT, RESULT, RESULT, OTHER]))
    def anybody_signs(self, party: int, job: bytes, result: bytes) -> None:
        self.signs(party, job, result)

    def signs(self, party: int, job: bytes, result: bytes) -> None:
        self.happens(query.ResultSigned(party, job, result, SESSION, all_withheld=False))

    @rule(result=st.sampled_from([RESULT, RESULT, OTHER]))
    def is_served(self, result: bytes) -> None:
        self.happens(query.ResultServed(result))

    @rule(hours=st.sampled_from([-2, 1, 1, 1, 6, 24 * 20]))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        self.happens(query.ClockReached(self.now))

    @invariant()
    def nothing_runs_or_is_published_without_every_party_saying_yes(self) -> None:
        if not isinstance(self.state, query.Received | query.Declined | query.Failed) or self.jobs:
            assert self.agreed == {0, 1, 2, 3}

    @invariant()
    def what_is_published_is_signed_by_all_that_computed_it_and_is_one_thing(self) -> None:
        assert len(self.results) <= 1
        if isinstance(self.state, query.Signed | query.Published | query.Withheld):
            assert {(party, self.state.job, self.state.result) for party in SESSION} <= self.signatures

    @invariant()
    def at_most_three_jobs_run(self) -> None:
        assert self.jobs <= query.MAX_ATTEMPTS


AnyHistory.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestAnyHistory = AnyHistory.TestCase
