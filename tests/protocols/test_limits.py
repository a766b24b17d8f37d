"""Each limit at its edge: the last value that is let in, and the first that is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from protocols import catalog, parameters
from protocols.catalog import parse_quantiles
from protocols.concentration_rules import ConcentrationRules
from protocols.encoding import FigureEncoding
from protocols.errors import OutOfRange
from protocols.parameters import parse_decimal, parse_edges


def quantiles(count: int) -> None:
    parse_quantiles({"quantiles": [f"{k}/103" for k in range(1, count + 1)]})


def denominator(number: int) -> None:
    parse_quantiles({"quantiles": [f"1/{number}"]})


def edges(count: int) -> None:
    parse_edges({"edges": [str(k) for k in range(count)]})


def decimal_length(length: int) -> None:
    parse_decimal("an amount", "1" * length)


def dominance_contributions(number: int) -> None:
    ConcentrationRules(dominance=(number, 50))


def dominance_percent(percent: int) -> None:
    ConcentrationRules(dominance=(1, percent))


def p(percent: int) -> None:
    ConcentrationRules(p_percent=percent)


def radices_of_product(last: int) -> None:
    """2^56 last; the limit is 2^60."""
    FigureEncoding.create(
        minimum="0",
        step="1",
        publish_step="1",
        radices=(*[128] * 8, last),
        allow_exact=True,
        blank_allowed=False,
    )


LIMITS: list[tuple[Callable[[int], None], int, int]] = [
    (quantiles, catalog.MAX_QUANTILES, catalog.MAX_QUANTILES + 1),
    (denominator, catalog.MAX_DENOMINATOR, catalog.MAX_DENOMINATOR + 1),
    (edges, parameters.MAX_EDGES, parameters.MAX_EDGES + 1),
    (decimal_length, parameters.MAX_DECIMAL_LENGTH, parameters.MAX_DECIMAL_LENGTH + 1),
    (dominance_contributions, 1, 0),
    (dominance_contributions, 2, 3),
    (dominance_percent, 1, 0),
    (dominance_percent, 99, 100),
    (p, 1, 0),
    (p, 100, 101),
    (radices_of_product, 15, 16),
]


@pytest.mark.parametrize(("limited", "last", "first"), LIMITS)
def test_a_limit_lets_in_its_last_value_and_not_the_next(
    limited: Callable[[int], None], last: int, first: int
) -> None:
    limited(last)
    with pytest.raises(OutOfRange):
        limited(first)
