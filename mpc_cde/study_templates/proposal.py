"""From a template to the study that a steward of one community proposes."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from mpc_cde.coded_text import worded
from mpc_cde.documents.base import describe_validation
from mpc_cde.documents.study import Study
from mpc_cde.study_templates.table import BadTemplate, amount_text
from mpc_cde.study_templates.template import StudyTemplate, TemplateFigure, TemplateFunction


def study_from_template(
    template: StudyTemplate,
    *,
    community: bytes,
    steward: str,
    opens: str,
    closes: str,
    p_percent: bytes | None = None,
) -> Study:
    """The study document that a steward proposes; `p_percent` is the commitment to its unpublished p, if any.

    Raises BadTemplate for what the document does not allow.
    """
    terms = {
        "community": community,
        "title": template.title,
        "purpose": template.purpose,
        "consent": template.consent,
        "language": template.language,
        "figures": tuple(_figure_terms(figure) for figure in template.figures),
        "groups": tuple(
            {
                "attribute": group.attribute,
                "label": group.label,
                "values": tuple(one.value for one in group.classes),
            }
            for group in template.groups
        ),
        "roster_cap": template.roster_cap,
        "functions": tuple(_function_terms(function) for function in template.functions),
        "disclosure": {**template.disclosure, "p_percent": p_percent},
        "engine": template.engine,
        "budget": {"queries": template.queries},
        "retention_days": template.retention_days,
    }
    help_texts = {figure.name: figure.help for figure in template.figures if figure.help}
    translations = {
        one.language: {
            "title": one.title,
            "purpose": one.purpose,
            "consent": one.consent,
            "labels": dict(one.labels),
            "help": dict(one.help),
        }
        for one in template.translations
    }
    presentation = {"opens": opens, "closes": closes, "help": help_texts, "translations": translations}
    try:
        return Study.model_validate({"terms": terms, "presentation": presentation, "steward": steward})
    except ValidationError as error:
        raise BadTemplate(
            worded("found_study", "the study"),
            worded("expected_terms", "terms that a study may have"),
            describe_validation(error),
        ) from None


def _figure_terms(figure: TemplateFigure) -> dict[str, Any]:
    amounts = {
        key: None if amount is None else amount_text(amount, f"{figure.name}.{key}")
        for key, amount in (
            ("minimum", figure.minimum),
            ("step", figure.step),
            ("publish_step", figure.publish_step),
            ("soft_minimum", figure.soft_minimum),
            ("soft_maximum", figure.soft_maximum),
        )
    }
    return {
        "name": figure.name,
        "label": figure.label,
        "unit": figure.unit,
        "kind": "category" if figure.categories else "number",
        "categories": figure.categories,
        "radices": figure.radices,
        "rounds": figure.rounds,
        "blank_allowed": figure.blank_allowed,
        "derived": figure.derived,
        "tier": figure.tier,
        **amounts,
    }


def _function_terms(function: TemplateFunction) -> dict[str, Any]:
    return {
        "function": function.function,
        "figures": function.figures,
        "by": function.by,
        "parameters": dict(function.parameters),
        "grid": None if function.grid is None else amount_text(function.grid, "grid"),
        "edges": tuple(amount_text(edge, "edges") for edge in function.edges),
        "scheduled": function.scheduled,
        "audience": function.audience,
    }
