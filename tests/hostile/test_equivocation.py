"""A gateway that shows parties different things, each of them true: nobody honest is accused, the study goes on."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest

from mpc_cde.client.submission import prepare_submission
from mpc_cde.client.trust import verify_community
from mpc_cde.client.verification import verify_receipts, verify_study
from mpc_cde.documents.approval import Approval
from mpc_cde.documents.envelope import Envelope
from mpc_cde.documents.membership import Membership
from mpc_cde.documents.revocation import Revocation
from mpc_cde.documents.roster_list import RosterList
from mpc_cde.documents.withdrawal import Withdrawal
from mpc_cde.errors import BadDocument
from mpc_cde.life_cycles import study as life
from parties.roster import (
    AgreedInputs,
    LeftMeanwhile,
    ListRefused,
    RosterBasis,
    ShownList,
    agree,
    read_basis,
    read_promises,
    verify_promises,
)
from parties.studies import KnownStudy, know_study
from protocols.randomness import ScriptedRandomness
from tests.checks.attack_tables import attack_of
from tests.hostile.members import honest_vector
from tests.hostile.story import amendment, revocation
from tests.hostile.town import AFTER_CLOSING, TownCommunity, paper_town
from tests.mpc_cde.client.paper import sealing_key, signed, signing_key
from tests.parties.paper_node import PaperNode, PaperSubmission, make_submission, membership_with

CERTIFIED_AGAIN, KEPT_FROM = 1, 2
OTHERS = 3
"""Members besides the one that was certified twice."""


@pytest.fixture
def paper() -> TownCommunity:
    return paper_town(9)


@pytest.fixture
def nodes(paper: TownCommunity, tmp_path: Path) -> list[PaperNode]:
    """Three nodes that know the study and members 2 to 4, who have submitted."""
    made = []
    submissions = [sent_by(paper, number) for number in range(2, 2 + OTHERS)]
    for index in range(paper.m):
        place = tmp_path / f"party {index}"
        place.mkdir(mode=0o700)
        node = PaperNode(paper, place, index)
        node.take(paper.study_envelope, *paper.approvals)
        memberships = [paper.membership_envelope(number) for number in range(2, 2 + OTHERS)]
        node.take(*memberships, *submissions)
        made.append(node)
    return made


@cache
def sent_by(paper: TownCommunity, number: int) -> PaperSubmission:
    """Sealed once: all parties get the same."""
    return make_submission(paper, number)


def basis_of(node: PaperNode) -> RosterBasis:
    with node.store.reading() as view:
        promises = read_promises(view, node.paper.study.terms_digest())
        return read_basis(view, node.intake.community, node.paper.study.terms, node.index, promises)


def agreed(nodes: list[PaperNode]) -> list[AgreedInputs]:
    """What each party makes of the lists of all."""
    bases = [basis_of(node) for node in nodes]
    lists = {basis.party: ShownList(basis.own_list, basis.lines) for basis in bases}
    return [agree(basis, lists) for basis in bases]


def newer_membership(paper: TownCommunity, number: int) -> tuple[Membership, Envelope]:
    """The registrars certify a member again, after it changed its key."""
    key = signing_key(f"member {number}, its new key")
    document = membership_with(paper, number, signing_key=key.public_bytes)
    return document, signed(document, paper.registrar_keys)


def state_at(node: PaperNode) -> KnownStudy:
    with node.store.reading() as view:
        known = know_study(view, node.paper.study.terms_digest(), node.paper.community, node.clock())
    assert known is not None
    return known


# two submissions of one member -----------------------------------------------------------------------------------


def test_two_submissions_of_one_sequence_shown_to_different_parties_harm_their_member_alone(
    nodes: list[PaperNode], paper: TownCommunity
) -> None:
    """A member that signs both, and a gateway that gives each party first the one and then the other."""
    honest = honest_vector(paper, CERTIFIED_AGAIN)
    first = make_submission(paper, CERTIFIED_AGAIN, vector=honest)
    second = make_submission(paper, CERTIFIED_AGAIN, vector=honest_vector(paper, CERTIFIED_AGAIN + 1))
    answers = []
    for node in nodes:
        node.take(paper.membership_envelope(CERTIFIED_AGAIN))
        order = (second, first) if node.index == KEPT_FROM else (first, second)
        answers.append([node.reason(submission) for submission in order])
    assert answers == [["accepted", "sequence_used"]] * 3
    rosters = agreed(nodes)
    assert len({inputs.roster.digest() for inputs in rosters}) == 1
    assert rosters[0].roster.count == OTHERS


# certified twice ------------------------------------------------------------------------------------------------


def recertified(paper: TownCommunity, number: int) -> Envelope:
    """The same member, key and register entry, but in the other class of size."""
    size = "large" if number % 2 else "small"
    return signed(membership_with(paper, number, attributes={"size": size}), paper.registrar_keys)


def test_membership_of_before_shown_to_one_party_stops_no_roster(
    nodes: list[PaperNode], paper: TownCommunity
) -> None:
    """All accept the submission, under two memberships: its member is left out, with three receipts to show."""
    sent = sent_by(paper, CERTIFIED_AGAIN)
    for node in nodes:
        node.take(paper.membership_envelope(CERTIFIED_AGAIN))
        if node.index != KEPT_FROM:
            node.take(recertified(paper, CERTIFIED_AGAIN))
        assert node.reason(sent) == "accepted"
    rosters = agreed(nodes)
    assert len({inputs.roster.digest() for inputs in rosters}) == 1
    assert rosters[0].roster.count == OTHERS
    assert sent.digest not in [entry.submission for entry in rosters[0].entries]
    receipts = [signed(node.receipts()[-1], [paper.party_keys[node.index]]) for node in nodes]
    shown = verify_receipts(paper.verified_study(), sent.digest, receipts)
    assert [receipt.accepted for receipt in shown.values()] == [True] * 3


def withdrawal_by_new_key(paper: TownCommunity) -> Envelope:
    document = Withdrawal(
        study_terms=paper.terms_digest, member=paper.membership(CERTIFIED_AGAIN).member, sequence=1
    )
    return signed(document, [signing_key(f"member {CERTIFIED_AGAIN}, its new key")])


def test_new_key_kept_from_one_party_accuses_nobody_of_a_forged_withdrawal(
    nodes: list[PaperNode], paper: TownCommunity
) -> None:
    """The list that shows a withdrawal shows the membership whose key signed it, so it counts everywhere."""
    sent = sent_by(paper, CERTIFIED_AGAIN)
    _, newer = newer_membership(paper, CERTIFIED_AGAIN)
    for node in nodes:
        node.take(paper.membership_envelope(CERTIFIED_AGAIN), sent)
        if node.index != KEPT_FROM:
            node.take(newer, withdrawal_by_new_key(paper))
    rosters = agreed(nodes)
    assert len({inputs.roster.digest() for inputs in rosters}) == 1
    assert rosters[0].roster.count == OTHERS


@pytest.mark.parametrize("signers", [[], [0]], ids=["nobody", "one registrar"])
def test_withdrawal_under_a_membership_that_is_not_certified_is_refused(
    nodes: list[PaperNode], paper: TownCommunity, signers: list[int]
) -> None:
    """A party cannot take a member out by a membership of its own making."""
    document, _ = newer_membership(paper, CERTIFIED_AGAIN)
    key = signing_key("somebody") if not signers else paper.registrar_keys[0]
    for node in nodes:
        node.take(paper.membership_envelope(CERTIFIED_AGAIN), sent_by(paper, CERTIFIED_AGAIN))
    basis = basis_of(nodes[0])
    bases = {node.index: basis_of(node) for node in nodes}
    lists = {party: ShownList(other.own_list, other.lines) for party, other in bases.items()}
    lying = lists[1].document.model_copy(
        update={
            "withdrawals": (withdrawal_by_new_key(paper),),
            "memberships": (signed(document, [key]),),
        }
    )
    lists[1] = ShownList(RosterList.model_validate(lying.model_dump()), lists[1].lines)
    with pytest.raises(ListRefused, match="party 1: expected memberships"):
        agree(basis, lists)


def test_withdrawal_by_a_key_that_one_registrar_certified_alone_is_not_kept(
    nodes: list[PaperNode], paper: TownCommunity
) -> None:
    """Else the list that shows it would be refused by every party to which that membership was not shown."""
    document, _ = newer_membership(paper, CERTIFIED_AGAIN)
    node = nodes[0]
    node.take(paper.membership_envelope(CERTIFIED_AGAIN), sent_by(paper, CERTIFIED_AGAIN))
    node.take(signed(document, paper.registrar_keys[:1]), withdrawal_by_new_key(paper))
    assert node.events()[-1] == "feed.not_accepted"
    assert basis_of(node).own_list.withdrawals == ()


# revocations ----------------------------------------------------------------------------------------------------


def test_revocation_that_reached_one_party_alone_takes_the_member_out_everywhere(
    nodes: list[PaperNode], paper: TownCommunity
) -> None:
    """And one that the gateway kept from every party takes nobody out: a registrar that must be sure asks a party."""
    everybody = agreed(nodes)
    assert everybody[0].roster.count == OTHERS
    nodes[KEPT_FROM - 1].take(revocation(paper, 3))
    rosters = agreed(nodes)
    assert len({inputs.roster.digest() for inputs in rosters}) == 1
    assert rosters[0].roster.count == OTHERS - 1


def test_revocation_that_comes_after_the_lists_were_made_has_them_made_again(
    nodes: list[PaperNode], paper: TownCommunity
) -> None:
    """A member is out until the roster is signed, and not until the lists are shown."""
    node, basis = nodes[0], basis_of(nodes[0])
    entries = agreed(nodes)[0].entries
    with node.store.reading() as view:
        verify_promises(view, basis, entries)
    node.take(signed(Revocation.parse_payload(revocation(paper, 3).payload), [paper.party_keys[1]]))
    node.take(revocation(paper, CERTIFIED_AGAIN))  # of somebody without a row
    with node.store.reading() as view:
        verify_promises(view, basis, entries)
    node.take(revocation(paper, 3))
    with node.store.reading() as view, pytest.raises(LeftMeanwhile):
        verify_promises(view, basis, entries)
    with node.store.reading() as view:
        verify_promises(view, basis_of(node), agreed(nodes)[0].entries)


@pytest.mark.parametrize("who", ["one party", "the steward"])
def test_revocation_that_too_few_signed_stops_no_roster(
    nodes: list[PaperNode], paper: TownCommunity, who: str
) -> None:
    """A list that showed it would be refused by every honest party, and its honest signer accused, for ever."""
    key = paper.party_keys[1] if who == "one party" else paper.steward_key
    begun = signed(Revocation.parse_payload(revocation(paper, 3).payload), [key])
    for node in nodes:
        node.take(begun)
    rosters = agreed(nodes)
    assert len({inputs.roster.digest() for inputs in rosters}) == 1
    assert rosters[0].roster.count == OTHERS
    for node in nodes:
        node.take(signed(Revocation.parse_payload(begun.payload), paper.party_keys[1:]))
    assert {inputs.roster.count for inputs in agreed(nodes)} == {OTHERS - 1}


def test_registrars_with_new_keys_stop_no_roster_with_withdrawals_under_old_ones(
    nodes: list[PaperNode], paper: TownCommunity
) -> None:
    """What was certified under the version before is shown by no list, and every party kept the withdrawal itself."""
    renewed = tuple(
        role.model_copy(update={"key": signing_key(f"new {role.name}").public_bytes})
        for role in paper.community.registrars
    )
    following = paper.community.model_copy(
        update={"version": 2, "previous": paper.community.digest(), "registrars": renewed}
    )
    for node in nodes:
        node.take(paper.withdrawal(3), signed(following, paper.party_keys))
        assert node.intake.community == following
    rosters = agreed(nodes)
    assert len({inputs.roster.digest() for inputs in rosters}) == 1
    assert rosters[0].roster.count == OTHERS - 1


# approvals and presentations ------------------------------------------------------------------------------------


def test_old_approval_with_an_old_sealing_key_is_found_by_its_party(
    nodes: list[PaperNode], paper: TownCommunity
) -> None:
    """What is sealed to a key that a party has destroyed opens for nobody, and the party's receipt says so."""
    old = sealing_key("party 1, before").public
    approval = paper.approvals[1].payload
    served = Approval.parse_payload(approval).model_copy(update={"sealing_key": old})
    trusted = verify_community([paper.community_envelope], paper.fingerprint)
    approvals = [paper.approvals[0], signed(served, [paper.party_keys[1]]), paper.approvals[2]]
    study = verify_study(trusted, paper.study_envelope, approvals)
    prepared = prepare_submission(
        study=study,
        values={"sales": Decimal(1), "margin": None},
        membership=paper.membership(CERTIFIED_AGAIN),
        signing_key=paper.member_key(CERTIFIED_AGAIN),
        randomness=ScriptedRandomness(b"old approval"),
    )
    given = []
    for node in nodes:
        node.take(paper.membership_envelope(CERTIFIED_AGAIN))
        node.take((prepared.envelope, (prepared.correction, prepared.sealed[node.index])))
        given.append(node.receipts()[-1].reason)
    assert given == [None, "envelope_sealed_elsewhere", None]


def other_presentation(paper: TownCommunity) -> Envelope:
    """The steward proposes the same terms again, open for ten years."""
    presentation = paper.study.presentation.model_copy(update={"closes": "2036-01-01T00:00:00Z"})
    return signed(paper.study.model_copy(update={"presentation": presentation}), [paper.steward_key])


def test_study_presented_otherwise_to_members_is_not_the_one_that_was_approved(paper: TownCommunity) -> None:
    trusted = verify_community([paper.community_envelope], paper.fingerprint)
    with pytest.raises(BadDocument, match="that of Party 0 is about another study"):
        verify_study(trusted, other_presentation(paper), paper.approvals)


def test_study_presented_otherwise_to_one_party_is_not_open_there(
    paper: TownCommunity, tmp_path: Path
) -> None:
    """Until the one that was approved comes too; then it is that one, in whatever order they came."""
    node = PaperNode(paper, tmp_path)
    node.take(other_presentation(paper), *paper.approvals, paper.membership_envelope(CERTIFIED_AGAIN))
    assert isinstance(state_at(node).state, life.Proposed)
    node.take(paper.study_envelope)
    assert state_at(node).presentation == paper.study.presentation
    assert node.reason(sent_by(paper, CERTIFIED_AGAIN)) == "accepted"


# amendments -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signed_by_all", [False, True], ids=["closed", "roster signed"])
def test_amendment_held_back_reopens_no_closed_study(
    nodes: list[PaperNode], paper: TownCommunity, signed_by_all: bool
) -> None:
    """Whoever could open a study again after its roster would have figures receipted that never count."""
    node = nodes[0]
    node.clock.now = AFTER_CLOSING.replace(month=1, day=2)
    assert isinstance(state_at(node).state, life.Closing)
    if signed_by_all:
        roster = agreed(nodes)[0].roster
        node.take(signed(roster, paper.party_keys))
        assert isinstance(state_at(node).state, life.Frozen)
    node.take(amendment(paper), paper.membership_envelope(CERTIFIED_AGAIN))
    assert isinstance(state_at(node).state, life.Frozen if signed_by_all else life.Closing)
    assert node.reason(sent_by(paper, CERTIFIED_AGAIN)) == "study_closed"


def test_amendment_kept_from_one_party_closes_the_study_there(
    nodes: list[PaperNode], paper: TownCommunity
) -> None:
    """In the month that it adds, that party refuses and says why; the others accept."""
    sent = sent_by(paper, CERTIFIED_AGAIN)
    for node in nodes:
        if node.index != KEPT_FROM:
            node.take(amendment(paper))
        node.take(paper.membership_envelope(CERTIFIED_AGAIN))
        node.clock.now = AFTER_CLOSING.replace(month=1, day=2)
        assert node.reason(sent) == ("study_closed" if node.index == KEPT_FROM else "accepted")


ATTACKS = (
    attack_of(
        "two submissions of one member under one sequence, shown to different parties",
        "neither counts; the rest does",
        test_two_submissions_of_one_sequence_shown_to_different_parties_harm_their_member_alone,
    ),
    attack_of(
        "a membership from before a member was certified again, to one party",
        "the member is left out though all gave a receipt, which it can show; the roster does not wait for ever",
        test_membership_of_before_shown_to_one_party_stops_no_roster,
    ),
    attack_of(
        "a member's new key is kept from one party, and a withdrawal signed by it",
        "it counts; no honest party is accused of forging it, and none can forge one",
        test_new_key_kept_from_one_party_accuses_nobody_of_a_forged_withdrawal,
        test_withdrawal_under_a_membership_that_is_not_certified_is_refused,
        test_withdrawal_by_a_key_that_one_registrar_certified_alone_is_not_kept,
        test_registrars_with_new_keys_stop_no_roster_with_withdrawals_under_old_ones,
    ),
    attack_of(
        "a revocation is kept from all parties but one, or from all",
        "one that has it is enough; from all: the figures count, and the threat model says so",
        test_revocation_that_reached_one_party_alone_takes_the_member_out_everywhere,
        test_revocation_that_comes_after_the_lists_were_made_has_them_made_again,
    ),
    attack_of(
        "a revocation that a single party or a steward signed, to have every party's list refused",
        "it is in no list until it counts, and stops no roster",
        test_revocation_that_too_few_signed_stops_no_roster,
    ),
    attack_of(
        "an old approval, with a sealing key that its party has destroyed",
        "that party's receipt says that it cannot open what was sealed; nobody else can",
        test_old_approval_with_an_old_sealing_key_is_found_by_its_party,
    ),
    attack_of(
        "a study under another presentation, to members or to one party",
        "refused by members; not open at that party, until the approved one comes",
        test_study_presented_otherwise_to_members_is_not_the_one_that_was_approved,
        test_study_presented_otherwise_to_one_party_is_not_open_there,
    ),
    attack_of(
        "an amendment held back until the study is closed, or its roster signed",
        "the study stays closed",
        test_amendment_held_back_reopens_no_closed_study,
    ),
    attack_of(
        "an amendment kept from one party",
        "that party closes at the old time and says so to whoever comes later",
        test_amendment_kept_from_one_party_closes_the_study_there,
    ),
)
