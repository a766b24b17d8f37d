"""Histograms against plain counts, the rule about small buckets, and what is opened."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.catalog import check_parameters
from protocols.cells import CellOutcome, CellRequest
from protocols.decimals import exact_text
from protocols.encoding import FigureEncoding
from protocols.errors import OutOfRange
from protocols.plans import plan_histogram, verify_plan
from tests.protocols.engines import SETTINGS, SHARED_SETTINGS, Setting, setting_id
from tests.protocols.tables import Column, ask, columns, encodings, figures, number, opened

every_engine = pytest.mark.parametrize("setting", SETTINGS, ids=setting_id)
RULE = "histogram: every bucket is 0 or at least the minimum"


def request(
    edges: list[Fraction], group: str = "all", minimum: int = 3, figure: str = "figure"
) -> CellRequest:
    return CellRequest(
        "histogram@1", (figure,), group, {"edges": [exact_text(edge) for edge in edges]}, minimum
    )


def plain(column: Column, edges: list[Fraction], mask: Any, minimum: int) -> CellOutcome:
    chosen = [x for (x,) in figures({"figure": column}, "figure", mask=mask)]
    if len(chosen) < minimum:
        return CellOutcome(None, None, "minimum")
    buckets = [0] * (len(edges) + 1)
    for x in chosen:
        buckets[bisect_right(edges, x)] += 1
    if any(0 < count < minimum for count in buckets):
        return CellOutcome(len(chosen), None, "disclosure")
    return CellOutcome(len(chosen), tuple(map(str, buckets)), None)


def edge(encoding: FigureEncoding, place: int) -> Fraction:
    """The edge below published value number `place`."""
    return encoding.minimum + encoding.publish_step * place - encoding.step * encoding.half


def points(encoding: FigureEncoding) -> int:
    return prod(encoding.radices[: encoding.published_digits])


@every_engine
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_buckets_hold_what_a_plain_count_finds_or_the_histogram_is_withheld(
    setting: Setting, data: st.DataObject
) -> None:
    encoding = data.draw(encodings())
    count = data.draw(st.integers(3, 14))
    column = data.draw(columns(encoding, count))
    places = data.draw(st.sets(st.integers(1, points(encoding) - 1), min_size=1, max_size=5))
    edges = [edge(encoding, place) for place in sorted(places)]
    some = np.array(data.draw(st.lists(st.integers(0, 1), min_size=count, max_size=count)), dtype=np.uint8)
    masks = {"all": np.ones(count, dtype=np.uint8), "some": some}
    minimum = data.draw(st.integers(1, 3))
    requests = [request(edges, group, minimum) for group in ("all", "some")]
    found, ran = ask(setting, {"figure": column}, requests, masks)
    assert found == [plain(column, edges, masks[group], minimum) for group in ("all", "some")]
    assert [entry for entry in opened(ran) if entry[0].startswith("histogram")] == simulated(found)


def simulated(outcomes: list[CellOutcome]) -> list[tuple[str, list[int]]]:
    """What histograms open, written from the outcomes alone."""
    judged = [outcome for outcome in outcomes if outcome.contributors is not None]
    counts = [int(count) for outcome in judged if outcome.values for count in outcome.values[:-1]]
    bits = [int(outcome.values is not None) for outcome in judged]
    return [(RULE, bits)] * bool(judged) + [("histogram", counts)] * bool(counts)


@every_engine
def test_one_member_in_a_bucket_withholds_the_whole_histogram(setting: Setting) -> None:
    column = number((4, 16)), [5, 6, 7, 20, 21, 22, 50]
    outcomes, ran = ask(setting, {"figure": column}, [request([Fraction(16), Fraction(48)])])
    assert outcomes == [CellOutcome(7, None, "disclosure")]
    assert opened(ran) == [(RULE, [0])]


@every_engine
def test_an_empty_bucket_is_published(setting: Setting) -> None:
    column = number((4, 16)), [5, 6, 7, 60, 61, 62]
    outcomes, _ = ask(setting, {"figure": column}, [request([Fraction(16), Fraction(48)])])
    assert outcomes == [CellOutcome(6, ("3", "0", "3"), None)]


@every_engine
def test_counts_between_the_edges_of_two_histograms_do_not_fall_out(setting: Setting) -> None:
    column = number((4, 16)), [5, 6, 7, 16, 60, 61, 62]
    asked = [request([Fraction(16)]), request([Fraction(17)]), request([Fraction(16)])]
    outcomes, _ = ask(setting, {"figure": column}, asked)
    assert outcomes == [
        CellOutcome(7, ("3", "4"), None),
        CellOutcome(7, None, "disclosure"),
        CellOutcome(7, ("3", "4"), None),
    ]


def partition(
    table: dict[str, Column], setting: Setting, groups: dict[str, list[int]]
) -> tuple[dict[str, CellOutcome], list[tuple[str, list[int]]]]:
    count = len(table["figure"][1])
    masks = {
        name: np.array([i in rows for i in range(count)], dtype=np.uint8) for name, rows in groups.items()
    }
    asked = [replace(request([Fraction(16)], group), complementary=True) for group in groups]
    outcomes, ran = ask(setting, table, asked, masks)
    return dict(zip(groups, outcomes, strict=True)), opened(ran)


@every_engine
def test_a_withheld_histogram_does_not_fall_out_of_the_whole_and_its_siblings(setting: Setting) -> None:
    # group a has one member in its second bucket; all less b would show it
    table: dict[str, Column] = {"figure": (number((4, 16)), [1, 2, 3, 60, 1, 2, 3, 60, 61, 62])}
    groups = {"all": list(range(10)), "a": [0, 1, 2, 3], "b": [4, 5, 6, 7, 8, 9]}
    outcomes, seen = partition(table, setting, groups)
    assert outcomes == {
        "all": CellOutcome(10, None, "disclosure"),
        "a": CellOutcome(4, None, "disclosure"),
        "b": CellOutcome(6, ("3", "3"), None),
    }
    assert seen == [(RULE, [1, 0, 1]), ("histogram: remainders", [0]), ("histogram", [3])]


@every_engine
def test_a_part_that_nobody_asked_for_does_not_fall_out_either(setting: Setting) -> None:
    table: dict[str, Column] = {"figure": (number((4, 16)), [1, 2, 3, 60, 1, 2, 3, 60, 61, 62])}
    outcomes, _ = partition(table, setting, {"all": list(range(10)), "b": [4, 5, 6, 7, 8, 9]})
    assert [outcomes[name].values for name in ("all", "b")] == [None, ("3", "3")]


@every_engine
def test_two_withheld_histograms_hide_each_other_where_their_union_passes(setting: Setting) -> None:
    table: dict[str, Column] = {
        "figure": (number((4, 16)), [1, 2, 3, 60, 1, 2, 3, 60, 61, 1, 2, 3, 60, 61, 62])
    }
    groups = {"all": list(range(15)), "a": [0, 1, 2, 3], "b": [4, 5, 6, 7, 8], "c": [9, 10, 11, 12, 13, 14]}
    outcomes, seen = partition(table, setting, groups)
    assert [outcomes[name].values for name in groups] == [("9", "6"), None, None, ("3", "3")]
    assert ("histogram: remainders", [1]) in seen


@every_engine
def test_a_partition_that_passes_everywhere_tests_no_remainder(setting: Setting) -> None:
    table: dict[str, Column] = {"figure": (number((4, 16)), [1, 2, 3, 60, 61, 62])}
    outcomes, seen = partition(table, setting, {"all": list(range(6)), "a": [0, 1, 2], "b": [3, 4, 5]})
    assert [outcome.values for outcome in outcomes.values()] == [("3", "3"), ("3", "0"), ("0", "3")]
    assert [label for label, _ in seen] == [RULE, "histogram"]


@every_engine
def test_figures_are_counted_as_they_are_rounded(setting: Setting) -> None:
    # publish step 4: published values 0, 4, 8, ...; 5 rounds to 4 and 6, the edge itself, to 8
    column = number((4, 4), published=1), [u + 2 for u in (5, 5, 5, 6, 6, 6)]
    outcomes, _ = ask(setting, {"figure": column}, [request([Fraction(6)])])
    assert outcomes == [CellOutcome(6, ("3", "3"), None)]


@pytest.mark.parametrize("setting", SHARED_SETTINGS, ids=setting_id)
def test_rounds_do_not_grow_with_histograms_or_edges(setting: Setting) -> None:
    encoding = number((16, 16, 10))
    table = {f"figure {f}": (encoding, [100 * u + f for u in range(24)]) for f in range(3)}

    def rounds(count: int, places: list[int]) -> int:
        edges = [edge(encoding, place) for place in places]
        asked = [request(edges, minimum=1, figure=f"figure {f}") for f in range(count)]
        return ask(setting, table, asked)[1].rounds

    # masks 3; one level of products (the third digit); the bit 5 + 5; the counts 1
    assert rounds(1, [405]) == rounds(3, [405, 811, 1277, 1278, 2001]) == 3 + 1 + 10 + 1
    # edges that end at the first or second digit need no product
    assert rounds(1, [160, 410]) == 3 + 10 + 1


@pytest.mark.parametrize("setting", SHARED_SETTINGS, ids=setting_id)
def test_edges_that_begin_alike_share_their_products(setting: Setting) -> None:
    column = number((16, 16, 10)), list(range(0, 2400, 100))

    def products(places: list[int]) -> int:
        asked = [request([edge(column[0], place) for place in places], minimum=1)]
        return ask(setting, {"figure": column}, asked)[1].engines[0].counts.multiplications

    # one more bucket: two comparisons, of which the mask and the tree take products, but none of records
    assert products([405, 406]) - products([405]) == products([406, 407]) - products([406])
    assert products([405, 815]) - products([405, 406]) == 24


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "takes edges"),
        ({"edges": []}, "at least one"),
        ({"edges": "16"}, "a list"),
        ({"edges": ["16", "16"]}, "ascend"),
        ({"edges": ["32", "16"]}, "ascend"),
        ({"edges": ["16", 32]}, "decimal text"),
        ({"edges": [str(k) for k in range(129)]}, "at most 128"),
    ],
)
def test_edges_that_are_none_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(OutOfRange, match=message):
        check_parameters("histogram@1", parameters)


@pytest.mark.parametrize(("text", "nearest"), [("40", "30"), ("31", "30"), ("-9.5", "-10"), ("10000", "30")])
def test_an_edge_inside_a_rounding_interval_is_refused_with_the_nearest(text: str, nearest: str) -> None:
    encoding = number((4, 4, 10), published=1, grid=("-20", "0.5"))  # publishes -20, 0, 20, 40
    assert plan_histogram(encoding, {"edges": ["-10", "10", "30"]}, 10).paths == ((1,), (2,), (3,))
    with pytest.raises(OutOfRange, match=f"the nearest that does is {nearest}"):
        plan_histogram(encoding, {"edges": [text]}, 10)


def test_a_category_has_no_histogram() -> None:
    with pytest.raises(OutOfRange, match="not of a category"):
        verify_plan("histogram@1", [FigureEncoding.category(3, blank_allowed=False)], {"edges": ["1"]}, 10)
