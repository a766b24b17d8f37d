"""Values that a function can have: on its grid, within its bounds, in order, adding up.

One check a function of the catalogue, from the cell and the study's terms alone: what a result of colluding parties
cannot get past whoever reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

from mpc_cde.documents.result import Cell
from mpc_cde.documents.study_terms import Parameters, StudyTerms
from mpc_cde.encodings import encoding_of
from mpc_cde.errors import BadDocument
from protocols.encoding import FigureEncoding
from protocols.parameters import parse_edges, parse_grid, parse_maximum, parse_places
from protocols.plans import plan_mean


@dataclass(frozen=True, slots=True)
class Released:
    """A cell's values as exact numbers, and what they are of."""

    numbers: tuple[Fraction, ...]
    contributors: int
    minimum: int
    encodings: Sequence[FigureEncoding]
    parameters: Parameters

    @property
    def number(self) -> Fraction:
        """The only value. Raises BadDocument for several."""
        _require(len(self.numbers) == 1, f"expected 1 value, found {len(self.numbers)}")
        return self.numbers[0]

    @property
    def lowest(self) -> Fraction:
        """Nobody's figure lies below: the minimum, less what a hostile client can take off it."""
        encoding = self.encodings[0]
        return encoding.minimum - encoding.step * encoding.half

    @property
    def highest(self) -> Fraction:
        encoding = self.encodings[0]
        return encoding.minimum + encoding.step * (encoding.size - 1 - encoding.half)


def verify_values(
    cell: Cell, values: Sequence[str], contributors: int, minimum: int, terms: StudyTerms
) -> None:
    """Returns if the cell's function can come to these values. Raises BadDocument."""
    figures = [figure for name in cell.figures if (figure := terms.figure(name)) is not None]
    encodings = [encoding_of(figure, allow_exact=terms.disclosure.allow_exact) for figure in figures]
    numbers = tuple(Fraction(value) for value in values)
    _CHECKS[cell.function](Released(numbers, contributors, minimum, encodings, cell.parameters))


def _count(found: Released) -> None:
    _require(found.number == found.contributors, "a count is the number of contributors")


def _sum(found: Released) -> None:
    encoding, number = found.encodings[0], found.contributors
    steps = (found.number - number * encoding.minimum) / encoding.step
    _require(steps.denominator == 1, "a sum lies on the figure's grid")
    within = number * found.lowest <= found.number <= number * found.highest
    _require(within, "a sum of so many figures lies within their range")


def _mean(found: Released) -> None:
    plan = plan_mean(found.encodings[0], found.parameters, found.contributors)
    point = (found.number - plan.encoding.minimum) / plan.grid
    _require(point.denominator == 1, "a mean is not on its published grid")
    _require(0 <= point < plan.count, "a mean lies within the figure's range")


def _variance(found: Released) -> None:
    grid = parse_grid(found.parameters)
    _require((found.number / grid).denominator == 1, "a variance is not on its published grid")
    largest = ((found.highest - found.lowest) / 2) ** 2
    _require(0 <= found.number <= largest + grid / 2, "a variance is at most that of figures at both ends")


def _standard_deviation(found: Released) -> None:
    grid = parse_grid(found.parameters)
    _require((found.number / grid).denominator == 1, "a standard deviation is not on its published grid")
    largest = (found.highest - found.lowest) / 2
    _require(
        0 <= found.number <= largest + grid / 2, "a standard deviation is at most half the figure's range"
    )


def _ratio(found: Released) -> None:
    grid, maximum = parse_grid(found.parameters), parse_maximum(found.parameters)
    _require((found.number / grid).denominator == 1, "a ratio is not on its published grid")
    _require(0 <= found.number <= maximum, "a ratio lies between 0 and the maximum")


def _correlation(found: Released) -> None:
    places = parse_places(found.parameters)
    _require(
        (found.number * 10**places).denominator == 1, f"a correlation has at most {places} decimal places"
    )
    _require(-1 <= found.number <= 1, "a correlation lies between -1 and 1")


def _histogram(found: Released) -> None:
    buckets = len(parse_edges(found.parameters)) + 1
    _require(len(found.numbers) == buckets, f"expected {buckets} values, found {len(found.numbers)}")
    whole = all(count.denominator == 1 and count >= 0 for count in found.numbers)
    _require(whole, "a bucket holds a whole number of contributors")
    _require(sum(found.numbers) == found.contributors, "buckets add up to the contributors")
    enough = all(count == 0 or count >= found.minimum for count in found.numbers)
    _require(enough, f"a bucket holds nobody, or at least {found.minimum} contributors")


def _percentiles(found: Released) -> None:
    quantiles = found.parameters["quantiles"]
    asked = len(quantiles) if isinstance(quantiles, tuple) else 0
    _require(len(found.numbers) == asked, f"expected {asked} values, found {len(found.numbers)}")
    _require(list(found.numbers) == sorted(found.numbers), "percentiles ascend")
    encoding = found.encodings[0]
    for number in found.numbers:
        steps = (number - encoding.minimum) / encoding.publish_step
        on_grid = steps.denominator == 1 and 0 <= number - encoding.minimum <= encoding.step * (
            encoding.size - 1
        )
        _require(on_grid, "a percentile is not on the published grid")


def _own_rank(found: Released) -> None:
    raise BadDocument("a member's own place stands in no result")


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise BadDocument(otherwise)


_CHECKS: Mapping[str, Callable[[Released], None]] = MappingProxyType(
    {
        "count@1": _count,
        "sum@1": _sum,
        "mean@1": _mean,
        "variance@1": _variance,
        "standard_deviation@1": _standard_deviation,
        "ratio_of_totals@1": _ratio,
        "correlation@1": _correlation,
        "histogram@1": _histogram,
        "percentiles@1": _percentiles,
        "percentiles_linear@1": _percentiles,
        "own_rank@1": _own_rank,
    }
)
