"""What a study does otherwise than the one before it; nothing of the terms may change unseen."""

from __future__ import annotations

from typing import Any

import pytest

from mpc_cde.documents.disclosure_bundle import DisclosureBundle
from mpc_cde.documents.study_differences import SAME_COMMUNITY_EACH_TIME, Difference, differences
from mpc_cde.documents.study_terms import Budget, Eligibility, FunctionTerms, GroupTerms, StudyTerms
from tests.mpc_cde.client.paper import paper_terms

TERMS = paper_terms(b"c" * 32)
CHANGES: dict[str, Any] = {
    "title": "Another title",
    "purpose": "Another purpose",
    "consent": "Another consent",
    "language": "nl",
    "figures": TERMS.figures[:-1],
    "groups": (*TERMS.groups, GroupTerms(attribute="legal_form", label="Legal form", values=("one", "two"))),
    "roster_cap": TERMS.roster_cap + 1,
    "functions": TERMS.functions[:-1],
    "disclosure": DisclosureBundle(minimum_contributors=6),
    "engine": "verified",
    "budget": Budget(queries=TERMS.budget.queries + 1),
    "retention_days": TERMS.retention_days + 1,
    "eligibility": (Eligibility(attribute="size", values=("small",)),),
    "eligible_list": b"e" * 32,
}


def test_the_same_terms_differ_in_nothing() -> None:
    assert differences(TERMS, TERMS) == ()


def test_every_field_of_the_terms_is_changed_below() -> None:
    assert set(CHANGES) | SAME_COMMUNITY_EACH_TIME | {"type"} == set(StudyTerms.model_fields)


@pytest.mark.parametrize("field", CHANGES)
def test_no_field_changes_unseen(field: str) -> None:
    changed = TERMS.model_copy(update={field: CHANGES[field]})
    assert differences(TERMS, changed)
    assert differences(changed, TERMS)


def test_every_part_of_a_figure_that_changes_is_named() -> None:
    figure = TERMS.figures[0]
    changed = figure.model_copy(update={"label": "New label", "blank_allowed": not figure.blank_allowed})
    found = differences(TERMS, TERMS.model_copy(update={"figures": (changed, *TERMS.figures[1:])}))
    assert set(found) == {
        Difference("figure", figure.name, "label", figure.label, "New label"),
        Difference("figure", figure.name, "blank_allowed", figure.blank_allowed, not figure.blank_allowed),
    }


def test_a_wider_range_is_told_by_its_largest_figure_and_other_digits_by_their_radices() -> None:
    figure = TERMS.figures[0]
    for radices, told in (((20, 10, 10, 10), ("maximum", "9994", "19994")), ((5, 20, 10, 10), None)):
        changed = figure.model_copy(update={"radices": radices})
        (found,) = differences(TERMS, TERMS.model_copy(update={"figures": (changed, *TERMS.figures[1:])}))
        assert (found.field, found.before, found.after) == (
            told or ("radices", list(figure.radices), list(radices))
        )


def test_a_function_for_another_audience_is_the_same_function() -> None:
    function = TERMS.functions[0].model_copy(update={"audience": "public"})
    found = differences(TERMS, TERMS.model_copy(update={"functions": (function, *TERMS.functions[1:])}))
    assert [(one.kind, one.name, one.field) for one in found] == [("function", function.function, "audience")]


def test_a_new_function_and_one_that_is_gone_are_two_differences() -> None:
    other = FunctionTerms(function="sum@1", figures=("another",), audience="public")
    found = differences(TERMS, TERMS.model_copy(update={"functions": (*TERMS.functions[1:], other)}))
    assert [one.before is None for one in found] == [True, False]


def test_another_order_of_figures_or_functions_is_told() -> None:
    for field in ("figures", "functions"):
        turned = tuple(reversed(getattr(TERMS, field)))
        assert [one.field for one in differences(TERMS, TERMS.model_copy(update={field: turned}))] == [
            "order"
        ]


def test_rules_are_named_one_by_one() -> None:
    bundle = TERMS.disclosure.model_copy(update={"minimum_contributors": 3, "complementary": True})
    found = differences(TERMS, TERMS.model_copy(update={"disclosure": bundle}))
    assert {one.name for one in found} == {"disclosure.minimum_contributors", "disclosure.complementary"}
