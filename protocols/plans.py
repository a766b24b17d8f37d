"""What a function's parameters come to for a figure: whole numbers and public bounds.

No shares and no engine here: nodes ask before they approve a study (with its roster cap), computations ask
before they start (with the records that there are). `verify_plan` raises OutOfRange in words for the steward.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from math import gcd, lcm, prod
from types import MappingProxyType
from typing import Any

from protocols.catalog import parse_quantiles
from protocols.decimals import exact_text
from protocols.encoding import FigureEncoding
from protocols.errors import OutOfRange
from protocols.parameters import parse_edges, parse_grid, parse_maximum, parse_places

COMPARED_BELOW = 1 << 60
"""Compared numbers, and totals that are opened, stay below this in public."""

LIMB_SIZE = 1 << 16
"""Totals beyond the field are opened in digits of this base (wide.py)."""

Plan = Callable[[Sequence[FigureEncoding], Mapping[str, Any], int], object]
"""Checks parameters for the figures and at most so many records."""


def verify_plan(
    function: str, encodings: Sequence[FigureEncoding], parameters: Mapping[str, Any], records: int
) -> None:
    """Return if `function` can be computed over these figures of at most `records` records, else OutOfRange.

    `parameters` are of the kind that the catalogue asks for. Functions without a plan of their own pass.
    """
    if function in PLANS:
        PLANS[function](encodings, parameters, records)


@dataclass(frozen=True, slots=True)
class MeanPlan:
    """Published are minimum + grid k, k in 0 .. count - 1; the grid has `ratio` steps of the figure."""

    encoding: FigureEncoding
    grid: Fraction
    ratio: int

    @property
    def count(self) -> int:
        """One more than the largest k: the largest possible mean is minimum + step (R - half)."""
        return (2 * (self.encoding.size - 1 - self.encoding.half) + self.ratio) // (2 * self.ratio) + 1

    def bound(self, contributors: int) -> int:
        """|V - k W| stays below it (means.py)."""
        return 4 * contributors * (self.encoding.size + self.ratio)

    def published(self, k: int) -> str:
        return exact_text(self.encoding.minimum + self.grid * k)


def plan_mean(encoding: FigureEncoding, parameters: Mapping[str, Any], records: int) -> MeanPlan:
    """The grid must be a whole number of the figure's steps."""
    require_number("a mean", encoding)
    grid = parse_grid(parameters)
    ratio = grid / encoding.step
    if ratio.denominator != 1:
        raise OutOfRange(
            f"mean@1: grid {exact_text(grid)} is no whole multiple of the figure's step "
            f"{exact_text(encoding.step)}"
        )
    plan = MeanPlan(encoding, grid, int(ratio))
    require_below("mean@1: a compared total", plan.bound(records))
    return plan


@dataclass(frozen=True, slots=True)
class RatioPlan:
    """Published are grid k, k in 0 .. count - 1; a grid step is numerator / denominator of the units (ratios.py).

    `in_units`: step and minimum of each figure in whole units of its own; `largest`: the most, in units and by
    size, that one record adds to each total.
    """

    grid: Fraction
    count: int
    numerator: int
    denominator: int
    in_units: tuple[tuple[int, int], tuple[int, int]]
    largest: tuple[int, int]

    def bound(self, contributors: int) -> int:
        """|V - k W| stays below it."""
        above, below = self.largest
        points = 2 * self.count + 1
        return contributors * (2 * self.denominator * above + points * self.numerator * below) + 1

    def published(self, k: int) -> str:
        return exact_text(self.grid * k)


def plan_ratio(encodings: Sequence[FigureEncoding], parameters: Mapping[str, Any], records: int) -> RatioPlan:
    """Both figures must start at 0 or above, so that totals of honest figures are not negative."""
    require_number("a ratio of totals", *encodings)
    if any(encoding.minimum < 0 for encoding in encodings):
        raise OutOfRange("ratio_of_totals@1: a figure that may be negative has no share in a total")
    grid, maximum = parse_grid(parameters), parse_maximum(parameters)
    units = [_common_unit(encoding.minimum, encoding.step) for encoding in encodings]
    above, below = [
        (int(encoding.step / unit), int(encoding.minimum / unit))
        for encoding, unit in zip(encodings, units, strict=True)
    ]
    step = grid * units[1] / units[0]
    plan = RatioPlan(
        grid,
        int(maximum / grid) + 1,
        step.numerator,
        step.denominator,
        (above, below),
        (_largest(encodings[0], *above), _largest(encodings[1], *below)),
    )
    for (factor, base), encoding in zip((above, below), encodings, strict=True):
        require_below("ratio_of_totals@1: a total", records * (factor + base) * encoding.size)
    require_below("ratio_of_totals@1: a compared total", plan.bound(records))
    return plan


def _common_unit(minimum: Fraction, step: Fraction) -> Fraction:
    """The largest number that divides both without rest."""
    scale = lcm(minimum.denominator, step.denominator)
    return Fraction(gcd(int(minimum * scale), int(step * scale)), scale)


def _largest(encoding: FigureEncoding, step: int, base: int) -> int:
    return max(base + step * (encoding.size - 1 - encoding.half), abs(base - step * encoding.half))


@dataclass(frozen=True, slots=True)
class HistogramPlan:
    """Edges as the digits of u that they begin at, most significant first, without trailing zeros."""

    paths: tuple[tuple[int, ...], ...]


def plan_histogram(encoding: FigureEncoding, parameters: Mapping[str, Any], records: int) -> HistogramPlan:
    """Edges lie where published values change: at minimum + step (E - half), E a multiple of the publish step."""
    require_number("a histogram", encoding)
    require_below("histogram@1: a count", records)
    points = prod(encoding.radices[: encoding.published_digits])
    first = encoding.minimum - encoding.step * encoding.half
    paths = []
    for edge in parse_edges(parameters):
        place = (edge - first) / encoding.publish_step
        if place.denominator != 1 or not 0 < place < points:
            nearest = first + encoding.publish_step * min(max(1, round(place)), points - 1)
            raise OutOfRange(
                f"histogram@1: edge {exact_text(edge)} does not lie between two published values; the nearest "
                f"that does is {exact_text(nearest)}"
            )
        digits = encoding.digits(int(place) * (encoding.size // points))
        while not digits[-1]:
            digits = digits[:-1]
        paths.append(digits)
    return HistogramPlan(tuple(paths))


def require_number(what: str, *encodings: FigureEncoding) -> None:
    """Refuse a category, whose symbols are no amounts."""
    if any(encoding.kind != "number" for encoding in encodings):
        raise OutOfRange(f"{what} is taken of numbers, not of a category")


def require_below(what: str, bound: int) -> None:
    """Refuse a public bound that reaches 2^60."""
    if bound >= COMPARED_BELOW:
        raise OutOfRange(f"{what} may reach 2^60: use a smaller roster, a smaller range or a coarser grid")


def verify_spread(
    function: str, encoding: FigureEncoding, parameters: Mapping[str, Any], records: int
) -> None:
    """Sum and sum of squares must keep their bounds; the grid may be any."""
    require_number(function, encoding)
    parse_grid(parameters)
    _require_sums(function, encoding, records)


def verify_correlation(
    encodings: Sequence[FigureEncoding], parameters: Mapping[str, Any], records: int
) -> None:
    """Sums, sums of squares and the sum of products must keep their bounds."""
    require_number("a correlation", *encodings)
    parse_places(parameters)
    for encoding in encodings:
        _require_sums("correlation@1", encoding, records)
    x, y = (encoding.radices for encoding in encodings)
    require_below(
        "correlation@1: a limb of the sum of products",
        limb_bound(len(x) * len(y), records * (max(x) - 1) * (max(y) - 1)),
    )


def _require_sums(function: str, encoding: FigureEncoding, records: int) -> None:
    require_below(f"{function}: the total", records * encoding.size)
    digits = len(encoding.radices)
    require_below(
        f"{function}: a limb of the sum of squares",
        limb_bound(digits * (digits + 1) // 2, records * (max(encoding.radices) - 1) ** 2),
    )


def limb_bound(weights: int, part_bound: int) -> int:
    """What wide.py compares stays below it: `weights` parts in 0 .. part_bound, and a carry."""
    return 2 * weights * (LIMB_SIZE - 1) * part_bound + part_bound


def verify_interpolation(encoding: FigureEncoding, parameters: Mapping[str, Any], records: int) -> None:
    """y and the published values that it is compared with, in parts of a step, must keep their bound."""
    require_number("a percentile", encoding)
    finest = max(quantile.denominator for quantile in parse_quantiles(parameters))
    require_below("percentiles_linear@1: a compared figure", 2 * finest * (encoding.size + 1))


def _of_one(check: Callable[[FigureEncoding, Mapping[str, Any], int], object]) -> Plan:
    return lambda encodings, parameters, records: check(encodings[0], parameters, records)


PLANS: Mapping[str, Plan] = MappingProxyType(
    {
        "mean@1": _of_one(plan_mean),
        "percentiles_linear@1": _of_one(verify_interpolation),
        "ratio_of_totals@1": plan_ratio,
        "histogram@1": _of_one(plan_histogram),
        "correlation@1": verify_correlation,
        "variance@1": _of_one(partial(verify_spread, "variance@1")),
        "standard_deviation@1": _of_one(partial(verify_spread, "standard_deviation@1")),
    }
)
"""By function; computed here, named in the catalogue."""
