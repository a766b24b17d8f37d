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

from mpc_cde.documents.disclosure_bundle import DisclosureBundle
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
MAX_ROSTER_CAP = 1 << 18
"""A roster list, and the entries that go to the gateway with a roster, hold so many rows and hardly more."""
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
        faults.append(f"a roster of more than {MAX_ROSTER_CAP} cannot be agreed on by this version")
    return list(dict.fromkeys(faults))


# functions ------------------------------------------------------------------------------------------------


def _about_function(terms: StudyTerms, function: FunctionTerms) -> Iterator[str]:
    name = function.function
    try:
        specification = catalog.specification(name)
        if len(function.figures) != specification.figures:
            yield f"{name}: takes {specification.figures} figure(s), the study names {len(function.figures)}"
            return
        catalog.check_parameters(name, function.asked_parameters)
        verify_plan(name, _encodings(terms, function), function.asked_parameters, terms.roster_cap)
    except OutOfRange as error:
        yield f"{name}: {error}"
        return
    if len(set(function.figures)) < len(function.figures):
        yield f"{name}: names {function.figures[0]} twice"
    if specification.of_amounts:
        for figure in map(terms.figure, function.figures):
            if figure is not None and figure.kind == "category":
                yield f"{name}: {figure.name} is a category, whose symbols are no amounts"
    if function.by in function.figures:
        yield f"{name}: {function.by} cannot be grouped by itself"
    if name == OWN_RANK and function.audience != "self":
        yield f"{name}: a member's own place is for audience self alone"
    if name != OWN_RANK and function.audience == "self":
        yield f"{name}: audience self is supported for {OWN_RANK} alone"
    if name == OWN_RANK and function.by is not None and terms.group(function.by) is None:
        yield f"{name}: a place within a secret category ({function.by}) is not supported"
    if function.epsilon is not None or function.delta is not None:
        yield f"{name}: noise (epsilon, delta) is not supported"
    if function.scheduled:
        yield f"{name}: scheduled release is not supported"


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
            yield f"rule not supported by this version: {name}"
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
            yield (
                f"{figure.name}: rules about concentration do not apply to figures that may be negative; "
                "the study needs minimum_contributors_negative"
            )
    if not any(figure.may_be_negative or figure.kind == "category" for figure in figures):
        for figure, encoding in zip(figures, _encodings(terms, function), strict=True):
            try:
                verify_concentration(encoding, bundle.minimum_contributors, terms.roster_cap)
            except OutOfRange as error:
                yield f"{figure.name}: {error}"


# cells against each other ---------------------------------------------------------------------------------


def _about_table(terms: StudyTerms, table: ReleaseTable) -> Iterator[str]:
    named = " and ".join(table.figures)
    if len(table.partitions) > 1:
        listed = " and ".join(sorted(table.partitions))
        yield f"{named}: groups by {listed} overlap, and differences of cells show members"
        return
    if table.is_subtractable and not terms.disclosure.complementary:
        yield (
            f"{named}: {_what_is_known_of_all(table)}, so that a withheld group falls out by subtraction; "
            "the study needs complementary = true"
        )
    if len(table.groups(terms)) * len(table.combinations) > MAX_TABLE_CELLS:
        yield f"{named}: more than {MAX_TABLE_CELLS} cells would have to be judged for each query"
    required = {may_be_blank(terms, figures) for figures in table.combinations}
    if len(required) > 1:
        yield (
            f"{named}: functions over them have different contributors (members that left a figure blank), and "
            "differences of cells show members; make the figures mandatory, or ask each in functions of its own"
        )
    for figure in table.figures:
        yield from _about_order(figure, [f for f in table.functions if f.figures == (figure,)])


def _what_is_known_of_all(table: ReleaseTable) -> str:
    if any(function.by is None for function in table.functions):
        return "asked of all members and of groups"
    return "every group tells its contributors, and everybody reads the number of all"


def _about_order(figure: str, functions: Sequence[FunctionTerms]) -> Iterator[str]:
    """Releases of one figure that say who stands between whom."""
    edges = {function.edges for function in functions if function.function == HISTOGRAM}
    percentiles = [function for function in functions if function.function in PERCENTILES]
    if len(edges) > 1:
        yield f"{figure}: histograms with different edges show who lies between an edge of each"
    if edges and percentiles:
        yield f"{figure}: a histogram and percentiles of one figure show who lies between an edge and a percentile"
    asked: dict[str | None, set[tuple[str, Fraction]]] = {}
    for function in percentiles:
        quantiles = catalog.parse_quantiles(function.asked_parameters)
        asked.setdefault(function.by, set()).update((function.function, q) for q in quantiles)
    ascending = sorted(asked.values(), key=len)
    if any(not smaller <= larger for smaller, larger in pairwise(ascending)):
        yield (
            f"{figure}: percentiles of all and of groups must be the same, or some of the same: "
            "a group may be everybody, and two sets of percentiles then stand too close"
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
        f"{name} may reach 2^60 or more; lower the roster cap or the range"
        for name, bound in bounds.items()
        if bound >= 1 << 60
    ]
