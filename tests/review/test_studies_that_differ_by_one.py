"""What a steward could word into a study: cells that differ by one member, a roster that can never be agreed on."""

from __future__ import annotations

import pytest

from mpc_cde.documents.study_terms import FunctionTerms, GroupTerms
from parties.study_limits import MAX_ROSTER_CAP, unsupported
from tests.mpc_cde.client.paper import PaperCommunity

SIZE = GroupTerms(attribute="size", label="Size", values=("small", "large"))
PLACE = GroupTerms(attribute="place", label="Place", values=("here", "there"))


@pytest.mark.parametrize("second", ["sum@1", "count@1", "mean@1"])
def test_groups_by_two_attributes_of_one_figure_are_not_approved(second: str) -> None:
    terms = PaperCommunity().study.terms
    grid = "10" if second == "mean@1" else None
    functions = (
        FunctionTerms(function="sum@1", figures=("sales",), by="size"),
        FunctionTerms(function=second, figures=("sales",), by="place", grid=grid),
    )
    overlapping = terms.model_copy(update={"groups": (SIZE, PLACE), "functions": functions})
    assert [fault for fault in unsupported(overlapping) if "groups by place and size overlap" in fault]
    apart = (functions[0], functions[1].model_copy(update={"figures": ("margin",)}))
    assert not [f for f in unsupported(overlapping.model_copy(update={"functions": apart})) if "overlap" in f]


def test_a_roster_cap_beyond_what_a_list_carries_is_not_approved() -> None:
    terms = PaperCommunity().study.terms.model_copy(update={"roster_cap": MAX_ROSTER_CAP})
    assert unsupported(terms) == []
    assert unsupported(terms.model_copy(update={"roster_cap": MAX_ROSTER_CAP + 1}))
