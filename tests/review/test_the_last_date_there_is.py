"""A study that closes on the last day of the calendar: a steward's way to say never, not a way to kill nodes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mpc_cde.documents.approval import Approval
from mpc_cde.documents.study import Presentation
from mpc_cde.life_cycles.study import StudyPlan
from tests.mpc_cde.client.paper import PaperCommunity, signed
from tests.parties.paper_node import OPEN, ManualClock, PaperNode, make_submission


@pytest.mark.parametrize(
    ("closes", "now", "reason"),
    [
        ("9999-12-31T23:59:59Z", OPEN, "accepted"),
        ("9999-12-01T00:00:00Z", datetime(9999, 12, 2, tzinfo=UTC), "study_closed"),
    ],
)
def test_a_study_that_closes_at_the_end_of_time_does_not_stop_the_node(
    tmp_path: Path, closes: str, now: datetime, reason: str
) -> None:
    paper = PaperCommunity()
    presentation = Presentation(opens="2026-01-01T00:00:00Z", closes=closes)
    study = paper.study.model_copy(update={"presentation": presentation})
    approvals = [
        signed(
            Approval(
                study=study.digest(),
                study_terms=study.terms_digest(),
                party=j,
                sealing_key=paper.sealing_keys[j].public,
            ),
            [paper.party_keys[j]],
        )
        for j in range(paper.m)
    ]
    node = PaperNode(paper, tmp_path, clock=ManualClock(now))
    node.take(signed(study, [paper.steward_key]), *approvals, paper.membership_envelope(0))
    assert node.reason(make_submission(paper, 0)) == reason


def test_deadlines_never_lie_beyond_the_last_moment() -> None:
    last = datetime.max.replace(tzinfo=UTC)
    plan = StudyPlan(3, 1, OPEN, last - timedelta(minutes=1), timedelta(days=365))
    assert plan.stops_accepting == plan.expires == last
