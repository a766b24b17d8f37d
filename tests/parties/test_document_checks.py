"""What a node does not keep of its feed though the signatures hold: made for elsewhere, too late, by nobody known."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpc_cde.documents.community import Community
from mpc_cde.documents.roster import Roster
from mpc_cde.documents.withdrawal import Withdrawal
from parties.document_checks import DocumentContext, is_revoked
from parties.intake import Intake, PlaceChanged
from parties.share_store import StoreView
from protocols.randomness import ScriptedRandomness
from tests.mpc_cde.client.paper import PaperCommunity, signed, signing_key
from tests.parties.paper_node import PaperNode
from tests.parties.test_conductor import AFTER_CLOSING
from tests.parties.test_intake import revocation

OTHER = bytes(32)


@pytest.fixture
def paper() -> PaperCommunity:
    return PaperCommunity()


@pytest.fixture
def node(paper: PaperCommunity, tmp_path: Path) -> PaperNode:
    node = PaperNode(paper, tmp_path)
    node.open_study()
    return node


def refusals(node: PaperNode) -> list[str]:
    return [entry.details["reason"] for entry in node.log.entries() if entry.event == "feed.not_accepted"]


def test_a_membership_of_a_registrar_that_is_none_is_not_kept(node: PaperNode, paper: PaperCommunity) -> None:
    membership = paper.membership(7).model_copy(update={"registrar": "nobody"})
    node.take(signed(membership, paper.registrar_keys))
    assert refusals(node) == ["the community has no registrar of that name"]
    assert node.kept(membership) is None


def test_a_membership_made_for_another_community_is_not_kept(node: PaperNode, paper: PaperCommunity) -> None:
    membership = paper.membership(7).model_copy(update={"community": OTHER})
    node.take(signed(membership, paper.registrar_keys))
    assert refusals(node) == ["it was made for another community"]


def test_a_revocation_made_for_another_community_revokes_nobody(
    node: PaperNode, paper: PaperCommunity
) -> None:
    node.take(signed(revocation(paper, 0).model_copy(update={"community": OTHER}), paper.registrar_keys))
    assert refusals(node) == ["it was made for another community"]


def test_a_researcher_enrolled_in_another_community_is_not_kept(
    node: PaperNode, paper: PaperCommunity
) -> None:
    researcher = paper.researcher().model_copy(update={"community": OTHER})
    node.take(signed(researcher, paper.party_keys))
    assert refusals(node) == ["it was made for another community"]


def withdrawal(paper: PaperCommunity, study: bytes) -> Withdrawal:
    return Withdrawal(study_terms=study, member=paper.membership(0).member, sequence=1)


def test_a_withdrawal_after_the_roster_was_signed_is_not_kept(node: PaperNode, paper: PaperCommunity) -> None:
    node.clock.now = AFTER_CLOSING
    node.take(signed(paper.roster(), paper.party_keys))
    node.take(signed(withdrawal(paper, paper.study.terms_digest()), [paper.member_key(0)]))
    assert refusals(node) == ["a withdrawal counts until the roster is signed"]


def test_a_withdrawal_from_a_study_that_is_not_known_is_not_kept(
    node: PaperNode, paper: PaperCommunity
) -> None:
    node.take(signed(withdrawal(paper, OTHER), [paper.member_key(0)]))
    assert refusals(node) == ["a withdrawal counts until the roster is signed"]


def test_a_checked_roster_of_a_party_that_there_is_not_is_not_kept(
    node: PaperNode, paper: PaperCommunity
) -> None:
    checked = paper.checked_roster().model_copy(update={"parties": (0, 1, 9)})
    node.take(signed(checked, paper.party_keys))
    assert refusals(node) == ["it names a party that the community does not have"]


def rosters(paper: PaperCommunity) -> tuple[Roster, Roster]:
    return paper.roster(), PaperCommunity(members=paper.members - 1).roster()


def test_a_second_roster_signed_by_all_takes_no_study_back(node: PaperNode, paper: PaperCommunity) -> None:
    one, other = rosters(paper)
    node.take(signed(one, paper.party_keys), signed(other, paper.party_keys))
    assert refusals(node) == ["every party has signed another roster of this study"]


def test_the_agreed_roster_may_come_as_often_as_it_likes(node: PaperNode, paper: PaperCommunity) -> None:
    one, _ = rosters(paper)
    node.take(signed(one, paper.party_keys), signed(one, paper.party_keys), signed(one, paper.party_keys[:1]))
    assert refusals(node) == []


def test_nobody_is_revoked_by_the_revocation_of_another(node: PaperNode, paper: PaperCommunity) -> None:
    node.take(signed(revocation(paper, 0), paper.registrar_keys))
    with node.store.reading() as view:
        context = DocumentContext(view, paper.community, node.clock.now)
        found = {
            subject: is_revoked(context, subject)
            for subject in (paper.membership(0).member, paper.membership(1).member, None)
        }
    assert list(found.values()) == [True, False, False]


def test_a_query_that_comes_back_signed_again_is_no_further_one(
    node: PaperNode, paper: PaperCommunity, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = paper.study.terms.budget.queries
    monkeypatch.setattr(StoreView, "count_documents", lambda *_, **__: most)
    node.take(signed(paper.researcher(), paper.party_keys))
    query = signed(paper.query(), [paper.researcher_key])
    node.take(query)
    assert refusals(node) == [f"more than {most} queries of one asker about one study"]
    monkeypatch.undo()
    node.take(query)
    monkeypatch.setattr(StoreView, "count_documents", lambda *_, **__: most)
    node.take(query)
    assert len(refusals(node)) == 1


def test_a_roster_that_one_party_made_up_keeps_the_agreed_one_from_nobody(
    node: PaperNode, paper: PaperCommunity
) -> None:
    one, other = rosters(paper)
    node.take(signed(one, paper.party_keys[1:2]), signed(other, paper.party_keys))
    assert refusals(node) == []
    assert node.kept(other) is not None


def test_a_community_that_gives_this_party_another_place_stops_its_node(
    node: PaperNode, paper: PaperCommunity
) -> None:
    moved = Community.model_validate(
        {
            **paper.community.model_dump(),
            "cards": tuple(reversed(paper.community.cards)),
            "version": 2,
            "previous": paper.community.digest(),
        }
    )
    with pytest.raises(PlaceChanged):
        node.take(signed(moved, paper.party_keys))
    assert node.intake.community == paper.community


def test_a_node_with_the_key_of_no_party_takes_nothing_in(node: PaperNode, paper: PaperCommunity) -> None:
    with pytest.raises(ValueError, match="not in the community"):
        Intake(
            store=node.store,
            log=node.log,
            home=node.home,
            community=paper.community,
            identity=signing_key("stranger"),
            clock=node.clock,
            randomness=ScriptedRandomness(b"node"),
        )
