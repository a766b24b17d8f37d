"""The life of a study, from a steward's proposal to the day every party has destroyed what it held.

proposed --m approvals--> approved --clock: opens--> open --m closings, or clock: closes + 5 min--> closing
closing --m equal rosters--> frozen --2t + 1 equal checked rosters--> checked --first query--> answering
closing, frozen, checked, answering --clock: closes + retention--> expired --m deletions--> deleted
A refusal ends a proposed study as refused and an approved or open one as cancelled. A proposed study that
lacks approvals at `closes` is refused as well, so that no party keeps a sealing key for it.

Ignored as legal duplicates: a repeated approval, closing, refusal, roster or checked roster signature,
amendment or deletion; a closing signed after the study closed by the clock; another party's refusal of a
refused study; the deletions of a refused or cancelled study.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TypeAlias, assert_never

from mpc_cde.life_cycles.study_events import (
    AcceptQueries,
    Amended,
    ApprovalGiven,
    CheckedRosterSigned,
    ClosingSigned,
    Command,
    DecideQuery,
    DeletionLogged,
    DestroyStudySecrets,
    Event,
    ExchangeRosterLists,
    QueryReceived,
    RefusalGiven,
    RosterSigned,
    RunInputChecks,
    StartAccepting,
    StopAccepting,
)
from mpc_cde.life_cycles.study_states import (
    CALLED_OFF,
    CLOSING_GRACE,
    Answering,
    Approved,
    Cancelled,
    Checked,
    CheckSignature,
    Closing,
    Deleted,
    Expired,
    Frozen,
    Open,
    Proposed,
    Refused,
    State,
    StudyPlan,
)
from mpc_cde.life_cycles.transitions import (
    ClockReached,
    IllegalTransition,
    RaiseComplaint,
    is_computing_set,
    refuse_unknown_party,
)

__all__ = [
    "CALLED_OFF",
    "CLOSING_GRACE",
    "AcceptQueries",
    "Amended",
    "Answering",
    "ApprovalGiven",
    "Approved",
    "Cancelled",
    "CheckSignature",
    "Checked",
    "CheckedRosterSigned",
    "ClockReached",
    "Closing",
    "ClosingSigned",
    "Command",
    "DecideQuery",
    "Deleted",
    "DeletionLogged",
    "DestroyStudySecrets",
    "Event",
    "ExchangeRosterLists",
    "Expired",
    "Frozen",
    "IllegalTransition",
    "Open",
    "Proposed",
    "QueryReceived",
    "RaiseComplaint",
    "RefusalGiven",
    "Refused",
    "RosterSigned",
    "RunInputChecks",
    "StartAccepting",
    "State",
    "Step",
    "StopAccepting",
    "StudyPlan",
    "advance",
    "waiting_for",
]

Step: TypeAlias = tuple[State, tuple[Command, ...]]


def advance(state: State, event: Event) -> Step:
    """The state after `event` and what must now be done; raises IllegalTransition."""
    if not isinstance(event, ClockReached | Amended | QueryReceived):
        refuse_unknown_party(state, event, event.party, state.plan.parties)
    match event:
        case ApprovalGiven():
            return _approval(state, event)
        case RefusalGiven():
            return _refusal(state, event)
        case Amended():
            return _amendment(state, event)
        case ClosingSigned():
            return _closing(state, event)
        case RosterSigned():
            return _roster(state, event)
        case CheckedRosterSigned():
            return _checked_roster(state, event)
        case QueryReceived():
            return _query(state, event)
        case DeletionLogged():
            return _deletion(state, event)
        case ClockReached():
            return _clock(state, event)
        case _:
            assert_never(event)


def waiting_for(state: State) -> frozenset[int]:
    """The parties whose document would move the study on; none when it waits for time or for a query."""
    everybody = state.plan.everybody
    match state:
        case Proposed():
            return everybody - state.approvals
        case Closing():
            return everybody - {party for party, _ in state.rosters}
        case Frozen():
            named = frozenset[int]().union(*(check.computed_by for check in state.checks))
            return named - {check.party for check in state.checks} if state.checks else everybody
        case Expired():
            return everybody - state.deletions
        case _:
            return frozenset()


def _approval(state: State, event: ApprovalGiven) -> Step:
    match state:
        case Proposed():
            approvals = state.approvals | {event.party}
            if approvals == state.plan.everybody:
                return Approved(state.plan), ()
            return replace(state, approvals=approvals), ()
        case Refused() | Cancelled():
            raise IllegalTransition(state, event, "a study that a party refused stays so")
        case _:
            return state, ()  # every party has approved: this one said so before


def _refusal(state: State, event: RefusalGiven) -> Step:
    match state:
        case Proposed():
            return Refused(state.plan, event.party, event.reason), (DestroyStudySecrets(),)
        case Approved():
            return Cancelled(state.plan, event.party, event.reason), (DestroyStudySecrets(),)
        case Open():
            return Cancelled(state.plan, event.party, event.reason), (StopAccepting(), DestroyStudySecrets())
        case Refused() | Cancelled():
            return state, ()
        case _:
            raise IllegalTransition(state, event, "a refusal counts until the closing only")


def _amendment(state: State, event: Amended) -> Step:
    if event.closes == state.plan.closes:
        return state, ()
    if event.closes < state.plan.closes:
        raise IllegalTransition(state, event, "the closing time moves only later")
    match state:
        case Proposed() | Approved() | Open():
            return replace(state, plan=replace(state.plan, closes=event.closes)), ()
        case _:
            raise IllegalTransition(state, event, "the study is no longer open")


def _closing(state: State, event: ClosingSigned) -> Step:
    match state:
        case Proposed() | Approved():
            raise IllegalTransition(state, event, "the study is not open yet", early=True)
        case Open():
            closings = state.closings | {event.party}
            if closings == state.plan.everybody:
                return _begin_closing(state)
            return replace(state, closings=closings), ()
        case Refused() | Cancelled():
            raise IllegalTransition(state, event, "the study was refused")
        case _:
            return state, ()


def _begin_closing(state: Open) -> Step:
    return Closing(state.plan), (StopAccepting(), ExchangeRosterLists())


def _roster(state: State, event: RosterSigned) -> Step:
    match state:
        case Proposed() | Approved() | Open():
            raise IllegalTransition(state, event, "the study is still open", early=True)
        case Closing():
            return _collect_roster(state, event)
        case Frozen() | Checked() | Answering():
            if event.roster == state.roster:
                return state, ()
            return state, (RaiseComplaint("roster", event.party, state.roster, event.roster),)
        case _:
            raise IllegalTransition(state, event, "the study is over")


def _collect_roster(state: Closing, event: RosterSigned) -> Step:
    """A party's first signature stands: two rosters signed by all would show the difference between them."""
    signed = dict(state.rosters)
    if event.party in signed:
        if signed[event.party] == event.roster:
            return state, ()
        return state, (RaiseComplaint("roster", event.party, signed[event.party], event.roster),)
    complaints: tuple[Command, ...] = ()
    if state.rosters and event.roster not in signed.values():
        complaints = (RaiseComplaint("roster", event.party, state.rosters[0][1], event.roster),)
    rosters = (*state.rosters, (event.party, event.roster))
    if len(rosters) == state.plan.parties and len({digest for _, digest in rosters}) == 1:
        return Frozen(state.plan, event.roster), (RunInputChecks(event.roster),)
    return replace(state, rosters=rosters), complaints


def _checked_roster(state: State, event: CheckedRosterSigned) -> Step:
    if not is_computing_set(event.computed_by, state.plan.parties, state.plan.threshold):
        raise IllegalTransition(state, event, f"it must name exactly {2 * state.plan.threshold + 1} parties")
    if event.party not in event.computed_by:
        raise IllegalTransition(state, event, f"it does not name party {event.party}, which signed it")
    match state:
        case Proposed() | Approved() | Open() | Closing():
            raise IllegalTransition(state, event, "not every party has signed the roster", early=True)
        case Frozen():
            return _collect_check(state, event)
        case Checked() | Answering():
            if event.roster == state.roster and event.removed == state.removed:
                return state, ()
            return state, (RaiseComplaint("checked_roster", event.party, state.checked, event.checked),)
        case _:
            raise IllegalTransition(state, event, "the study is over")


def _collect_check(state: Frozen, event: CheckedRosterSigned) -> Step:
    """Another session may sign again with other names inside; what a party once found it cannot change.

    A signature that differs from the first is kept beside it, so that a liar who signs first stops nobody:
    what it signed can never gather every party that it names.
    """
    signature = CheckSignature(event.party, event.checked, event.computed_by, event.removed)
    if signature in state.checks:
        return state, ()
    if event.roster != state.roster:
        return state, (RaiseComplaint("checked_roster", event.party, state.roster, event.roster),)
    own = (check for check in state.checks if check.party == event.party)
    contradicted = next((check for check in own if _contradict(check, signature)), None)
    if contradicted is not None:
        return state, (RaiseComplaint("checked_roster", event.party, contradicted.checked, event.checked),)
    other = next((check for check in state.checks if _contradict(check, signature)), None)
    checks = (*state.checks, signature)
    if event.computed_by <= {check.party for check in checks if check.checked == event.checked}:
        done = Checked(state.plan, state.roster, event.checked, event.removed)
        return done, (AcceptQueries(event.checked),)
    complaints: tuple[Command, ...] = ()
    if other is not None:
        complaints = (RaiseComplaint("checked_roster", event.party, other.checked, event.checked),)
    return replace(state, checks=checks), complaints


def _contradict(one: CheckSignature, other: CheckSignature) -> bool:
    """True if both cannot be right: other removals, or two documents of one session."""
    if one.removed != other.removed:
        return True
    return (one.computed_by == other.computed_by) != (one.checked == other.checked)


def _query(state: State, event: QueryReceived) -> Step:
    match state:
        case Checked():
            answering = Answering(state.plan, state.roster, state.checked, state.removed)
            return answering, (DecideQuery(event.query),)
        case Answering():
            return state, (DecideQuery(event.query),)
        case Proposed() | Approved() | Open() | Closing() | Frozen():
            raise IllegalTransition(state, event, "its inputs are not checked yet", early=True)
        case _:
            raise IllegalTransition(state, event, "the study is over")


def _deletion(state: State, event: DeletionLogged) -> Step:
    match state:
        case Expired():
            deletions = state.deletions | {event.party}
            if deletions == state.plan.everybody:
                return Deleted(state.plan), ()
            return replace(state, deletions=deletions), ()
        case Deleted() | Refused() | Cancelled():
            return state, ()
        case _:
            raise IllegalTransition(state, event, "the study has not expired", early=True)


def _clock(state: State, event: ClockReached) -> Step:
    commands: tuple[Command, ...] = ()
    while (step := _due(state, event.now)) is not None:
        state, more = step
        commands += more
    return state, commands


def _due(state: State, now: datetime) -> Step | None:
    """The one step that the clock alone brings about, if any."""
    plan = state.plan
    match state:
        case Proposed() if now >= plan.closes:
            reason = "not approved by every party before it was to close"
            return Refused(plan, None, reason), (DestroyStudySecrets(),)
        case Approved() if now >= plan.opens:
            return Open(plan), (StartAccepting(),)
        case Open() if now >= plan.stops_accepting:
            return _begin_closing(state)
        case Closing() | Frozen() | Checked() | Answering() if now >= plan.expires:
            return Expired(plan), (DestroyStudySecrets(),)
        case _:
            return None
