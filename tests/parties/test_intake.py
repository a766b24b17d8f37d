"""Intake: what counts is kept and receipted, whatever the gateway or a member tries."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpc_cde.documents.amendment import Amendment
from mpc_cde.documents.approval import Approval, Refusal
from mpc_cde.documents.canonical import canonical_bytes, encode_base64url
from mpc_cde.documents.closing import Closing
from mpc_cde.documents.envelope import Envelope, add_signature
from mpc_cde.documents.membership import Membership
from mpc_cde.documents.receipt import Receipt, WithdrawalReceipt
from mpc_cde.documents.revocation import Revocation
from mpc_cde.documents.study_terms import Eligibility
from mpc_cde.documents.withdrawal import Withdrawal
from mpc_cde.errors import StoreDamaged
from mpc_cde.sealing import SealingContext
from parties.intake import Intake
from parties.seed_vault import SeedVault
from parties.studies import know_study
from protocols import field as fp
from protocols.randomness import ScriptedRandomness
from protocols.reconstruction import party_share, reconstruct
from tests.mpc_cde.client.paper import PaperCommunity, secret, signed
from tests.parties.paper_node import OPEN, PaperNode, PaperSubmission, frame, make_submission, membership_with


@pytest.fixture
def paper() -> PaperCommunity:
    return PaperCommunity()


@pytest.fixture
def node(paper: PaperCommunity, tmp_path: Path) -> PaperNode:
    node = PaperNode(paper, tmp_path)
    node.open_study()
    return node


def test_a_sound_submission_is_accepted_with_a_signed_receipt(node: PaperNode, paper: PaperCommunity) -> None:
    submission = make_submission(paper, 0)
    assert node.reason(submission) == "accepted"
    (receipt,) = node.receipts()
    assert (receipt.party, receipt.study_terms) == (0, paper.study.terms_digest())
    with node.store.reading() as view:
        (record,) = view.submissions(paper.study.terms_digest(), state="accepted")
    assert record.membership == paper.membership(0).digest()
    assert "submission.accepted" in node.events()


@pytest.mark.parametrize(("m", "t"), [(3, 1), (4, 1), (5, 2)])
def test_shares_of_all_parties_give_back_what_was_shared(m: int, t: int, tmp_path: Path) -> None:
    paper = PaperCommunity(m=m, t=t)
    submission = make_submission(paper, 2)
    shares = []
    for index in range(m):
        path = tmp_path / str(index)
        path.mkdir()
        node = PaperNode(paper, path, index=index)
        node.open_study()
        assert node.reason(submission) == "accepted"
        with node.store.reading() as view:
            (kept,) = view.sealed_shares([submission.digest])
        vault = SeedVault(paper.sealing_keys[index], paper.study.terms_digest())
        own = len(submission.shared.seeds_for_party(index))
        seeds = vault.open(submission.digest, kept.sealed_seeds, count=own)
        shares.append(party_share(fp.from_bytes(kept.correction), seeds, m=m, t=t, party=index))
    opened = reconstruct(range(1, m + 1), np.stack(shares), t)
    count = paper.study.terms.element_count
    assert opened.tolist() == list(range(2, 2 + count))


def test_everything_taken_twice_changes_nothing(node: PaperNode, paper: PaperCommunity) -> None:
    submission = make_submission(paper, 0)
    for _ in range(2):
        node.take(submission)
        node.take(paper.study_envelope)
    assert len(node.receipts()) == 1
    assert node.events().count("submission.accepted") == 1


def test_a_restart_goes_on_where_the_store_stands(node: PaperNode, paper: PaperCommunity) -> None:
    first = make_submission(paper, 0)
    node.take(first)
    node.start()
    node.number -= 1  # the gateway serves the last item again
    node.take(first)
    assert node.reason(make_submission(paper, 1)) == "accepted"
    assert [receipt.verdict for receipt in node.receipts()] == ["accepted", "accepted"]


def test_an_item_below_the_stored_number_is_passed_over(node: PaperNode, paper: PaperCommunity) -> None:
    submission = make_submission(paper, 0)
    node.intake.take([frame(1, submission.envelope, submission.parts_for(0))])
    assert node.receipts() == []


def test_an_item_that_a_batch_brings_twice_is_taken_once(node: PaperNode, paper: PaperCommunity) -> None:
    unsigned = paper.membership_envelope(7).model_copy(update={"signatures": ()})
    node.intake.take([frame(node.number + 1, unsigned), frame(node.number + 1, unsigned)])
    assert node.events().count("feed.not_accepted") == 1


# Who may take part


def test_a_key_that_is_no_partys_takes_nothing_in(node: PaperNode, paper: PaperCommunity) -> None:
    with pytest.raises(ValueError, match="not in the community"):
        Intake(
            store=node.store,
            log=node.log,
            home=node.home,
            community=paper.community,
            identity=paper.steward_key,
            clock=node.clock,
            randomness=ScriptedRandomness(b"node"),
        )


def test_forged_membership_counts_for_nothing(node: PaperNode, paper: PaperCommunity) -> None:
    forged = signed(paper.membership(7), [paper.member_key(7)])
    node.take(forged)
    assert node.kept(paper.membership(7)) is None
    assert node.reason(make_submission(paper, 7)) == "no receipt"
    assert node.events().count("feed.not_accepted") == 2


def test_membership_without_countersignature_is_refused(node: PaperNode, paper: PaperCommunity) -> None:
    alone = signed(paper.membership(7), paper.registrar_keys[:1])
    node.take(alone)
    assert node.reason(make_submission(paper, 7)) == "membership_not_countersigned"
    node.take(signed(paper.membership(7), paper.registrar_keys[1:]))  # without the first: no one vouches
    node.take(signed(paper.membership(7), paper.registrar_keys))
    assert node.reason(make_submission(paper, 7, sequence=2)) == "accepted"


def test_a_membership_without_its_own_registrar_claims_no_register_entry(
    node: PaperNode, paper: PaperCommunity
) -> None:
    copied = membership_with(paper, 7, register_id=paper.membership(8).register_id)
    node.take(signed(copied, [paper.registrar_keys[1], *paper.party_keys]))
    assert node.kept(copied) is None
    node.take(paper.membership_envelope(8))
    assert node.reason(make_submission(paper, 8)) == "accepted"


def test_t_plus_one_parties_countersign_a_membership(node: PaperNode, paper: PaperCommunity) -> None:
    node.take(signed(paper.membership(7), [paper.registrar_keys[0], *paper.party_keys[:2]]))
    assert node.reason(make_submission(paper, 7)) == "accepted"


def test_one_register_entry_gets_one_membership(node: PaperNode, paper: PaperCommunity) -> None:
    copy = membership_with(paper, 7, register_id=paper.membership(0).register_id)
    node.take(signed(copy, paper.registrar_keys))
    assert node.kept(copy) is None
    assert node.reason(make_submission(paper, 7)) == "no receipt"


def test_a_revoked_members_register_entry_is_free_again(node: PaperNode, paper: PaperCommunity) -> None:
    node.take(signed(revocation(paper, 0), paper.registrar_keys[:1]))
    copy = membership_with(paper, 7, register_id=paper.membership(0).register_id)
    node.take(signed(copy, paper.registrar_keys))
    assert node.reason(make_submission(paper, 7)) == "accepted"


def revocation(paper: PaperCommunity, number: int) -> Revocation:
    return Revocation(
        community=paper.community.digest(),
        kind="member",
        subject=paper.membership(number).member,
        reason="keys lost",
        time="2026-05-01T00:00:00Z",
    )


def test_a_revoked_member_is_refused(node: PaperNode, paper: PaperCommunity) -> None:
    node.take(signed(revocation(paper, 0), paper.registrar_keys[:1]))
    assert node.reason(make_submission(paper, 0)) == "membership_revoked"


def test_fewer_than_t_plus_one_parties_revoke_nobody(node: PaperNode, paper: PaperCommunity) -> None:
    node.take(signed(revocation(paper, 0), paper.party_keys[:1]))
    assert node.reason(make_submission(paper, 0)) == "accepted"
    node.take(signed(revocation(paper, 0), paper.party_keys[1:2]))  # now they are two
    assert node.reason(make_submission(paper, 0, sequence=2)) == "membership_revoked"


def test_a_membership_past_its_validity_is_refused(node: PaperNode, paper: PaperCommunity) -> None:
    late = membership_with(paper, 7, valid_until="2026-05-01T00:00:00Z")
    node.take(signed(late, paper.registrar_keys))
    assert node.reason(make_submission(paper, 7)) == "membership_not_valid"


def test_a_member_without_certified_group_is_refused(node: PaperNode, paper: PaperCommunity) -> None:
    node.take(signed(membership_with(paper, 7, attributes={"size": "huge"}), paper.registrar_keys))
    assert node.reason(make_submission(paper, 7)) == "group_not_certified"


def test_a_member_outside_the_eligible_is_refused(paper: PaperCommunity, tmp_path: Path) -> None:
    rule = Eligibility(attribute="region", values=("north",))
    terms = paper.study.terms.model_copy(update={"eligibility": (rule,)})
    paper.study = paper.study.model_copy(update={"terms": terms})
    paper.study_envelope = signed(paper.study, [paper.steward_key])
    node = approved_anew(paper, tmp_path)
    assert node.reason(make_submission(paper, 0)) == "not_eligible"


def approved_anew(paper: PaperCommunity, tmp_path: Path) -> PaperNode:
    """A node for a study that was changed after the paper was made."""
    again = PaperCommunity()
    paper.approvals = tuple(
        signed(
            approval_of(again, index).model_copy(
                update={"study": paper.study.digest(), "study_terms": paper.study.terms_digest()}
            ),
            [paper.party_keys[index]],
        )
        for index in range(paper.m)
    )
    node = PaperNode(paper, tmp_path)
    node.open_study()
    return node


def approval_of(paper: PaperCommunity, index: int) -> Approval:
    return Approval.parse_payload(paper.approvals[index].payload)


def test_a_holding_counts_once(node: PaperNode, paper: PaperCommunity) -> None:
    for number in (7, 8):
        node.take(signed(membership_with(paper, number, holding="North Group"), paper.registrar_keys))
    assert node.reason(make_submission(paper, 7)) == "accepted"
    assert node.reason(make_submission(paper, 8)) == "holding_counted"
    assert node.reason(make_submission(paper, 7, sequence=2)) == "accepted"


def test_a_member_with_new_keys_is_not_kept_out_by_its_revoked_self(
    node: PaperNode, paper: PaperCommunity
) -> None:
    for number in (7, 8):
        node.take(signed(membership_with(paper, number, holding="North Group"), paper.registrar_keys))
    assert node.reason(make_submission(paper, 7)) == "accepted"
    node.take(signed(revocation(paper, 7), paper.registrar_keys[:1]))
    assert node.reason(make_submission(paper, 8)) == "accepted"


def test_a_withdrawn_member_does_not_keep_its_holding_out(node: PaperNode, paper: PaperCommunity) -> None:
    for number in (7, 8):
        node.take(signed(membership_with(paper, number, holding="North Group"), paper.registrar_keys))
    assert node.reason(make_submission(paper, 7)) == "accepted"
    node.take(paper.withdrawal(7))
    assert node.reason(make_submission(paper, 8)) == "accepted"
    assert node.reason(make_submission(paper, 7, sequence=2)) == "holding_counted"


def test_a_withdrawn_member_leaves_its_place_to_another_and_takes_none_twice(
    paper: PaperCommunity, tmp_path: Path
) -> None:
    """However it goes in and out, in one batch or in several, no more members stand than the study takes."""
    terms = paper.study.terms.model_copy(update={"roster_cap": 2})
    paper.study = paper.study.model_copy(update={"terms": terms})
    paper.study_envelope = signed(paper.study, [paper.steward_key])
    node = approved_anew(paper, tmp_path)
    node.take(*(paper.membership_envelope(number) for number in (3, 4)))
    node.take(make_submission(paper, 0), make_submission(paper, 1))
    assert node.reason(make_submission(paper, 2)) == "roster_full"
    node.take(paper.withdrawal(0))
    assert node.reason(make_submission(paper, 0, sequence=2)) == "accepted"  # back at its own place
    assert node.reason(make_submission(paper, 2, sequence=2)) == "roster_full"
    again, late = make_submission(paper, 0, sequence=3), make_submission(paper, 4)
    node.take(paper.withdrawal(0, sequence=2), make_submission(paper, 3), again, late)
    assert [node.reason(submission) for submission in (again, late)] == ["roster_full"] * 2
    node.take(paper.withdrawal(3))
    assert node.reason(make_submission(paper, 0, sequence=4)) == "accepted"
    assert node.reason(make_submission(paper, 4, sequence=2)) == "roster_full"


def test_a_full_roster_takes_nobody_new(paper: PaperCommunity, tmp_path: Path) -> None:
    terms = paper.study.terms.model_copy(update={"roster_cap": 2})
    paper.study = paper.study.model_copy(update={"terms": terms})
    paper.study_envelope = signed(paper.study, [paper.steward_key])
    node = approved_anew(paper, tmp_path)
    node.take(make_submission(paper, 0), make_submission(paper, 1))
    assert node.reason(make_submission(paper, 2)) == "roster_full"
    assert node.reason(make_submission(paper, 1, sequence=2)) == "accepted"
    node.take(signed(revocation(paper, 0), paper.registrar_keys[:1]))  # takes no place from now on
    assert node.reason(make_submission(paper, 2, sequence=2)) == "accepted"
    node.take(paper.membership_envelope(3))
    assert node.reason(make_submission(paper, 3)) == "roster_full"


# Signatures, envelopes, seeds, corrections


def test_a_submission_signed_by_another_member_gets_no_receipt(
    node: PaperNode, paper: PaperCommunity
) -> None:
    assert node.reason(make_submission(paper, 0, signer=1)) == "no receipt"
    assert node.reason(make_submission(paper, 0)) == "accepted"


def test_a_submission_without_valid_signature_cannot_spoil_the_true_one(
    node: PaperNode, paper: PaperCommunity
) -> None:
    submission = make_submission(paper, 0)
    stripped = signed(submission.document, [paper.member_key(1)])
    node.take((stripped, submission.parts_for(0)))
    assert node.reason(submission) == "accepted"


def test_tampered_correction_is_refused(node: PaperNode, paper: PaperCommunity) -> None:
    submission = make_submission(paper, 0)
    changed = bytearray(submission.correction)
    changed[0] ^= 1
    submission.correction = bytes(changed)
    assert node.reason(submission) == "correction_altered"


def test_a_correction_of_another_length_is_refused(node: PaperNode, paper: PaperCommunity) -> None:
    count = paper.study.terms.element_count
    assert node.reason(make_submission(paper, 0, elements=count - 1)) == "correction_length"
    assert node.reason(make_submission(paper, 1, correction=b"")) == "correction_length"


def test_a_correction_with_a_number_outside_the_field_is_refused(
    node: PaperNode, paper: PaperCommunity
) -> None:
    count = paper.study.terms.element_count
    outside = bytes(8 * (count - 1)) + fp.P.to_bytes(8, "little")
    assert node.reason(make_submission(paper, 0, correction=outside)) == "correction_malformed"


def test_an_envelope_moved_from_another_submission_is_refused(node: PaperNode, paper: PaperCommunity) -> None:
    own, other = make_submission(paper, 0), make_submission(paper, 1)
    node.take((own.envelope, (own.correction, other.sealed[0])))
    assert [receipt.reason for receipt in node.receipts()] == ["envelope_altered"]


@pytest.mark.parametrize("moved", ["study", "member", "sequence", "party"])
def test_an_envelope_sealed_for_another_place_is_refused(
    node: PaperNode, paper: PaperCommunity, moved: str
) -> None:
    terms, member = paper.study.terms_digest(), paper.membership(0).member
    places = {
        "study": SealingContext(secret("other study"), member, 1, 0),
        "member": SealingContext(terms, paper.membership(1).member, 1, 0),
        "sequence": SealingContext(terms, member, 2, 0),
        "party": SealingContext(terms, member, 1, 1),
    }
    submission = make_submission(paper, 0, context={0: places[moved]})
    assert node.reason(submission) == "envelope_sealed_elsewhere"


def test_a_replayed_envelope_of_an_earlier_round_is_refused(node: PaperNode, paper: PaperCommunity) -> None:
    first = make_submission(paper, 0)
    assert node.reason(first) == "accepted"
    again = make_submission(
        paper,
        0,
        sequence=2,
        context={0: SealingContext(paper.study.terms_digest(), first.document.member, 1, 0)},
    )
    assert node.reason(again) == "envelope_sealed_elsewhere"


def test_a_wrong_seed_is_refused(node: PaperNode, paper: PaperCommunity) -> None:
    sound = make_submission(paper, 0).shared.seeds_for_party(0)
    swapped = tuple(seed.secret_bytes() for seed in reversed(sound))
    assert node.reason(make_submission(paper, 0, seeds_for={0: swapped})) == "seed_differs"


def test_too_few_seeds_are_refused(node: PaperNode, paper: PaperCommunity) -> None:
    submission = make_submission(paper, 0, seeds_for={0: (bytes(32),)})
    assert node.reason(submission) == "seeds_malformed"


def test_seeds_of_another_community_size_are_refused(node: PaperNode, paper: PaperCommunity) -> None:
    other = make_submission(PaperCommunity(m=5, t=2), 0)
    changes = {"seed_hashes": other.document.seed_hashes, "envelopes": other.document.envelopes}
    assert node.reason(make_submission(paper, 0, changes=changes)) == "wrong_shape"


def test_missing_parts_are_refused(node: PaperNode, paper: PaperCommunity) -> None:
    node.take(make_submission(paper, 0).envelope)
    assert [receipt.reason for receipt in node.receipts()] == ["parts_missing"]


def test_another_consent_text_is_refused(node: PaperNode, paper: PaperCommunity) -> None:
    assert node.reason(make_submission(paper, 0, changes={"consent": bytes(32)})) == "consent_differs"


# Sequences and withdrawals


def test_same_sequence_with_other_content_is_refused(node: PaperNode, paper: PaperCommunity) -> None:
    assert node.reason(make_submission(paper, 0)) == "accepted"
    other = make_submission(paper, 0, changes={"waiver": True})
    assert node.reason(other) == "sequence_used"


def test_a_thief_cannot_lock_the_owner_out_by_a_jump(node: PaperNode, paper: PaperCommunity) -> None:
    jump = make_submission(paper, 0, sequence=1002, replaces=secret("whatever"))
    assert node.reason(jump) == "sequence_jump"
    assert node.reason(make_submission(paper, 0, sequence=1000)) == "accepted"
    assert node.reason(make_submission(paper, 0, sequence=2000, replaces=secret("x"))) == "accepted"


def test_every_accepted_sequence_stays_in_the_store(node: PaperNode, paper: PaperCommunity) -> None:
    for sequence in (1, 3, 2):
        assert node.reason(make_submission(paper, 0, sequence=sequence)) == "accepted"
    with node.store.reading() as view:
        kept = view.submissions(paper.study.terms_digest(), state="accepted")
    assert sorted(record.sequence for record in kept) == [1, 2, 3]


def withdrawal(paper: PaperCommunity, number: int, sequence: int) -> Withdrawal:
    member = paper.membership(number).member
    return Withdrawal(study_terms=paper.study.terms_digest(), member=member, sequence=sequence)


def test_what_was_withdrawn_is_not_accepted_later(node: PaperNode, paper: PaperCommunity) -> None:
    node.take(signed(withdrawal(paper, 0, 2), [paper.member_key(0)]))
    assert node.reason(make_submission(paper, 0, sequence=2)) == "withdrawn"
    assert node.reason(make_submission(paper, 0, sequence=3)) == "accepted"


def test_a_kept_withdrawal_gets_one_signed_receipt(node: PaperNode, paper: PaperCommunity) -> None:
    gone = signed(withdrawal(paper, 0, 1), [paper.member_key(0)])
    node.take(make_submission(paper, 0), gone)
    for _ in range(2):  # also when the gateway shows it again
        node.take(gone)
        assert node.withdrawal_receipts() == [
            WithdrawalReceipt(
                study_terms=paper.study.terms_digest(), withdrawal=gone.digest(), party=node.index
            )
        ]
    assert "feed.not_accepted" not in node.events()


@pytest.mark.parametrize(
    "fault", ["another member's", "of an unknown study", "too high", "after a higher one"]
)
def test_withdrawal_that_is_not_kept_gets_no_receipt(
    node: PaperNode, paper: PaperCommunity, fault: str
) -> None:
    document = withdrawal(paper, 0, 5000 if fault == "too high" else 1)
    if fault == "of an unknown study":
        document = document.model_copy(update={"study_terms": bytes(32)})
    before = 0
    if fault == "after a higher one":
        node.take(signed(withdrawal(paper, 0, 2), [paper.member_key(0)]))
        before = 1
    node.take(signed(document, [paper.member_key(fault == "another member's")]))
    assert node.kept(document) is None
    assert len(node.withdrawal_receipts()) == before


def test_nobody_withdraws_for_another_member(node: PaperNode, paper: PaperCommunity) -> None:
    forged = withdrawal(paper, 0, 1)
    node.take(signed(forged, [paper.member_key(1)]))
    assert node.kept(forged) is None
    assert node.reason(make_submission(paper, 0)) == "accepted"


def test_a_membership_without_countersignature_withdraws_nothing(
    node: PaperNode, paper: PaperCommunity
) -> None:
    node.take(signed(paper.membership(7), paper.registrar_keys[:1]))
    alone = withdrawal(paper, 7, 1)
    node.take(signed(alone, [paper.member_key(7)]))
    assert node.kept(alone) is None
    assert node.events()[-1] == "feed.not_accepted"


def test_a_withdrawal_cannot_jump(node: PaperNode, paper: PaperCommunity) -> None:
    jump = withdrawal(paper, 0, 5000)
    node.take(signed(jump, [paper.member_key(0)]))
    assert node.kept(jump) is None


# The study's life


def test_nothing_is_accepted_before_the_study_opens(node: PaperNode, paper: PaperCommunity) -> None:
    node.clock.now = datetime(2025, 12, 1, tzinfo=UTC)
    assert node.reason(make_submission(paper, 0)) == "study_not_open"


def test_a_study_that_one_party_has_not_approved_is_not_open(paper: PaperCommunity, tmp_path: Path) -> None:
    node = PaperNode(paper, tmp_path)
    node.take(paper.study_envelope, *paper.approvals[:2], paper.membership_envelope(0))
    assert node.reason(make_submission(paper, 0)) == "study_not_open"


def test_the_party_stops_five_minutes_after_the_study_closes(node: PaperNode, paper: PaperCommunity) -> None:
    closes = datetime(2027, 1, 1, tzinfo=UTC)
    node.clock.now = closes + timedelta(minutes=4, seconds=59)
    assert node.reason(make_submission(paper, 0)) == "accepted"
    node.clock.now = closes + timedelta(minutes=5)
    assert node.reason(make_submission(paper, 1)) == "study_closed"


def closing(paper: PaperCommunity) -> Closing:
    return Closing(study_terms=paper.study.terms_digest(), steward="steward", time="2026-06-01T11:00:00Z")


def test_a_closing_counts_only_when_every_party_signed(node: PaperNode, paper: PaperCommunity) -> None:
    node.take(signed(closing(paper), [paper.steward_key, *paper.party_keys[:2]]))
    assert node.reason(make_submission(paper, 0)) == "accepted"
    node.take(signed(closing(paper), [paper.steward_key, paper.party_keys[2]]))
    assert node.reason(make_submission(paper, 1)) == "study_closed"


def test_parties_cannot_close_what_no_steward_proposed(node: PaperNode, paper: PaperCommunity) -> None:
    node.take(signed(closing(paper), paper.party_keys))
    assert node.reason(make_submission(paper, 0)) == "accepted"


def test_a_refusal_by_one_party_cancels_the_study(node: PaperNode, paper: PaperCommunity) -> None:
    refusal = Refusal(
        study=paper.study.digest(),
        study_terms=paper.study.terms_digest(),
        party=1,
        reason="our board said no",
    )
    node.take(signed(refusal, [paper.party_keys[0]]))  # party 0 cannot refuse for party 1
    assert node.reason(make_submission(paper, 0)) == "accepted"
    node.take(signed(refusal, [paper.party_keys[1]]))
    assert node.reason(make_submission(paper, 1)) == "study_cancelled"


def refusal_of_party_one(paper: PaperCommunity) -> Envelope:
    refusal = Refusal(
        study=paper.study.digest(),
        study_terms=paper.study.terms_digest(),
        party=1,
        reason="we changed our mind",
    )
    return signed(refusal, [paper.party_keys[1]])


def state_at(node: PaperNode, now: datetime) -> str:
    with node.store.reading() as view:
        known = know_study(view, node.paper.study.terms_digest(), node.paper.community, now)
    assert known is not None
    return known.state.name


def test_a_refusal_after_the_closing_takes_nothing_back(node: PaperNode, paper: PaperCommunity) -> None:
    node.clock.now = datetime(2027, 1, 1, 0, 5, tzinfo=UTC)
    node.take(refusal_of_party_one(paper))
    assert state_at(node, node.clock.now) == "closing"


def test_a_refusal_before_the_closing_still_counts_when_looked_at_later(
    node: PaperNode, paper: PaperCommunity
) -> None:
    node.take(signed(closing(paper), [paper.steward_key, *paper.party_keys[:2]]), refusal_of_party_one(paper))
    assert state_at(node, OPEN) == "cancelled"
    assert state_at(node, datetime(2027, 1, 2, tzinfo=UTC)) == "cancelled"


def test_a_closed_study_is_not_cancelled_by_a_late_signature_on_its_closing(
    node: PaperNode, paper: PaperCommunity
) -> None:
    complete = signed(closing(paper), [paper.steward_key, *paper.party_keys])
    node.take(complete, refusal_of_party_one(paper))
    other = complete.signatures[0].model_copy(update={"sig": bytes(64)})
    node.take(complete.model_copy(update={"signatures": (other, *complete.signatures[1:])}))
    node.take(signed(closing(paper), [paper.steward_key, paper.registrar_keys[0]]))
    assert state_at(node, OPEN) == "closing"


def test_an_amendment_by_all_moves_the_closing_later_only(node: PaperNode, paper: PaperCommunity) -> None:
    def amended(closes: str, *, parties: int = 3) -> None:
        presentation = paper.study.presentation.model_copy(update={"closes": closes})
        amendment = Amendment(
            study_terms=paper.study.terms_digest(), previous=paper.study.digest(), presentation=presentation
        )
        node.take(signed(amendment, paper.party_keys[:parties]))

    def closes() -> str:
        with node.store.reading() as view:
            known = know_study(view, paper.study.terms_digest(), paper.community, OPEN)
        assert known is not None
        return known.presentation.closes

    amended("2026-07-01T00:00:00Z")
    amended("2027-03-01T00:00:00Z", parties=2)
    assert closes() == "2027-01-01T00:00:00Z"
    amended("2027-02-01T00:00:00Z")
    assert closes() == "2027-02-01T00:00:00Z"


def test_an_unknown_study_is_refused(node: PaperNode, paper: PaperCommunity) -> None:
    assert node.reason(make_submission(paper, 0, changes={"study_terms": bytes(32)})) == "study_unknown"


# What a malicious gateway may put into the feed


def test_another_partys_receipt_cannot_be_invented(node: PaperNode, paper: PaperCommunity) -> None:
    receipt = Receipt(
        study_terms=paper.study.terms_digest(), submission=bytes(32), party=1, verdict="accepted"
    )
    node.take(signed(receipt, [paper.member_key(0)]))
    node.take(signed(receipt, [paper.party_keys[2]]))
    assert node.kept(receipt) is None
    node.take(signed(receipt, [paper.party_keys[1]]))
    assert node.kept(receipt) is not None


def test_invalid_signatures_never_come_into_the_store(node: PaperNode, paper: PaperCommunity) -> None:
    roster = paper.roster()
    mixed = signed(roster, [paper.party_keys[0], paper.member_key(3), paper.steward_key])
    node.take(mixed)
    assert node.kept(roster) == signed(roster, [paper.party_keys[0]])
    node.take(signed(roster, paper.party_keys[1:]))
    assert node.kept(roster) == signed(roster, paper.party_keys)


def test_a_study_proposed_by_no_steward_is_not_kept(node: PaperNode, paper: PaperCommunity) -> None:
    other = paper.study.model_copy(
        update={"terms": paper.study.terms.model_copy(update={"title": "Another title"})}
    )
    node.take(signed(other, [paper.member_key(0)]))
    node.take(signed(other, [paper.registrar_keys[0], *paper.party_keys]))
    assert node.kept(other) is None


def test_a_query_by_a_stranger_is_not_kept(node: PaperNode, paper: PaperCommunity) -> None:
    query = signed(paper.query(), [paper.researcher_key])
    node.take(query)
    assert node.kept(paper.query()) is None
    node.take(signed(paper.researcher(), paper.party_keys), query)
    assert node.kept(paper.query()) is not None


def test_a_new_community_version_needs_every_party(node: PaperNode, paper: PaperCommunity) -> None:
    following, envelope = paper.next_community()
    node.take(signed(following, paper.party_keys[:2]))
    assert node.intake.community == paper.community
    node.take(envelope)
    assert node.intake.community == following
    assert node.home.read_envelope(node.home.community_path) == envelope


def test_types_that_never_come_by_feed_are_passed_over(node: PaperNode, paper: PaperCommunity) -> None:
    card = paper.community.cards[0]
    node.take(signed(card, [paper.party_keys[0]]))
    assert node.kept(card) is None
    assert node.reason(make_submission(paper, 0)) == "accepted"


def test_garbage_in_a_payload_is_passed_over(node: PaperNode, paper: PaperCommunity) -> None:
    sound = make_submission(paper, 0)
    for payload in (b"{}", b"[]", b"\xff\xfe", b'{"a":1,"a":2}', sound.envelope.payload[:-1]):
        node.take(sound.envelope.model_copy(update={"payload": payload}))
        node.take(paper.study_envelope.model_copy(update={"payload": payload}))
    assert node.reason(sound) == "accepted"


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**53 - 1) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_item_whatever_its_content_stops_the_intake(
    node: PaperNode, paper: PaperCommunity, data: st.DataObject
) -> None:
    """Real documents of every kind with fields exchanged and signed by whoever likes to; and plain bytes."""
    sound = [
        paper.community_envelope,
        paper.study_envelope,
        *paper.approvals[:1],
        paper.membership_envelope(0),
        make_submission(paper, 0).envelope,
        signed(withdrawal(paper, 0, 1), [paper.member_key(0)]),
        signed(revocation(paper, 0), paper.registrar_keys),
        signed(closing(paper), [paper.steward_key]),
        signed(paper.researcher(), paper.party_keys),
        signed(paper.roster(), paper.party_keys),
        signed(paper.checked_roster(), paper.party_keys),
        signed(paper.query(), [paper.researcher_key]),
        signed(paper.result(), paper.party_keys),
        *paper.receipts(0)[:1],
    ]
    original = data.draw(st.sampled_from(sound))
    content = json.loads(original.payload)
    for name in data.draw(st.lists(st.sampled_from(sorted(content)), max_size=3)):
        content[name] = data.draw(JSON_VALUES)
    payload = data.draw(st.just(canonical_bytes(content)) | st.binary(min_size=2, max_size=40))
    kind = data.draw(st.sampled_from([original.payload_type, *(other.payload_type for other in sound)]))
    envelope = Envelope(payload_type=kind, payload=payload, signatures=())
    keys = [*paper.party_keys, *paper.registrar_keys, paper.steward_key, paper.member_key(0)]
    for key in data.draw(st.lists(st.sampled_from(keys), max_size=4)):
        envelope = add_signature(envelope, key)
    parts = data.draw(st.lists(st.binary(max_size=20), max_size=3))
    node.take((envelope, tuple(parts)))
    with node.store.reading() as view:
        assert view.feed_number == node.number


# What the node keeps and tells


def every_secret(paper: PaperCommunity, submissions: list[PaperSubmission]) -> list[bytes]:
    secrets = [seed.secret_bytes() for submission in submissions for seed in submission.shared.seeds]
    secrets += [key.secret_bytes() for key in (*paper.party_keys, *paper.sealing_keys)]
    return secrets


def test_no_log_and_no_store_holds_a_secret_in_the_clear(node: PaperNode, paper: PaperCommunity) -> None:
    submissions = [make_submission(paper, number) for number in range(3)]
    broken = make_submission(paper, 0, sequence=2, seeds_for={0: (bytes(32), b"\x01" * 32)})
    node.take(*submissions, broken)
    node.store.close()
    files = [path for path in node.home.path.iterdir() if path.is_file()]
    assert {path.name for path in files} >= {"log.jsonl", "node.sqlite3"}
    for path in files:
        content = path.read_bytes()
        for found in every_secret(paper, submissions):
            for form in (found, found.hex().encode(), encode_base64url(found).encode()):
                assert form not in content, path.name


def test_a_destroyed_sealing_key_makes_kept_seeds_unreadable(node: PaperNode, paper: PaperCommunity) -> None:
    submission = make_submission(paper, 0)
    node.take(submission)
    node.home.destroy_sealing_key(paper.study.terms_digest())
    assert not node.home.has_sealing_key(paper.study.terms_digest())
    with node.store.reading() as view:
        (kept,) = view.sealed_shares([submission.digest])
    other = SeedVault(paper.sealing_keys[1], paper.study.terms_digest())
    with pytest.raises(Exception, match="do not open"):
        other.open(submission.digest, kept.sealed_seeds, count=2)


def test_kept_seeds_cannot_be_moved_to_another_submission(node: PaperNode, paper: PaperCommunity) -> None:
    one, other = make_submission(paper, 0), make_submission(paper, 1)
    node.take(one, other)
    vault = SeedVault(paper.sealing_keys[0], paper.study.terms_digest())
    with node.store.reading() as view:
        (kept,) = view.sealed_shares([one.digest])
    assert vault.open(one.digest, kept.sealed_seeds, count=2)
    elsewhere = SeedVault(paper.sealing_keys[0], secret("another study"))
    for wrong, digest in ((vault, other.digest), (elsewhere, one.digest)):
        with pytest.raises(StoreDamaged):
            wrong.open(digest, kept.sealed_seeds, count=2)


def test_membership_documents_of_the_feed_are_found_by_member(node: PaperNode, paper: PaperCommunity) -> None:
    with node.store.reading() as view:
        found = view.documents("membership/v1", subject=paper.membership(1).member)
    assert [stored.parse(Membership) for stored in found] == [paper.membership(1)]
