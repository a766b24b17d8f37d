"""What signed results cannot get past a reader: for each function, values that it cannot come to."""

from __future__ import annotations

from typing import Any

import pytest

from mpc_cde.client.release_rules import items_of, verify_cells
from mpc_cde.client.released_values import _CHECKS
from mpc_cde.documents.disclosure_bundle import DisclosureBundle
from mpc_cde.documents.figure import Figure
from mpc_cde.documents.query import Query
from mpc_cde.documents.result import Cell, Result
from mpc_cde.documents.study_terms import FunctionTerms, GroupTerms, StudyTerms
from mpc_cde.errors import BadDocument
from protocols.catalog import FUNCTIONS, specification

ROWS = 24


def number(name: str, minimum: str = "0") -> Figure:
    return Figure(
        name=name,
        label=name,
        minimum=minimum,
        step="1",
        radices=(10, 10, 10),
        publish_step="10",
        blank_allowed=False,
    )


TERMS = StudyTerms(
    community=bytes(32),
    title="Study",
    purpose="To be read.",
    consent="Yes.",
    figures=(number("x"), number("y"), number("loss", "-100")),
    groups=(GroupTerms(attribute="size", label="Size", values=("small", "large")),),
    roster_cap=1000,
    functions=(
        FunctionTerms(function="count@1", figures=("x",)),
        FunctionTerms(function="sum@1", figures=("x",)),
        FunctionTerms(function="mean@1", figures=("x",), grid="5"),
        FunctionTerms(function="variance@1", figures=("x",), grid="2"),
        FunctionTerms(function="standard_deviation@1", figures=("x",), grid="0.5"),
        FunctionTerms(
            function="ratio_of_totals@1", figures=("x", "y"), grid="0.1", parameters={"maximum": "10"}
        ),
        FunctionTerms(function="correlation@1", figures=("x", "y"), parameters={"places": 2}),
        FunctionTerms(function="histogram@1", figures=("y",), edges=("95", "205")),
        FunctionTerms(function="percentiles@1", figures=("x",), parameters={"quantiles": ("1/4", "1/2")}),
        FunctionTerms(function="percentiles_linear@1", figures=("y",), parameters={"quantiles": ("1/2",)}),
        FunctionTerms(function="own_rank@1", figures=("x",), audience="self"),
        FunctionTerms(function="sum@1", figures=("x",), by="size"),
        FunctionTerms(function="sum@1", figures=("loss",)),
    ),
    disclosure=DisclosureBundle(complementary=True, minimum_contributors_negative=20),
)
HONEST: dict[int, dict[str, Any]] = {
    0: {"values": ("24",)},
    1: {"values": ("4321",)},
    2: {"values": ("180",)},
    3: {"values": ("1000",)},
    4: {"values": ("31.5",)},
    5: {"values": ("2.5",)},
    6: {"values": ("-0.75",)},
    7: {"values": ("9", "0", "15")},
    8: {"values": ("120", "450")},
    9: {"values": ("450",)},
    10: {"sealed": (b"s" * 56,) * 3},
    11: {"values": ("2000",)},
    12: {"values": ("-321",)},
}


def result_of(*functions: int, **changes: Any) -> tuple[Result, Query]:
    """Of these functions of the study; `changes` are made to the last cell."""
    items = [(n, item) for n in functions for item in items_of(TERMS.functions[n], TERMS)]
    cells = [
        {
            "function": item.function,
            "figures": item.figures,
            "group": item.group,
            "parameters": item.parameters,
            "contributors": ROWS if item.group is None else 12,
            "definition": specification(item.function).definition,
            **HONEST[n],
        }
        for n, item in items
    ]
    cells[-1] = {**cells[-1], **changes}
    query = Query(
        study_terms=TERMS.digest(),
        items=tuple(item for _, item in items),
        asker=bytes(32),
        nonce=bytes(16),
        expires="2027-01-01T00:00:00Z",
    )
    result = Result(
        job=bytes(32),
        study_terms=TERMS.digest(),
        checked_roster=bytes(32),
        query=query.digest(),
        cells=tuple(Cell.model_validate(cell) for cell in cells),
        engine="passive",
        parties=(0, 1, 2),
        time="2026-06-01T00:00:00Z",
    )
    return result, query


def refusal(*functions: int, **changes: Any) -> str | None:
    result, query = result_of(*functions, **changes)
    try:
        verify_cells(result, TERMS, query, rows=ROWS)
    except BadDocument as error:
        return str(error)
    return None


def test_every_function_of_the_catalogue_is_checked() -> None:
    assert set(_CHECKS) == set(FUNCTIONS)
    assert refusal(*HONEST) is None


IMPOSSIBLE: list[tuple[int, dict[str, Any], str]] = [
    (0, {"values": ("23",)}, "a count is the number of contributors"),
    (1, {"values": ("4321.5",)}, "a sum lies on the figure's grid"),
    (1, {"values": ("23881",)}, "within their range"),
    (1, {"values": ("-121",)}, "within their range"),
    (1, {"values": ("1", "2")}, "expected 1 value, found 2"),
    (2, {"values": ("182",)}, "a mean is not on its published grid"),
    (2, {"values": ("1000",)}, "a mean lies within the figure's range"),
    (2, {"values": ("-5",)}, "a mean lies within the figure's range"),
    (3, {"values": ("1001",)}, "a variance is not on its published grid"),
    (3, {"values": ("249502",)}, "figures at both ends"),
    (3, {"values": ("-2",)}, "figures at both ends"),
    (4, {"values": ("31.7",)}, "a standard deviation is not on its published grid"),
    (4, {"values": ("500",)}, "half the figure's range"),
    (5, {"values": ("2.55",)}, "a ratio is not on its published grid"),
    (5, {"values": ("10.1",)}, "a ratio lies between 0 and the maximum"),
    (5, {"values": ("-0.1",)}, "a ratio lies between 0 and the maximum"),
    (6, {"values": ("1.01",)}, "a correlation lies between -1 and 1"),
    (6, {"values": ("-1.01",)}, "a correlation lies between -1 and 1"),
    (6, {"values": ("0.755",)}, "at most 2 decimal places"),
    (7, {"values": ("9", "15")}, "expected 3 values, found 2"),
    (7, {"values": ("9", "1", "14")}, "nobody, or at least 5"),
    (7, {"values": ("9", "0", "16")}, "add up to the contributors"),
    (7, {"values": ("9.5", "0", "14.5")}, "a whole number of contributors"),
    (7, {"values": ("34", "-10", "0")}, "a whole number of contributors"),
    (8, {"values": ("450", "120")}, "percentiles ascend"),
    (8, {"values": ("121", "450")}, "not on the published grid"),
    (8, {"values": ("120", "1000")}, "not on the published grid"),
    (8, {"values": ("120", "450"), "contributors": 20}, "fewer than 5 contributors between"),
    (9, {"values": ("455",)}, "not on the published grid"),
    (9, {"values": ("450",), "contributors": 10}, "fewer than 5 contributors between"),
    (10, {"sealed": None, "values": ("40",)}, "sealed is what is for the asker alone"),
    (10, {"sealed": (b"s" * 56,) * 4}, "a sealed share of each of 3 parties"),
    (1, {"values": None, "sealed": (b"s" * 56,) * 3}, "sealed is what is for the asker alone"),
    (1, {"contributors": 4}, "fewer contributors than the 5"),
    (1, {"contributors": 25}, "more than 24 rows"),
    (1, {"contributors": None}, "fewer contributors"),
    (11, {"contributors": 7}, "fewer contributors than the 8"),
    (12, {"contributors": 19}, "fewer contributors than the 20"),
    (1, {"definition": "the sum of the largest"}, "its definition is not the catalogue's"),
]


@pytest.mark.parametrize(("function", "changes", "said"), IMPOSSIBLE)
def test_value_that_its_function_cannot_come_to_is_refused(
    function: int, changes: dict[str, Any], said: str
) -> None:
    found = refusal(function, **changes)
    assert found is not None
    assert said in found


def test_cells_of_the_same_members_have_the_same_number_of_them() -> None:
    assert "have other contributors" in str(refusal(0, 1, contributors=23))


def test_groups_that_leave_a_few_of_all_show_them() -> None:
    assert refusal(1, 11) is None
    assert "fewer than 8" in str(refusal(1, 11, contributors=8))
    assert "fewer than 8" in str(refusal(1, 11, contributors=13))
    assert refusal(1, 11, contributors=None, values=None, withheld="minimum") is None
