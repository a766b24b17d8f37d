"""A study template as values: figures, groups with their rules, functions, and what its table must hold."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any

from mpc_cde.errors import CallerError
from mpc_cde.study_templates.table import exact_amount
from protocols.decimals import exact_text
from protocols.encoding import FigureEncoding


@dataclass(frozen=True, slots=True)
class TemplateFigure:
    """A figure of the study; its `name` is the heading of its column. A category has no grid."""

    name: str
    label: str
    unit: str
    categories: tuple[str, ...]
    minimum: Fraction | None
    step: Fraction | None
    publish_step: Fraction | None
    radices: tuple[int, ...]
    rounds: bool
    soft_minimum: Fraction | None
    soft_maximum: Fraction | None
    blank_allowed: bool
    derived: Mapping[str, Any] | None
    tier: str
    help: str

    @property
    def maximum(self) -> Fraction | None:
        """The largest figure that the radices allow, None for a category."""
        if self.minimum is None or self.step is None or self.publish_step is None:
            return None
        half = 0 if self.publish_step == self.step else self.publish_step / self.step / 2
        return self.minimum + self.step * (prod(self.radices) - 1 - half)

    def encoding(self, *, allow_exact: bool) -> FigureEncoding:
        """How it will be shared. Raises OutOfRange where radices and steps do not fit."""
        if self.minimum is None or self.step is None or self.publish_step is None:
            return FigureEncoding.category(len(self.categories), blank_allowed=self.blank_allowed)
        return FigureEncoding.create(
            minimum=exact_text(self.minimum),
            step=exact_text(self.step),
            publish_step=exact_text(self.publish_step),
            radices=self.radices,
            allow_exact=allow_exact,
            blank_allowed=self.blank_allowed,
        )


@dataclass(frozen=True, slots=True)
class TemplateClass:
    """One value of a group: members whose cell lies in [lower, upper), or reads `equals`."""

    value: str
    lower: Fraction | None = None
    upper: Fraction | None = None
    equals: str | None = None

    def holds(self, cell: str) -> bool:
        """Whether a member with this cell belongs here; a blank belongs nowhere."""
        text = cell.strip()
        if self.equals is not None or not text:
            return bool(text) and text == self.equals
        number = exact_amount(text)
        if number is None:
            raise CallerError(f"expected a number to find the class of, found {text[:40]!r}")
        return (self.lower is None or number >= self.lower) and (self.upper is None or number < self.upper)


@dataclass(frozen=True, slots=True)
class TemplateGroup:
    """A certified attribute and the rule by which the registrar computes it from `column`."""

    attribute: str
    label: str
    column: str
    classes: tuple[TemplateClass, ...]

    def value_of(self, cell: str) -> str | None:
        """The value that a registrar certifies for a member with this cell; None if no class holds it.

        Raises CallerError for a cell that is no number where classes are ranges.
        """
        return next((one.value for one in self.classes if one.holds(cell)), None)


@dataclass(frozen=True, slots=True)
class TemplateFunction:
    """One approved computation: function@version of these figures, for all members or by a group."""

    function: str
    figures: tuple[str, ...]
    by: str | None
    parameters: Mapping[str, Any]
    grid: Fraction | None
    edges: tuple[Fraction, ...]
    scheduled: bool
    audience: str


@dataclass(frozen=True, slots=True)
class TemplateTranslation:
    """The template in another language; `labels` and `help` by the name of a figure or attribute."""

    language: str
    title: str
    purpose: str
    consent: str
    labels: Mapping[str, str]
    help: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StudyTemplate:
    """A checked template. `register_column`, `holding_column`, `sole_trader_column` describe the members'
    table."""

    title: str
    purpose: str
    consent: str
    language: str
    figures: tuple[TemplateFigure, ...]
    groups: tuple[TemplateGroup, ...]
    functions: tuple[TemplateFunction, ...]
    disclosure: Mapping[str, Any]
    engine: str
    roster_cap: int
    retention_days: int
    queries: int
    register_column: str | None
    holding_column: str | None
    sole_trader_column: str | None
    translations: tuple[TemplateTranslation, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that the table must have: what is submitted, then what only the registrar reads."""
        submitted = [name for figure in self.figures for name in _headings_of(figure)]
        extra = (self.register_column, self.holding_column, self.sole_trader_column)
        certified = [group.column for group in self.groups] + [name for name in extra if name is not None]
        return tuple(dict.fromkeys([*submitted, *certified]))

    def missing_columns(self, headings: Collection[str]) -> tuple[str, ...]:
        """Columns that a table with these headings lacks."""
        return tuple(column for column in self.columns if column not in headings)

    def attributes_of(self, cells: Mapping[str, str | None]) -> dict[str, str]:
        """What a registrar certifies of the member in this row: an attribute for each group that holds it."""
        values = {group.attribute: group.value_of(cells.get(group.column) or "") for group in self.groups}
        return {attribute: value for attribute, value in values.items() if value is not None}


def _headings_of(figure: TemplateFigure) -> tuple[str, ...]:
    return (figure.name,) if figure.derived is None else tuple(figure.derived["operands"])
