"""No sequence of approved queries lets two cells out that differ by a few members: brute force over small rosters.

Studies, rosters and queries are drawn at random. What nodes approve and answer is then set against each other in
every way that somebody could: totals by subtraction and through ratios, ranks of percentiles, buckets of histograms.
Nothing here uses the nodes' own notion of tables or remainders.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations, pairwise
from math import ceil, floor
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mpc_cde.client.release_rules import items_of
from mpc_cde.documents.disclosure_bundle import DisclosureBundle, Dominance
from mpc_cde.documents.figure import Figure
from mpc_cde.documents.query import GroupCell, Query, QueryItem
from mpc_cde.documents.roster import RosterEntry
from mpc_cde.documents.roster_rows import RosterRows
from mpc_cde.documents.study_terms import FunctionTerms, GroupTerms, StudyTerms
from mpc_cde.encodings import encodings_of
from parties.job_proposals import released_by
from parties.job_runner import request_of, unpack_masks
from parties.job_specifications import query_specification
from parties.release_ledger import LedgerEntry, ledger_of
from parties.study_limits import unsupported
from protocols.cells import CellOutcome
from protocols.cleartext_engine import CleartextEngine
from protocols.computations import answer_query
from protocols.encoding import encode_submission
from protocols.randomness import ScriptedRandomness
from protocols.records import arrange
from tests.parties.test_study_limits import of, percentiles
from tests.protocols.engines import drive

MINIMUM, IN_GROUPS = 2, 3
Members = frozenset[int]


def number(name: str, *, blank: bool = False) -> Figure:
    return Figure(
        name=name,
        label=name,
        minimum="0",
        step="1",
        radices=(8, 4),
        publish_step="4",
        blank_allowed=blank,
    )


FIGURES = (
    number("x"),
    number("y"),
    number("z", blank=True),
    Figure(name="kind", label="Kind", kind="category", categories=("a", "b"), radices=(2,)),
)
POOL: tuple[FunctionTerms, ...] = tuple(
    function
    for by in (None, "size", "kind")
    for name in ("x", "y", "z")
    for function in (
        of("count@1", name, by=by),
        of("sum@1", name, by=by),
        of("mean@1", name, grid="1", by=by),
        of("variance@1", name, grid="1", by=by),
        of("histogram@1", name, edges=("10", "18"), by=by),
        percentiles(name, "1/2", by=by),
        percentiles(name, "1/3", "2/3", by=by),
        percentiles(name, "2/5", by=by, linear=True),
    )
) + tuple(
    function
    for by in (None, "size", "kind")
    for pair in (("x", "y"), ("x", "z"))
    for function in (
        of("ratio_of_totals@1", *pair, by=by),
        of("correlation@1", *pair, by=by),
    )
)
LIKELY = [f for f in POOL if f.by in (None, "size") and "z" not in f.figures]
LINKED = [
    f for f in LIKELY if f.function in ("sum@1", "mean@1", "ratio_of_totals@1") or f.figures == ("x", "y")
]


@dataclass
class Roster:
    """Who is in it: figures and what is certified of each."""

    terms: StudyTerms
    rows: list[list[int | None]]
    sizes: list[str | None]

    @property
    def entries(self) -> list[RosterEntry]:
        return [
            RosterEntry(
                submission=bytes([row]) * 32,
                membership=bytes([row]) * 32,
                groups={} if size is None else {"size": size},
            )
            for row, size in enumerate(self.sizes)
        ]

    def members(self, figures: Iterable[str], group: GroupCell | None) -> Members:
        """Whose figures a cell is made of."""
        found = set()
        for row, values in enumerate(self.rows):
            own = dict(zip(("x", "y", "z", "kind"), values, strict=True))
            if any(own[name] is None for name in figures):
                continue
            if group is not None and group.attribute == "size" and self.sizes[row] != group.value:
                continue
            if group is not None and group.attribute == "kind":
                symbol = None if group.value == "blank" else ("a", "b").index(group.value)
                if own["kind"] != symbol:
                    continue
            found.add(row)
        return frozenset(found)

    def amounts(self, name: str, members: Members) -> list[int]:
        place = ("x", "y", "z").index(name)
        return sorted((self.rows[row][place] or 0 for row in members), reverse=True)

    def answer(
        self, items: Sequence[QueryItem], ledger: Sequence[LedgerEntry], p: int | None
    ) -> list[CellOutcome]:
        query = Query(
            study_terms=self.terms.digest(),
            items=tuple(items),
            asker=bytes(32),
            nonce=bytes(16),
            expires="2027-01-01T00:00:00Z",
        )
        facts = released_by(ledger_of(ledger), b"q" * 32, items)
        job = query_specification(
            bytes(32),
            bytes(32),
            self.terms,
            RosterRows.pack(self.entries),
            frozenset(),
            query,
            facts,
            p_percent=p,
        )
        encodings = encodings_of(self.terms)
        matrix = np.stack([encode_submission(encodings, row) for row in self.rows]).T
        named = [(f.name, encoding) for f, encoding in zip(self.terms.figures, encodings, strict=True)]
        computation = answer_query(
            CleartextEngine(ScriptedRandomness(b"sequence")),
            arrange(np.ascontiguousarray(matrix), named),
            unpack_masks(job),
            [request_of(cell) for cell in job.cells],
            [request_of(cell) for cell in job.siblings],
        )
        outcomes: list[CellOutcome] = drive(computation)[0]
        return outcomes


@dataclass
class Adversary:
    """Collects everything that was published, and looks for what should not fall out of it."""

    roster: Roster
    dominance: tuple[int, int] | None
    published: list[tuple[QueryItem, CellOutcome]] = field(default_factory=list)

    def read(self, items: Sequence[QueryItem], outcomes: Sequence[CellOutcome]) -> None:
        self.published += [
            (item, outcome) for item, outcome in zip(items, outcomes, strict=True) if outcome.withheld is None
        ]

    def look(self) -> None:
        self._look_at_totals()
        self._look_at_ranks()
        self._look_at_buckets()

    def is_safe(self, name: str, members: Members, *, amounts: bool = True) -> bool:
        """Whether a total over just these members may be known."""
        if not members:
            return True
        if len(members) < MINIMUM:
            return False
        if self.dominance is None or not amounts:
            return True
        n, k = self.dominance
        values = self.roster.amounts(name, members)
        return 100 * sum(values[:n]) <= k * sum(values)

    def _look_at_totals(self) -> None:
        known: dict[str, set[Members]] = {"x": set(), "y": set(), "z": set()}
        numbers: dict[str, set[Members]] = {"x": set(), "y": set(), "z": set()}
        ratios: list[tuple[str, str, Members]] = []
        for item, _ in self.published:
            members = self.roster.members(item.figures, item.group)
            for name in item.figures:
                numbers[name].add(members)
            if item.function in ("sum@1", "mean@1", "variance@1"):
                known[item.figures[0]].add(members)
            if item.function in ("ratio_of_totals@1", "correlation@1"):
                ratios.append((item.figures[0], item.figures[1], members))
        everybody = frozenset(range(len(self.roster.rows)))
        for name in ("x", "y"):  # everybody gives them, and the roster tells how many that is
            if numbers[name]:
                numbers[name].add(everybody)
        for name in known:
            for members in _differences(numbers[name]):
                assert self.is_safe(name, members, amounts=False), (name, "number", sorted(members))
        while True:
            before = sum(map(len, known.values()))
            for name in known:
                known[name] |= _differences(known[name])
            for one, other, members in ratios:
                if members in known[one]:
                    known[other].add(members)
                if members in known[other]:
                    known[one].add(members)
            if sum(map(len, known.values())) == before:
                break
        for name, sets in known.items():
            for members in sets:
                assert self.is_safe(name, members), (name, sorted(members))

    def _look_at_ranks(self) -> None:
        spans: dict[tuple[str, Members], set[tuple[int, int]]] = {}
        for item, _ in self.published:
            quantiles = item.parameters.get("quantiles", ())
            assert isinstance(quantiles, tuple)
            members = self.roster.members(item.figures, item.group)
            for text in quantiles:
                q, n = Fraction(text), len(members)
                place = q * (n - 1)
                exact = (ceil(q * n), ceil(q * n))
                linear = (floor(place) + 1, ceil(place) + 1)
                own = linear if item.function == "percentiles_linear@1" else exact
                spans.setdefault((item.figures[0], members), set()).add(own)
        for (name, members), found in spans.items():
            ends = [(0, 0), *sorted(found), (len(members) + 1, len(members) + 1)]
            for (_, high), (low, _) in pairwise(ends):
                assert low - high - 1 >= MINIMUM, (name, sorted(members), ends)

    def _look_at_buckets(self) -> None:
        drawn: dict[str, list[tuple[Members, list[int]]]] = {}
        for item, outcome in self.published:
            if item.function == "histogram@1":
                counts = [int(value) for value in outcome.values or ()]
                members = self.roster.members(item.figures, item.group)
                drawn.setdefault(item.figures[0], []).append((members, counts))
        for name, found in drawn.items():
            for whole, counts in found:
                inside = [(m, c) for m, c in found if m < whole]
                for size in range(len(inside) + 1):
                    for parts in combinations(inside, size):
                        covered = [row for members, _ in parts for row in members]
                        if len(covered) == len(set(covered)):
                            left = [c - sum(own[i] for _, own in parts) for i, c in enumerate(counts)]
                            assert all(c == 0 or c >= MINIMUM for c in left), (name, left)


def _differences(sets: set[Members]) -> set[Members]:
    """Every set that one of these is, less others inside it that do not overlap."""
    found = set(sets)
    for whole in sets:
        inside = [each for each in sets if each < whole]
        for size in range(1, len(inside) + 1):
            for parts in combinations(inside, size):
                covered = [row for part in parts for row in part]
                if len(covered) == len(set(covered)):
                    found.add(whole - frozenset(covered))
    return found


@st.composite
def studies(draw: st.DrawFn) -> tuple[StudyTerms, tuple[int, int] | None]:
    pool = draw(st.sampled_from([LIKELY, LINKED, LINKED]))
    chosen = draw(st.lists(st.sampled_from(pool), min_size=1, max_size=6, unique_by=FunctionTerms.digest))
    chosen += draw(st.lists(st.sampled_from(POOL), max_size=2, unique_by=FunctionTerms.digest))
    unique = {function.digest(): function for function in chosen}
    dominance = draw(st.sampled_from([None, (1, 60), (2, 80)]))
    terms = StudyTerms(
        community=bytes(32),
        title="Study",
        purpose="To be attacked.",
        consent="Yes.",
        figures=FIGURES,
        groups=(GroupTerms(attribute="size", label="Size", values=("s", "m", "l")),),
        roster_cap=100,
        functions=tuple(unique.values()),
        disclosure=DisclosureBundle(
            minimum_contributors=MINIMUM,
            minimum_contributors_group=IN_GROUPS,
            complementary=draw(st.sampled_from([True, True, True, False])),
            dominance=None
            if dominance is None
            else Dominance(contributors=dominance[0], percent=dominance[1]),
        ),
    )
    return terms, dominance


@st.composite
def rosters(draw: st.DrawFn, terms: StudyTerms) -> Roster:
    count = draw(st.integers(3, 16))
    giant = draw(st.sampled_from([4, 29]))
    amount = st.one_of(st.integers(0, 4), st.integers(0, giant))
    rows = [
        [
            draw(amount),
            draw(amount),
            draw(st.one_of(st.none(), amount)),
            draw(st.sampled_from([0, 0, 1, None])),
        ]
        for _ in range(count)
    ]
    sizes = [draw(st.sampled_from(["s", "s", "m", "m", "l", None])) for _ in range(count)]
    return Roster(terms, rows, sizes)


SLOW = [HealthCheck.filter_too_much, HealthCheck.too_slow]


@settings(max_examples=60, suppress_health_check=SLOW)
@given(data=st.data())
def test_no_sequence_of_approved_queries_shows_a_few_members(data: st.DataObject) -> None:
    attack(data)


@pytest.mark.long
@settings(max_examples=800, suppress_health_check=SLOW)
@given(data=st.data())
def test_no_sequence_of_many_shows_a_few_members(data: st.DataObject) -> None:
    attack(data)


def attack(data: st.DataObject) -> None:
    """One study, one roster, up to four queries; then everything that was published at once."""
    terms, dominance = data.draw(studies())
    assume(not unsupported(terms))
    roster = data.draw(rosters(terms))
    adversary = Adversary(roster, dominance)
    everything = [item for function in terms.functions for item in items_of(function, terms)]
    ledger: list[LedgerEntry] = []
    for turn in range(data.draw(st.integers(1, 4))):
        items = data.draw(
            st.lists(st.sampled_from(everything), min_size=1, max_size=6, unique_by=QueryItem.digest)
        )
        outcomes = roster.answer(items, ledger, None)
        adversary.read(items, outcomes)
        aborted = data.draw(st.booleans())  # at this party, though others may have opened everything
        ledger += [
            LedgerEntry(
                study_terms=terms.digest(),
                checked_roster=bytes(32),
                query=bytes([turn]) * 32,
                job=bytes([turn]) * 32,
                attempt=1,
                item=item,
                withheld=None if aborted else outcome.withheld is not None,
            )
            for item, outcome in zip(items, outcomes, strict=True)
        ]
    adversary.look()


def _known_attack(*functions: FunctionTerms, complementary: bool) -> list[str]:
    """The same adversary over all cells of a study that nodes refuse; what it finds, by the rules of the study."""
    terms = StudyTerms(
        community=bytes(32),
        title="Study",
        purpose="To be attacked.",
        consent="Yes.",
        figures=FIGURES,
        groups=(GroupTerms(attribute="size", label="Size", values=("s", "m", "l")),),
        roster_cap=100,
        functions=functions,
        disclosure=DisclosureBundle(
            minimum_contributors=MINIMUM, minimum_contributors_group=IN_GROUPS, complementary=complementary
        ),
    )
    assert unsupported(terms)
    rows: list[list[Any]] = [[3, 5, None if row == 4 else 2, row % 2] for row in range(9)]
    roster = Roster(terms, rows, ["s", "s", "s", "s", "m", "m", "m", "m", "l"])
    adversary = Adversary(roster, None)
    items = [item for function in functions for item in items_of(function, terms)]
    adversary.read(items, roster.answer(items, (), None))
    try:
        adversary.look()
    except AssertionError as error:
        return [str(error)]
    return []


def test_the_adversary_finds_what_nodes_refuse_studies_for() -> None:
    """A checker that finds nothing in a leaking study would prove nothing in the others."""
    assert _known_attack(of("sum@1", "x"), of("sum@1", "x", by="size"), complementary=False)
    assert _known_attack(of("count@1", "x", by="size"), complementary=False)
    assert _known_attack(
        of("sum@1", "x"), of("sum@1", "z"), of("ratio_of_totals@1", "x", "z"), complementary=True
    )
    assert (
        _known_attack(percentiles("x", "1/2"), percentiles("x", "2/5", by="kind"), complementary=True) == []
    )
