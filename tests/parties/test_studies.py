"""Who may go on with a study: the parties that it was made for, under the threshold that it was made for."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from mpc_cde.documents.community import Community
from parties.studies import KnownStudy, know_study
from tests.mpc_cde.client.paper import PaperCommunity
from tests.parties.paper_node import PaperNode


def known(paper: PaperCommunity, path: Path) -> KnownStudy:
    node = PaperNode(paper, path)
    node.open_study()
    with node.store.reading() as view:
        found = know_study(
            view, paper.study.terms_digest(), paper.community, datetime(2026, 6, 1, tzinfo=UTC)
        )
    assert found is not None
    return found


def test_a_study_goes_on_among_its_own_parties_only(tmp_path: Path) -> None:
    paper = PaperCommunity(m=5, t=2)
    study = known(paper, tmp_path)
    renamed, _ = paper.next_community()
    assert study.is_among(renamed)
    assert not study.is_among(paper.community.model_copy(update={"threshold": 1}))
    cards = paper.community.cards
    for changed in (
        cards[:4],
        (*cards[1:], cards[0]),
        (*cards[:4], PaperCommunity(m=6, t=2).community.cards[5]),
    ):
        assert not study.is_among(Community.model_construct(**{**dict(paper.community), "cards": changed}))
