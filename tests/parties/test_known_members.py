"""What a roster needs of memberships: all of them by digest, the keys of each member, and what came meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpc_cde.documents.membership import Membership
from mpc_cde.documents.roster_lines import RosterLines, digests_of
from mpc_cde.life_cycles.certified_register import CertifiedRegister
from parties.known_members import KnownMembers, read_members
from parties.roster import read_basis, read_promises
from tests.mpc_cde.client.paper import PaperCommunity
from tests.parties.paper_node import PaperNode, make_submission


@pytest.fixture
def node(tmp_path: Path) -> PaperNode:
    node = PaperNode(PaperCommunity(), tmp_path)
    node.take(node.paper.study_envelope, *node.paper.approvals)
    return node


def members_of(node: PaperNode) -> KnownMembers:
    with node.store.reading() as view:
        return read_members(view, node.paper.study.terms)


def certified(known: KnownMembers, membership: Membership) -> object:
    digest = digests_of([membership.digest()])
    if not known.register.knows(digest)[0]:
        return None
    facts = known.register.facts[known.register.numbers_of(digest)[0]]
    return facts.registrar, dict(facts.kind.groups)


def test_what_is_certified_of_each_member_is_known_and_of_others_nothing(node: PaperNode) -> None:
    paper = node.paper
    node.take(*(paper.membership_envelope(number) for number in range(4)))
    known = members_of(node)
    for number in range(4):
        membership = paper.membership(number)
        assert certified(known, membership) == (membership.registrar, {"size": membership.attributes["size"]})
        assert known.keys_of(membership.member) == [membership.signing_key]
    assert certified(known, paper.membership(4)) is None
    assert known.keys_of(paper.membership(4).member) == []


def test_a_membership_that_came_after_the_others_were_read_is_not_unknown(node: PaperNode) -> None:
    """Else this party would accuse all others, who list a submission under it."""
    paper = node.paper
    node.take(paper.membership_envelope(0), make_submission(paper, 0))
    before = members_of(node)
    node.take(paper.membership_envelope(1), make_submission(paper, 1))
    with node.store.reading() as view:
        lines = read_basis(
            view,
            paper.community,
            paper.study.terms,
            0,
            read_promises(view, paper.study.terms_digest()),
            before,
        )
    known = lines.members
    for number in range(2):
        assert certified(known, paper.membership(number)) is not None
        assert known.keys_of(paper.membership(number).member) == [paper.membership(number).signing_key]
    assert before.with_those(view, paper.study.terms, RosterLines.pack(())) is before


def test_an_empty_register_knows_nobody() -> None:
    empty = CertifiedRegister.of(())
    assert not empty.knows(digests_of([bytes(32)]))[0]
    assert len(empty.joined(empty).digests) == 0
