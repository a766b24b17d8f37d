"""Testing a cell for concentration: its two largest contributions against its total (protocol.md section 7).

With N contributors the two largest have ranks N and N - 1; both are found in secret form, N itself may be shared. In
steps of the figure a contribution is x = u + offset (concentration_rules.py), and the total X = U + offset N. A
member can bring x down to minus half a publish step, no further, with a hostile client and a minimum of 0.

What a party learns: nothing; the bits are shared, and whoever asked decides what opens.
Cost for a cell of n records and a figure of D digits: 2 (2 D - 3) products of n, and two walks' comparisons; one or
two more. Rounds, however many cells: those of the secret form, 7 D (7 D + 1 where a group is secret), then 3 + 5,
and 1 for each doubling of the number of bits that a cell must satisfy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from protocols import concentration_rules, moments
from protocols import field as fp
from protocols.concentration_rules import ConcentrationRules
from protocols.engine import Engine, PublicMask, Shared, concatenate, require_bounded
from protocols.records import FigureRecords
from protocols.secret_order_statistics import SecretWalk, order_statistics


@dataclass(frozen=True, slots=True)
class Holdings:
    """The contributions of one figure in one group, and the rules for them.

    `selector`: who counts, where a secret says so, else the mask does. `contributors`: N, (1,) of degree t where
    it is shared; below 2 the bits mean nothing.
    """

    figure: FigureRecords
    mask: PublicMask
    selector: Shared | None
    contributors: Shared
    rules: ConcentrationRules


async def safe_bits(engine: Engine, holdings: Sequence[Holdings]) -> list[list[Shared]]:
    """For each of `holdings` the shared bits (1,), one a rule, that the rule is satisfied."""
    if not holdings:
        return []
    ranks = [concatenate([each.contributors, each.contributors.plus(-1)]) for each in holdings]
    found = await order_statistics(
        engine,
        [
            SecretWalk(each.figure, each.mask, own, each.selector)
            for each, own in zip(holdings, ranks, strict=True)
        ],
    )
    margins = [
        _margins(engine, each, statistics.numbers) for each, statistics in zip(holdings, found, strict=True)
    ]
    bits = await engine.at_least_zero(concatenate([margin for own in margins for margin in own]))
    ends = accumulate(len(own) for own in margins)
    return [
        [bits[i : i + 1] for i in range(end - len(own), end)] for own, end in zip(margins, ends, strict=True)
    ]


async def all_of(engine: Engine, conditions: Sequence[Sequence[Shared]]) -> list[Shared]:
    """The conjunction of each list of shared bits (1,): products of pairs, all lists side by side."""
    width = max((len(own) for own in conditions), default=0)
    if not width:
        return [constant(1) for _ in conditions]
    padded = [[*own, *[constant(1)] * (width - len(own))] for own in conditions]
    rows = [concatenate([own[i] for own in padded]) for i in range(width)]
    while len(rows) > 1:
        half = len(rows) // 2
        products = await engine.multiply(concatenate(rows[:half]), concatenate(rows[half : 2 * half]))
        joined = [products[i * len(padded) : (i + 1) * len(padded)] for i in range(half)]
        rows = [*joined, *rows[2 * half :]]
    return [rows[0][i : i + 1] for i in range(len(padded))]


def constant(value: int) -> Shared:
    """A public number as a sharing (1,)."""
    return Shared(fp.from_ints([value]))


def as_shared(number: Shared | int) -> Shared:
    """N as a sharing, whether it is public or not."""
    return constant(number) if isinstance(number, int) else number


def _margins(engine: Engine, holdings: Holdings, two_largest: Shared) -> list[Shared]:
    """What must not be negative, one number (1,) a rule; `two_largest` are u, the largest first."""
    encoding, rules = holdings.figure.encoding, holdings.rules
    require_bounded(concentration_rules.bound(encoding, len(holdings.mask)))
    offset = concentration_rules.offset(encoding)
    total = moments.shared_total(engine, holdings.figure, holdings.mask, holdings.selector)
    total = total + holdings.contributors.times(offset)
    first, second = (two_largest[i : i + 1].plus(offset) for i in range(2))
    margins = []
    if rules.dominance is not None:
        contributions, percent = rules.dominance
        largest = first if contributions == 1 else first + second
        margins.append(total.times(percent) - largest.times(100))
    if rules.p_percent is not None:
        margins.append((total - first - second).times(100) - first.times(rules.p_percent))
    return margins
