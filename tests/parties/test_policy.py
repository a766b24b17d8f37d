"""What a node refuses to answer: each rule by itself, on a query to which nothing else can be objected."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mpc_cde.documents.membership import Membership
from mpc_cde.documents.query import GroupCell, Query, QueryItem
from mpc_cde.documents.researcher import Researcher
from mpc_cde.documents.study_terms import StudyTerms
from parties.policy import MAX_ATTEMPTS, MAX_OWN_QUERIES, PartyPolicy, QueryContext, decide
from parties.release_ledger import Ledger, LedgerEntry
from tests.mpc_cde.client.paper import PaperCommunity

NOW = "2026-06-01T12:00:00Z"
ROSTER = b"c" * 32
ENTRY = PaperCommunity().entry(1)


@pytest.fixture
def paper() -> PaperCommunity:
    return PaperCommunity()


@pytest.fixture
def context(paper: PaperCommunity) -> QueryContext:
    """Of a researcher who may ask everything of the study."""
    return QueryContext(
        query=paper.query(),
        query_digest=paper.query().digest(),
        terms=paper.study.terms,
        terms_digest=paper.study.terms_digest(),
        checked_roster=ROSTER,
        asker=paper.researcher(),
        asker_revoked=False,
        contribution=None,
        agreed=(),
        ledger=Ledger(()),
        now=NOW,
    )


def rule(context: QueryContext, policy: PartyPolicy | None = None) -> str:
    verdict = decide(policy or PartyPolicy(), context)
    assert verdict.agrees == (verdict.rule == "approved_study")
    return verdict.rule


def asking(context: QueryContext, *items: QueryItem) -> QueryContext:
    return replace(context, query=context.query.model_copy(update={"items": items}))


def with_terms(context: QueryContext, **changes: object) -> QueryContext:
    """The same question in a study that differs in these terms."""
    return replace(context, terms=StudyTerms.model_validate({**context.terms.model_dump(), **changes}))


def started(context: QueryContext, *, query: bytes, job: int, roster: bytes = ROSTER) -> LedgerEntry:
    item = context.query.items[0]
    return LedgerEntry(context.terms_digest, roster, query, bytes([job]) * 32, job, item, False)


def test_a_question_inside_the_study_is_answered(context: QueryContext) -> None:
    assert rule(context) == "approved_study"


def test_a_stranger_gets_no_answer(context: QueryContext) -> None:
    assert rule(replace(context, asker=None)) == "asker_unknown"


def test_a_thief_of_revoked_keys_gets_no_answer(context: QueryContext) -> None:
    assert rule(replace(context, asker_revoked=True)) == "asker_revoked"


@pytest.mark.parametrize("now", ["2025-12-31T23:59:59Z", "2028-01-01T00:00:00Z"])
def test_an_enrolment_counts_only_while_it_is_valid(context: QueryContext, now: str) -> None:
    query = context.query.model_copy(update={"expires": "2029-01-01T00:00:00Z"})
    assert rule(replace(context, query=query, now=now)) == "asker_not_valid"


def test_a_query_is_not_answered_from_its_expiry_on(context: QueryContext) -> None:
    expires = context.query.expires
    assert rule(replace(context, now=expires)) == "query_expired"
    assert rule(replace(context, now=expires.replace("12-01T00:00:00", "11-30T23:59:59"))) == "approved_study"


def test_a_query_about_another_study_is_not_answered_from_this_one(context: QueryContext) -> None:
    query = context.query.model_copy(update={"study_terms": bytes(32)})
    assert rule(replace(context, query=query)) == "another_study"


def test_nothing_is_answered_before_the_inputs_are_checked(context: QueryContext) -> None:
    assert rule(replace(context, checked_roster=None)) == "inputs_not_checked"


@pytest.mark.parametrize(
    ("policy", "said"), [((6, 8), False), ((5, 9), False), ((5, 8), True), ((2, 2), True)]
)
def test_a_party_that_asks_for_more_contributors_says_no(
    context: QueryContext, policy: tuple[int, int], said: bool
) -> None:
    assert rule(context, PartyPolicy(*policy)) == ("approved_study" if said else "own_minimum")


@pytest.mark.parametrize(
    "item",
    [
        QueryItem(function="mean@1", figures=("sales",), parameters={"grid": "10"}),
        QueryItem(function="sum@1", figures=("margin",)),
        QueryItem(function="sum@1", figures=("sales",), group=GroupCell(attribute="size", value="small")),
        QueryItem(function="sum@1", figures=("margin",), group=GroupCell(attribute="size", value="tiny")),
        QueryItem(function="percentiles@1", figures=("sales",), parameters={"quantiles": ("1/10",)}),
        QueryItem(function="count@1", figures=("profit",)),
    ],
)
def test_what_the_study_does_not_name_is_not_answered(context: QueryContext, item: QueryItem) -> None:
    assert rule(asking(context, context.query.items[0], item)) == "not_in_study"


def test_a_researcher_gets_only_the_functions_that_it_was_enrolled_for(context: QueryContext) -> None:
    assert isinstance(context.asker, Researcher)
    asker = context.asker.model_copy(update={"functions": ("count@1", "sum@1")})
    assert rule(replace(context, asker=asker)) == "asker_not_allowed"


def test_a_researcher_gets_only_the_studies_that_it_was_enrolled_for(context: QueryContext) -> None:
    assert isinstance(context.asker, Researcher)
    asker = context.asker.model_copy(update={"studies": (bytes(32),)})
    assert rule(replace(context, asker=asker)) == "asker_not_allowed"


def of_a_member(context: QueryContext, member: Membership, audience: str) -> QueryContext:
    functions = [{**f.model_dump(), "audience": audience} for f in context.terms.functions]
    return replace(with_terms(context, functions=tuple(functions)), asker=member, contribution=ENTRY)


def test_a_member_gets_what_is_for_contributors_if_it_contributed(
    context: QueryContext, paper: PaperCommunity
) -> None:
    asked = of_a_member(context, paper.membership(1), "contributors")
    assert rule(asked) == "approved_study"
    assert rule(replace(asked, contribution=None)) == "asker_not_allowed"


def test_a_researcher_may_ask_at_once_for_what_different_people_read(context: QueryContext) -> None:
    functions = [f.model_dump() for f in context.terms.functions]
    audiences = ("public", "contributors", "researchers", "researchers")
    mixed = [{**f, "audience": audience} for f, audience in zip(functions, audiences, strict=True)]
    assert rule(with_terms(context, functions=tuple(mixed))) == "approved_study"


def test_a_member_gets_nothing_that_is_for_researchers_alone(
    context: QueryContext, paper: PaperCommunity
) -> None:
    assert rule(of_a_member(context, paper.membership(1), "researchers")) == "asker_not_allowed"


def test_a_second_roster_of_the_study_is_not_answered(context: QueryContext) -> None:
    begun = started(context, query=bytes(32), job=1, roster=b"d" * 32)
    assert rule(replace(context, ledger=Ledger((begun,)))) == "second_roster"


def test_a_query_is_attempted_so_often_and_no_more(context: QueryContext) -> None:
    jobs = [started(context, query=context.query_digest, job=job) for job in range(1, MAX_ATTEMPTS + 1)]
    assert rule(replace(context, ledger=Ledger(tuple(jobs[:-1])))) == "approved_study"
    assert rule(replace(context, ledger=Ledger(tuple(jobs)))) == "attempts"


def another(context: QueryContext, number: int) -> Query:
    return context.query.model_copy(update={"nonce": bytes([number]) * 16})


def test_a_budget_that_is_used_up_answers_nothing_more(context: QueryContext) -> None:
    limited = with_terms(context, budget={**context.terms.budget.model_dump(), "queries": 2})
    one, two = ((another(context, number), None) for number in (1, 2))
    assert rule(replace(limited, agreed=(one,))) == "approved_study"
    assert rule(replace(limited, agreed=(one, two))) == "budget"


def of_oneself(context: QueryContext, paper: PaperCommunity, **changes: object) -> QueryContext:
    """Member 1 asks for its own place, among all or (group) among those of a size."""
    place = {"function": "own_rank@1", "figures": ("sales",), "audience": "self"}
    both = (place, {**place, "by": "size"})
    functions = tuple(f.model_dump() for f in context.terms.functions)
    asked = asking(context, QueryItem(function="own_rank@1", figures=("sales",)))
    bundle = {**context.terms.disclosure.model_dump(), "complementary": True}
    asked = with_terms(asked, functions=(*functions, *both), disclosure=bundle)
    return replace(asked, **{"asker": paper.membership(1), "contribution": ENTRY, **changes})


def in_group(context: QueryContext, value: str) -> QueryContext:
    group = GroupCell(attribute="size", value=value)
    return asking(context, QueryItem(function="own_rank@1", figures=("sales",), group=group))


def test_a_member_gets_its_own_place_and_nobody_elses(context: QueryContext, paper: PaperCommunity) -> None:
    own = of_oneself(context, paper)
    assert rule(own) == "approved_study"
    assert rule(replace(own, contribution=None)) == "asker_not_allowed"
    assert rule(replace(own, asker=paper.researcher())) == "asker_not_allowed"
    assert rule(in_group(own, "small")) == "approved_study"
    assert rule(in_group(own, "large")) == "not_in_group"


def test_a_place_is_sealed_to_a_key_that_is_one(context: QueryContext, paper: PaperCommunity) -> None:
    key = paper.membership(1).sealing_key
    unusable = key.model_copy(update={"key": b"\xff" * len(key.key)})
    broken = paper.membership(1).model_copy(update={"sealing_key": unusable})
    assert rule(of_oneself(context, paper, asker=broken)) == "asker_key"


def test_a_place_is_told_so_often_and_no_more(context: QueryContext, paper: PaperCommunity) -> None:
    own = of_oneself(context, paper)
    asked = [(another(own, number), paper.membership(1).member) for number in range(MAX_OWN_QUERIES)]
    others = [(query, paper.membership(2).member) for query, _ in asked]
    assert rule(replace(own, agreed=tuple(asked[:-1]))) == "approved_study"
    assert rule(replace(own, agreed=(*asked[:-1], *others))) == "approved_study"
    assert rule(replace(own, agreed=tuple(asked))) == "asked_before"


def test_questions_about_oneself_use_up_no_budget(context: QueryContext, paper: PaperCommunity) -> None:
    own = of_oneself(context, paper)
    limited = with_terms(own, budget={**context.terms.budget.model_dump(), "queries": 1})
    released = (another(context, 1), None)
    assert rule(replace(limited, agreed=(released,))) == "approved_study"
    places = tuple((another(own, number), paper.membership(2).member) for number in (2, 3))
    researcher = replace(limited, query=context.query, asker=paper.researcher(), contribution=None)
    assert rule(replace(researcher, agreed=places)) == "approved_study"
    assert rule(replace(researcher, agreed=(*places, released))) == "budget"


def test_what_is_for_the_asker_alone_is_not_mixed_with_what_is_for_others(
    context: QueryContext, paper: PaperCommunity
) -> None:
    own = of_oneself(context, paper)
    open_to_members = with_terms(
        own,
        functions=tuple(
            {**f.model_dump(), "audience": "self" if f.audience == "self" else "contributors"}
            for f in own.terms.functions
        ),
    )
    mixed = asking(open_to_members, *own.query.items, context.query.items[0])
    assert rule(mixed) == "mixed_audiences"


def test_a_study_approved_by_a_version_that_knew_less_is_not_answered(context: QueryContext) -> None:
    assert rule(with_terms(context, engine="verified")) == "not_enforceable"
