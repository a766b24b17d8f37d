"""The public part of a query's job: every rule of the study stands at every cell, asked for or not."""

from __future__ import annotations

import numpy as np

from mpc_cde.client.release_rules import items_of
from mpc_cde.documents.disclosure_bundle import DisclosureBundle, Dominance
from mpc_cde.documents.query import Query
from mpc_cde.documents.roster import RosterEntry
from mpc_cde.documents.roster_rows import RosterRows
from mpc_cde.documents.study_terms import FunctionTerms, StudyTerms
from parties.job_runner import request_of, unpack_masks
from parties.job_specifications import query_specification
from parties.release_ledger import Released
from parties.worker_pipe import JobSpecification
from tests.parties.test_study_limits import of, percentiles, terms_with

ENTRIES = RosterRows.pack(
    RosterEntry(
        submission=bytes([row]) * 32,
        membership=bytes([row]) * 32,
        groups={"size": "small" if row % 3 else "large"} if row else {},
    )
    for row in range(1, 7)
)
REMOVED = frozenset({ENTRIES[4].submission})


def job_for(
    terms: StudyTerms, *asked: FunctionTerms, p_percent: int | None = None, released: Released | None = None
) -> JobSpecification:
    query = Query(
        study_terms=terms.digest(),
        items=tuple(item for function in asked for item in items_of(function, terms)),
        asker=bytes(32),
        nonce=bytes(16),
        expires="2027-01-01T00:00:00Z",
    )
    facts = [released or Released()] * len(query.items)
    return query_specification(
        bytes(32), bytes(32), terms, ENTRIES, REMOVED, query, facts, p_percent=p_percent
    )


def test_masks_select_by_certified_values_and_never_a_removed_row() -> None:
    by_size, by_kind = of("sum@1", "x", by="size"), of("sum@1", "y", by="kind")
    job = job_for(terms_with(by_size, by_kind), by_size, by_kind)
    masks = unpack_masks(job)
    assert masks["all"].tolist() == [1, 1, 1, 1, 0, 1]
    assert masks["size=large"].tolist() == [0, 0, 1, 0, 0, 1]
    assert masks["size=small"].tolist() == [1, 1, 0, 1, 0, 0]
    assert np.array_equal(masks["all"], masks["size=large"] + masks["size=small"])


def test_a_secret_category_has_a_cell_for_each_symbol_and_one_for_blanks() -> None:
    by_kind = of("sum@1", "x", by="kind")
    job = job_for(terms_with(by_kind), by_kind)
    assert [request_of(cell).group for cell in job.cells] == [
        ("all", ("kind", 0)),
        ("all", ("kind", 1)),
        ("all", ("kind", None)),
    ]
    assert [cell.minimum for cell in job.cells] == [8, 8, 8]


def test_what_was_released_before_stands_at_the_cell() -> None:
    asked = percentiles("x", "1/2")
    job = job_for(terms_with(asked), asked, released=Released(quantiles=("1/4",), linear=("3/4",)))
    request = request_of(job.cells[0])
    assert [str(q) for q in request.released] == ["1/4"]
    assert [str(q) for q in request.released_linear] == ["3/4"]


def test_rules_about_concentration_stand_at_every_cell_of_amounts_that_are_not_negative() -> None:
    functions = (of("count@1", "x"), of("sum@1", "x"), of("sum@1", "loss"), of("correlation@1", "x", "y"))
    bundle = DisclosureBundle(
        dominance=Dominance(contributors=2, percent=60), minimum_contributors_negative=30
    )
    job = job_for(terms_with(*functions, bundle=bundle), *functions, p_percent=15)
    requests = [request_of(cell) for cell in job.cells]
    assert [(r.dominance, r.p_percent) for r in requests] == [
        (None, None),
        ((2, 60), 15),
        (None, None),
        ((2, 60), 15),
    ]
    assert [r.minimum for r in requests] == [5, 5, 30, 5]
    assert "15" not in repr(job.cells[1]).replace("p_percent", "")


def test_a_query_judges_the_whole_table_whatever_it_asks() -> None:
    functions = (
        of("count@1", "x"),
        of("sum@1", "x"),
        of("count@1", "x", by="size"),
        of("sum@1", "x", by="size"),
        of("ratio_of_totals@1", "x", "y"),
        of("sum@1", "loss"),
    )
    terms = terms_with(*functions)
    jobs = [job_for(terms, function) for function in functions[:5]]
    assert len({job.siblings for job in jobs}) == 1
    siblings = [request_of(cell) for cell in jobs[0].siblings]
    groups = ["all", "size=small", "size=large"]
    assert [(r.function, r.figures, r.mask_name) for r in siblings] == [
        *(("sum@1", ("x",), group) for group in groups),
        *(("ratio_of_totals@1", ("x", "y"), group) for group in groups),
    ]
    assert [r.minimum for r in siblings[:3]] == [5, 8, 8]
    assert {r.table for r in siblings} == {("x", "y")}
    assert all(r.complementary for r in siblings)
    assert job_for(terms, functions[5]).siblings == ()


def test_a_histogram_is_judged_with_the_histograms_of_its_siblings() -> None:
    functions = (
        of("histogram@1", "x", edges=("95", "205")),
        of("histogram@1", "x", edges=("95", "205"), by="size"),
        of("sum@1", "x"),
    )
    terms = terms_with(*functions)
    drawn = [cell for cell in job_for(terms, functions[1]).siblings if cell.function == "histogram@1"]
    assert [cell.mask for cell in drawn] == ["all", "size=small", "size=large"]
    assert not [c for c in job_for(terms, functions[2]).siblings if c.function == "histogram@1"]


def test_without_the_rule_or_without_a_whole_nothing_is_judged_beside() -> None:
    whole, parts = of("sum@1", "x"), of("sum@1", "x", by="size")
    without = terms_with(whole, parts, bundle=DisclosureBundle())
    number_unknown = terms_with(of("sum@1", "optional", by="size"))  # who left it blank, nobody knows
    for terms in (without, number_unknown, terms_with(whole)):
        job = job_for(terms, *terms.functions)
        assert job.siblings == ()
        assert not any(cell.complementary for cell in job.cells)
    assert all(cell.complementary for cell in job_for(terms_with(parts), parts).cells)
