"""An operator refuses an open study while the feed still brings submissions: its sealing key is gone at once."""

from __future__ import annotations

from pathlib import Path

from mpc_cde.documents.approval import Refusal
from tests.mpc_cde.client.paper import PaperCommunity, signed
from tests.parties.paper_node import PaperNode, make_submission


def test_a_submission_after_the_key_is_gone_and_before_the_refusal_is_back_does_not_stop_the_node(
    tmp_path: Path,
) -> None:
    paper = PaperCommunity()
    node = PaperNode(paper, tmp_path)
    node.open_study()
    node.home.destroy_sealing_key(paper.study.terms_digest())
    assert node.reason(make_submission(paper, 0)) == "study_cancelled"
    refusal = Refusal(
        study=paper.study.digest(), study_terms=paper.study.terms_digest(), party=0, reason="no longer"
    )
    node.take(signed(refusal, [paper.party_keys[0]]))
    assert node.reason(make_submission(paper, 1)) == "study_cancelled"
