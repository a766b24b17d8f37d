"""Generated studies, tables and queries: any that a node would approve, with figures at every edge of the rules."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from mpc_cde.client.release_rules import items_of
from mpc_cde.demo import plain_facts
from mpc_cde.demo.plain import PlainCell, calculate
from mpc_cde.demo.plain_table import PlainClass
from mpc_cde.documents.disclosure_bundle import DisclosureBundle, Dominance
from mpc_cde.documents.figure import Figure
from mpc_cde.documents.query import QueryItem
from mpc_cde.documents.study_terms import FunctionTerms, GroupTerms, StudyTerms
from parties.study_limits import unsupported
from protocols.decimals import exact_text
from protocols.encoding import FigureEncoding
from tests.mpc_cde.demo.paper_answers import NOWHERE, PaperRoster, Value
from tests.protocols.tables import Column, columns, encodings

KINDS = ("small", "large", "mixed")
CLASSES = ("few", "some", "many")
NOT_NEGATIVE = [("0", "1"), ("100", "10"), ("0.25", "0.05")]
PERCENTILES = [
    ("1/2",),
    ("1/4", "1/2", "3/4"),
    ("1/3", "2/3"),
    ("2/5",),
]
AMOUNTS = ["sum@1", "mean@1", "variance@1", "standard_deviation@1"]


@dataclass(frozen=True)
class World:
    """A study and the figures of its members, one row each; `people` is what a registrar knows of them."""

    terms: StudyTerms
    figures: list[dict[str, Value]]
    people: list[int]
    p_percent: int | None

    @property
    def items(self) -> list[QueryItem]:
        """All that may be asked."""
        return [item for function in self.terms.functions for item in items_of(function, self.terms)]

    def roster(self) -> PaperRoster:
        attributes = [{"class": CLASSES[number]} for number in self.people]
        return PaperRoster(self.terms, self.figures, attributes, self.p_percent)

    def plain(self, items: list[QueryItem], earlier: list[PlainCell]) -> list[PlainCell]:
        rows = [
            {"people": str(number), **{name: "" if v is None else str(v) for name, v in own.items()}}
            for number, own in zip(self.people, self.figures, strict=True)
        ]
        classes = [
            PlainClass("class", value, "people", Fraction(n), Fraction(n + 1))
            for n, value in enumerate(CLASSES)
        ]
        return calculate(
            rows,
            plain_facts.plain_figures(self.terms),
            classes,
            plain_facts.plain_study(self.terms),
            [plain_facts.plain_item(item) for item in items],
            plain_facts.plain_rules(self.terms, self.p_percent),
            earlier,
        )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """x and y apart, each with its own partition; or related by functions of both."""
    count = draw(st.integers(6, 36))
    related = draw(st.sampled_from(["apart", "pairs alone", "all given"]))
    table = {name: draw(numbers(count, blanks=related != "all given")) for name in ("x", "y")}
    kind = FigureEncoding.category(len(KINDS), blank_allowed=draw(st.booleans()))
    functions = draw(_functions({name: encoding for name, (encoding, _) in table.items()}, related))
    table["kind"] = kind, draw(_symbols(kind, count))
    bundle, p_percent = draw(bundles())
    terms = StudyTerms(
        community=NOWHERE,
        title="Generated",
        purpose="Any",
        consent="Yes",
        figures=tuple(figure_of(name, encoding) for name, (encoding, _) in table.items()),
        groups=(GroupTerms(attribute="class", label="Class", values=CLASSES),),
        roster_cap=100,
        functions=tuple(functions),
        disclosure=bundle,
    )
    assume(not unsupported(terms))
    people = draw(st.lists(st.sampled_from([0, 1, 1, 2, 2, 2]), min_size=count, max_size=count))
    figures = [
        {name: _value(name, *column, row=row) for name, column in table.items()} for row in range(count)
    ]
    return World(terms, figures, people, p_percent)


@st.composite
def numbers(draw: st.DrawFn, count: int, *, blanks: bool) -> Column:
    """A figure's grid and everybody's u: few alike, all alike, or one or two far larger than the rest."""
    grids = NOT_NEGATIVE if draw(st.booleans()) else [*NOT_NEGATIVE, ("-20", "0.5")]
    encoding, values = draw(
        columns(draw(encodings(grids).filter(lambda e: e.half or e.publish_step == e.step)), count)
    )
    if not blanks:
        encoding = FigureEncoding.create(
            minimum=exact_text(encoding.minimum),
            step=exact_text(encoding.step),
            publish_step=exact_text(encoding.publish_step),
            radices=encoding.radices,
            allow_exact=True,
            blank_allowed=False,
        )
        values = [encoding.half if u is None else u for u in values]
    if draw(st.booleans()):
        low, top = encoding.half, encoding.size - 1
        values = [None if u is None else low + (u - low) // 8 for u in values]
        values[0] = top
        values[1] = draw(st.sampled_from([top, (low + top) // 2, low]))
    return encoding, values


@st.composite
def bundles(draw: st.DrawFn) -> tuple[DisclosureBundle, int | None]:
    minimum = draw(st.integers(2, 4))
    dominance = draw(st.sampled_from([None, (1, 40), (1, 60), (2, 80)]))
    p_percent = draw(st.sampled_from([None, 15, 90]))
    bundle = DisclosureBundle(
        minimum_contributors=minimum,
        minimum_contributors_group=minimum + draw(st.integers(0, 2)),
        minimum_contributors_negative=minimum + draw(st.sampled_from([0, 1, 4])),
        allow_exact=True,
        dominance=None if dominance is None else Dominance(contributors=dominance[0], percent=dominance[1]),
        p_percent=None if p_percent is None else NOWHERE,
        complementary=draw(st.booleans()),
    )
    return bundle, p_percent


def figure_of(name: str, encoding: FigureEncoding) -> Figure:
    if encoding.kind == "category":
        return Figure(
            name=name,
            label=name,
            kind="category",
            categories=KINDS,
            radices=encoding.radices,
            blank_allowed=encoding.blank_allowed,
        )
    return Figure(
        name=name,
        label=name,
        minimum=exact_text(encoding.minimum),
        step=exact_text(encoding.step),
        publish_step=exact_text(encoding.publish_step),
        radices=encoding.radices,
        blank_allowed=encoding.blank_allowed,
    )


@st.composite
def _functions(draw: st.DrawFn, numbers: dict[str, FigureEncoding], related: str) -> list[FunctionTerms]:
    partition = draw(st.sampled_from(["class", "kind"]))
    found: list[FunctionTerms] = []

    def add(function: str, *figures: str, by: str, **terms: Any) -> None:
        for group in draw(st.sampled_from([(None,), (None, by), (None, by), (by,)])):
            found.append(FunctionTerms(function=function, figures=figures, by=group, **terms))

    for name, encoding in numbers.items() if related != "pairs alone" else ():
        by = draw(st.sampled_from(["class", "kind"])) if related == "apart" else partition
        for function in draw(st.lists(st.sampled_from(["count@1", *AMOUNTS]), max_size=3, unique=True)):
            add(function, name, by=by, **({} if function in ("count@1", "sum@1") else draw(_grid(encoding))))
        ordered = draw(st.sampled_from(["histogram@1", "percentiles@1", "percentiles_linear@1", "both"]))
        if ordered == "histogram@1":
            add(ordered, name, by=by, edges=draw(_edges(encoding)))
        else:
            for function in ("percentiles@1", "percentiles_linear@1"):
                if ordered in (function, "both"):
                    for quantiles in draw(
                        st.lists(st.sampled_from(PERCENTILES), min_size=1, max_size=2, unique=True)
                    ):
                        for group in (None, by):
                            found.append(
                                FunctionTerms(
                                    function=function,
                                    figures=(name,),
                                    by=group,
                                    parameters={"quantiles": quantiles},
                                )
                            )
    if related != "apart":
        add("correlation@1", "x", "y", by=partition, parameters={"places": draw(st.integers(1, 6))})
        if all(encoding.minimum >= 0 for encoding in numbers.values()):
            grid = Fraction(draw(st.integers(1, 30)), 10)
            maximum = exact_text(grid * draw(st.integers(1, 60)))
            add(
                "ratio_of_totals@1",
                "y",
                "x",
                by=partition,
                grid=exact_text(grid),
                parameters={"maximum": maximum},
            )
    found.append(FunctionTerms(function="count@1", figures=("kind",)))
    return found


@st.composite
def _grid(draw: st.DrawFn, encoding: FigureEncoding) -> dict[str, str]:
    return {"grid": exact_text(encoding.step * draw(st.integers(1, 9)))}


@st.composite
def _edges(draw: st.DrawFn, encoding: FigureEncoding) -> tuple[str, ...]:
    points = encoding.size // int(encoding.publish_step / encoding.step)
    first = encoding.minimum - encoding.half * encoding.step
    places = sorted(draw(st.sets(st.integers(1, points - 1), min_size=1, max_size=3)))
    return tuple(exact_text(first + encoding.publish_step * k) for k in places)


@st.composite
def _symbols(draw: st.DrawFn, kind: FigureEncoding, count: int) -> list[int | None]:
    symbols: list[int | None] = list(
        draw(st.lists(st.one_of(st.just(1), st.integers(0, 2)), min_size=count, max_size=count))
    )
    if kind.blank_allowed:
        blanks = draw(st.sets(st.integers(0, count - 1), max_size=count // 2))
        symbols = [None if row in blanks else symbol for row, symbol in enumerate(symbols)]
    return symbols


def _value(name: str, encoding: FigureEncoding, values: list[int | None], *, row: int) -> Value:
    u = values[row]
    if u is None:
        return None
    return KINDS[u] if name == "kind" else Decimal(exact_text(encoding.decode(u)))
