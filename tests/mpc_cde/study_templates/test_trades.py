"""The templates for trades: a node approves each, both languages have every word, soft bounds make sense."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction

import pytest

from mpc_cde.documents.study import Study
from mpc_cde.errors import NotFound
from mpc_cde.study_templates import BadTemplate, parse_template, study_from_template
from mpc_cde.study_templates.shipped_templates import TRADES, shipped_template, shipped_text
from parties.approvals import reasons_against
from parties.policy import PartyPolicy
from tests.mpc_cde.client.paper import PaperCommunity

OPENS, CLOSES = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"
PAPER = PaperCommunity()


def study(name: str) -> Study:
    return study_from_template(
        shipped_template(name),
        community=PAPER.community.digest(),
        steward="steward",
        opens=OPENS,
        closes=CLOSES,
    )


@pytest.mark.parametrize("name", TRADES)
def test_every_node_with_the_usual_policy_approves_it(name: str) -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    assert reasons_against(study(name), PAPER.community, PartyPolicy(), now) == ()


@pytest.mark.parametrize("name", TRADES)
def test_every_word_stands_in_dutch_too(name: str) -> None:
    template = shipped_template(name)
    (dutch,) = template.translations
    assert dutch.language == "nl"
    named = {figure.name for figure in template.figures} | {group.attribute for group in template.groups}
    assert set(dutch.labels) == named
    assert set(dutch.help) == {figure.name for figure in template.figures if figure.help}
    assert study(name).presentation.translations["nl"].title == dutch.title


@pytest.mark.parametrize("name", TRADES)
def test_a_form_asks_before_it_refuses(name: str) -> None:
    """Soft bounds lie inside what is possible, and every amount has its unit."""
    for figure in shipped_template(name).figures:
        assert figure.unit
        assert figure.minimum is not None
        low = figure.minimum if figure.soft_minimum is None else figure.soft_minimum
        high = figure.maximum if figure.soft_maximum is None else figure.soft_maximum
        assert figure.minimum <= low < high <= (figure.maximum or Fraction(0))


@pytest.mark.parametrize("name", TRADES)
def test_members_get_their_own_place_and_everybody_a_number(name: str) -> None:
    audiences = {function.audience for function in shipped_template(name).functions}
    assert {"public", "contributors", "self"} <= audiences


def test_there_is_none_of_another_name() -> None:
    with pytest.raises(NotFound, match="services"):
        shipped_template("../../demo/data/bakery_energy")


def test_a_translation_of_what_is_not_asked_is_refused() -> None:
    text = shipped_text("services")
    for old, new in (
        ('language = "nl"', 'language = "en"'),
        ('revenue = "Omzet van het jaar"', 'revenu = "Omzet van het jaar"'),
        ('title = "Vergelijking van dienstverleners"\n', ""),
    ):
        assert old in text
        with pytest.raises(BadTemplate, match="translations"):
            parse_template(text.replace(old, new))
