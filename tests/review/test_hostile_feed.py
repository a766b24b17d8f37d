"""A gateway that fills a feed with what no honest one serves: each item is passed over, none ends the node."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpc_cde.documents.canonical import canonical_bytes, parse_canonical
from mpc_cde.documents.envelope import Envelope
from mpc_cde.documents.submission import Submission
from mpc_cde.documents.withdrawal import Withdrawal
from mpc_cde.errors import BadDocument, NotCanonical
from tests.mpc_cde.client.paper import PaperCommunity
from tests.parties.paper_node import PaperNode, make_submission

LONE_SURROGATE_KEY = b'{"\\ud800":1}'


@pytest.fixture
def paper() -> PaperCommunity:
    return PaperCommunity()


@pytest.fixture
def node(paper: PaperCommunity, tmp_path: Path) -> PaperNode:
    made = PaperNode(paper, tmp_path)
    made.open_study()
    return made


@pytest.mark.parametrize("payload_type", [Withdrawal.payload_type(), Submission.payload_type()])
def test_a_field_name_longer_than_a_log_entry_does_not_stop_the_node(
    node: PaperNode, paper: PaperCommunity, payload_type: str
) -> None:
    payload = canonical_bytes({"A" * 100_000: 1})
    node.take(Envelope(payload_type=payload_type, payload=payload, signatures=()))
    assert node.events()[-1] == "feed.not_accepted"
    assert node.reason(make_submission(paper, 0)) == "accepted"


@pytest.mark.parametrize("payload_type", [Withdrawal.payload_type(), Submission.payload_type()])
def test_a_lone_surrogate_in_a_field_name_does_not_stop_the_node(
    node: PaperNode, paper: PaperCommunity, payload_type: str
) -> None:
    node.take(Envelope(payload_type=payload_type, payload=LONE_SURROGATE_KEY, signatures=()))
    assert node.events()[-1] == "feed.not_accepted"
    assert node.reason(make_submission(paper, 0)) == "accepted"


def test_a_lone_surrogate_has_no_canonical_form_wherever_it_stands() -> None:
    values: tuple[dict[str, object], ...] = ({"\ud800": 1}, {"a": "\ud800"}, {"a": {"\udfff": {}}})
    for value in values:
        with pytest.raises(NotCanonical):
            canonical_bytes(value)
    with pytest.raises(BadDocument):
        parse_canonical(LONE_SURROGATE_KEY)
