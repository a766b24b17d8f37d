"""What t parties see of linear percentiles, concentration, withholding and own places does not depend on the figures.

The argument and its machinery are those of test_secrecy.py: for another input with an equal answer, randomness is
solved for that gives the coalition the same view, byte for byte.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from protocols.cells import CellRequest
from protocols.engine import PublicMask
from tests.protocols import test_secrecy as secrecy

FIRST: list[int | None] = [2, 5, 6, 9, 17, 18, 20, 21, 33, 40, 41, None, 46, 47]


def masks() -> dict[str, PublicMask]:
    rows = np.arange(len(FIRST))
    edges = {"all": (0, 14), "early": (0, 4), "middle": (4, 9), "late": (9, 13), "last": (13, 14)}
    groups = {name: (rows >= low) & (rows < high) for name, (low, high) in edges.items()}
    return {name: own.astype(np.uint8) for name, own in groups.items()}


def linear() -> list[CellRequest]:
    return [
        CellRequest("percentiles_linear@1", ("figure",), "all", {"quantiles": ["1/3", "2/3"]}, 2),
        CellRequest("percentiles_linear@1", ("figure",), "middle", {"quantiles": ["1/2"]}, 2),
    ]


def withheld() -> list[CellRequest]:
    """Some groups fail the minimum or are concentrated, and others complement them."""
    request = CellRequest("count@1", ("figure",), "all", {}, 3, complementary=True)
    sums = replace(request, function="sum@1", dominance=(1, 45), p_percent=10)
    return [replace(each, mask_name=name) for each in (sums, request) for name in masks()]


def own_places() -> list[CellRequest]:
    return [CellRequest("own_rank@1", ("figure",), "all", {}, 3, row=row) for row in (3, 11)]


def another_input() -> list[int | None]:
    """The first of some perturbations that gives the same answer and compares other numbers."""
    generator = np.random.default_rng(7)
    answer, compared = secrecy.compared_numbers(FIRST)
    for _ in range(3000):
        values = list(FIRST)
        for _ in range(int(generator.integers(1, 4))):
            a, b = (int(i) for i in generator.integers(0, len(values), 2))
            first, second = values[a], values[b]
            if first is None or second is None or a == b or not (first < 47 and second > 2):
                values[a], values[b] = second, first
            else:
                values[a], values[b] = first + 1, second - 1
        found, others = secrecy.compared_numbers(values)
        same_numbers = len(others) == len(compared) and all(
            np.array_equal(x, y) for x, y in zip(compared, others, strict=True)
        )
        if found == answer and not same_numbers:
            return values
    raise AssertionError("no other input with an equal answer was found")


@pytest.mark.parametrize("query", [linear, withheld, own_places])
@pytest.mark.parametrize(("session", "threshold", "coalition"), [secrecy.CASES[1], secrecy.CASES[4]])
def test_another_input_with_an_equal_answer_explains_the_same_view(
    monkeypatch: pytest.MonkeyPatch,
    query: Any,
    session: tuple[int, ...],
    threshold: int,
    coalition: tuple[int, ...],
) -> None:
    monkeypatch.setattr(secrecy, "masks", masks)
    monkeypatch.setattr(secrecy, "QUERY", query())
    monkeypatch.setattr(secrecy, "X", FIRST)
    monkeypatch.setattr(secrecy, "Y", another_input())
    secrecy.test_two_inputs_with_equal_answers_explain_the_same_view(session, threshold, coalition)


def test_the_query_about_withholding_has_each_kind_of_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrecy, "masks", masks)
    monkeypatch.setattr(secrecy, "QUERY", withheld())
    (_, outcomes), _ = secrecy.compared_numbers(FIRST)
    # the early group is concentrated, the last too small; with a giant in it they need the late one's company
    assert [outcome.withheld for outcome in outcomes] == [
        None,
        "disclosure",
        None,
        "disclosure",
        "minimum",
    ] * 2
