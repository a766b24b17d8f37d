"""The life of one submission, as its member follows it.

stored --first receipt--> receipted --m accepting receipts and the frozen roster holds it--> counted
stored, receipted --a party refuses--> refused; --a later one of the member is accepted by all--> superseded
stored, receipted --the member asks--> withdrawal asked --roster without it--> withdrawn
counted --the input checks found a fault--> removed
whatever is open when the roster is signed without it, or the study ends --> left out

A withdrawal that reached no party before the lists were shown comes too late: the roster decides, and the
member is told. One that a party signed a receipt for keeps the submission out, or that party broke its word.
A roster that arrives before the last receipt leaves the submission `InRoster` until all m are here.

Ignored as legal duplicates or crossings: a repeated receipt, withdrawal, roster or check; receipts of a
submission that is refused, superseded, withdrawn or left out; a withdrawal of an earlier sequence.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias, assert_never

from mpc_cde.life_cycles.roster_rules import (
    WhyLeftOut,
)
from mpc_cde.life_cycles.submission_events import (
    Accepted,
    Command,
    DestroyShares,
    Event,
    InputsChecked,
    LaterAccepted,
    News,
    RefusedBy,
    RosterFrozen,
    StudyEnded,
    TellMember,
    WithdrawalKnown,
    WithdrawalStored,
)
from mpc_cde.life_cycles.submission_states import (
    Counted,
    InRoster,
    LeftOut,
    Receipted,
    Refused,
    Removed,
    State,
    Stored,
    Subject,
    Superseded,
    WithdrawalAsked,
    Withdrawn,
)
from mpc_cde.life_cycles.transitions import (
    IllegalTransition,
    RaiseComplaint,
    refuse_unknown_party,
)

__all__ = [
    "Accepted",
    "Command",
    "Counted",
    "DestroyShares",
    "Event",
    "IllegalTransition",
    "InRoster",
    "InputsChecked",
    "LaterAccepted",
    "LeftOut",
    "News",
    "RaiseComplaint",
    "Receipted",
    "Refused",
    "RefusedBy",
    "Removed",
    "RosterFrozen",
    "State",
    "Step",
    "Stored",
    "StudyEnded",
    "Subject",
    "Superseded",
    "TellMember",
    "WhyLeftOut",
    "WithdrawalAsked",
    "WithdrawalKnown",
    "WithdrawalStored",
    "Withdrawn",
    "accepted_by",
    "advance",
]

Step: TypeAlias = tuple[State, tuple[Command, ...]]


def advance(state: State, event: Event) -> Step:
    """The state after `event` and what must now be done; raises IllegalTransition."""
    match event:
        case Accepted():
            refuse_unknown_party(state, event, event.party, state.subject.parties)
            return _accepted(state, event)
        case RefusedBy():
            refuse_unknown_party(state, event, event.party, state.subject.parties)
            return _refused(state, event)
        case LaterAccepted():
            return _superseded(state, event)
        case WithdrawalStored():
            return _withdrawal(state, event)
        case WithdrawalKnown():
            refuse_unknown_party(state, event, event.party, state.subject.parties)
            return _withdrawal_known(state, event)
        case RosterFrozen():
            return _roster(state, event)
        case InputsChecked():
            return _checked(state, event)
        case StudyEnded():
            return _study_ended(state, event)
        case _:
            assert_never(event)


def accepted_by(state: State) -> frozenset[int]:
    """The parties that are known to hold their share: k of m."""
    match state:
        case Receipted() | WithdrawalAsked() | InRoster() | Refused():
            return state.accepted
        case Counted() | Removed():
            return frozenset(range(state.subject.parties))
        case _:
            return frozenset()


def _accepted(state: State, event: Accepted) -> Step:
    accepted = accepted_by(state) | {event.party}
    everybody = len(accepted) == state.subject.parties
    match state:
        case Stored() | Receipted():
            is_news = everybody and accepted != accepted_by(state)
            return Receipted(state.subject, accepted), (TellMember(News.HELD_BY_ALL),) if is_news else ()
        case WithdrawalAsked():
            return replace(state, accepted=accepted), ()
        case InRoster():
            if everybody:
                return Counted(state.subject, state.roster, state.checked), (TellMember(News.COUNTED),)
            return replace(state, accepted=accepted), ()
        case Refused() if event.party == state.party:
            return state, (RaiseComplaint("receipt", event.party, "refused", "accepted"),)
        case _:
            return state, ()


def _refused(state: State, event: RefusedBy) -> Step:
    match state:
        case InRoster() | Counted() | Removed():
            return state, (RaiseComplaint("receipt", event.party, "accepted", "refused"),)
        case Stored() | Receipted() | WithdrawalAsked() | Refused() if event.party in accepted_by(state):
            return state, (RaiseComplaint("receipt", event.party, "accepted", "refused"),)
        case Stored() | Receipted() | WithdrawalAsked():
            return _end(Refused(state.subject, event.party, event.reason, accepted_by(state)), News.REFUSED)
        case _:
            return state, ()


def _superseded(state: State, event: LaterAccepted) -> Step:
    if event.sequence <= state.subject.sequence:
        raise IllegalTransition(state, event, "its sequence is not a later one")
    match state:
        case Stored() | Receipted() | WithdrawalAsked():
            return _end(Superseded(state.subject, event.submission), News.SUPERSEDED)
        case InRoster() | Counted() | Removed():
            own = state.subject.submission
            return state, (RaiseComplaint("roster", None, event.submission, own),)
        case _:
            return state, ()


def _withdrawal(state: State, event: WithdrawalStored) -> Step:
    if event.sequence < state.subject.sequence:
        return state, ()
    match state:
        case Stored() | Receipted():
            return WithdrawalAsked(state.subject, accepted_by(state)), ()
        case InRoster() | Counted() | Removed():
            raise IllegalTransition(state, event, "withdrawal ended when the roster was signed")
        case _:
            return state, ()


def _withdrawal_known(state: State, event: WithdrawalKnown) -> Step:
    match state:
        case WithdrawalAsked():
            known_to = state.known_to | {event.party}
            is_news = known_to != state.known_to and len(known_to) == state.subject.parties
            news = (TellMember(News.WITHDRAWAL_KNOWN_TO_ALL),) if is_news else ()
            return replace(state, known_to=known_to), news
        case Stored() | Receipted():
            raise IllegalTransition(state, event, "the member has not withdrawn it", early=True)
        case InRoster() | Counted() | Removed():
            return state, (RaiseComplaint("roster", event.party, "withdrawn", "in the roster"),)
        case _:
            return state, ()


def _roster(state: State, event: RosterFrozen) -> Step:
    match state:
        case Stored() | Receipted() | WithdrawalAsked():
            if event.left_out is None:
                return _enter_roster(state, event.roster)
            return _stay_outside(state, event.left_out)
        case InRoster() | Counted() | Removed():
            if event.roster == state.roster and event.left_out is None:
                return state, ()
            return state, (RaiseComplaint("roster", None, state.roster, event.roster),)
        case Refused() | Superseded() | Withdrawn() | LeftOut():
            if event.left_out is None:
                return state, (RaiseComplaint("roster", None, state.name, "in the roster"),)
            return state, ()


def _enter_roster(state: Stored | Receipted | WithdrawalAsked, roster: bytes) -> Step:
    news: tuple[Command, ...] = ()
    if isinstance(state, WithdrawalAsked):
        broken = sorted(state.known_to)
        news = tuple(RaiseComplaint("roster", party, "withdrawn", "in the roster") for party in broken)
        news = (*news, TellMember(News.WITHDRAWAL_TOO_LATE)) if not broken else news
    accepted = accepted_by(state)
    if len(accepted) == state.subject.parties:
        return Counted(state.subject, roster), (*news, TellMember(News.COUNTED))
    return InRoster(state.subject, accepted, roster), news


def _stay_outside(state: Stored | Receipted | WithdrawalAsked, why: WhyLeftOut) -> Step:
    if why is WhyLeftOut.WITHDRAWN or isinstance(state, WithdrawalAsked):
        return _end(Withdrawn(state.subject), News.WITHDRAWN)
    if why is WhyLeftOut.SUPERSEDED:
        return _end(Superseded(state.subject, None), News.SUPERSEDED)
    left_out, commands = _end(LeftOut(state.subject, why), News.LEFT_OUT)
    if why is WhyLeftOut.NOT_ACCEPTED_BY_ALL and len(accepted_by(state)) == state.subject.parties:
        commands = (*commands, RaiseComplaint("roster", None, "in the roster", "accepted by all, left out"))
    return left_out, commands


def _end(state: Refused | Superseded | Withdrawn | LeftOut | Removed, news: News) -> Step:
    return state, (TellMember(news), DestroyShares(state.subject.submission))


def _checked(state: State, event: InputsChecked) -> Step:
    match state:
        case Stored() | Receipted() | WithdrawalAsked():
            raise IllegalTransition(state, event, "the roster is not signed", early=True)
        case InRoster() | Counted() if event.fault is None:
            return replace(state, checked=state.checked or event.checked), ()
        case InRoster() | Counted() if event.fault is not None and state.checked is None:
            return _end(Removed(state.subject, state.roster, event.fault), News.REMOVED)
        case Removed() if event.fault == state.fault:
            return state, ()
        case Refused() | Superseded() | Withdrawn() | LeftOut() if event.fault is None:
            return state, ()
        case _:
            return state, (RaiseComplaint("checked_roster", None, state.name, event.fault or "no fault"),)


def _study_ended(state: State, event: StudyEnded) -> Step:
    match state:
        case WithdrawalAsked():
            return _end(Withdrawn(state.subject), News.WITHDRAWN)
        case Stored() | Receipted() | InRoster():
            return _end(LeftOut(state.subject, event.how), News.LEFT_OUT)
        case _:
            return state, ()
