"""A node decides a query once, by what its own store says of the asker."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpc_cde.documents.decision import Decision
from mpc_cde.documents.envelope import Envelope, open_envelope
from parties.decisions import decide_pending
from parties.document_checks import DocumentContext
from parties.policy import PartyPolicy
from parties.studies import know_study
from tests.mpc_cde.client.paper import PaperCommunity, signed
from tests.parties.paper_node import PaperNode
from tests.parties.test_conductor import AFTER_CLOSING


@pytest.fixture
def paper() -> PaperCommunity:
    return PaperCommunity()


@pytest.fixture
def node(paper: PaperCommunity, tmp_path: Path) -> PaperNode:
    """Its study is checked; the researcher is enrolled."""
    node = PaperNode(paper, tmp_path)
    node.open_study()
    node.clock.now = AFTER_CLOSING
    node.take(signed(paper.roster(), paper.party_keys), signed(paper.checked_roster(), paper.party_keys))
    node.take(signed(paper.researcher(), paper.party_keys))
    return node


def ask(node: PaperNode, *, expires: str = "2027-06-01T00:00:00Z") -> None:
    query = node.paper.query().model_copy(update={"expires": expires})
    node.take(signed(query, [node.paper.researcher_key]))


def decide(node: PaperNode) -> int:
    """How many decisions it makes now."""
    paper = node.paper
    with node.store.writing() as transaction:
        known = know_study(transaction, paper.study.terms_digest(), paper.community, node.clock.now)
        assert known is not None
        made = decide_pending(
            transaction,
            DocumentContext(transaction, paper.community, node.clock.now),
            known,
            PartyPolicy(2, 2),
            party=0,
            signing_key=paper.party_keys[0],
        )
    return len(made)


def decisions(node: PaperNode) -> list[Decision]:
    with node.store.reading() as view:
        letters = [Envelope.parse_json(item.body) for item in view.outbox() if item.path == "/v1/decisions"]
    return [open_envelope(letter, Decision) for letter in letters]


def test_a_query_is_decided_once(node: PaperNode) -> None:
    ask(node)
    assert [decide(node), decide(node)] == [1, 0]
    assert [decision.answer for decision in decisions(node)] == ["yes"]


def test_a_researcher_that_not_every_party_enrolled_is_unknown(paper: PaperCommunity, tmp_path: Path) -> None:
    node = PaperNode(paper, tmp_path)
    node.open_study()
    node.clock.now = AFTER_CLOSING
    node.take(signed(paper.roster(), paper.party_keys), signed(paper.checked_roster(), paper.party_keys))
    node.take(signed(paper.researcher(), paper.party_keys[:2]))
    ask(node)
    assert decide(node) == 1
    assert [decision.rule for decision in decisions(node)] == ["asker_unknown"]


def test_nothing_is_decided_before_the_inputs_are_checked(paper: PaperCommunity, tmp_path: Path) -> None:
    node = PaperNode(paper, tmp_path)
    node.open_study()
    node.take(signed(paper.researcher(), paper.party_keys))
    ask(node)
    assert decide(node) == 0
