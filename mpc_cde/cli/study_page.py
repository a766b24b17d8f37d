"""A study as people read it: before they take part, and before an operator approves it for an organisation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mpc_cde.cli.showing import say, say_table

if TYPE_CHECKING:
    from mpc_cde.documents.figure import Figure
    from mpc_cde.documents.study import Study
    from mpc_cde.documents.study_terms import StudyTerms


def show_study(study: Study, state: str) -> None:
    """What is asked, what may be answered to whom, what is withheld, and until when anything is kept."""
    from mpc_cde.documents.canonical import encode_base64url

    terms = study.terms
    say(f"{terms.title} ({state})")
    say(terms.purpose)
    say(f"Study {encode_base64url(study.terms_digest())}")
    say(f"Opens {study.presentation.opens}, closes {study.presentation.closes}")
    say_table(["figure", "unit", "asked for", "published in steps of", ""], [_row(f) for f in terms.figures])
    answers: dict[tuple[str, str, str], list[str]] = {}
    for function in terms.functions:
        key = (function.function, function.by or "all members", function.audience)
        answers.setdefault(key, []).append(", ".join(function.figures))
    rows = [[*key, "; ".join(dict.fromkeys(figures))] for key, figures in answers.items()]
    say_table(["function", "by", "for", "figures"], rows)
    for rule in _rules(terms):
        say(rule)


def _row(figure: Figure) -> list[str]:
    asked = (
        ", ".join(figure.categories)
        if figure.categories
        else f"{figure.minimum} to {figure.maximum}, step {figure.step}"
    )
    blank = "may be blank" if figure.blank_allowed else "required"
    return [figure.name, figure.unit, asked, figure.publish_step or "", blank]


def _rules(terms: StudyTerms) -> Iterator[str]:
    bundle = terms.disclosure
    yield (
        f"At least {bundle.minimum_contributors} contributors behind every number, "
        f"{bundle.minimum_contributors_group} in a group."
    )
    if bundle.minimum_contributors_negative is not None:
        yield f"At least {bundle.minimum_contributors_negative} where figures may be negative."
    if bundle.dominance is not None:
        yield (
            f"Withheld where the {bundle.dominance.contributors} largest hold more than "
            f"{bundle.dominance.percent} % of a total."
        )
    if bundle.p_percent is not None:
        yield "Withheld by a p% rule, whose p the parties hold."
    elif bundle.dominance is None:
        yield "No rule about large contributors: a total may show the second largest much of the largest."
    if bundle.complementary:
        yield "Withheld too is what a withheld number would follow from."
    if bundle.allow_exact:
        yield "Exact figures may be published."
    yield (
        f"At most {terms.budget.queries} queries and {terms.roster_cap} members. "
        f"Every party deletes what it holds {terms.retention_days} days after the closing."
    )
