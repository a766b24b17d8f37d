"""The functions of a template: parameters as the catalogue takes them, and what they come to for their figures.

A parameter that the catalogue or the figures do not allow is refused here, at the key that is to be changed,
with what a party would say of the study later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mpc_cde.coded_text import worded
from mpc_cde.study_templates.table import BadTemplate, TemplateTable, amount_text
from mpc_cde.study_templates.template import TemplateFigure, TemplateFunction
from protocols.catalog import FUNCTIONS, check_parameters, specification
from protocols.errors import OutOfRange
from protocols.parameters import MAX_PLACES
from protocols.plans import verify_plan

EVERYBODY = "all"
OWN_RANK = "own_rank@1"
AUDIENCES = ("public", "contributors", "researchers", "self")
QUANTILES = {
    "median": ("1/2",),
    "quartiles": ("1/4", "1/2", "3/4"),
    "deciles": ("1/10", "1/5", "3/10", "2/5", "1/2", "3/5", "7/10", "4/5", "9/10"),
}


@dataclass(frozen=True, slots=True)
class FunctionReader:
    """Reads tables of `functions` against the figures, attributes and rules that stand above them."""

    figures: Sequence[TemplateFigure]
    attributes: Sequence[str]
    roster_cap: int
    disclosure: Mapping[str, Any]

    def functions(self, table: TemplateTable) -> list[TemplateFunction]:
        """`each` gives a function for each of its figures, `by` one for each group that it names."""
        name = table.text("function")
        if name not in FUNCTIONS:
            raise table.fail("function", f"one of {', '.join(sorted(FUNCTIONS))}")
        arguments = self._arguments(table, name)
        groups = self._groups(table, name, arguments)
        parameters = _parameters(table, name)
        written = self._verified(table, name, arguments, parameters)
        scheduled = table.flag("scheduled", default=False)
        audience = _audience(table, name)
        table.finish()
        own = {key: value for key, value in written.items() if key not in ("grid", "edges")}
        return [
            TemplateFunction(
                name,
                figures,
                None if group == EVERYBODY else group,
                own,
                parameters.get("grid"),
                parameters.get("edges", ()),
                scheduled,
                audience,
            )
            for group in groups
            for figures in arguments
        ]

    def _arguments(self, table: TemplateTable, name: str) -> list[tuple[str, ...]]:
        """The figures of each function that the table stands for."""
        if table.has("each") == table.has("figures"):
            raise table.fail(
                "figures",
                worded(
                    "expected_figures", "either figures, or each = a list for a function of every one of them"
                ),
            )
        key = "each" if table.has("each") else "figures"
        named = table.texts(key)
        known = {figure.name: figure for figure in self.figures}
        for figure in named:
            if figure not in known:
                raise BadTemplate(
                    table.key(key),
                    worded("expected_known_figures", "figures among {known}", known=", ".join(known)),
                    f'"{figure}"',
                )
            if known[figure].categories and specification(name).of_amounts:
                raise BadTemplate(
                    table.key(key),
                    worded("expected_amounts", "numbers, as {name} needs", name=name),
                    worded("found_category", 'the category "{figure}"', figure=figure),
                )
        arguments: list[tuple[str, ...]] = [(figure,) for figure in named] if key == "each" else [named]
        takes = specification(name).figures
        if any(len(figures) != takes for figures in arguments):
            written = "figures = [" + ", ".join(f'"{figure}"' for figure in list(known)[:takes]) + "]"
            expected = worded(
                "expected_several",
                "{takes} figure(s) for {name}: write {written}",
                takes=takes,
                name=name,
                written=written,
            )
            if takes == 1:
                expected = worded(
                    "expected_single",
                    'one figure for {name}: write each = ["a", "b"] for a function of every one, or {written}',
                    name=name,
                    written=written,
                )
            raise table.fail(key, expected)
        return arguments

    def _groups(
        self, table: TemplateTable, name: str, arguments: Sequence[tuple[str, ...]]
    ) -> tuple[str, ...]:
        groups = table.texts("by", (EVERYBODY,))
        categories = [figure.name for figure in self.figures if figure.categories]
        known = [EVERYBODY, *self.attributes, *categories]
        for group in groups:
            if group not in known:
                raise BadTemplate(
                    table.key("by"),
                    worded("expected_known_groups", "groups among {known}", known=", ".join(known)),
                    f'"{group}"',
                )
            if any(group in figures for figures in arguments):
                raise BadTemplate(
                    table.key("by"),
                    worded("expected_another_group", "another group than the figure itself"),
                    f'"{group}"',
                )
            if name == OWN_RANK and group in categories:
                expected = worded(
                    "expected_certified",
                    "certified groups, since a place within a secret category would show the category",
                )
                raise BadTemplate(table.key("by"), expected, f'"{group}"')
        return groups

    def _verified(
        self,
        table: TemplateTable,
        name: str,
        arguments: Sequence[tuple[str, ...]],
        parameters: Mapping[str, Any],
    ) -> dict[str, Any]:
        """The parameters as a study writes them, if catalogue and grids have nothing against them."""
        written = {key: _written(value) for key, value in parameters.items()}
        known = {figure.name: figure for figure in self.figures}
        otherwise = "each" if table.has("each") else "figures"
        try:
            check_parameters(name, written)
        except OutOfRange as error:
            takes = worded("expected_taken", "what {name} takes ({why})", name=name, why=error)
            raise table.fail(_key_in(error, parameters, otherwise), takes) from None
        for figures in arguments:
            encodings = [
                known[figure].encoding(allow_exact=self.disclosure["allow_exact"]) for figure in figures
            ]
            try:
                verify_plan(name, encodings, written, self.roster_cap)
            except OutOfRange as error:
                fits = worded(
                    "expected_fitting", "what fits {figures} ({why})", figures=", ".join(figures), why=error
                )
                raise table.fail(_key_in(error, parameters, otherwise), fits) from None
        return written


def _parameters(table: TemplateTable, function: str) -> dict[str, Any]:
    """Those that the function takes, each required; one that it does not take is refused with what it does."""
    takes = specification(function).parameters
    for key in _READERS:
        if key not in takes and table.has(key):
            named = ", ".join(takes) or worded("found_no_parameters", "no parameters")
            raise table.fail(
                key,
                worded(
                    "expected_nothing", "nothing here, as {name} takes {named}", name=function, named=named
                ),
            )
    return {key: _READERS[key](table, key) for key in takes}


def _quantiles(table: TemplateTable, key: str) -> tuple[str, ...]:
    quantiles = table.raw(key) if table.has(key) else None
    if isinstance(quantiles, str):
        if quantiles not in QUANTILES:
            raise table.fail(
                key,
                worded("expected_quantiles", "{named} or a list of fractions", named=", ".join(QUANTILES)),
            )
        return QUANTILES[quantiles]
    return table.texts(key)


_READERS: Mapping[str, Callable[[TemplateTable, str], Any]] = {
    "quantiles": _quantiles,
    "grid": lambda table, key: table.amount(key),
    "maximum": lambda table, key: table.amount(key),
    "edges": lambda table, key: table.amounts(key),
    "places": lambda table, key: table.integer(key, low=1, high=MAX_PLACES),
}


def _written(value: Any) -> Any:
    """As a study writes it: amounts are decimal text."""
    match value:
        case int() | str():
            return value
        case tuple():
            return tuple(_written(one) for one in value)
        case _:
            return amount_text(value, "an amount")


def _key_in(error: OutOfRange, parameters: Mapping[str, Any], otherwise: str) -> str:
    """The key of the parameter that the error speaks of first, or `otherwise`."""
    text = str(error)
    named = {"edge": "edges", "quantile": "quantiles", "percentile": "quantiles"}
    words = [*parameters, *(word for word, key in named.items() if key in parameters)]
    found = min((word for word in words if word in text), key=text.index, default=otherwise)
    return named.get(found, found)


def _audience(table: TemplateTable, function: str) -> str:
    """Own places are for the member that asks, everything else for others than one member."""
    usual = "self" if function == OWN_RANK else "researchers"
    audience = table.choice("audience", AUDIENCES, usual)
    if (audience == "self") != (function == OWN_RANK):
        allowed = '"self"' if function == OWN_RANK else '"public", "contributors", "researchers"'
        raise table.fail(
            "audience",
            worded("expected_audience", "{allowed} for {name}", allowed=allowed, name=function),
        )
    return audience
