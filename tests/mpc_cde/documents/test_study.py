"""Studies: grids and radices fit exactly, names resolve, terms have a digest of their own."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mpc_cde.client.release_rules import items_of
from mpc_cde.documents.amendment import Amendment
from mpc_cde.documents.approval import Approval, Refusal
from mpc_cde.documents.canonical import decimal_text
from mpc_cde.documents.disclosure_bundle import DisclosureBundle
from mpc_cde.documents.figure import Figure, Formula
from mpc_cde.documents.query import GroupCell, QueryItem, function_of, scheduled_query_digest
from mpc_cde.documents.study import Presentation
from mpc_cde.documents.study_terms import FunctionTerms, StudyTerms, parse_quantile
from protocols.encoding import FigureEncoding
from tests.mpc_cde.documents.samples import (
    LATER,
    NOON,
    every_document,
    figure_growth,
    figure_sales,
    figure_trade,
    query,
    study,
    study_terms,
)


def changed(part: Any, **changes: Any) -> Any:
    fields = {name: getattr(part, name) for name in type(part).model_fields}
    return type(part)(**{**fields, **changes})


def test_capacity_half_and_maximum_follow_from_radices_and_steps() -> None:
    sales = figure_sales()
    assert sales.capacity + 1 == 16 * 16 * 8 * 1000
    assert sales.published_digits == 3
    assert sales.half == 500
    assert sales.largest == sales.capacity - 500
    growth = figure_growth()
    assert growth.half == 50
    assert str(growth.maximum) == "104.9"
    assert figure_trade().capacity == 2
    assert figure_trade().element_count == 2
    assert sales.element_count == 1 + 15 + 15 + 7 + 9 + 9 + 9


@pytest.mark.parametrize(
    "changes",
    [
        {"publish_step": "999"},
        {"publish_step": "500"},
        {"publish_step": "0"},
        {"publish_step": "-1000"},
        {"publish_step": None},
        {"step": "0"},
        {"step": "-1"},
        {"step": None},
        {"minimum": None},
        {"minimum": "0.0"},
        {"radices": ()},
        {"radices": (1, 10, 10, 10)},
        {"radices": (129, 10, 10, 10)},
        {"radices": (128,) * 9},
        {"radices": (64,) * 7 + (128, 128, 16), "publish_step": "16"},
        {"radices": (10, 10, 10), "publish_step": "1000", "step": "0.5"},
        {"categories": ("a", "b")},
        {"soft_minimum": "2", "soft_maximum": "1"},
        {"soft_minimum": "1500001"},
        {"kind": "text"},
        {"tier": "secret"},
    ],
)
def test_grid_that_does_not_fit_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        changed(figure_sales(), **changes)


def test_soft_bounds_may_be_alone_or_meet() -> None:
    assert changed(figure_sales(), soft_minimum="1500000").soft_minimum == "1500000"
    assert changed(figure_sales(), soft_minimum="3", soft_maximum=None).soft_minimum == "3"


def test_figure_may_be_negative_if_its_minimum_is() -> None:
    assert figure_growth().may_be_negative
    assert changed(figure_sales(), minimum="-0.5").may_be_negative
    for minimum in ("0", "0.5", "1"):
        assert not changed(figure_sales(), minimum=minimum).may_be_negative
    assert not figure_trade().may_be_negative


@pytest.mark.parametrize("operation", ["difference", "ratio", "growth"])
def test_formula_of_two_takes_no_third(operation: Any) -> None:
    assert Formula(operation=operation, operands=("a", "b"))
    with pytest.raises(ValidationError, match="two operands"):
        Formula(operation=operation, operands=("a", "b", "c"))
    assert Formula(operation="sum", operands=("a", "b", "c"))


@pytest.mark.parametrize("edges", [("2", "1"), ("1", "1"), ("1", "3", "2")])
def test_edges_that_do_not_ascend_are_refused(edges: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError, match="ascend"):
        FunctionTerms(function="histogram@1", figures=("annual_sales",), edges=edges)


def test_a_group_has_each_value_once() -> None:
    with pytest.raises(ValidationError):
        changed(study_terms().groups[0], values=("small", "large", "small"))


def test_publish_step_that_is_an_odd_multiple_is_refused() -> None:
    with pytest.raises(ValidationError, match="even"):
        changed(figure_sales(), radices=(10, 5, 3), publish_step="15")


@pytest.mark.parametrize(
    "changes",
    [
        {"radices": (4,)},
        {"radices": (3, 2)},
        {"categories": ("food", "food", "other")},
        {"minimum": "0"},
        {"rounds": True},
        {"derived": figure_growth().derived},
    ],
)
def test_category_is_one_digit_and_nothing_else(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        changed(figure_trade(), **changes)


@given(
    st.lists(st.integers(2, 12), min_size=1, max_size=6),
    st.integers(1, 6),
    st.sampled_from(["1", "0.01", "250"]),
)
def test_published_digits_are_found_exactly_where_the_radices_split(
    radices: list[int], kept: int, step: str
) -> None:
    kept = min(kept, len(radices))
    below = 1
    for radix in radices[kept:]:
        below *= radix
    publish_step = Fraction(step) * below
    fields: dict[str, Any] = {
        "name": "x",
        "label": "X",
        "minimum": "0",
        "step": step,
        "radices": tuple(radices),
        "publish_step": decimal_text(publish_step),
    }
    if below > 1 and below % 2:
        with pytest.raises(ValidationError):
            Figure(**fields)
        return
    figure = Figure(**fields)
    encoding = FigureEncoding.create(
        minimum="0",
        step=step,
        publish_step=fields["publish_step"],
        radices=radices,
        allow_exact=True,
        blank_allowed=True,
    )
    assert figure.published_digits == kept == encoding.published_digits
    assert (figure.half, figure.capacity + 1) == (encoding.half, encoding.size)
    assert (figure.largest, figure.element_count) == (encoding.maximum, encoding.element_count)
    assert figure.is_exact == (below == 1)
    assert figure.largest == Fraction(step) * (figure.capacity - figure.half)


def exact_figure() -> Figure:
    return Figure(name="x", label="X", minimum="0", step="1", radices=(4, 16), publish_step="1")


def test_exact_figures_need_allow_exact() -> None:
    terms = study_terms()
    figures = (*terms.figures, exact_figure())
    with pytest.raises(ValidationError, match="allow_exact"):
        changed(terms, figures=figures)
    assert (
        changed(terms, figures=figures, disclosure=DisclosureBundle(allow_exact=True)).figure("x").half == 0
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"figures": (*study_terms().figures, changed(figure_sales(), label="Sales again"))},
        {"figures": (figure_trade(),)},
        {"functions": (FunctionTerms(function="sum@1", figures=("profit",)),)},
        {"functions": (FunctionTerms(function="sum@1", figures=("annual_sales",), by="region"),)},
        {"functions": (FunctionTerms(function="sum@1", figures=("annual_sales",), by="growth"),)},
        {"functions": ()},
        {"groups": study_terms().groups * 2},
        {"groups": (*study_terms().groups, changed(study_terms().groups[0], attribute="annual_sales"))},
        {"roster_cap": 1},
        {"engine": "trusted"},
        {"retention_days": 0},
        {"language": "English"},
        {"type": "study/v1"},
    ],
)
def test_terms_whose_names_or_bounds_do_not_hold_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        changed(study_terms(), **changes)


def test_private_figure_is_for_oneself_only() -> None:
    figures = (changed(figure_sales(), tier="private"), figure_trade(), figure_growth())
    with pytest.raises(ValidationError, match="private"):
        changed(study_terms(), figures=figures)
    own = (FunctionTerms(function="own_rank@1", figures=("annual_sales",), audience="self"),)
    assert changed(study_terms(), figures=figures, functions=own).functions == own


def test_submission_of_a_study_stays_small() -> None:
    def with_last(radix: int) -> Any:
        radices = [(128,) * 8] * 64 + [(radix, 128, 128, 128)]
        figures = tuple(
            Figure(name=f"x{i}", label="X", minimum="0", step="1", radices=each, publish_step="128")
            for i, each in enumerate(radices)
        )
        functions = (FunctionTerms(function="sum@1", figures=("x1",)),)
        return changed(study_terms(), figures=figures, functions=functions)

    assert with_last(67).element_count == 1 << 16
    with pytest.raises(ValidationError, match="elements"):
        with_last(68)


@pytest.mark.parametrize(
    "changes",
    [
        {"minimum_contributors": 1},
        {"minimum_contributors_group": 4},
        {"minimum_contributors_negative": 4},
        {"minimum_contributors": 6, "minimum_contributors_group": 5},
        {"minimum_contributors": 5.0},
        {"allow_exact": 1},
    ],
)
def test_bundle_that_is_looser_than_it_says_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DisclosureBundle(**changes)


def test_bundle_has_the_minima_of_the_field() -> None:
    bundle = DisclosureBundle()
    assert (bundle.minimum_for(group=False), bundle.minimum_for(group=True)) == (5, 8)


def test_all_minima_of_a_bundle_may_be_the_same() -> None:
    same = {f"minimum_contributors{which}": 7 for which in ("", "_group", "_negative")}
    bundle = DisclosureBundle(**same)
    assert {bundle.minimum_for(group=g, negative=n) for g in (True, False) for n in (True, False)} == {7}


def test_terms_digest_ignores_the_presentation_and_nothing_else() -> None:
    before = study()
    presentation = Presentation(opens=NOON, closes=LATER)
    later = changed(before, presentation=presentation)
    assert later.terms_digest() == before.terms_digest()
    assert later.digest() != before.digest()
    stricter = changed(before, terms=changed(before.terms, retention_days=30))
    assert stricter.terms_digest() != before.terms_digest()
    assert before.terms_digest() not in (before.digest(), before.presentation.digest())


def test_terms_parse_from_their_own_bytes() -> None:
    assert StudyTerms.parse_payload(study_terms().payload_bytes()) == study_terms()


def test_study_may_not_close_before_it_opens() -> None:
    with pytest.raises(ValidationError):
        Presentation(opens=NOON, closes=NOON)


def test_amendment_moves_closing_only_later() -> None:
    before = study().presentation
    for closes, follows in (("2026-12-23T12:00:00Z", False), (before.closes, True), (LATER, True)):
        amendment = Amendment(
            study_terms=study().terms_digest(),
            previous=study().digest(),
            presentation=changed(before, closes=closes),
        )
        assert amendment.follows(before) is follows
    reopened = changed(before, opens="2026-11-25T12:00:00Z", closes=LATER)
    moved = Amendment(study_terms=bytes(32), previous=bytes(32), presentation=reopened)
    assert not moved.follows(before)


def test_approval_of_another_study_does_not_concern_this_one() -> None:
    approval = every_document()["approval/v1"]
    assert isinstance(approval, Approval)
    assert approval.concerns(study())
    refusal = every_document()["refusal/v1"]
    assert isinstance(refusal, Refusal)
    for answer in (approval, refusal):
        assert answer.concerns(study())
        assert not answer.concerns(changed(study(), steward="another"))
        assert not changed(answer, study_terms=bytes(32)).concerns(study())
        assert not changed(answer, study=bytes(32)).concerns(study())


def test_compared_bounds_count_ranks_with_their_denominators() -> None:
    bounds = study_terms().compared_bounds()
    assert bounds["roster"] == 10_000
    assert bounds["figure annual_sales"] == figure_sales().capacity
    assert bounds["function 1 rank"] == 4 * 10_000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "0/1",
        "1/1",
        "2/4",
        "1/0",
        "-1/2",
        "0.5",
        "1/2 ",
        "3/2",
        "²/3",
        "1/²",
        "٣/4",
        "1/٤",
        "01/2",
        "/2",
        "1/",
    ],
)
def test_quantile_that_is_no_fraction_in_lowest_terms_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a quantile"):
        parse_quantile(text)


def test_quantiles_that_are_no_list_have_no_bound() -> None:
    function = FunctionTerms(
        function="percentiles@1", figures=("annual_sales",), parameters={"quantiles": "1/2"}
    )
    with pytest.raises(ValueError, match="list of fractions"):
        changed(study_terms(), functions=(function,)).compared_bounds()


def test_query_item_is_covered_only_by_its_own_function_and_values() -> None:
    terms = study_terms()
    item = query().items[0]
    assert function_of(item, terms) == terms.functions[1]
    other_cell = GroupCell(attribute="size_class", value="huge")
    for wrong in (
        changed(item, group=None),
        changed(item, group=other_cell),
        changed(item, parameters={"quantiles": ("1/100",)}),
        changed(item, figures=("growth",)),
        changed(item, function="percentiles@2"),
    ):
        assert function_of(wrong, terms) is None
    trade = QueryItem(
        function="sum@1", figures=("annual_sales",), group=GroupCell(attribute="trade", value="food")
    )
    assert function_of(trade, terms) == terms.functions[2]
    assert function_of(changed(trade, group=GroupCell(attribute="trade", value="cars")), terms) is None


def test_grid_and_edges_have_one_place_in_terms_and_one_in_items() -> None:
    mean = FunctionTerms(function="mean@1", figures=("sales",), grid="100")
    assert mean.asked_parameters == {"grid": "100"}
    ratio = FunctionTerms(
        function="ratio_of_totals@1", figures=("sales", "growth"), grid="0.5", parameters={"maximum": "10"}
    )
    assert ratio.asked_parameters == {"grid": "0.5", "maximum": "10"}
    histogram = FunctionTerms(function="histogram@1", figures=("sales",), edges=("500", "1500"))
    assert histogram.asked_parameters == {"edges": ("500", "1500")}
    for function in (mean, ratio, histogram):
        item = QueryItem(
            function=function.function, figures=function.figures, parameters=function.asked_parameters
        )
        assert item.matches(function)
        assert QueryItem.parse_payload(item.payload_bytes()) == item
        assert not changed(item, parameters=function.parameters).matches(function)
    for doubled in ({"grid": "100"}, {"edges": ("500",)}):
        with pytest.raises(ValidationError, match="own field"):
            FunctionTerms(function="mean@1", figures=("sales",), parameters=doubled)


def test_blank_is_a_cell_of_a_category_that_may_be_blank_and_of_no_other() -> None:
    by_trade = FunctionTerms(function="sum@1", figures=("annual_sales",), by="trade")
    for blank_allowed in (True, False):
        trade = changed(figure_trade(), blank_allowed=blank_allowed)
        figures = tuple(trade if f.name == trade.name else f for f in study_terms().figures)
        terms = changed(study_terms(), figures=figures, functions=(by_trade,))
        cells = items_of(by_trade, terms)
        assert [cell.group.value for cell in cells if cell.group] == [
            *trade.categories,
            *(["blank"] if blank_allowed else []),
        ]
        blank = QueryItem(
            function="sum@1", figures=("annual_sales",), group=GroupCell(attribute="trade", value="blank")
        )
        assert (function_of(blank, terms) == by_trade) == blank_allowed


def test_category_called_blank_is_refused_where_blanks_have_a_cell() -> None:
    trade = figure_trade()
    named = ("blank", *trade.categories[1:])
    with pytest.raises(ValidationError, match="leave it blank"):
        changed(trade, categories=named, blank_allowed=True)
    assert changed(trade, categories=named, blank_allowed=False).categories[0] == "blank"


def test_same_item_is_not_asked_twice_in_one_query() -> None:
    with pytest.raises(ValidationError):
        changed(query(), items=query().items * 2)


def test_scheduled_release_is_named_by_study_function_and_roster() -> None:
    names = {
        scheduled_query_digest(bytes([a]) * 32, b, bytes([c]) * 32)
        for a in (1, 2)
        for b in (1, 2)
        for c in (1, 2)
    }
    assert len(names) == 8
