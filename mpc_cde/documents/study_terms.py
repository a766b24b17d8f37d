"""What a study measures, computes and releases: the part that never changes once it is approved."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from mpc_cde.documents.base import Part, verify_unique
from mpc_cde.documents.canonical import (
    SHOWN,
    DecimalString,
    Digest,
    FunctionName,
    Identifier,
    LongText,
    ShortText,
)
from mpc_cde.documents.disclosure_bundle import DisclosureBundle
from mpc_cde.documents.figure import BLANK, Figure

MAX_ELEMENTS = 1 << 16
"""Field elements of one submission; at 8 bytes each a correction stays at or below 512 KiB."""

Audience = Literal["public", "contributors", "researchers", "self"]
ParameterText = Annotated[str, StringConstraints(max_length=80, pattern=r"^[^\n]*$"), SHOWN]
ParameterInteger = Annotated[int, Field(ge=-(2**53) + 1, le=2**53 - 1)]
ParameterValue = bool | ParameterInteger | ParameterText | tuple[ParameterText, ...]
Parameters = Annotated[dict[Identifier, ParameterValue], Field(max_length=16)]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35)]


class GroupTerms(Part):
    """A certified attribute by which cells are formed, and every value it may take."""

    attribute: Identifier
    label: ShortText
    values: Annotated[tuple[ShortText, ...], Field(min_length=1, max_length=256)]

    @model_validator(mode="after")
    def _values_differ(self) -> Self:
        verify_unique(list(self.values), "values of a group")
        return self


class FunctionTerms(Part):
    """One approved computation. `by` is a group attribute or a category figure, or None for all members.

    Quantiles stand in `parameters` as exact fractions: {"quantiles": ("1/4", "1/2")}. `grid` is the published
    grid of means, spreads and ratios; `edges` close the buckets of a histogram; these two stand in their own
    fields and nowhere else, and `asked_parameters` puts all together as queries, results and jobs name them.
    `epsilon` and `delta` ask for noise; a scheduled function is released once per checked roster without a query.
    """

    function: FunctionName
    figures: Annotated[tuple[Identifier, ...], Field(min_length=1, max_length=64)]
    by: Identifier | None = None
    parameters: Parameters = Field(default_factory=dict)
    grid: DecimalString | None = None
    edges: Annotated[tuple[DecimalString, ...], Field(max_length=128)] = ()
    epsilon: DecimalString | None = None
    delta: DecimalString | None = None
    scheduled: bool = False
    audience: Audience = "researchers"

    @model_validator(mode="after")
    def _edges_ascend(self) -> Self:
        edges = [Fraction(edge) for edge in self.edges]
        if any(left >= right for left, right in pairwise(edges)):
            raise ValueError("edges must ascend")
        return self

    @model_validator(mode="after")
    def _parameters_have_one_place(self) -> Self:
        for name in ("grid", "edges"):
            if name in self.parameters:
                raise ValueError(f"{name} stands in its own field, not among the parameters")
        return self

    @property
    def asked_parameters(self) -> Parameters:
        """What the catalogue takes, under its names: `parameters`, with grid and edges where they are set."""
        own: Parameters = dict(self.parameters)
        if self.grid is not None:
            own["grid"] = self.grid
        if self.edges:
            own["edges"] = self.edges
        return own


class Budget(Part):
    """How much may be asked of one checked roster: accepted attempts, and privacy loss under noise."""

    queries: Annotated[int, Field(ge=0, le=1_000_000)] = 1000
    epsilon: DecimalString | None = None
    delta: DecimalString | None = None


class Eligibility(Part):
    """Who may take part: members whose certified attribute has one of these values."""

    attribute: Identifier
    values: Annotated[tuple[ShortText, ...], Field(min_length=1, max_length=256)]


class StudyTerms(Part):
    """Its digest is what submissions, rosters, queries and results refer to; it carries its own type marker.

    `eligible_list` is the digest of the public list of eligible organisations, if there is one.
    """

    type: Literal["study-terms/v1"] = "study-terms/v1"
    community: Digest
    title: ShortText
    purpose: LongText
    language: Language = "en"
    consent: LongText
    figures: Annotated[tuple[Figure, ...], Field(min_length=1, max_length=256)]
    groups: Annotated[tuple[GroupTerms, ...], Field(max_length=64)] = ()
    eligibility: Annotated[tuple[Eligibility, ...], Field(max_length=16)] = ()
    eligible_list: Digest | None = None
    roster_cap: Annotated[int, Field(ge=2, le=1 << 27)]
    functions: Annotated[tuple[FunctionTerms, ...], Field(min_length=1, max_length=1024)]
    disclosure: DisclosureBundle = DisclosureBundle()
    engine: Literal["passive", "verified"] = "passive"
    budget: Budget = Budget()
    retention_days: Annotated[int, Field(ge=1, le=3660)] = 365

    @model_validator(mode="after")
    def _names_resolve(self) -> Self:
        figures = {figure.name: figure for figure in self.figures}
        attributes = [group.attribute for group in self.groups]
        verify_unique([figure.name for figure in self.figures], "names of figures")
        verify_unique(attributes, "attributes of groups")
        if set(attributes) & set(figures):
            raise ValueError("a group's attribute may not have the name of a figure")
        if self.element_count > MAX_ELEMENTS:
            raise ValueError(f"figures: a submission shares at most {MAX_ELEMENTS} elements")
        for figure in self.figures:
            if figure.is_exact and not self.disclosure.allow_exact:
                raise ValueError(f"{figure.name}: publish_step equals step, which needs allow_exact")
        for function in self.functions:
            unknown = [name for name in function.figures if name not in figures]
            if unknown:
                raise ValueError(f"{function.function}: no figure named {unknown[0]}")
            if (
                any(figures[name].tier == "private" for name in function.figures)
                and function.audience != "self"
            ):
                raise ValueError(f"{function.function}: a private figure has no audience but self")
            by = function.by
            if (
                by is not None
                and by not in attributes
                and (by not in figures or figures[by].kind != "category")
            ):
                raise ValueError(f"{function.function}: no group or category named {by}")
        return self

    @property
    def element_count(self) -> int:
        """L: field elements in one submission's correction."""
        return sum(figure.element_count for figure in self.figures)

    @property
    def consent_digest(self) -> bytes:
        """SHA-256 of the consent text in the study's own language (UTF-8)."""
        return hashlib.sha256(self.consent.encode("utf-8")).digest()

    def figure(self, name: str) -> Figure | None:
        return next((figure for figure in self.figures if figure.name == name), None)

    def group(self, attribute: str) -> GroupTerms | None:
        return next((group for group in self.groups if group.attribute == attribute), None)

    def lacking(self, attributes: Mapping[str, str]) -> Eligibility | GroupTerms | None:
        """The first condition or group for which a member so certified has none of the values, or None."""
        asked: tuple[Eligibility | GroupTerms, ...] = (*self.eligibility, *self.groups)
        return next((one for one in asked if attributes.get(one.attribute) not in one.values), None)

    def values_of(self, by: str) -> tuple[str, ...]:
        """The cells of a group: an attribute's values; of a category its own, and `BLANK` if it may be blank."""
        group = self.group(by)
        if group is not None:
            return group.values
        figure = self.figure(by)
        if figure is None or figure.kind != "category":
            return ()
        return (*figure.categories, *((BLANK,) if figure.blank_allowed else ()))

    def may_be_negative(self, figures: tuple[str, ...]) -> bool:
        """Whether one of these figures may be below 0."""
        return any(figure.may_be_negative for name in figures if (figure := self.figure(name)) is not None)

    def minimum_for(self, figures: tuple[str, ...], *, group: bool) -> int:
        """How many contributors a cell of these figures needs."""
        return self.disclosure.minimum_for(group=group, negative=self.may_be_negative(figures))

    def compared_bounds(self) -> dict[str, int]:
        """Public bounds, by name, of numbers that a computation compares; a node refuses any of 2^60 or more.

        roster; largest denominator of a quantile times the roster; R of each figure. Raises ValueError for a
        quantile that is no fraction in (0, 1).
        """
        bounds = {"roster": self.roster_cap}
        bounds.update({f"figure {figure.name}": figure.capacity for figure in self.figures})
        for position, function in enumerate(self.functions):
            quantiles = function.parameters.get("quantiles", ())
            if not isinstance(quantiles, tuple):
                raise ValueError(f"{function.function}: quantiles are a list of fractions")
            for quantile in quantiles:
                fraction = parse_quantile(quantile)
                name = f"function {position} rank"
                bounds[name] = max(bounds.get(name, 0), fraction.denominator * self.roster_cap)
        return bounds


def parse_quantile(text: str) -> Fraction:
    """A quantile as written in parameters: "num/den" in lowest terms, between 0 and 1. Raises ValueError."""
    numerator, _, denominator = text.partition("/")
    if not (numerator.isascii() and numerator.isdigit()):
        raise ValueError("expected a quantile such as 1/4")
    if not (denominator.isascii() and denominator.isdigit()) or int(denominator) == 0:
        raise ValueError("expected a quantile such as 1/4")
    fraction = Fraction(int(numerator), int(denominator))
    if not 0 < fraction < 1 or text != f"{fraction.numerator}/{fraction.denominator}":
        raise ValueError("expected a quantile between 0 and 1 in lowest terms, such as 1/4")
    return fraction
