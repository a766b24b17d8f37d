"""The life of a query, from a signed question to a signed answer.

received --m decisions, all yes--> decided --the session accepts the job--> running --own result--> computed
computed --all that computed sign the same--> signed --served--> published, or withheld if every cell is
received --a no among m decisions, or the time limit--> declined
running, computed --the attempt fails--> retrying --the session accepts the next--> running; the third time:
failed decided, retrying --clock: the question expires--> failed

A party without an answer at the limit counts as a refusal "no answer from party X". A gateway or a spare
party sees no job start: for them the first signature of a result moves a decided query to computed.
Signatures of an earlier attempt stay valid, since every attempt has the same answer; the first result that
all its parties have signed wins.

Ignored as legal duplicates or crossings: a repeated decision, job, result, failure or signature; a decision
later than the time limit; a failure of an earlier attempt; a signature under another attempt once one is
complete.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias, assert_never

from mpc_cde.life_cycles.query_events import (
    ChargeLedger,
    Command,
    DecisionGiven,
    Event,
    JobAccepted,
    JobComputed,
    JobFailed,
    News,
    ProposeJob,
    PublishResult,
    ResultServed,
    ResultSigned,
    RunJob,
    SignResult,
    TellAsker,
)
from mpc_cde.life_cycles.query_states import (
    MAX_ATTEMPTS,
    Computed,
    Decided,
    Decision,
    Declined,
    Failed,
    Published,
    Received,
    ResultSignature,
    Retrying,
    Running,
    Signed,
    State,
    Subject,
    Withheld,
    Work,
)
from mpc_cde.life_cycles.transitions import (
    ClockReached,
    IllegalTransition,
    RaiseComplaint,
    is_computing_set,
    refuse_unknown_party,
)

__all__ = [
    "MAX_ATTEMPTS",
    "NO_ANSWER",
    "ChargeLedger",
    "ClockReached",
    "Command",
    "Computed",
    "Decided",
    "Decision",
    "DecisionGiven",
    "Declined",
    "Event",
    "Failed",
    "IllegalTransition",
    "JobAccepted",
    "JobComputed",
    "JobFailed",
    "News",
    "ProposeJob",
    "PublishResult",
    "Published",
    "RaiseComplaint",
    "Received",
    "ResultServed",
    "ResultSignature",
    "ResultSigned",
    "Retrying",
    "RunJob",
    "Running",
    "SignResult",
    "Signed",
    "State",
    "Step",
    "Subject",
    "TellAsker",
    "Withheld",
    "Work",
    "advance",
    "waiting_for",
]

NO_ANSWER = "no_answer"

Step: TypeAlias = tuple[State, tuple[Command, ...]]


def advance(state: State, event: Event) -> Step:
    """The state after `event` and what must now be done; raises IllegalTransition."""
    match event:
        case DecisionGiven():
            refuse_unknown_party(state, event, event.party, state.subject.parties)
            return _decision(state, event)
        case JobAccepted():
            return _job_accepted(state, event)
        case JobComputed():
            return _job_computed(state, event)
        case JobFailed():
            return _job_failed(state, event)
        case ResultSigned():
            return _signature(state, event)
        case ResultServed():
            return _served(state, event)
        case ClockReached():
            return _clock(state, event)
        case _:
            assert_never(event)


def waiting_for(state: State) -> frozenset[int]:
    """The parties whose decision or signature is missing; none when it waits for a job or for nothing."""
    match state:
        case Received():
            return state.subject.everybody - {decision.party for decision in state.work.decisions}
        case Computed():
            own = [signature for signature in state.work.signatures if signature.job == state.job]
            named = frozenset[int]().union(*(signature.computed_by for signature in own))
            return named - {signature.party for signature in own}
        case _:
            return frozenset()


def _decision(state: State, event: DecisionGiven) -> Step:
    before = state.work.decision_of(event.party)
    if before is not None:
        if before.agrees == event.agrees or before.rule == NO_ANSWER:
            return state, ()
        said, says = (("yes" if agrees else "no") for agrees in (before.agrees, event.agrees))
        return state, (RaiseComplaint("decision", event.party, said, says),)
    if not isinstance(state, Received):
        raise IllegalTransition(state, event, "all decisions were there")
    given = Decision(event.party, event.agrees, event.rule, event.explanation)
    return _weigh(state.subject, (*state.work.decisions, given))


def _weigh(subject: Subject, decisions: tuple[Decision, ...]) -> Step:
    work = Work(decisions=tuple(sorted(decisions, key=lambda decision: decision.party)))
    if len(decisions) < subject.parties:
        return Received(subject, work), ()
    if all(decision.agrees for decision in decisions):
        return Decided(subject, work), (ProposeJob(1),)
    return Declined(subject, work), (TellAsker(News.DECLINED),)


def _job_accepted(state: State, event: JobAccepted) -> Step:
    subject = state.subject
    if not is_computing_set(event.session, subject.parties, subject.threshold):
        raise IllegalTransition(state, event, f"a session has exactly {2 * subject.threshold + 1} parties")
    match state:
        case Running() if event.attempt == state.work.attempt and event.job == state.job:
            return state, ()
        case Decided() | Retrying() | Computed() if state.work.attempt < event.attempt <= MAX_ATTEMPTS:
            work = replace(state.work, attempt=event.attempt)
            running = Running(subject, work, event.job, event.session)
            return running, (ChargeLedger(event.job), RunJob(event.job, event.session))
        case Received():
            raise IllegalTransition(state, event, "not every party has decided", early=True)
        case Decided() | Retrying() | Computed():
            raise IllegalTransition(state, event, f"attempt {event.attempt} is not the next")
        case _:
            raise IllegalTransition(state, event, "no job is due")


def _job_computed(state: State, event: JobComputed) -> Step:
    match state:
        case Running() if event.job == state.job:
            computed = Computed(state.subject, state.work, event.job, event.result)
            other = next((s.party for s in _of_job(state.work, event.job) if s.result != event.result), None)
            commands: tuple[Command, ...] = (SignResult(event.result),)
            if other is not None:
                commands += (RaiseComplaint("result", other, event.result, "another result"),)
            return computed, commands
        case Computed() | Signed() | Published() | Withheld() if event.job == state.job:
            if event.result == state.result:
                return state, ()
            return state, (RaiseComplaint("result", None, state.result, event.result),)
        case _:
            raise IllegalTransition(state, event, "this job does not run")


def _job_failed(state: State, event: JobFailed) -> Step:
    if event.attempt < state.work.attempt:
        return state, ()
    match state:
        case Running() | Computed() if event.attempt == state.work.attempt:
            work = replace(state.work, failures=(*state.work.failures, event.why))
            if event.attempt == MAX_ATTEMPTS:
                return Failed(state.subject, work, event.why), (TellAsker(News.FAILED),)
            return Retrying(state.subject, work), (ProposeJob(event.attempt + 1),)
        case Retrying() | Failed() if event.attempt == state.work.attempt:
            return state, ()
        case _:
            raise IllegalTransition(state, event, f"attempt {event.attempt} does not run")


def _signature(state: State, event: ResultSigned) -> Step:
    _check_names(state, event)
    match state:
        case Received():
            raise IllegalTransition(state, event, "not every party has decided", early=True)
        case Declined() | Failed():
            raise IllegalTransition(state, event, "the query has ended without a result")
        case Signed() | Published() | Withheld():
            if event.job == state.job and event.result != state.result:
                return state, (RaiseComplaint("result", event.party, state.result, event.result),)
            return state, ()
        case Decided() | Running() | Retrying() | Computed():
            return _collect_signature(state, event)
        case _:
            assert_never(state)


def _check_names(state: State, event: ResultSigned) -> None:
    subject = state.subject
    if not is_computing_set(event.computed_by, subject.parties, subject.threshold):
        raise IllegalTransition(state, event, f"it must name exactly {2 * subject.threshold + 1} parties")
    if event.party not in event.computed_by:
        raise IllegalTransition(state, event, f"it does not name party {event.party}, which signed it")


def _collect_signature(state: Decided | Running | Retrying | Computed, event: ResultSigned) -> Step:
    """What a party signed first for a job stands; a result that differs from others is kept, with a
    complaint."""
    signature = ResultSignature(event.party, event.job, event.result, event.computed_by, event.all_withheld)
    if signature in state.work.signatures:
        return state, ()
    same_job = _of_job(state.work, event.job)
    own = next((s.result for s in same_job if s.party == event.party), None)
    if own is not None:
        return state, (RaiseComplaint("result", event.party, own, event.result),)
    known = [s.result for s in same_job]
    if isinstance(state, Computed) and state.job == event.job:
        known.insert(0, state.result)
    complaints: tuple[Command, ...] = ()
    if any(result != event.result for result in known):
        complaints = (RaiseComplaint("result", event.party, known[0], event.result),)
    work = replace(state.work, signatures=(*state.work.signatures, signature))
    if event.computed_by <= {s.party for s in _of_job(work, event.job) if s.result == event.result}:
        signed = Signed(state.subject, work, event.job, event.result, event.all_withheld)
        return signed, (*complaints, PublishResult(event.result))
    if isinstance(state, Decided):
        return Computed(state.subject, work, event.job, event.result), complaints
    return replace(state, work=work), complaints


def _of_job(work: Work, job: bytes) -> list[ResultSignature]:
    return [signature for signature in work.signatures if signature.job == job]


def _served(state: State, event: ResultServed) -> Step:
    match state:
        case Signed() if event.result == state.result:
            ended = (state.subject, state.work, state.job, state.result)
            if state.all_withheld:
                return Withheld(*ended), (TellAsker(News.WITHHELD),)
            return Published(*ended), (TellAsker(News.PUBLISHED),)
        case Published() | Withheld() if event.result == state.result:
            return state, ()
        case Signed() | Published() | Withheld():
            raise IllegalTransition(state, event, "another result was signed")
        case _:
            raise IllegalTransition(state, event, "no result is signed", early=True)


def _clock(state: State, event: ClockReached) -> Step:
    subject = state.subject
    match state:
        case Received() if event.now >= min(subject.decide_by, subject.expires):
            missing = tuple(
                Decision(party, agrees=False, rule=NO_ANSWER, explanation=f"no answer from party {party}")
                for party in sorted(waiting_for(state))
            )
            return _weigh(subject, (*state.work.decisions, *missing))
        case Decided() | Retrying() if event.now >= subject.expires:
            return Failed(subject, state.work, "the question expired"), (TellAsker(News.FAILED),)
        case _:
            return state, ()
