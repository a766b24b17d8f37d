"""The rules about concentration, as data: (n, k) dominance and the p% rule (protocol.md section 7, rules.md).

Contributions x1 >= x2 >= ... of a cell with total X are unsafe
    under (n, k) dominance if   100 (x1 + ... + xn) > k X,      n = 1 or 2;
    under the p% rule if        100 (X - x1 - x2) < p x1.
Both speak of amounts that are never negative, so they apply to a figure whose minimum is 0 or more; a study of other
figures asks for more contributors instead (`minimum_contributors_negative`). Amounts are counted in steps of the
figure, so its minimum is a whole number of them. No shares and no engine here: nodes ask before they approve.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from protocols.encoding import FigureEncoding
from protocols.errors import OutOfRange
from protocols.plans import require_below, require_number

LARGEST_CONTRIBUTIONS = 2
"""How many of the largest contributions are looked for: dominance with more is refused."""


@dataclass(frozen=True, slots=True)
class ConcentrationRules:
    """What a cell must satisfy; `dominance` is (n, k). p is known to the parties but never published or printed."""

    dominance: tuple[int, int] | None = None
    p_percent: int | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.dominance is not None:
            contributions, percent = self.dominance
            if not 1 <= contributions <= LARGEST_CONTRIBUTIONS or not 1 <= percent <= 99:
                raise OutOfRange("dominance (n, k): this version knows n = 1 or 2, and k from 1 to 99")
        if self.p_percent is not None and not 1 <= self.p_percent <= 100:
            raise OutOfRange("p of the p% rule lies between 1 and 100")

    def __bool__(self) -> bool:
        """Whether there is any rule."""
        return self.dominance is not None or self.p_percent is not None


def offset(encoding: FigureEncoding) -> int:
    """x / step - u: minimum / step - half. Raises OutOfRange for a figure that the rules do not apply to."""
    require_number("a rule about concentration", encoding)
    steps = encoding.minimum / encoding.step
    if steps < 0:
        raise OutOfRange(
            "rules about concentration do not apply to figures that may be negative: "
            "ask for a higher minimum of contributors there"
        )
    if steps.denominator != 1:
        raise OutOfRange("rules about concentration need a minimum that is a whole number of steps")
    return int(steps) - encoding.half


def bound(encoding: FigureEncoding, records: int) -> int:
    """Every number that the rules compare lies below it."""
    return 100 * (records + 1) * (encoding.size + abs(offset(encoding)))


def verify_concentration(encoding: FigureEncoding, minimum: int, records: int) -> None:
    """Return if the rules can be tested in cells of at least `minimum` contributors, else OutOfRange.

    `records`: how many there are at most. With fewer than two contributors there is no second largest.
    """
    require_below("concentration: a compared total", bound(encoding, records))
    if minimum < LARGEST_CONTRIBUTIONS:
        raise OutOfRange("rules about concentration need a minimum of 2 contributors or more")
