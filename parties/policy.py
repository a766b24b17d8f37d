"""What this organisation consents to. The default is no.

A query inside an approved study needs no human: the policy answers with a decision that names the rule. All
of it is a pure function of signed documents, the party's own settings, its ledger and the time; a requester
can make it stricter, never looser.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mpc_cde.documents.canonical import short_text_of
from mpc_cde.documents.membership import Membership
from mpc_cde.documents.query import Query, QueryItem, function_of
from mpc_cde.documents.researcher import Researcher
from mpc_cde.documents.roster import RosterEntry
from mpc_cde.documents.study_terms import StudyTerms
from mpc_cde.sealing import is_sealing_key
from parties.release_ledger import Ledger
from parties.study_limits import unsupported

MAX_ATTEMPTS = 3
MAX_OWN_QUERIES = 3
"""Of one member about one cell of its own. On one roster the answer is always the same: more are only work."""


@dataclass(frozen=True, slots=True)
class PartyPolicy:
    """This organisation's own rules, from its settings; each can only be stricter than the study's."""

    minimum_contributors: int = 5
    minimum_contributors_group: int = 8


@dataclass(frozen=True, slots=True)
class Verdict:
    """Yes or no, by which rule, in words for the asker."""

    agrees: bool
    rule: str
    explanation: str


@dataclass(frozen=True, slots=True)
class QueryContext:
    """What the decision rests on. `asker` is the verified document that the query names, None if unknown.

    `contribution` is the asking member's row of the checked roster, if it has one. `agreed` are the queries about
    the study that this party has said yes to, each with the member that asked, if one did.
    """

    query: Query
    query_digest: bytes
    terms: StudyTerms
    terms_digest: bytes
    checked_roster: bytes | None
    asker: Researcher | Membership | None
    asker_revoked: bool
    contribution: RosterEntry | None
    agreed: Sequence[tuple[Query, bytes | None]]
    ledger: Ledger
    now: str


def decide(policy: PartyPolicy, context: QueryContext) -> Verdict:
    """This party's answer to a query; the first rule that says no gives the reason."""
    for rule in (_about_the_asker, _about_the_study, _about_the_items, _about_the_ledger):
        refusal = rule(policy, context)
        if refusal is not None:
            return refusal
    return Verdict(True, "approved_study", "inside the study that this party approved")


def _no(rule: str, explanation: str) -> Verdict:
    return Verdict(False, rule, explanation)


def _about_the_asker(policy: PartyPolicy, context: QueryContext) -> Verdict | None:
    asker = context.asker
    if asker is None:
        return _no("asker_unknown", "nobody with this document is enrolled")
    if context.asker_revoked:
        return _no("asker_revoked", "the asker's keys were revoked")
    if not asker.is_valid_at(context.now):
        return _no("asker_not_valid", "the asker's enrolment is not valid now")
    if context.now >= context.query.expires:
        return _no("query_expired", "the query expired before this party decided")
    return None


def _about_the_study(policy: PartyPolicy, context: QueryContext) -> Verdict | None:
    if context.query.study_terms != context.terms_digest:
        return _no("another_study", "the query names another study")
    if context.checked_roster is None:
        return _no("inputs_not_checked", "the study's inputs are not checked yet")
    faults = unsupported(context.terms)
    if faults:  # approved by a version that thought otherwise
        return _no("not_enforceable", short_text_of(faults[0]))
    bundle = context.terms.disclosure
    if (
        bundle.minimum_contributors < policy.minimum_contributors
        or bundle.minimum_contributors_group < policy.minimum_contributors_group
    ):
        return _no("own_minimum", "this party asks for more contributors than the study does")
    return None


def _about_the_items(policy: PartyPolicy, context: QueryContext) -> Verdict | None:
    audiences = set()
    for item in context.query.items:
        function = function_of(item, context.terms)
        if function is None:
            return _no("not_in_study", f"{item.function} of these figures is not in the study")
        audiences.add(function.audience)
        asker = context.asker
        if function.audience == "self":
            refusal = _about_an_own_place(context, item)
            if refusal is not None:
                return refusal
        elif isinstance(asker, Researcher):
            if not asker.may_ask(item.function, context.terms_digest):
                return _no("asker_not_allowed", f"the asker may not ask for {item.function} here")
        elif function.audience == "researchers" or context.contribution is None:
            return _no("asker_not_allowed", "a member may ask for what contributors get, if it contributed")
    if "self" in audiences and len(audiences) > 1:
        return _no("mixed_audiences", "what is for the asker alone is asked for in a query of its own")
    return None


def _about_an_own_place(context: QueryContext, item: QueryItem) -> Verdict | None:
    """A member asks for its own place, in a group that it is of, and not over and over."""
    asker, own = context.asker, context.contribution
    if not isinstance(asker, Membership) or own is None:
        return _no("asker_not_allowed", "a place is told to a member that contributed, about itself")
    if item.group is not None and own.groups.get(item.group.attribute) != item.group.value:
        return _no("not_in_group", "the asker is not in the group that it asks about")
    if not is_sealing_key(asker.sealing_key):
        return _no("asker_key", "nothing can be sealed to the key in the asker's membership")
    before = [query for query, member in context.agreed if member == asker.member and item in query.items]
    if len(before) >= MAX_OWN_QUERIES:
        return _no("asked_before", f"the member has asked for this place {len(before)} times; it is the same")
    return None


def _about_the_ledger(policy: PartyPolicy, context: QueryContext) -> Verdict | None:
    ledger = context.ledger
    if context.checked_roster is not None and ledger.other_roster(context.checked_roster):
        return _no("second_roster", "something of this study was begun on another roster")
    if ledger.attempts(context.query_digest) >= MAX_ATTEMPTS:
        return _no("attempts", f"the query was attempted {MAX_ATTEMPTS} times")
    charged = [query for query, _ in context.agreed if not is_about_oneself(query, context.terms)]
    budget = context.terms.budget.queries
    if len(charged) >= budget and not is_about_oneself(context.query, context.terms):
        return _no("budget", f"the study's budget of {budget} queries is used up")
    return None


def is_about_oneself(query: Query, terms: StudyTerms) -> bool:
    """Whether it asks for places of the asker alone: it releases nothing to anybody else, and charges nobody."""
    functions = [function_of(item, terms) for item in query.items]
    return all(function is not None and function.audience == "self" for function in functions)
