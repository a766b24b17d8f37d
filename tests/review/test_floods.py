"""One member or researcher that sends without end: what a node keeps of it has a bound."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mpc_cde.documents.envelope import Envelope
from mpc_cde.documents.query import Query
from mpc_cde.documents.study_terms import Budget
from mpc_cde.documents.withdrawal import Withdrawal
from parties import document_checks, submission_checks
from parties.roster import Promises, read_basis
from tests.mpc_cde.client.paper import PaperCommunity, signed
from tests.parties.paper_node import PaperNode, make_submission
from tests.review.papers import paper_with


@pytest.fixture
def paper() -> PaperCommunity:
    return PaperCommunity()


@pytest.fixture
def node(paper: PaperCommunity, tmp_path: Path) -> PaperNode:
    made = PaperNode(paper, tmp_path)
    made.open_study()
    return made


def count(node: PaperNode, type_name: str) -> int:
    with node.store.reading() as view:
        return len(view.documents(type_name))


def withdrawal(paper: PaperCommunity, number: int, sequence: int) -> Envelope:
    member = paper.membership(number).member
    document = Withdrawal(study_terms=paper.study.terms_digest(), member=member, sequence=sequence)
    return signed(document, [paper.member_key(number)])


def query(paper: PaperCommunity, nonce: int, **changes: object) -> Envelope:
    fresh = hashlib.sha256(b"%d" % nonce).digest()[:16]
    asked: Query = paper.query().model_copy(update={"nonce": fresh, **changes})
    return signed(asked, [paper.researcher_key])


def test_a_member_that_submits_for_ever_fills_no_disk(
    node: PaperNode, paper: PaperCommunity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submission_checks, "MAX_ACCEPTED_EACH", 3)
    given = [node.reason(make_submission(paper, 0, sequence=number)) for number in range(1, 6)]
    assert given == ["accepted"] * 3 + ["too_many"] * 2
    assert node.reason(make_submission(paper, 1)) == "accepted"


def test_withdrawals_of_one_member_cannot_make_the_roster_list_impossible(
    node: PaperNode, paper: PaperCommunity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document_checks, "MAX_WITHDRAWALS_EACH", 5)
    node.take(*(withdrawal(paper, 0, sequence) for sequence in range(1, 50)))
    assert count(node, "withdrawal/v1") == 5
    node.take(withdrawal(paper, 1, 1))
    with node.store.reading() as view:
        basis = read_basis(view, paper.community, paper.study.terms, 0, Promises(frozenset(), frozenset()))
    assert len(basis.own_list.withdrawals) == 6


def test_a_withdrawal_of_what_was_withdrawn_is_not_kept(node: PaperNode, paper: PaperCommunity) -> None:
    node.take(withdrawal(paper, 0, 7), *(withdrawal(paper, 0, sequence) for sequence in range(1, 7)))
    assert count(node, "withdrawal/v1") == 1


def test_a_researcher_that_asks_for_ever_is_not_kept_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document_checks, "LEAST_QUERIES_EACH", 2)
    paper = paper_with(terms={"budget": Budget(queries=5)})
    node = PaperNode(paper, tmp_path)
    node.open_study()
    node.take(signed(paper.researcher(), paper.party_keys))
    node.take(*(query(paper, nonce) for nonce in range(9)))
    assert count(node, "query/v1") == 5


def test_a_query_about_a_study_that_is_not_known_is_not_kept(node: PaperNode, paper: PaperCommunity) -> None:
    node.take(signed(paper.researcher(), paper.party_keys), query(paper, 1, study_terms=bytes(32)))
    assert count(node, "query/v1") == 0
