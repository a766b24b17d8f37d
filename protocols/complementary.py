"""Testing what falls out of a table by subtraction, and withholding more until that passes (withholding.py).

A remainder, the whole less its published parts, has the whole's contributors less theirs: its number, totals and
selectors are linear in what the cells have. It must reach the minimum of its siblings and satisfy their rules about
concentration. All remainders that a table might come to are tested at once, with nothing opened; of the shared
verdicts v_1, v_2, ... the bits [v_1 + ... + v_j >= 1] open, which are a function of the first that passes.

A cell that fails a rule is withheld with all cells of its table and group: what one item of a query publishes must
not fall out against another's pattern. A table of several figures (a ratio and both totals, say) is tested for each
of them.

Where every member contributes to the whole, its number is public whatever becomes of its totals: then remainders are
tested even if the whole is withheld, for their minimum alone.

What a party learns: which cells are withheld to complement others.
Cost: that of testing a cell (concentration.py) for each remainder that may be tried, over its own records; none where
nothing is withheld and the parts are all there is. Rounds, however many tables: those of a cell's test, and 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from protocols.cells import WITHHELD_DISCLOSURE, Cell, Group, Numbers
from protocols.concentration import Holdings, all_of, as_shared, constant, safe_bits
from protocols.concentration_rules import ConcentrationRules
from protocols.engine import Engine, PublicMask, Shared, concatenate
from protocols.errors import OutOfRange, PeerDeviation
from protocols.withholding import Step, Table, TableGroup, arrange_table

LABEL = "disclosure: remainders"


@dataclass(slots=True)
class _Candidate:
    """A remainder to be tested: what must not be negative for its minimum, and its figures' holdings."""

    step: Step
    enough: Shared | None
    holdings: list[Holdings]


@dataclass(slots=True)
class _TableUnderTest:
    """A table of cells: `members[i]` are the cells of its group i."""

    table: Table
    members: list[list[Cell]]
    candidates: list[_Candidate] = field(default_factory=list)
    otherwise: Step | None = None

    def chosen(self, verdicts: Sequence[bool]) -> tuple[int, ...]:
        """The groups that are withheld beside those that were, when candidate j or an earlier one passes."""
        for candidate, passes in zip(self.candidates, verdicts, strict=True):
            if passes:
                return candidate.step.withheld
        return () if self.otherwise is None else self.otherwise.withheld

    def rules(self) -> dict[tuple[str, ...], list[ConcentrationRules]]:
        """What remainders of each set of figures must satisfy."""
        found: dict[tuple[str, ...], dict[ConcentrationRules, None]] = {}
        for own in self.members:
            for cell in own:
                if cell.rules:
                    found.setdefault(cell.request.figures, {})[cell.rules] = None
        return {figures: list(rules) for figures, rules in found.items()}

    def cell(self, group: int, figures: tuple[str, ...]) -> Cell:
        """One of these figures in this group. Raises OutOfRange if the table has none."""
        for cell in self.members[group]:
            if cell.request.figures == figures:
                return cell
        raise OutOfRange(f"a table of several figures has {', '.join(figures)} in each of its groups")


async def withhold(engine: Engine, cells: Sequence[Cell], numbers: Numbers) -> None:
    """Withhold what complements the withheld cells."""
    tables = _tables(cells)
    for each in tables:
        _list_candidates(engine, each, numbers)
    verdicts = await _first_passing(engine, tables)
    for each, own in zip(tables, verdicts, strict=True):
        for position in each.chosen(own):
            _withhold(each.members[position])


def _tables(cells: Sequence[Cell]) -> list[_TableUnderTest]:
    """Whole and parts of each table; cells beside a withheld one of their group are withheld on the way."""
    by_table: dict[tuple[str, ...], dict[Group, list[Cell]]] = {}
    for cell in cells:
        if cell.request.complementary:
            own = by_table.setdefault(cell.table, {})
            own.setdefault(cell.request.group, []).append(cell)
    tables = []
    for groups in by_table.values():
        members = list(groups.values())
        for beside in members:
            if any(not cell.is_open for cell in beside):
                _withhold(beside)
        table = arrange_table(
            [TableGroup(own[0].mask, own[0].request.category, own[0].category_cells) for own in members]
        )
        if table is not None:
            tables.append(_TableUnderTest(table, members))
    return tables


def _withhold(cells: Sequence[Cell]) -> None:
    for cell in cells:
        if cell.is_open:
            cell.withheld = WITHHELD_DISCLOSURE


def _list_candidates(engine: Engine, under_test: _TableUnderTest, numbers: Numbers) -> None:
    """What has to be tested in secret; ends at the first remainder that passes in public."""
    table, members = under_test.table, under_test.members
    withheld = {i for i, own in enumerate(members) if any(not cell.is_open for cell in own)}
    minimum = max(cell.request.minimum for own in members for cell in own)
    whole = members[table.whole][0]
    rules = under_test.rules()
    if table.whole in withheld:
        if not isinstance(numbers[whole.contributing], int):
            return  # nobody knows its number: nothing is subtracted from
        rules = {}
    for step in table.steps(withheld):
        parts = [members[i][0] for i in step.published]
        if step.is_certain:
            under_test.otherwise = step
            return
        number = _less(numbers[whole.contributing], [numbers[part.contributing] for part in parts])
        if isinstance(number, int) and number < minimum:
            continue
        if isinstance(number, int) and not rules:
            under_test.otherwise = step
            return
        holdings = [
            each
            for figures, own in rules.items()
            for each in _holdings(
                engine,
                under_test.cell(table.whole, figures),
                [under_test.cell(i, figures) for i in step.published],
                as_shared(number),
                own,
            )
        ]
        enough = None if isinstance(number, int) else number.plus(-minimum)
        under_test.candidates.append(_Candidate(step, enough, holdings))


def _holdings(
    engine: Engine,
    whole: Cell,
    published: Sequence[Cell],
    number: Shared,
    rules: Sequence[ConcentrationRules],
) -> list[Holdings]:
    """The remainder's contributions, for each figure and each set of rules."""
    found = []
    for position, figure in enumerate(whole.figures):
        parts = [(part.mask, part.selectors[position]) for part in published]
        mask = whole.mask.copy()
        for own, secret in parts:
            if secret is None:
                mask &= own ^ 1
        selector = whole.selectors[position]
        if selector is not None or any(secret is not None for _, secret in parts):
            selector = _bits(whole.mask) if selector is None else selector
            for own, secret in parts:
                selector = selector - (_bits(own) if secret is None else secret)
        found += [Holdings(figure, mask, selector, number, each) for each in rules]
    return found


async def _first_passing(engine: Engine, tables: Sequence[_TableUnderTest]) -> list[list[bool]]:
    """For each table the bits that its candidate j or an earlier one passes."""
    candidates = [candidate for each in tables for candidate in each.candidates]
    if not candidates:
        return [[] for _ in tables]
    enough = [candidate.enough for candidate in candidates if candidate.enough is not None]
    reached = await engine.at_least_zero(concatenate(enough)) if enough else None
    bits = iter(await safe_bits(engine, [each for candidate in candidates for each in candidate.holdings]))
    conditions, position = [], 0
    for candidate in candidates:
        own = [bit for _ in candidate.holdings for bit in next(bits)]
        if candidate.enough is not None and reached is not None:
            own.append(reached[position : position + 1])
            position += 1
        conditions.append(own)
    verdicts = iter(await all_of(engine, conditions))
    passed: list[Shared] = []
    for each in tables:
        so_far = constant(0)
        for _ in each.candidates:
            so_far = so_far + next(verdicts)
            passed.append(so_far.plus(-1))
    opened = iter(await engine.reveal_at_least_zero(concatenate(passed), LABEL))
    found = [[bool(next(opened)) for _ in each.candidates] for each in tables]
    if any(earlier and not later for own in found for earlier, later in pairwise(own)):
        raise PeerDeviation("verdicts that come and go were opened: some party deviated")
    return found


def _less(number: Shared | int, parts: Sequence[Shared | int]) -> Shared | int:
    """The number less those of the parts; plain if all are."""
    if isinstance(number, int) and all(isinstance(part, int) for part in parts):
        return number - sum(part for part in parts if isinstance(part, int))
    left = as_shared(number)
    for part in parts:
        left = left - as_shared(part)
    return left


def _bits(mask: PublicMask) -> Shared:
    """A public mask as a sharing."""
    return Shared(mask.astype(np.uint64))
