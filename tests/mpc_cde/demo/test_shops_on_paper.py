"""What `make demo` shows of the 400 shops, without its processes: every function, every rule, one job."""

from __future__ import annotations

from mpc_cde.client.release_rules import items_of
from mpc_cde.demo.comparison import compare
from mpc_cde.demo.material import default_material
from mpc_cde.documents.query import QueryItem
from mpc_cde.documents.study_terms import StudyTerms
from parties.study_limits import unsupported
from protocols.catalog import FUNCTIONS
from tests.mpc_cde.demo.paper_answers import paper_roster

MATERIAL = default_material()
RULES = {"minimum", "ranks", "dominance", "p_percent", "complementary", "bucket"}


def asked_of(terms: StudyTerms) -> list[QueryItem]:
    return [item for f in terms.functions if f.audience != "self" for item in items_of(f, terms)]


def test_every_cell_is_what_the_plain_calculation_says_and_every_rule_withholds_some() -> None:
    roster = paper_roster(MATERIAL)
    items = asked_of(roster.terms)
    cells, _ = roster.answer(items)
    comparison = compare(MATERIAL.expected(items, roster.terms), cells)
    assert comparison.differences == ()
    assert comparison.compared >= 200
    assert set(comparison.withheld_by) == RULES
    assert {cell.function for cell in cells if cell.values} == set(FUNCTIONS) - {"own_rank@1"}


def test_a_node_approves_the_study() -> None:
    assert unsupported(paper_roster(MATERIAL, count=1).terms) == []
