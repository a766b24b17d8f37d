"""From a TOML file to a checked template; every fault names the key, what was expected and what was found."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from fractions import Fraction
from math import prod
from pathlib import Path
from typing import Any

from mpc_cde.coded_text import message_of, worded
from mpc_cde.errors import CallerError
from mpc_cde.study_templates.function_reader import EVERYBODY, FunctionReader
from mpc_cde.study_templates.radices import LARGEST_RADIX, NoRadices, choose_radices
from mpc_cde.study_templates.table import BadTemplate, TemplateTable, amount_text
from mpc_cde.study_templates.template import (
    StudyTemplate,
    TemplateClass,
    TemplateFigure,
    TemplateGroup,
    TemplateTranslation,
)
from protocols.concentration_rules import LARGEST_CONTRIBUTIONS

FORMAT = "mpc-cde study template 1"
MAX_TEMPLATE_BYTES = 1 << 20
DEFAULT_CONSENT = (
    "Your figures are split into shares on your own device. No party can read them, and only the results "
    "that this study names are ever computed."
)


def read_template(path: Path) -> StudyTemplate:
    """The template in a file. Raises CallerError, naming the file, for one that is not there or not right."""
    try:
        if path.stat().st_size > MAX_TEMPLATE_BYTES:
            raise CallerError(f"{path.name} has more than {MAX_TEMPLATE_BYTES} bytes")
        text = path.read_text("utf-8")
    except OSError as error:
        raise CallerError(f"cannot read {path}: {error.strerror or 'not readable'}") from None
    except UnicodeDecodeError:
        raise CallerError(f"{path.name} is not UTF-8 text") from None
    try:
        return parse_template(text)
    except BadTemplate as error:
        raise BadTemplate(f"{path.name}: {error.key}", error.expected, error.found, hint=error.hint) from None
    except CallerError as error:
        raise CallerError(f"{path.name}: {error}", hint=error.hint) from None


def parse_template(text: str) -> StudyTemplate:
    """The template in TOML text. Raises BadTemplate with key, expected and found; CallerError if it is no
    TOML."""
    try:
        values = tomllib.loads(text, parse_float=Decimal)
    except (
        ValueError,
        ArithmeticError,
        RecursionError,
    ) as error:  # a number or a nesting beyond all bounds, too
        why = (
            str(error) if isinstance(error, tomllib.TOMLDecodeError) else "a number or nesting without bounds"
        )
        raise CallerError(
            worded("no_toml", "not TOML: {why}", why=why),
            hint=worded("no_toml_hint", "See docs/study-templates.md for an example."),
        ) from None
    table = TemplateTable(values)
    if table.text("format") != FORMAT:
        raise table.fail("format", f'"{FORMAT}"')
    disclosure = _disclosure(table.table("disclosure"))
    figures = tuple(_figure(one, disclosure["allow_exact"]) for one in table.tables("figures", least=1))
    _refuse_twice("figures", [figure.name for figure in figures])
    groups = tuple(_group(one) for one in table.tables("groups"))
    _refuse_twice("groups", [group.attribute for group in groups] + [figure.name for figure in figures])
    roster_cap = table.integer("roster_cap", 10_000, low=2, high=1 << 27)
    asked = FunctionReader(figures, [group.attribute for group in groups], roster_cap, disclosure)
    functions = tuple(
        function for one in table.tables("functions", least=1) for function in asked.functions(one)
    )
    members = table.table("members") or TemplateTable({}, "members")
    named = [figure.name for figure in figures] + [group.attribute for group in groups]
    template = StudyTemplate(
        title=table.text("title"),
        purpose=table.text("purpose", longest=20_000),
        consent=table.text("consent", DEFAULT_CONSENT, longest=20_000),
        language=table.text("language", "en", longest=35),
        figures=figures,
        groups=groups,
        functions=functions,
        disclosure=disclosure,
        engine=table.choice("engine", ("passive", "verified"), "passive"),
        roster_cap=roster_cap,
        retention_days=table.integer("retention_days", 365, low=1, high=3660),
        queries=table.integer("queries", 1000, low=0, high=1_000_000),
        register_column=members.text("register_column") if members.has("register_column") else None,
        holding_column=members.text("holding_column") if members.has("holding_column") else None,
        sole_trader_column=members.text("sole_trader_column") if members.has("sole_trader_column") else None,
        translations=tuple(_translation(one, named) for one in table.tables("translations")),
    )
    _refuse_twice("translations", [template.language, *(one.language for one in template.translations)])
    members.finish()
    table.finish()
    return template


def _disclosure(table: TemplateTable | None) -> dict[str, Any]:
    source = table or TemplateTable({}, "disclosure")
    minimum = source.integer("minimum_contributors", 5, low=2, high=1_000_000)
    values: dict[str, Any] = {
        "name": source.identifier("name", "default"),
        "minimum_contributors": minimum,
        "minimum_contributors_group": source.integer(
            "minimum_contributors_group", max(8, minimum), low=minimum, high=1_000_000
        ),
    }
    if source.has("minimum_contributors_negative"):
        values["minimum_contributors_negative"] = source.integer(
            "minimum_contributors_negative", low=minimum, high=1_000_000
        )
    for flag in ("allow_exact", "complementary", "waivers", "reciprocity"):
        values[flag] = source.flag(flag, default=False)
    if source.has("p_percent"):
        raise source.fail(
            "p_percent",
            worded("expected_no_p", "no p here, since it is unpublished"),
            hint=worded(
                "p_percent_hint",
                "Write it with `mpc-cde steward p-percent`, and propose the study with --p-percent FILE.",
            ),
        )
    values["minimum_age_months"] = source.integer("minimum_age_months", 0, low=0, high=120)
    dominance = source.table("dominance")
    if dominance is not None:
        values["dominance"] = {
            "contributors": dominance.integer("contributors", low=1, high=LARGEST_CONTRIBUTIONS),
            "percent": dominance.integer("percent", low=1, high=99),
        }
        dominance.finish()
    source.finish()
    return values


def _figure(table: TemplateTable, allow_exact: bool) -> TemplateFigure:
    name = table.identifier("name")
    kind = table.choice("kind", ("number", "category"), "number")
    minimum = step = publish_step = soft_minimum = soft_maximum = None
    rounds, derived = False, None
    categories: tuple[str, ...] = ()
    if kind == "category":
        categories = table.texts("categories")
        if not 2 <= len(categories) <= 128:
            raise table.fail("categories", worded("expected_categories", "2 to 128 categories"))
        radices: tuple[int, ...] = (len(categories),)
    else:
        minimum, step, publish_step = (table.amount(key) for key in ("minimum", "step", "publish_step"))
        radices = _radices(table, minimum, step, publish_step, allow_exact)
        soft_minimum, soft_maximum = (table.optional_amount(f"soft_{end}") for end in ("minimum", "maximum"))
        rounds = table.flag("rounds", default=False)
        derived = _derived(table.table("derived"))
    figure = TemplateFigure(
        name=name,
        label=table.text("label", name),
        unit=table.text("unit", "", longest=40),
        categories=categories,
        minimum=minimum,
        step=step,
        publish_step=publish_step,
        radices=radices,
        rounds=rounds,
        soft_minimum=soft_minimum,
        soft_maximum=soft_maximum,
        blank_allowed=table.flag("blank_allowed", default=True),
        derived=derived,
        tier=table.choice("tier", ("open", "restricted", "private"), "restricted"),
        help=table.text("help", "", longest=20_000),
    )
    table.finish()
    return figure


def _radices(
    table: TemplateTable, minimum: Fraction, step: Fraction, publish_step: Fraction, allow_exact: bool
) -> tuple[int, ...]:
    """The radices that the template names, checked, or those that its maximum asks for."""
    if table.has("radices") and table.has("maximum"):
        raise table.fail(
            "maximum",
            worded("expected_one_range", "either maximum or radices, as one follows from the other"),
        )
    if not table.has("radices"):
        maximum = table.amount("maximum")
        try:
            return choose_radices(minimum, maximum, step, publish_step, allow_exact)
        except NoRadices as error:
            key = str(error).split(" ", 1)[0]
            named = key if key in ("step", "maximum", "publish_step") else "maximum"
            raise table.fail(
                named, worded("expected_grid", "a grid with radices ({why})", why=message_of(error))
            ) from None
    radices = table.integers("radices", low=2, high=LARGEST_RADIX * 4)
    if step <= 0:
        raise table.fail("step", worded("expected_positive", "a positive number"))
    ratio = publish_step / step
    if ratio != 1 and (ratio.denominator != 1 or ratio < 2 or ratio % 2):
        raise table.fail("publish_step", worded("expected_even", "an even number of steps"))
    if ratio == 1 and not allow_exact:
        raise table.fail(
            "publish_step", worded("expected_rounding", "more than step, or disclosure.allow_exact = true")
        )
    if not any(prod(radices[kept:]) == ratio for kept in range(1, len(radices) + 1)):
        raise table.fail(
            "radices",
            worded(
                "expected_radices", "last radices whose product is publish_step / step = {ratio}", ratio=ratio
            ),
        )
    if prod(radices) >= 1 << 60:
        raise table.fail("radices", worded("expected_product", "a product below 2^60"))
    return radices


def _derived(table: TemplateTable | None) -> dict[str, Any] | None:
    if table is None:
        return None
    operations = ("sum", "product", "difference", "ratio", "growth")
    derived = {
        "operation": table.choice("operation", operations, ""),
        "operands": table.texts("operands"),
        "scale": amount_text(table.amount("scale"), table.key("scale")) if table.has("scale") else "1",
    }
    table.finish()
    return derived


def _group(table: TemplateTable) -> TemplateGroup:
    attribute = table.identifier("attribute")
    if attribute == EVERYBODY:
        raise table.fail(
            "attribute",
            worded(
                "expected_group",
                'a name other than "{everybody}", which stands for all members',
                everybody=EVERYBODY,
            ),
        )
    classes = tuple(_class(one) for one in table.tables("classes", least=1))
    _refuse_twice(table.key("classes"), [one.value for one in classes])
    _refuse_overlap(table.key("classes"), classes)
    group = TemplateGroup(attribute, table.text("label", attribute), table.text("column"), classes)
    table.finish()
    return group


def _class(table: TemplateTable) -> TemplateClass:
    value = table.text("value")
    equals = table.text("equals") if table.has("equals") else None
    lower, upper = table.optional_amount("from"), table.optional_amount("below")
    if (equals is None) == (lower is None and upper is None):
        raise table.fail(
            "equals",
            worded("expected_class", "either equals, or from and below (one of them may be left out)"),
        )
    if lower is not None and upper is not None and lower >= upper:
        raise table.fail("below", worded("expected_above", "a number above from"))
    table.finish()
    return TemplateClass(value, lower, upper, equals)


def _translation(table: TemplateTable, named: list[str]) -> TemplateTranslation:
    translation = TemplateTranslation(
        language=table.text("language", longest=35),
        title=table.text("title"),
        purpose=table.text("purpose", longest=20_000),
        consent=table.text("consent", longest=20_000),
        labels=_texts_by_name(table, "labels", named, longest=200),
        help=_texts_by_name(table, "help", named, longest=20_000),
    )
    table.finish()
    return translation


def _texts_by_name(table: TemplateTable, key: str, named: list[str], *, longest: int) -> dict[str, str]:
    """Texts for some of the figures and groups; a name that the study does not have is a mistake."""
    texts = table.table(key)
    if texts is None:
        return {}
    found = {name: texts.text(name, longest=longest) for name in named if texts.has(name)}
    texts.finish()
    return found


def _refuse_overlap(key: str, classes: tuple[TemplateClass, ...]) -> None:
    """Classes partition the members: no cell may belong to two."""
    texts = [one.equals for one in classes if one.equals is not None]
    if texts and len(texts) < len(classes):
        raise BadTemplate(
            key,
            worded("expected_one_kind", "either ranges or texts in one group"),
            worded("found_both", "both"),
        )
    _refuse_twice(key, texts)
    for index, one in enumerate(classes):
        for other in classes[index + 1 :]:
            apart = (one.upper is not None and other.lower is not None and one.upper <= other.lower) or (
                other.upper is not None and one.lower is not None and other.upper <= one.lower
            )
            if not texts and not apart:
                found = worded(
                    "found_overlap",
                    '"{one}" and "{other}" with numbers in common',
                    one=one.value,
                    other=other.value,
                )
                raise BadTemplate(key, worded("expected_apart", "ranges that lie apart"), found)


def _refuse_twice(key: str, names: list[str]) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadTemplate(
            key,
            worded("expected_other_names", "names that differ from each other"),
            worded("found_twice", '"{name}" twice', name=twice),
        )
