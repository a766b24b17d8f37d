"""Parameters of functions, as a study writes them, made into exact numbers.

Amounts are decimal text in its one form (decimals.py), so that two studies that mean the same say the same.
Every parser raises OutOfRange with what was expected and what was found.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from protocols.decimals import exact_text
from protocols.errors import OutOfRange

MAX_DECIMAL_LENGTH = 40
MAX_EDGES = 128
MAX_PLACES = 9
_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)


def parse_grid(parameters: Mapping[str, Any]) -> Fraction:
    """{"grid": "0.5"}: the distance of neighbouring published values, positive."""
    return _positive("grid", parameters["grid"])


def parse_maximum(parameters: Mapping[str, Any]) -> Fraction:
    """{"grid": "0.5", "maximum": "10"}: the last point of the grid, a positive multiple of it."""
    maximum = _positive("maximum", parameters["maximum"])
    grid = parse_grid(parameters)
    if (maximum / grid).denominator != 1:
        raise OutOfRange(f"maximum {exact_text(maximum)} is no whole multiple of grid {exact_text(grid)}")
    return maximum


def parse_edges(parameters: Mapping[str, Any]) -> tuple[Fraction, ...]:
    """{"edges": ["10", "20.5", ...]}: ascending; they close the buckets of a histogram."""
    texts = parameters["edges"]
    if not isinstance(texts, list | tuple) or not texts:
        raise OutOfRange("edges are a list of decimal texts, at least one")
    if len(texts) > MAX_EDGES:
        raise OutOfRange(f"at most {MAX_EDGES} edges, not {len(texts)}")
    edges = tuple(parse_decimal("an edge", text) for text in texts)
    if list(edges) != sorted(set(edges)):
        raise OutOfRange("edges ascend and do not repeat")
    return edges


def parse_places(parameters: Mapping[str, Any]) -> int:
    """{"places": 3}: how many decimal places are published."""
    places = parameters["places"]
    if isinstance(places, bool) or not isinstance(places, int) or not 1 <= places <= MAX_PLACES:
        raise OutOfRange(f"places are a whole number from 1 to {MAX_PLACES}, not {places!r:.80}")
    return places


def parse_decimal(name: str, value: Any) -> Fraction:
    """One amount, such as "12.5"."""
    if not isinstance(value, str) or len(value) > MAX_DECIMAL_LENGTH or not _DECIMAL.fullmatch(value):
        raise OutOfRange(f"{name} is decimal text such as '12.5', not {value!r:.80}")
    number = Fraction(value)
    if exact_text(number) != value:
        raise OutOfRange(f"{name} is written {exact_text(number)!r}, not {value!r}")
    return number


def _positive(name: str, value: Any) -> Fraction:
    number = parse_decimal(name, value)
    if number <= 0:
        raise OutOfRange(f"{name} is positive, not {value!r}")
    return number
