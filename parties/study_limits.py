"""What a study asks for that a node of this version cannot enforce: it refuses to approve it, and says so.

Each entry is one sentence for the operator and the steward. Everything that documents foresee parses; what is
not enforced here is refused by name. Where releases of one study could be set against each other (two partitions,
contributors that differ by a few, a histogram and percentiles) the study as a whole is refused, so that no query
inside it needs to be; what only the order of queries decides is the ledger's (release_ledger.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise

from mpc_cde.coded_text import CodedText, worded
from mpc_cde.documents.disclosure_bundle import DisclosureBundle
from mpc_cde.documents.roster_lines import MAX_LINES
from mpc_cde.documents.study_terms import FunctionTerms, StudyTerms
from mpc_cde.encodings import encoding_of
from parties.release_tables import ReleaseTable, may_be_blank, tables_of
from protocols import catalog
from protocols.concentration_rules import ConcentrationRules, verify_concentration
from protocols.encoding import FigureEncoding
from protocols.errors import OutOfRange
from protocols.plans import verify_plan

OWN_RANK = "own_rank@1"
HISTOGRAM = "histogram@1"
PERCENTILES = ("percentiles@1", "percentiles_linear@1")
MAX_ROSTER_CAP = MAX_LINES // 2
"""Members may submit more than once, and a roster list holds all that they submitted."""
MAX_TABLE_CELLS = 1 << 12
"""Every query of a table judges all of it."""


def unsupported(terms: StudyTerms) -> list[str]:
    """Why no node of this version approves these terms; empty if nothing speaks against them."""
    faults = [fault for function in terms.functions for fault in _about_function(terms, function)]
    faults += _about_rules(terms)
    if not faults:  # what follows takes functions for what the catalogue says they are
        faults += [fault for table in tables_of(terms) for fault in _about_table(terms, table)]
    faults += _unbounded(terms)
    if terms.roster_cap > MAX_ROSTER_CAP:
        faults.append(
            worded(
                "roster_cap",
                "a roster of more than {most} cannot be agreed on by this version",
                most=MAX_ROSTER_CAP,
            )
        )
    return list(dict.fromkeys(faults))


# functions ------------------------------------------------------------------------------------------------


def _about_function(terms: StudyTerms, function: FunctionTerms) -> Iterator[str]:
    name = function.function
    try:
        specification = catalog.specification(name)
        if len(function.figures) != specification.figures:
            yield worded(
                "figures_count",
                "{name}: takes {takes} figure(s), the study names {named}",
                name=name,
                takes=specification.figures,
                named=len(function.figures),
            )
            return
        catalog.check_parameters(name, function.asked_parameters)
        verify_plan(name, _encodings(terms, function), function.asked_parameters, terms.roster_cap)
    except OutOfRange as error:
        yield worded("cannot_be", "{name}: {error}", name=name, error=error)
        return
    if len(set(function.figures)) < len(function.figures):
        yield worded("figure_twice", "{name}: names {figure} twice", name=name, figure=function.figures[0])
    if specification.of_amounts:
        for figure in map(terms.figure, function.figures):
            if figure is not None and figure.kind == "category":
                yield worded(
                    "no_amount",
                    "{name}: {figure} is a category, whose symbols are no amounts",
                    name=name,
                    figure=figure.name,
                )
    if function.by in function.figures:
        yield worded("by_itself", "{name}: {by} cannot be grouped by itself", name=name, by=function.by)
    if name == OWN_RANK and function.audience != "self":
        yield worded("place_for_self", "{name}: a member's own place is for audience self alone", name=name)
    if name != OWN_RANK and function.audience == "self":
        yield worded(
            "self_for_place",
            "{name}: audience self is supported for {place} alone",
            name=name,
            place=OWN_RANK,
        )
    if name == OWN_RANK and function.by is not None and terms.group(function.by) is None:
        yield worded(
            "place_in_category",
            "{name}: a place within a secret category ({by}) is not supported",
            name=name,
            by=function.by,
        )
    if function.epsilon is not None or function.delta is not None:
        yield worded("noise", "{name}: noise (epsilon, delta) is not supported", name=name)
    if function.scheduled:
        yield worded("scheduled", "{name}: scheduled release is not supported", name=name)


def _encodings(terms: StudyTerms, function: FunctionTerms) -> list[FigureEncoding]:
    figures = [figure for name in function.figures if (figure := terms.figure(name)) is not None]
    return [encoding_of(figure, allow_exact=terms.disclosure.allow_exact) for figure in figures]


# rules ----------------------------------------------------------------------------------------------------


def _about_rules(terms: StudyTerms) -> Iterator[str]:
    bundle = terms.disclosure
    asked = {
        "waivers": bundle.waivers,
        "reciprocity": bundle.reciprocity,
        "minimum age of the data": bundle.minimum_age_months > 0,
        "the verified engine": terms.engine == "verified",
        "a privacy budget": terms.budget.epsilon is not None or terms.budget.delta is not None,
        "an eligible list": terms.eligible_list is not None,
    }
    for name, wanted in asked.items():
        if wanted:
            yield worded("rule_unknown", "rule not supported by this version: {name}", name=name)
    if bundle.dominance is None and bundle.p_percent is None:
        return
    try:
        if bundle.dominance is not None:
            ConcentrationRules(dominance=(bundle.dominance.contributors, bundle.dominance.percent))
        for function in terms.functions:
            yield from _concentration_fault(terms, bundle, function)
    except OutOfRange as error:
        yield str(error)


def _concentration_fault(
    terms: StudyTerms, bundle: DisclosureBundle, function: FunctionTerms
) -> Iterator[str]:
    if function.function not in catalog.FUNCTIONS or not catalog.specification(function.function).of_amounts:
        return
    figures = [figure for name in function.figures if (figure := terms.figure(name)) is not None]
    for figure in figures:
        if (
            figure.kind == "number"
            and figure.may_be_negative
            and bundle.minimum_contributors_negative is None
        ):
            yield worded(
                "negative",
                "{figure}: rules about concentration do not apply to figures that may be negative; "
                "the study needs minimum_contributors_negative",
                figure=figure.name,
            )
    if not any(figure.may_be_negative or figure.kind == "category" for figure in figures):
        for figure, encoding in zip(figures, _encodings(terms, function), strict=True):
            try:
                verify_concentration(encoding, bundle.minimum_contributors, terms.roster_cap)
            except OutOfRange as error:
                yield worded("cannot_be", "{name}: {error}", name=figure.name, error=error)


# cells against each other ---------------------------------------------------------------------------------


def _about_table(terms: StudyTerms, table: ReleaseTable) -> Iterator[str]:
    named = " and ".join(table.figures)
    if len(table.partitions) > 1:
        listed = " and ".join(sorted(table.partitions))
        yield worded(
            "overlap",
            "{figures}: groups by {groups} overlap, and differences of cells show members",
            figures=named,
            groups=listed,
        )
        return
    if table.is_subtractable and not terms.disclosure.complementary:
        yield _subtraction(table, named)
    if len(table.groups(terms)) * len(table.combinations) > MAX_TABLE_CELLS:
        yield worded(
            "too_many_cells",
            "{figures}: more than {most} cells would have to be judged for each query",
            figures=named,
            most=MAX_TABLE_CELLS,
        )
    required = {may_be_blank(terms, figures) for figures in table.combinations}
    if len(required) > 1:
        yield worded(
            "blanks_differ",
            "{figures}: functions over them have different contributors (members that left a figure blank), and "
            "differences of cells show members; make the figures mandatory, or ask each in functions of its own",
            figures=named,
        )
    for figure in table.figures:
        yield from _about_order(figure, [f for f in table.functions if f.figures == (figure,)])


def _subtraction(table: ReleaseTable, named: str) -> CodedText:
    if any(function.by is None for function in table.functions):
        return worded(
            "subtraction_asked",
            "{figures}: asked of all members and of groups, so that a withheld group falls out by subtraction; "
            "the study needs complementary = true",
            figures=named,
        )
    return worded(
        "subtraction_counted",
        "{figures}: every group tells its contributors, and everybody reads the number of all, so that a withheld "
        "group falls out by subtraction; the study needs complementary = true",
        figures=named,
    )


def _about_order(figure: str, functions: Sequence[FunctionTerms]) -> Iterator[str]:
    """Releases of one figure that say who stands between whom."""
    edges = {function.edges for function in functions if function.function == HISTOGRAM}
    percentiles = [function for function in functions if function.function in PERCENTILES]
    if len(edges) > 1:
        yield worded(
            "edges_differ",
            "{figure}: histograms with different edges show who lies between an edge of each",
            figure=figure,
        )
    if edges and percentiles:
        yield worded(
            "edges_and_percentiles",
            "{figure}: a histogram and percentiles of one figure show who lies between an edge and a percentile",
            figure=figure,
        )
    asked: dict[str | None, set[tuple[str, Fraction]]] = {}
    for function in percentiles:
        quantiles = catalog.parse_quantiles(function.asked_parameters)
        asked.setdefault(function.by, set()).update((function.function, q) for q in quantiles)
    ascending = sorted(asked.values(), key=len)
    if any(not smaller <= larger for smaller, larger in pairwise(ascending)):
        yield worded(
            "percentiles_differ",
            "{figure}: percentiles of all and of groups must be the same, or some of the same: "
            "a group may be everybody, and two sets of percentiles then stand too close",
            figure=figure,
        )


# bounds ---------------------------------------------------------------------------------------------------


def _unbounded(terms: StudyTerms) -> list[str]:
    """Public bounds of compared numbers and of totals must stay below 2^60."""
    try:
        bounds = terms.compared_bounds()
    except ValueError as error:
        return [str(error)]
    bounds.update(
        {f"total of {figure.name}": (figure.capacity + 1) * terms.roster_cap for figure in terms.figures}
    )
    return [
        worded("too_large", "{name} may reach 2^60 or more; lower the roster cap or the range", name=name)
        for name, bound in bounds.items()
        if bound >= 1 << 60
    ]
