"""Deletion: when a study is over nothing of it can be read, and nothing is deleted before."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from mpc_cde.documents.approval import Refusal
from mpc_cde.errors import StoreDamaged
from parties.retention import destroy_ended_studies
from tests.mpc_cde.client.paper import PaperCommunity, signed
from tests.parties.paper_node import OPEN, PaperNode, make_submission

EXPIRED = datetime(2028, 1, 2, tzinfo=UTC)
"""A year and a day after the study on paper closes."""


@pytest.fixture
def paper() -> PaperCommunity:
    return PaperCommunity()


@pytest.fixture
def node(paper: PaperCommunity, tmp_path: Path) -> PaperNode:
    node = PaperNode(paper, tmp_path)
    node.open_study()
    node.take(make_submission(paper, 0), make_submission(paper, 1))
    return node


def destroy(node: PaperNode, now: datetime) -> tuple[bytes, ...]:
    return destroy_ended_studies(node.store, node.log, node.home, node.paper.community, now)


def test_nothing_is_destroyed_while_a_study_lives(node: PaperNode) -> None:
    for now in (OPEN, datetime(2027, 1, 2, tzinfo=UTC), datetime(2027, 12, 31, tzinfo=UTC)):
        assert destroy(node, now) == ()
    assert node.home.has_sealing_key(node.paper.study.terms_digest())


def test_an_expired_study_leaves_no_key_no_share_no_column(node: PaperNode, paper: PaperCommunity) -> None:
    terms = paper.study.terms_digest()
    node.take(signed(paper.roster(), paper.party_keys))
    columns = node.home.columns_path / paper.roster().digest().hex()
    columns.mkdir()
    (columns / "shares.u64").write_bytes(b"shares")
    assert destroy(node, EXPIRED) == (terms,)
    assert not node.home.has_sealing_key(terms)
    assert not columns.exists()
    with node.store.reading() as view:
        kept = [record.digest for record in view.submissions(terms, state="accepted")]
        assert len(kept) == 2
        with pytest.raises(StoreDamaged):
            list(view.sealed_shares(kept))
    assert node.events()[-1] == "study.secrets_destroyed"
    assert destroy(node, EXPIRED) == ()


def test_a_cancelled_study_is_destroyed_at_once(node: PaperNode, paper: PaperCommunity) -> None:
    refusal = Refusal(
        study=paper.study.digest(), study_terms=paper.study.terms_digest(), party=2, reason="no longer"
    )
    node.take(signed(refusal, [paper.party_keys[2]]))
    assert destroy(node, OPEN) == (paper.study.terms_digest(),)


def test_a_crash_after_the_key_is_gone_finishes_later(node: PaperNode, paper: PaperCommunity) -> None:
    node.home.destroy_sealing_key(paper.study.terms_digest())
    assert destroy(node, EXPIRED) == (paper.study.terms_digest(),)
    with node.store.reading() as view:
        assert not view.holds_shares(paper.study.terms_digest())


def test_a_study_that_nobody_submitted_to_loses_its_key_as_well(
    paper: PaperCommunity, tmp_path: Path
) -> None:
    node = PaperNode(paper, tmp_path)
    node.open_study()
    terms = paper.study.terms_digest()
    assert destroy(node, EXPIRED) == (terms,)
    assert not node.home.has_sealing_key(terms)
