"""What this organisation consents to. The default is no.

A query inside an approved study needs no human: the policy answers with a decision that names the rule. All
of it is a pure function of signed documents, the party's own settings, its ledger and the time; a requester
can make it stricter, never looser.
"""

from __future__ import annotations

from dataclasses import dataclass

from mpc_cde.documents.canonical import short_text_of
from mpc_cde.documents.membership import Membership
from mpc_cde.documents.query import Query, function_of
from mpc_cde.documents.researcher import Researcher
from mpc_cde.documents.study_terms import FunctionTerms, StudyTerms
from mpc_cde.encodings import encoding_of
from parties.release_ledger import Ledger
from protocols import catalog
from protocols.errors import OutOfRange
from protocols.plans import verify_plan

ENFORCED_FUNCTIONS = frozenset({"count@1", "sum@1", "percentiles@1", "mean@1"})
"""Functions whose every rule this node enforces, also against what it has released before."""

SUPPORTED_AUDIENCES = frozenset({"public", "contributors", "researchers"})
MAX_ATTEMPTS = 3
MAX_ROSTER_CAP = 1 << 18
"""A roster list, and the entries that go to the gateway with a roster, hold so many rows and hardly more."""


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
    """What the decision rests on. `asker` is the verified document that the query names, None if unknown."""

    query: Query
    query_digest: bytes
    terms: StudyTerms
    terms_digest: bytes
    checked_roster: bytes | None
    asker: Researcher | Membership | None
    asker_revoked: bool
    asker_contributed: bool
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
    bundle = context.terms.disclosure
    if (
        bundle.minimum_contributors < policy.minimum_contributors
        or bundle.minimum_contributors_group < policy.minimum_contributors_group
    ):
        return _no("own_minimum", "this party asks for more contributors than the study does")
    return None


def _about_the_items(policy: PartyPolicy, context: QueryContext) -> Verdict | None:
    for item in context.query.items:
        function = function_of(item, context.terms)
        if function is None:
            return _no("not_in_study", f"{item.function} of these figures is not in the study")
        if function.audience not in SUPPORTED_AUDIENCES:
            return _no("audience", f"this version cannot answer for audience {function.audience}")
        try:
            catalog.check_parameters(item.function, item.parameters)
        except OutOfRange as error:
            return _no("parameters", short_text_of(str(error)))
        asker = context.asker
        if isinstance(asker, Researcher):
            if not asker.may_ask(item.function, context.terms_digest):
                return _no("asker_not_allowed", f"the asker may not ask for {item.function} here")
        elif function.audience == "researchers" or not context.asker_contributed:
            return _no("asker_not_allowed", "a member may ask for what contributors get, if it contributed")
    return None


def _about_the_ledger(policy: PartyPolicy, context: QueryContext) -> Verdict | None:
    ledger = context.ledger
    if context.checked_roster is not None and ledger.other_roster(context.checked_roster):
        return _no("second_roster", "something of this study was begun on another roster")
    if ledger.attempts(context.query_digest) >= MAX_ATTEMPTS:
        return _no("attempts", f"the query was attempted {MAX_ATTEMPTS} times")
    known = any(entry.query == context.query_digest for entry in ledger.entries)
    if not known and ledger.queries >= context.terms.budget.queries:
        return _no("budget", f"the study's budget of {context.terms.budget.queries} queries is used up")
    return None


def unsupported(terms: StudyTerms) -> list[str]:
    """What a study asks for that this version cannot enforce or compute: a node refuses to approve it.

    Each entry is one sentence for the operator and the steward.
    """
    faults = []
    for function in terms.functions:
        faults += _unsupported_function(terms, function)
        if function.audience not in SUPPORTED_AUDIENCES:
            faults.append(f"{function.function}: audience {function.audience} is not supported")
        if function.by is not None and terms.group(function.by) is None:
            faults.append(
                f"{function.function}: groups by a secret category ({function.by}) are not supported"
            )
        if (
            function.grid is not None
            or function.edges
            or function.epsilon is not None
            or function.delta is not None
        ):
            faults.append(f"{function.function}: grid, edges, epsilon and delta are not supported")
        if function.scheduled:
            faults.append(f"{function.function}: scheduled release is not supported")
        for name in function.figures:
            figure = terms.figure(name)
            if function.function != "count@1" and figure is not None and figure.kind == "category":
                faults.append(f"{function.function}: {name} is a category, whose symbols are no amounts")
    faults += _unsupported_rules(terms)
    faults += _overlapping_groups(terms)
    faults += _unbounded(terms)
    if terms.roster_cap > MAX_ROSTER_CAP:
        faults.append(f"a roster of more than {MAX_ROSTER_CAP} cannot be agreed on by this version")
    return faults


def _overlapping_groups(terms: StudyTerms) -> list[str]:
    """Two partitions of one figure's contributors: cells of one and of the other may differ by a single member."""
    faults = []
    for figure in terms.figures:
        attributes = {f.by for f in terms.functions if f.by is not None and figure.name in f.figures}
        if len(attributes) > 1:
            listed = " and ".join(sorted(attributes))
            faults.append(f"{figure.name}: groups by {listed} overlap, and differences of cells show members")
    return faults


def _unsupported_function(terms: StudyTerms, function: FunctionTerms) -> list[str]:
    name = function.function
    try:
        specification = catalog.specification(name)
        if name not in ENFORCED_FUNCTIONS:
            return [f"{name}: this version cannot enforce its rules against earlier releases"]
        if len(function.figures) != specification.figures:
            return [
                f"{name}: takes {specification.figures} figure(s), the study names {len(function.figures)}"
            ]
        catalog.check_parameters(name, function.parameters)
        figures = [f for each in function.figures if (f := terms.figure(each)) is not None]
        encodings = [encoding_of(figure, allow_exact=terms.disclosure.allow_exact) for figure in figures]
        verify_plan(name, encodings, function.parameters, terms.roster_cap)
    except OutOfRange as error:
        return [f"{name}: {error}"]
    return []


def _unsupported_rules(terms: StudyTerms) -> list[str]:
    bundle = terms.disclosure
    asked = {
        "dominance": bundle.dominance is not None,
        "p_percent": bundle.p_percent is not None,
        "complementary withholding": bundle.complementary,
        "waivers": bundle.waivers,
        "reciprocity": bundle.reciprocity,
        "minimum age of the data": bundle.minimum_age_months > 0,
        "a higher minimum for negative figures": bundle.minimum_contributors_negative is not None,
        "the verified engine": terms.engine == "verified",
        "a privacy budget": terms.budget.epsilon is not None or terms.budget.delta is not None,
        "an eligible list": terms.eligible_list is not None,
    }
    faults = [f"rule not supported by this version: {name}" for name, wanted in asked.items() if wanted]
    for figure in terms.figures:
        if figure.tier == "private":
            faults.append(f"{figure.name}: private figures are not supported by this version")
        if figure.derived is not None:
            faults.append(f"{figure.name}: derived figures are not supported by this version")
    return faults


def _unbounded(terms: StudyTerms) -> list[str]:
    """Public bounds of compared numbers and of totals must stay below 2^60."""
    try:
        bounds = terms.compared_bounds()
    except ValueError as error:
        return [str(error)]
    bounds.update(
        {f"total of {figure.name}": (figure.capacity + 1) * terms.roster_cap for figure in terms.figures}
    )
    return [
        f"{name} may reach 2^60 or more; lower the roster cap or the range"
        for name, bound in bounds.items()
        if bound >= 1 << 60
    ]
