"""Parties that show different lists to different parties, hold their signature back, or die while signing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mpc_cde.documents.envelope import merge_signatures, sign_document
from mpc_cde.documents.roster import Roster, roster_of
from mpc_cde.documents.roster_lines import RosterLines
from mpc_cde.documents.roster_list import RosterList
from mpc_cde.documents.withdrawal import Withdrawal
from mpc_cde.life_cycles import study as life
from parties import roster_table
from parties.agreement import CommitmentsDiffer, SignedRoster, agree_on_roster
from parties.roster import AgreedInputs, RosterBasis, ShownList, read_basis, read_promises
from parties.studies import know_study
from tests.mpc_cde.client.paper import PaperCommunity, signed
from tests.parties.paper_node import PaperNode, make_submission
from tests.parties.test_conductor import AFTER_CLOSING
from tests.review.lying_sessions import LyingTable


@pytest.fixture
def paper() -> PaperCommunity:
    return PaperCommunity()


def make_nodes(paper: PaperCommunity, path: Path, *, unknown: int | None = None) -> list[PaperNode]:
    """Three nodes with three accepted submissions each; node 0 is never told of member `unknown`."""
    nodes = []
    submitted = [make_submission(paper, number) for number in range(3)]
    for index in range(paper.m):
        directory = path / str(index)
        directory.mkdir(mode=0o700)
        node = PaperNode(paper, directory, index)
        node.take(paper.study_envelope, *paper.approvals)
        for number in range(3):
            if index or number != unknown:
                node.take(paper.membership_envelope(number), submitted[number])
        nodes.append(node)
    return nodes


def basis_of(node: PaperNode) -> RosterBasis:
    with node.store.reading() as view:
        promises = read_promises(view, node.paper.study.terms_digest())
        return read_basis(view, node.paper.community, node.paper.study.terms, node.index, promises)


def shorter(basis: RosterBasis) -> RosterList:
    """The list of all submissions but the first."""
    return ShownList.of(basis.own_list, RosterLines(basis.lines.lines[1:])).document


async def no_rows_yet(_: AgreedInputs) -> None:
    return


async def test_a_party_that_shows_two_lists_makes_no_honest_party_accuse_another(
    paper: PaperCommunity, tmp_path: Path
) -> None:
    nodes = make_nodes(paper, tmp_path)
    bases = [basis_of(node) for node in nodes]
    other = sign_document(shorter(bases[2]), paper.party_keys[2])

    def lie(sender: int, receiver: int, step: str, payload: bytes) -> bytes:
        if sender == 2 and receiver == 1:
            return {"roster commitment": other.digest(), "roster list": other.to_json()}.get(step, payload)
        return payload

    chairs = LyingTable((0, 1, 2), lie).chairs()
    *honest, liar = (
        asyncio.create_task(
            agree_on_roster(chairs[i], bases[i], paper.party_keys[i], before_signing=no_rows_yet)
        )
        for i in range(3)
    )
    ended = await asyncio.gather(*honest, return_exceptions=True)
    liar.cancel()  # else it waits for what nobody says any more
    assert isinstance(ended[0], CommitmentsDiffer)
    assert isinstance(ended[1], CommitmentsDiffer)


async def test_a_party_killed_right_after_its_signature_left_still_knows_the_rows(
    paper: PaperCommunity, tmp_path: Path
) -> None:
    nodes = make_nodes(paper, tmp_path)
    chairs = LyingTable((0, 1, 2)).chairs()
    chairs[0].leave_after = "roster signature"

    async def sign(index: int) -> SignedRoster:
        node = nodes[index]

        async def keep(inputs: AgreedInputs) -> None:
            with node.store.writing() as transaction:
                roster_table.put_entries(transaction, inputs.roster.digest(), inputs.entries)

        return await agree_on_roster(
            chairs[index], basis_of(node), paper.party_keys[index], before_signing=keep
        )

    ended = await asyncio.gather(*(sign(index) for index in range(3)), return_exceptions=True)
    assert isinstance(ended[0], ConnectionError)
    assert isinstance(ended[1], SignedRoster)
    nodes[0].take(ended[1].envelope)
    with nodes[0].store.reading() as view:
        entries = roster_table.read_entries(view, ended[1].inputs.roster)
    assert tuple(entries) == tuple(ended[1].inputs.entries)


def test_a_roster_completed_late_does_not_take_a_study_back_to_it(
    paper: PaperCommunity, tmp_path: Path
) -> None:
    """A party that held back its signature on a first roster, of other members, publishes it after the second."""
    (node, *_) = make_nodes(paper, tmp_path)
    node.clock.now = AFTER_CLOSING
    study = paper.study.terms_digest()
    first, second = roster_of(study, paper.entries()[1:]), roster_of(study, paper.entries())
    almost = signed(first, paper.party_keys[:2])
    node.take(signed(second, paper.party_keys))
    node.take(almost, merge_signatures(almost, [signed(first, paper.party_keys)]))
    with node.store.reading() as view:
        known = know_study(view, study, paper.community, node.clock())
        assert [stored.digest for stored in view.documents(Roster.type_name())] == [second.digest()]
    assert known is not None
    assert isinstance(known.state, life.Frozen)
    assert known.state.roster == second.digest()


async def test_a_gateway_that_hides_a_member_from_one_party_gets_nobody_accused(
    paper: PaperCommunity, tmp_path: Path
) -> None:
    nodes = make_nodes(paper, tmp_path, unknown=2)
    gone = Withdrawal(study_terms=paper.study.terms_digest(), member=paper.membership(2).member, sequence=1)
    for node in nodes[1:]:
        node.take(signed(gone, [paper.member_key(2)]))
    assert nodes[0].kept(paper.membership(2)) is None
    chairs = LyingTable((0, 1, 2)).chairs()
    agreed = await asyncio.gather(
        *(
            agree_on_roster(chairs[i], basis_of(nodes[i]), paper.party_keys[i], before_signing=no_rows_yet)
            for i in range(3)
        )
    )
    assert {signed_roster.inputs.roster.count for signed_roster in agreed} == {2}
    assert len({signed_roster.envelope.digest() for signed_roster in agreed}) == 1
