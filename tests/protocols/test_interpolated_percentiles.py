"""Linear percentiles against exact fractions; nothing opens but what the published values say."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols import catalog, locate
from protocols.cells import CellOutcome, CellRequest
from protocols.decimals import exact_text
from protocols.errors import OutOfRange
from protocols.interpolated_percentiles import published_values
from protocols.plans import verify_plan
from protocols.ranks import neighbours, ranks_are_safe
from tests.protocols.engines import SETTINGS, SHARED_SETTINGS, Setting, setting_id
from tests.protocols.tables import Column, ask, columns, encodings, figures, number, opened

every_engine = pytest.mark.parametrize("setting", SETTINGS, ids=setting_id)
QUANTILES = [Fraction(k, 10) for k in range(1, 10)] + [Fraction(1, 4), Fraction(1, 3), Fraction(999, 1000)]


def plain_percentile(values: list[Fraction], q: Fraction) -> Fraction:
    """numpy's linear, in fractions."""
    ordered = sorted(values)
    place = q * (len(ordered) - 1)
    lower = place.__floor__()
    upper = min(lower + 1, len(ordered) - 1)
    return ordered[lower] + (place - lower) * (ordered[upper] - ordered[lower])


def rounded(column: Column, value: Fraction) -> str:
    encoding = column[0]
    steps = (value - encoding.minimum) / encoding.publish_step
    return exact_text(encoding.minimum + encoding.publish_step * (steps + Fraction(1, 2)).__floor__())


@st.composite
def tables(draw: st.DrawFn) -> Column:
    return draw(columns(draw(encodings()), draw(st.integers(1, 24))))


def texts(quantiles: list[Fraction]) -> list[str]:
    return [f"{q.numerator}/{q.denominator}" for q in quantiles]


@every_engine
@settings(max_examples=12)
@given(
    column=tables(),
    quantiles=st.lists(st.sampled_from(QUANTILES), min_size=1, max_size=4, unique=True).map(sorted),
)
def test_linear_percentiles_are_the_exact_ones_rounded_to_the_publish_step(
    setting: Setting, column: Column, quantiles: list[Fraction]
) -> None:
    table = {"figure": column}
    values = [value for (value,) in figures(table, "figure")]
    request = CellRequest("percentiles_linear@1", ("figure",), "all", {"quantiles": texts(quantiles)}, 0)
    (found,), ran = ask(setting, table, [request])
    size = len(values)
    if not ranks_are_safe((), (), size, 0, quantiles):
        assert found == CellOutcome(size, None, "disclosure")
        return
    expected = [rounded(column, plain_percentile(values, q)) for q in quantiles]
    assert found == CellOutcome(size, tuple(expected), None)
    # the search's bits are written from the published values alone
    encoding = column[0]
    answers = [int((Fraction(text) - encoding.minimum) / encoding.publish_step) for text in expected]
    place = locate.Place(locate.public_step(0), locate.public_step(1), published_values(encoding), 1)
    bits = [values for label, values in opened(ran) if label.startswith("percentiles_linear")]
    wanted = [
        [int(bit) for answer in answers for bit in locate.opened_bits(place, answer, step)]
        for step in range(place.digits)
    ]
    assert bits == wanted


@pytest.mark.parametrize("setting", SHARED_SETTINGS, ids=setting_id)
@pytest.mark.parametrize("groups", [1, 3])
def test_rounds_do_not_grow_with_percentiles_or_groups(setting: Setting, groups: int) -> None:
    encoding = number((4, 4, 4, 4), published=3)
    values: list[int | None] = [int(u) for u in np.random.default_rng(5).integers(2, 256, 40)]
    masks = {f"group {g}": np.ones(40, dtype=np.uint8) for g in range(groups)}
    quantiles = ["1/2"] if groups == 1 else ["1/4", "1/2", "3/4"]
    requests = [
        CellRequest("percentiles_linear@1", ("figure",), name, {"quantiles": quantiles}, 3) for name in masks
    ]
    _, ran = ask(setting, {"figure": (encoding, values)}, requests, masks)
    # the secret form over four digits, then masks and two steps of the search for 64 published values
    assert ran.rounds == 7 * 4 + 3 + 2 * 5


@every_engine
def test_two_close_neighbours_are_not_told_apart(setting: Setting) -> None:
    """Figures 40 and 41 around the median publish as figures 36 and 45 do; nothing else differs in what opens."""

    def seen(low: int, high: int) -> object:
        encoding = number((4, 4, 4), published=2)
        values: list[int | None] = [2 + u for u in (0, 5, 9, low, high, 50, 55, 57)]
        request = CellRequest("percentiles_linear@1", ("figure",), "all", {"quantiles": ["1/2"]}, 3)
        outcomes, ran = ask(setting, {"figure": (encoding, values)}, [request])
        assert outcomes[0].values == ("40",)
        return opened(ran)

    assert seen(40, 41) == seen(36, 45) == seen(38, 38 + 0)


@every_engine
def test_exact_figures_round_to_their_own_step_ties_up(setting: Setting) -> None:
    column: Column = (number((4, 4)), [1, 2, 4, 9])
    request = CellRequest("percentiles_linear@1", ("figure",), "all", {"quantiles": ["1/6", "1/2"]}, 0)
    values = [
        ask(setting, {"figure": column}, [replace(request, parameters={"quantiles": [q]})])[0][0].values
        for q in ("1/6", "1/2", "5/9")
    ]
    assert values == [("2",), ("3",), ("3",)]  # 1.5, 3 and 3 1/3


def test_what_was_released_before_keeps_its_distance() -> None:
    column: Column = (number((8, 8)), list(range(40)))
    for released in ({"released": (Fraction(3, 5),)}, {"released_linear": (Fraction(3, 5),)}):
        for function in ("percentiles@1", "percentiles_linear@1"):
            request = CellRequest(function, ("figure",), "all", {"quantiles": ["1/2"]}, 5)
            outcomes, _ = ask(SETTINGS[0], {"figure": column}, [request])
            assert outcomes[0].withheld is None
            outcomes, _ = ask(SETTINGS[0], {"figure": column}, [replace(request, **released)])
            assert outcomes[0].withheld == "disclosure"


@given(size=st.integers(2, 400), quantile=st.sampled_from(QUANTILES))
def test_neighbours_are_the_ranks_that_numpy_reads(size: int, quantile: Fraction) -> None:
    low, high = neighbours(quantile, size)
    place = quantile * (size - 1)
    assert low - 1 == place.__floor__()
    assert high - low == int(place.denominator != 1)
    assert 1 <= low <= high <= size


def test_an_exact_and_a_linear_median_of_an_even_number_are_not_both_released() -> None:
    """Together they would bound the upper neighbour: the rank of the one lies in the span of the other."""
    half = Fraction(1, 2)
    assert ranks_are_safe([half], (), 40, 5)
    assert ranks_are_safe((), (), 40, 5, [half])
    assert not ranks_are_safe([half], (), 40, 5, [half])
    assert ranks_are_safe([half], (), 41, 5, [half])  # one and the same contributor's figure
    encoding = number((4, 4, 4), published=2)
    values: list[int | None] = [2 + u for u in range(40)]
    requests = [
        CellRequest(function, ("figure",), "all", {"quantiles": ["1/2"]}, 5)
        for function in ("percentiles@1", "percentiles_linear@1", "percentiles@1")
    ]
    outcomes, _ = ask(SETTINGS[0], {"figure": (encoding, values)}, requests)
    assert [outcome.withheld for outcome in outcomes] == [None, "disclosure", None]
    released = CellRequest(
        "percentiles@1", ("figure",), "all", {"quantiles": ["1/2"]}, 5, released_linear=(half,)
    )
    outcomes, _ = ask(SETTINGS[0], {"figure": (encoding, values)}, [released])
    assert outcomes[0].withheld == "disclosure"


def test_a_range_that_interpolation_cannot_compare_is_refused() -> None:
    encoding = number((128, 128, 128, 128, 128, 128, 128, 128), published=7)
    request = CellRequest("percentiles_linear@1", ("figure",), "all", {"quantiles": ["1/1000"]}, 0)
    with pytest.raises(OutOfRange):
        ask(SETTINGS[0], {"figure": (encoding, [64, 65])}, [request])
    with pytest.raises(OutOfRange):
        verify_plan("percentiles_linear@1", [encoding], request.parameters, 2)
    verify_plan("percentiles_linear@1", [number((128, 128, 128))], request.parameters, 10**6)


def test_parameters_are_those_of_percentiles() -> None:
    catalog.check_parameters("percentiles_linear@1", {"quantiles": ["1/2"]})
    for parameters in ({}, {"quantiles": []}, {"quantiles": ["2/4"]}, {"quantiles": ["1/2"], "grid": "1"}):
        with pytest.raises(OutOfRange):
            catalog.check_parameters("percentiles_linear@1", parameters)
