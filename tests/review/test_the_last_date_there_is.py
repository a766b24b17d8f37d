"""A study that closes on the last day of the calendar: a steward's way to say never, not a way to kill nodes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mpc_cde.documents.study import Presentation
from mpc_cde.life_cycles.study import StudyPlan
from tests.parties.paper_node import OPEN, ManualClock, PaperNode, make_submission
from tests.review.papers import paper_with


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
    paper = paper_with(presentation=Presentation(opens="2026-01-01T00:00:00Z", closes=closes))
    node = PaperNode(paper, tmp_path, clock=ManualClock(now))
    node.open_study(1)
    assert node.reason(make_submission(paper, 0)) == reason


def test_deadlines_never_lie_beyond_the_last_moment() -> None:
    last = datetime.max.replace(tzinfo=UTC)
    plan = StudyPlan(3, 1, OPEN, last - timedelta(minutes=1), timedelta(days=365))
    assert plan.stops_accepting == plan.expires == last
