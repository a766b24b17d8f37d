"""Studies whose releases could be set against each other are refused as a whole, each in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpc_cde.demo.material import DATA
from mpc_cde.documents.disclosure_bundle import DisclosureBundle, Dominance
from mpc_cde.documents.figure import Figure, Formula
from mpc_cde.documents.study_terms import FunctionTerms, GroupTerms, StudyTerms
from mpc_cde.study_templates import read_template
from mpc_cde.study_templates.proposal import study_from_template
from parties.release_tables import tables_of
from parties.study_limits import MAX_ROSTER_CAP, unsupported


def number(name: str, *, blank: bool = False, derived: Formula | None = None, minimum: str = "0") -> Figure:
    return Figure(
        name=name,
        label=name,
        minimum=minimum,
        step="1",
        radices=(10, 10, 10),
        publish_step="10",
        blank_allowed=blank,
        derived=derived,
    )


FIGURES = (
    number("x"),
    number("y"),
    number("loss", minimum="-100"),
    number("optional", blank=True),
    number("difference", derived=Formula(operation="difference", operands=("x", "loss"))),
    number("per_x", derived=Formula(operation="ratio", operands=("y", "x"))),
    Figure(name="kind", label="Kind", kind="category", categories=("a", "b"), radices=(2,)),
)


def terms_with(*functions: FunctionTerms, bundle: DisclosureBundle | None = None) -> StudyTerms:
    return StudyTerms(
        community=bytes(32),
        title="Study",
        purpose="To be looked at.",
        consent="Yes.",
        figures=FIGURES,
        groups=(
            GroupTerms(attribute="size", label="Size", values=("small", "large")),
            GroupTerms(attribute="place", label="Place", values=("here", "there")),
        ),
        roster_cap=1000,
        functions=functions,
        disclosure=bundle or DisclosureBundle(complementary=True),
    )


def of(function: str, *figures: str, **more: object) -> FunctionTerms:
    if function == "ratio_of_totals@1":
        more = {"grid": "0.1", "parameters": {"maximum": "10"}, **more}
    if function == "correlation@1":
        more = {"parameters": {"places": 3}, **more}
    return FunctionTerms.model_validate({"function": function, "figures": figures, **more})


def percentiles(figure: str, *quantiles: str, linear: bool = False, by: str | None = None) -> FunctionTerms:
    name = "percentiles_linear@1" if linear else "percentiles@1"
    return of(name, figure, parameters={"quantiles": quantiles}, by=by)


APPROVED: dict[str, tuple[FunctionTerms, ...]] = {
    "every function of one figure": (
        of("count@1", "x"),
        of("sum@1", "x"),
        of("mean@1", "x", grid="10"),
        of("variance@1", "x", grid="10"),
        of("standard_deviation@1", "x", grid="0.5"),
        percentiles("x", "1/4", "1/2"),
        percentiles("y", "1/2", linear=True),
        of("own_rank@1", "x", audience="self"),
        of("histogram@1", "loss", edges=("-55", "45")),
    ),
    "two figures that everybody gives": (
        of("ratio_of_totals@1", "x", "y"),
        of("correlation@1", "x", "y", by="size"),
        of("sum@1", "x", by="size"),
        of("sum@1", "y"),
    ),
    "groups by a secret category": (of("sum@1", "x"), of("sum@1", "x", by="kind"), of("count@1", "kind")),
    "figures that nothing links by different groups": (
        of("sum@1", "x", by="size"),
        of("sum@1", "loss", by="place"),
        of("sum@1", "per_x", by="kind"),
    ),
    "percentiles of groups among those of all": (
        percentiles("x", "1/4", "1/2", "3/4"),
        percentiles("x", "1/2", by="size"),
        percentiles("x", "1/4", by="size"),
    ),
    "a figure that may be blank, always with the same": (
        of("sum@1", "optional"),
        of("ratio_of_totals@1", "optional", "y"),
    ),
}


@pytest.mark.parametrize("named", APPROVED)
def test_what_cannot_be_set_against_each_other_is_approved(named: str) -> None:
    assert unsupported(terms_with(*APPROVED[named])) == []


AGAINST_EACH_OTHER: dict[str, tuple[str, tuple[FunctionTerms, ...]]] = {
    "two certified attributes": ("overlap", (of("sum@1", "x", by="size"), of("sum@1", "x", by="place"))),
    "an attribute and a secret category": (
        "overlap",
        (of("sum@1", "x", by="size"), of("count@1", "x", by="kind")),
    ),
    "two partitions of figures that a ratio links": (
        "overlap",
        (of("sum@1", "x", by="size"), of("sum@1", "y", by="place"), of("ratio_of_totals@1", "x", "y")),
    ),
    "two partitions of figures that a difference links": (
        "overlap",
        (of("sum@1", "x", by="size"), of("sum@1", "loss", by="size"), of("sum@1", "difference", by="place")),
    ),
    "all that gave one, and those of them that gave both": (
        "different contributors",
        (of("sum@1", "y"), of("ratio_of_totals@1", "optional", "y")),
    ),
    "the same with a correlation in groups": (
        "different contributors",
        (of("variance@1", "y", grid="1", by="size"), of("correlation@1", "y", "optional", by="size")),
    ),
    "histograms with different edges": (
        "different edges",
        (of("histogram@1", "x", edges=("95",)), of("histogram@1", "x", edges=("105",), by="size")),
    ),
    "a histogram and percentiles": (
        "an edge and a percentile",
        (of("histogram@1", "x", edges=("95",)), percentiles("x", "1/2", by="size")),
    ),
    "other percentiles in groups": (
        "stand too close",
        (percentiles("x", "1/4", "1/2"), percentiles("x", "1/3", by="size")),
    ),
    "another definition of percentiles in groups": (
        "stand too close",
        (percentiles("x", "1/2"), percentiles("x", "1/2", linear=True, by="size")),
    ),
}


@pytest.mark.parametrize("named", AGAINST_EACH_OTHER)
def test_a_study_whose_releases_differ_by_few_members_is_refused(named: str) -> None:
    said, functions = AGAINST_EACH_OTHER[named]
    faults = unsupported(terms_with(*functions))
    assert [fault for fault in faults if said in fault]
    for left_out in range(len(functions)):
        fewer = functions[:left_out] + functions[left_out + 1 :]
        assert not [fault for fault in unsupported(terms_with(*fewer)) if said in fault]


def test_a_whole_beside_its_groups_needs_complementary_withholding() -> None:
    whole, parts = of("sum@1", "x"), of("count@1", "x", by="size")
    without = DisclosureBundle()
    (fault,) = unsupported(terms_with(whole, parts, bundle=without))
    assert "asked of all members and of groups, so that a withheld group falls out by subtraction" in fault
    assert unsupported(terms_with(whole, bundle=without)) == []
    linked = (of("sum@1", "y", by="size"), of("ratio_of_totals@1", "x", "y"))
    assert [f for f in unsupported(terms_with(*linked, bundle=without)) if "subtraction" in f]


def test_groups_whose_contributors_add_up_to_the_roster_need_complementary_withholding() -> None:
    """The number of rows is public: what the other groups leave of it is how many a withheld group has."""
    without = DisclosureBundle()
    for function in (of("sum@1", "x", by="size"), of("count@1", "x", by="kind")):
        (fault,) = unsupported(terms_with(function, bundle=without))
        assert "everybody reads the number of all, so that a withheld group falls out" in fault
        assert unsupported(terms_with(function)) == []
    assert unsupported(terms_with(of("sum@1", "optional", by="size"), bundle=without)) == []


def test_concentration_of_figures_that_may_be_negative_asks_for_more_contributors_instead() -> None:
    functions = (of("sum@1", "loss"), of("sum@1", "x"))
    ruled = DisclosureBundle(dominance=Dominance(contributors=1, percent=25))
    assert [f for f in unsupported(terms_with(*functions, bundle=ruled)) if "loss" in f]
    higher = ruled.model_copy(update={"minimum_contributors_negative": 20})
    assert unsupported(terms_with(*functions, bundle=higher)) == []
    assert higher.minimum_for(group=False, negative=True) == 20
    assert higher.minimum_for(group=True, negative=False) == 8


def test_every_figure_is_in_one_table_with_all_that_it_is_linked_to() -> None:
    functions = (
        of("sum@1", "x", by="size"),
        of("ratio_of_totals@1", "x", "y"),
        of("sum@1", "difference"),
        of("sum@1", "loss"),
        of("sum@1", "per_x"),
        of("count@1", "kind"),
    )
    tables = {table.figures: table for table in tables_of(terms_with(*functions))}
    assert set(tables) == {("x", "y", "loss", "difference"), ("per_x",), ("kind",)}
    linked = tables["x", "y", "loss", "difference"]
    assert linked.combinations == (("x",), ("x", "y"), ("difference",), ("loss",))
    assert linked.partitions == ("size",)
    assert linked.is_subtractable
    assert not tables["kind",].is_subtractable
    fewer = tables_of(terms_with(*functions[:3], *functions[4:]))
    assert ("difference",) in {table.figures for table in fewer}, (
        "without a term nothing falls out of the sum"
    )


@pytest.mark.parametrize("template", sorted(DATA.glob("*.toml")), ids=lambda path: path.stem)
def test_studies_in_the_wheel_are_approved(template: Path) -> None:
    study = study_from_template(
        read_template(template),
        community=bytes(32),
        steward="steward",
        opens="2026-01-01T00:00:00Z",
        closes="2026-02-01T00:00:00Z",
    )
    assert unsupported(study.terms) == []


def test_a_rule_about_concentration_that_cannot_be_tested_is_not_promised() -> None:
    bundle = DisclosureBundle(dominance=Dominance(contributors=1, percent=60))
    terms = terms_with(of("sum@1", "x"), bundle=bundle)
    assert unsupported(terms) == []
    between = terms.figures[0].model_copy(update={"minimum": "0.5"})
    found = unsupported(terms.model_copy(update={"figures": (between, *terms.figures[1:])}))
    assert found == ["x: rules about concentration need a minimum that is a whole number of steps"]


def test_a_roster_may_be_as_long_as_this_version_can_answer_for_and_no_longer() -> None:
    terms = terms_with(of("count@1", "x"))
    assert unsupported(terms.model_copy(update={"roster_cap": MAX_ROSTER_CAP})) == []
    assert unsupported(terms.model_copy(update={"roster_cap": MAX_ROSTER_CAP + 1})) != []
