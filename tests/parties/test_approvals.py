"""What an operator can be made to sign, and what no node of this version ever approves."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mpc_cde.documents.approval import Approval, Refusal
from mpc_cde.documents.authority import open_from_all_parties
from mpc_cde.documents.disclosure_bundle import DisclosureBundle, Dominance
from mpc_cde.documents.envelope import Envelope, open_envelope
from mpc_cde.documents.figure import Figure
from mpc_cde.documents.researcher import Researcher
from mpc_cde.documents.study import Study
from mpc_cde.documents.study_terms import Budget, FunctionTerms
from mpc_cde.errors import BadDocument, BadSignature, CallerError
from parties.approvals import (
    NotApproved,
    SigningPlace,
    approve_study,
    cosign,
    describe_for_operator,
    reasons_against,
    refuse_study,
    sign_closing,
)
from parties.party_home import PartyHome
from parties.policy import PartyPolicy
from protocols.randomness import ScriptedRandomness
from tests.mpc_cde.client.paper import PaperCommunity, signed
from tests.parties.paper_node import OPEN
from tests.parties.test_intake import closing


@pytest.fixture
def paper() -> PaperCommunity:
    return PaperCommunity()


@pytest.fixture
def place(paper: PaperCommunity, tmp_path: Path) -> SigningPlace:
    tmp_path.chmod(0o700)
    home = PartyHome(tmp_path).pin(paper.fingerprint)
    return SigningPlace(home, paper.community, 0, paper.party_keys[0])


def approve(place: SigningPlace, proposal: Envelope, *, now: datetime = OPEN) -> Envelope:
    return approve_study(
        place,
        proposal,
        policy=PartyPolicy(),
        now=now,
        randomness=ScriptedRandomness(b"approve"),
        passphrase=None,
    )


def test_an_approval_carries_a_key_made_for_the_study_alone(
    paper: PaperCommunity, place: SigningPlace
) -> None:
    envelope = approve(place, paper.study_envelope)
    approval = open_envelope(envelope, Approval, signed_by=[paper.party_keys[0].public_bytes])
    assert approval.concerns(paper.study)
    kept = place.home.load_sealing_key(paper.study.terms_digest())
    assert kept.public == approval.sealing_key
    assert approve(place, paper.study_envelope) == envelope


def test_a_refusal_destroys_the_sealing_key(paper: PaperCommunity, place: SigningPlace) -> None:
    approve(place, paper.study_envelope)
    envelope = refuse_study(place, paper.study_envelope, reason="our board said no")
    refusal = open_envelope(envelope, Refusal, signed_by=[paper.party_keys[0].public_bytes])
    assert refusal.concerns(paper.study)
    assert not place.home.has_sealing_key(paper.study.terms_digest())


def test_a_study_by_nobody_known_is_not_approved(paper: PaperCommunity, place: SigningPlace) -> None:
    with pytest.raises(BadSignature):
        approve(place, signed(paper.study, [paper.member_key(0)]))
    assert not place.home.has_sealing_key(paper.study.terms_digest())


def test_a_study_that_has_closed_is_not_approved(paper: PaperCommunity, place: SigningPlace) -> None:
    with pytest.raises(NotApproved, match="has passed"):
        approve(place, paper.study_envelope, now=datetime(2028, 1, 1, tzinfo=UTC))


def study_with(paper: PaperCommunity, terms: Mapping[str, object]) -> Study:
    return paper.study.model_copy(update={"terms": paper.study.terms.model_copy(update=dict(terms))})


def function(**changes: object) -> FunctionTerms:
    return FunctionTerms(function="count@1", figures=("sales",)).model_copy(update=changes)


CATEGORY = Figure(
    name="branch", label="Branch", kind="category", categories=("a", "b"), radices=(2,), blank_allowed=True
)

BEYOND_THIS_VERSION: dict[str, Mapping[str, object]] = {
    "an unknown function": {"functions": (function(function="variance@1"),)},
    "a later version of a function": {"functions": (function(function="count@2"),)},
    "a wrong number of figures": {"functions": (function(figures=("sales", "margin")),)},
    "an unknown parameter": {"functions": (function(parameters={"power": 2}),)},
    "a quantile that is none": {
        "functions": (function(function="percentiles@1", parameters={"quantiles": ("2/1",)}),)
    },
    "a quantile with a denominator of 10^6": {
        "functions": (function(function="percentiles@1", parameters={"quantiles": ("1/1000000",)}),)
    },
    "an audience of oneself": {"functions": (function(audience="self"),)},
    "noise": {"functions": (function(epsilon="1"),)},
    "histogram edges": {"functions": (function(edges=("1", "2")),)},
    "a grid": {"functions": (function(grid="10"),)},
    "a scheduled release": {"functions": (function(scheduled=True),)},
    "groups by a secret category": {
        "figures": (*PaperCommunity().study.terms.figures, CATEGORY),
        "functions": (function(by="branch"),),
    },
    "the sum of a category": {
        "figures": (*PaperCommunity().study.terms.figures, CATEGORY),
        "functions": (function(function="sum@1", figures=("branch",)),),
    },
    "dominance": {"disclosure": DisclosureBundle(dominance=Dominance(contributors=1, percent=25))},
    "the p% rule": {"disclosure": DisclosureBundle(p_percent=bytes(32))},
    "complementary withholding": {"disclosure": DisclosureBundle(complementary=True)},
    "waivers": {"disclosure": DisclosureBundle(waivers=True)},
    "reciprocity": {"disclosure": DisclosureBundle(reciprocity=True)},
    "a minimum age": {"disclosure": DisclosureBundle(minimum_age_months=3)},
    "a minimum for negative figures": {"disclosure": DisclosureBundle(minimum_contributors_negative=20)},
    "the verified engine": {"engine": "verified"},
    "a privacy budget": {"budget": Budget(epsilon="1")},
    "an eligible list": {"eligible_list": bytes(32)},
    "a total beyond the field": {"roster_cap": 1 << 60},
    "fewer contributors than the party asks for": {"disclosure": DisclosureBundle(minimum_contributors=4)},
    "smaller groups than the party asks for": {"disclosure": DisclosureBundle(minimum_contributors_group=7)},
    "another community": {"community": bytes(32)},
}


@pytest.mark.parametrize("asked", BEYOND_THIS_VERSION)
def test_a_study_that_asks_for_what_cannot_be_enforced_is_refused(paper: PaperCommunity, asked: str) -> None:
    study = study_with(paper, BEYOND_THIS_VERSION[asked])
    assert reasons_against(study, paper.community, PartyPolicy(), OPEN)


def test_the_study_on_paper_has_nothing_against_it(paper: PaperCommunity) -> None:
    assert reasons_against(paper.study, paper.community, PartyPolicy(), OPEN) == ()


def test_a_party_with_stricter_minimums_refuses(paper: PaperCommunity) -> None:
    strict = PartyPolicy(minimum_contributors=6, minimum_contributors_group=12)
    reasons = reasons_against(paper.study, paper.community, strict, OPEN)
    assert len(reasons) == 2


def test_every_reason_is_told_at_once(paper: PaperCommunity, place: SigningPlace) -> None:
    study = study_with(paper, {"engine": "verified", "functions": (function(epsilon="1"),)})
    with pytest.raises(NotApproved) as caught:
        approve(place, signed(study, [paper.steward_key]))
    assert len(caught.value.reasons) == 2


def test_a_closing_of_no_steward_is_not_signed(paper: PaperCommunity, place: SigningPlace) -> None:
    with pytest.raises(BadSignature):
        sign_closing(place, signed(closing(paper), [paper.party_keys[1]]))


def test_a_researcher_becomes_valid_when_all_have_signed(paper: PaperCommunity, place: SigningPlace) -> None:
    envelope = signed(paper.researcher(), paper.registrar_keys[:1])
    for index, key in enumerate(paper.party_keys):
        _, envelope = cosign(SigningPlace(place.home, paper.community, index, key), envelope)
    assert open_from_all_parties(envelope, Researcher, paper.community) == paper.researcher()
    assert "Researcher" in describe_for_operator(envelope)


def test_a_party_does_not_sign_just_anything(paper: PaperCommunity, place: SigningPlace) -> None:
    for document in (paper.roster(), paper.checked_roster(), paper.result(), paper.query()):
        with pytest.raises(CallerError, match="not signed this way"):
            cosign(place, signed(document, [paper.steward_key]))
    foreign = paper.membership(0).model_copy(update={"community": bytes(32)})
    with pytest.raises(BadDocument):
        cosign(place, signed(foreign, paper.registrar_keys[:1]))
