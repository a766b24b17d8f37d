"""From the range and the grid that a study wishes to the radices that its figures are shared in.

The last radices multiply to publish_step / step exactly: they are never walked, since what is published stops
above them. The first ones make the largest figure, minimum + step (R - half), reach the wished maximum or go
little beyond it. Digits are few and alike, of at most 16 symbols where that can be (32 where a prime forces
it): a walk costs a product of vectors and some rounds per digit, and an inner product per symbol.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import prod

from mpc_cde.coded_text import worded
from mpc_cde.errors import CallerError

USUAL_RADIX, LARGEST_RADIX = 16, 32
MAX_SIZE = 1 << 60
SLACK = Fraction(21, 20)
"""Up to 5 % more values than wished are taken for digits that are more alike."""


class NoRadices(CallerError):
    """No radices fit this range and grid; the message says which of them to change."""


def choose_radices(
    minimum: Fraction, maximum: Fraction, step: Fraction, publish_step: Fraction, allow_exact: bool
) -> tuple[int, ...]:
    """Radices, most significant first, each 2 to 32, so that the largest figure is `maximum` or just above.

    Raises NoRadices for a range or grid that no radices fit.
    """
    if step <= 0:
        raise NoRadices(worded("grid_step", "step must be positive"))
    if maximum <= minimum:
        raise NoRadices(worded("grid_maximum", "maximum must lie above minimum"))
    ratio = publish_step / step
    if ratio.denominator != 1 or ratio < 1:
        raise NoRadices(worded("grid_publish", "publish_step must be a whole number of steps"))
    if ratio == 1 and not allow_exact:
        raise NoRadices(worded("grid_exact", "publish_step may equal step only where allow_exact is set"))
    if ratio != 1 and ratio % 2:
        raise NoRadices(
            worded("grid_even", "publish_step must be an even number of steps, so that rounding is exact")
        )
    unpublished = int(ratio)
    half = 0 if unpublished == 1 else unpublished // 2
    top = -((minimum - maximum) // step)  # steps from minimum to the first grid point at or above maximum
    published = max(2, -(-(top + half + 1) // unpublished))
    if published * unpublished >= MAX_SIZE:
        raise NoRadices(_too_many())
    radices = (*_reach(published), *_factor(unpublished))
    if prod(radices) >= MAX_SIZE:
        raise NoRadices(_too_many())
    return radices


def _reach(values: int) -> tuple[int, ...]:
    """Few digits, alike, for at least `values` values and at most 5 % more where that can be."""
    digits = 1
    while USUAL_RADIX**digits < values:
        digits += 1
    even = next(radix for radix in range(2, USUAL_RADIX + 1) if radix**digits >= values)
    candidates = (radices for radices in _descending(even, digits) if prod(radices) >= values)

    def badness(radices: tuple[int, ...]) -> tuple[Fraction, int, int]:
        size = prod(radices)
        return (max(Fraction(size, values), SLACK), sum(radices), size)

    return min(candidates, key=badness)


def _descending(even: int, digits: int) -> Iterator[tuple[int, ...]]:
    """All descending tuples of radices close to `even`."""
    low, high = max(2, even - 3), min(USUAL_RADIX, even + 3)

    def extend(start: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        if len(start) == digits:
            yield start
            return
        for radix in range(start[-1] if start else high, low - 1, -1):
            yield from extend((*start, radix))

    return extend(())


def _too_many() -> str:
    return worded(
        "grid_too_many", "the range holds too many steps (2^60): take a larger step or a smaller range"
    )


def _factor(number: int) -> tuple[int, ...]:
    """Few factors, alike, whose product is exactly `number`; none for 1. Raises NoRadices."""
    for largest in (USUAL_RADIX, LARGEST_RADIX):
        for count in range(number.bit_length()):
            found = list(_factorings(number, count, largest))
            if found:
                return min(found, key=lambda factors: (sum(factors), factors))
    raise NoRadices(
        worded(
            "grid_prime",
            "publish_step is {number} steps, which has a prime factor above {largest}: take a rounder number",
            number=number,
            largest=LARGEST_RADIX,
        )
    )


def _factorings(number: int, count: int, largest: int) -> Iterator[tuple[int, ...]]:
    """Every descending tuple of `count` factors from 2 to `largest` with this product."""
    if count == 0:
        if number == 1:
            yield ()
        return
    if number > largest**count:
        return
    for factor in range(min(largest, number), 1, -1):
        if number % factor == 0:
            for rest in _factorings(number // factor, count - 1, factor):
                yield (factor, *rest)
