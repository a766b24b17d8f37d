"""Which cells a question comes to, and who may ask it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mpc_cde.client.query import EnrolledResearcher, choose_items, make_query
from mpc_cde.client.trust import verify_community
from mpc_cde.client.verification import VerifiedStudy, verify_study
from mpc_cde.documents.authority import open_query
from mpc_cde.documents.query import QueryItem
from mpc_cde.errors import CallerError
from protocols.randomness import SystemRandomness
from tests.mpc_cde.client.paper import PaperCommunity, signed

PAPER = PaperCommunity()
TRUSTED = verify_community([PAPER.community_envelope], PAPER.fingerprint)
STUDY: VerifiedStudy = verify_study(TRUSTED, PAPER.study_envelope, PAPER.approvals)
ASKER = EnrolledResearcher(
    PAPER.researcher_key, PAPER.researcher(), signed(PAPER.researcher(), PAPER.party_keys)
)


def names(items: tuple[QueryItem, ...]) -> list[str]:
    return [
        f"{item.function} {','.join(item.figures)}" + (f" {item.group.value}" if item.group else "")
        for item in items
    ]


@pytest.mark.parametrize(
    ("choice", "chosen"),
    [
        (
            {},
            [
                "count@1 sales",
                "sum@1 sales",
                "percentiles@1 sales",
                "sum@1 margin small",
                "sum@1 margin large",
            ],
        ),
        ({"functions": ["sum"]}, ["sum@1 sales", "sum@1 margin small", "sum@1 margin large"]),
        ({"functions": ["sum@1"], "figures": ["sales"]}, ["sum@1 sales"]),
        ({"by": ["size"]}, ["sum@1 margin small", "sum@1 margin large"]),
        ({"groups": False, "functions": ["count", "percentiles"]}, ["count@1 sales", "percentiles@1 sales"]),
        ({"permitted": ["count@1"]}, ["count@1 sales"]),
    ],
)
def test_cells_are_those_of_the_study_that_fit(choice: dict[str, Any], chosen: list[str]) -> None:
    assert names(choose_items(STUDY, **choice)) == chosen


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"functions": ["mean"]}, "no function mean; it has count, count@1"),
        ({"figures": ["profit"]}, "no figure profit; it has margin, sales"),
        ({"by": ["region"]}, "no group region; it has size"),
        ({"figures": ["margin"], "groups": False}, "nothing in this study fits"),
    ],
)
def test_what_the_study_does_not_know_is_said(choice: dict[str, Any], said: str) -> None:
    with pytest.raises(CallerError, match=said):
        choose_items(STUDY, **choice)


def test_query_is_signed_by_its_asker_and_expires() -> None:
    now = datetime(2026, 6, 1, tzinfo=UTC)
    envelope = make_query(
        STUDY, ASKER, choose_items(STUDY), randomness=SystemRandomness(), now=now, valid_seconds=60
    )
    query = open_query(envelope, PAPER.researcher())
    assert query.expires == "2026-06-01T00:01:00Z"
    again = make_query(STUDY, ASKER, choose_items(STUDY), randomness=SystemRandomness(), now=now)
    assert again.digest() != envelope.digest()


def test_function_beyond_the_enrolment_is_not_asked_for() -> None:
    limited = PAPER.researcher().model_copy(update={"functions": ("count@1",)})
    asker = EnrolledResearcher(PAPER.researcher_key, limited, signed(limited, PAPER.party_keys))
    with pytest.raises(CallerError, match="not enrolled for sum@1"):
        make_query(STUDY, asker, choose_items(STUDY, functions=["sum"]), randomness=SystemRandomness())
