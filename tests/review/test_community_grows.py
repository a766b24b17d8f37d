"""A community gains a party, or a party a new key, while studies of its earlier version live: none of them dies."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpc_cde.documents.community import Community
from mpc_cde.documents.party_card import PartyCard
from mpc_cde.keys import SigningKey
from mpc_cde.life_cycles import study as life
from parties.retention import destroy_ended_studies
from parties.studies import know_study
from tests.mpc_cde.client.paper import PaperCommunity, mesh_certificate, signed, signing_key
from tests.parties.paper_node import PaperNode, make_submission
from tests.parties.test_conductor import AFTER_CLOSING


@pytest.fixture
def paper() -> PaperCommunity:
    return PaperCommunity()


def next_version(paper: PaperCommunity, cards: tuple[PartyCard, ...]) -> Community:
    changed = {"version": 2, "previous": paper.community.digest(), "cards": cards}
    return paper.community.model_copy(update=changed)


def one_more_party(paper: PaperCommunity) -> tuple[Community, list[SigningKey]]:
    fourth = signing_key("party 3")
    card = PartyCard(
        name="Party 3",
        role="computes",
        identity_key=fourth.public_bytes,
        mesh_address="127.0.0.1:7803",
        mesh_certificate=mesh_certificate(3),
        contact="office@example.org",
    )
    return next_version(paper, (*paper.community.cards, card)), [*paper.party_keys, fourth]


def another_key(paper: PaperCommunity) -> tuple[Community, list[SigningKey]]:
    fresh = signing_key("party 2, second key")
    first, second, third = paper.community.cards
    card = third.model_copy(update={"identity_key": fresh.public_bytes})
    return next_version(paper, (first, second, card)), [*paper.party_keys, fresh]


@pytest.mark.parametrize("change", [one_more_party, another_key])
def test_a_new_version_of_the_community_destroys_no_study_of_the_one_before(
    paper: PaperCommunity, tmp_path: Path, change: object
) -> None:
    assert callable(change)
    node = PaperNode(paper, tmp_path)
    node.open_study()
    node.take(make_submission(paper, 0))
    following, keys = change(paper)
    node.take(signed(following, keys))
    assert node.intake.community.version == 2
    node.clock.now = AFTER_CLOSING
    study = paper.study.terms_digest()
    with node.store.reading() as view:
        known = know_study(view, study, node.intake.community, node.clock())
    assert known is not None
    assert isinstance(known.state, life.Closing)
    assert known.community == paper.community
    assert destroy_ended_studies(node.store, node.log, node.home, node.intake.community, node.clock()) == ()
    assert node.home.has_sealing_key(study)


def test_what_was_certified_for_the_version_before_is_still_taken(
    paper: PaperCommunity, tmp_path: Path
) -> None:
    node = PaperNode(paper, tmp_path)
    following, keys = one_more_party(paper)
    node.take(signed(following, keys), paper.membership_envelope(0))
    assert node.kept(paper.membership(0)) is not None
