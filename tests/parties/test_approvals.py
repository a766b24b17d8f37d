"""What an operator can be made to sign, and what no node of this version ever approves."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mpc_cde.documents.amendment import Amendment
from mpc_cde.documents.approval import Approval, Refusal
from mpc_cde.documents.authority import open_from_all_parties
from mpc_cde.documents.disclosure_bundle import DisclosureBundle, Dominance
from mpc_cde.documents.envelope import Envelope, open_envelope
from mpc_cde.documents.figure import Figure
from mpc_cde.documents.p_percent import PPercent
from mpc_cde.documents.researcher import Researcher
from mpc_cde.documents.study import Study
from mpc_cde.documents.study_terms import Budget, FunctionTerms
from mpc_cde.errors import BadDocument, BadSignature, CallerError, KeyFileRefused
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


def approve(
    place: SigningPlace, proposal: Envelope, *, now: datetime = OPEN, p_percent: PPercent | None = None
) -> Envelope:
    return approve_study(
        place,
        proposal,
        policy=PartyPolicy(),
        now=now,
        randomness=ScriptedRandomness(b"approve"),
        passphrase=None,
        p_percent=p_percent,
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
WITH_CATEGORY = (*PaperCommunity().study.terms.figures, CATEGORY)
"""sales (mandatory, from 0), margin (may be blank or negative), branch."""

BEYOND_THIS_VERSION: dict[str, tuple[str, Mapping[str, object]]] = {
    "an unknown function": ("unknown function", {"functions": (function(function="mode@1"),)}),
    "a later version of a function": ("unknown function", {"functions": (function(function="count@2"),)}),
    "a wrong number of figures": ("takes 1 figure", {"functions": (function(figures=("sales", "margin")),)}),
    "an unknown parameter": ("takes no parameters", {"functions": (function(parameters={"power": 2}),)}),
    "a quantile that is none": (
        "lies between 0 and 1",
        {"functions": (function(function="percentiles@1", parameters={"quantiles": ("2/1",)}),)},
    ),
    "a quantile with a denominator of 10^6": (
        "denominator",
        {"functions": (function(function="percentiles@1", parameters={"quantiles": ("1/1000000",)}),)},
    ),
    "one figure against itself": (
        "names sales twice",
        {
            "functions": (
                function(function="correlation@1", figures=("sales", "sales"), parameters={"places": 2}),
            )
        },
    ),
    "an audience of oneself": ("audience self", {"functions": (function(audience="self"),)}),
    "somebody's place for everybody": (
        "audience self alone",
        {"functions": (function(function="own_rank@1"),)},
    ),
    "noise": ("noise", {"functions": (function(epsilon="1"),)}),
    "noise by delta alone": ("noise", {"functions": (function(delta="0.1"),)}),
    "edges of no histogram": ("takes no parameters", {"functions": (function(edges=("1", "2")),)}),
    "a grid of no function": ("takes no parameters", {"functions": (function(grid="10"),)}),
    "a grid off the figure's": (
        "no whole multiple",
        {"functions": (function(function="mean@1", grid="0.3"),)},
    ),
    "edges between no published values": (
        "does not lie between",
        {"functions": (function(function="histogram@1", edges=("11",)),)},
    ),
    "a scheduled release": ("scheduled", {"functions": (function(scheduled=True),)}),
    "a place within a secret category": (
        "secret category",
        {
            "figures": WITH_CATEGORY,
            "functions": (function(function="own_rank@1", by="branch", audience="self"),),
        },
    ),
    "a category by itself": (
        "grouped by itself",
        {"figures": WITH_CATEGORY, "functions": (function(figures=("branch",), by="branch"),)},
    ),
    "the sum of a category": (
        "no amounts",
        {"figures": WITH_CATEGORY, "functions": (function(function="sum@1", figures=("branch",)),)},
    ),
    "dominance of many": (
        "n = 1 or 2",
        {"disclosure": DisclosureBundle(dominance=Dominance(contributors=3, percent=25))},
    ),
    "concentration of what may be negative": (
        "minimum_contributors_negative",
        {"disclosure": DisclosureBundle(dominance=Dominance(contributors=1, percent=25))},
    ),
    "waivers": ("waivers", {"disclosure": DisclosureBundle(waivers=True)}),
    "reciprocity": ("reciprocity", {"disclosure": DisclosureBundle(reciprocity=True)}),
    "a minimum age": ("minimum age", {"disclosure": DisclosureBundle(minimum_age_months=3)}),
    "the verified engine": ("verified engine", {"engine": "verified"}),
    "a privacy budget": ("privacy budget", {"budget": Budget(epsilon="1")}),
    "a privacy budget of delta": ("privacy budget", {"budget": Budget(delta="0.1")}),
    "an eligible list": ("eligible list", {"eligible_list": bytes(32)}),
    "a total beyond the field": ("2^60", {"roster_cap": 1 << 60}),
    "fewer contributors than the party asks for": (
        "at least 5 contributors",
        {"disclosure": DisclosureBundle(minimum_contributors=4)},
    ),
    "smaller groups than the party asks for": (
        "contributors in a group",
        {"disclosure": DisclosureBundle(minimum_contributors_group=7)},
    ),
    "another community": ("another version of the community", {"community": bytes(32)}),
}
"""What each refusal says, and the terms that get it."""


@pytest.mark.parametrize("asked", BEYOND_THIS_VERSION)
def test_a_study_that_asks_for_what_cannot_be_enforced_is_refused(paper: PaperCommunity, asked: str) -> None:
    said, terms = BEYOND_THIS_VERSION[asked]
    reasons = reasons_against(study_with(paper, terms), paper.community, PartyPolicy(), OPEN)
    assert [reason for reason in reasons if said in reason]


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


def with_p(paper: PaperCommunity, secret: PPercent) -> Envelope:
    bundle = DisclosureBundle(p_percent=secret.commitment(), minimum_contributors_negative=20)
    return signed(study_with(paper, {"disclosure": bundle}), [paper.steward_key])


def test_a_party_that_does_not_hold_p_does_not_approve(paper: PaperCommunity, place: SigningPlace) -> None:
    secret = PPercent.choose(15, ScriptedRandomness(b"p"))
    with pytest.raises(NotApproved, match="does not hold p"):
        approve(place, with_p(paper, secret))
    assert not list((place.home.path / "sealing").iterdir())


def test_p_is_kept_by_the_party_alone_and_forgotten_with_the_study(
    paper: PaperCommunity, place: SigningPlace
) -> None:
    secret = PPercent.choose(15, ScriptedRandomness(b"p"))
    proposal = with_p(paper, secret)
    terms = open_envelope(proposal, Study).terms_digest()
    approval = approve(place, proposal, p_percent=secret)
    assert place.home.load_p_percent(terms, secret.commitment()) == secret
    assert place.home.p_percent_path(terms).stat().st_mode & 0o777 == 0o600
    assert approve(place, proposal) == approval, "a second approval finds it there"
    with pytest.raises(KeyFileRefused, match="another p"):
        place.home.load_p_percent(terms, bytes(32))
    refuse_study(place, proposal, reason="our board said no")
    with pytest.raises(KeyFileRefused, match="not here"):
        place.home.load_p_percent(terms, secret.commitment())


@pytest.mark.parametrize("other", [PPercent(p=16, salt=b"s" * 32), PPercent(p=15, salt=b"t" * 32)])
def test_another_p_than_the_study_commits_to_is_refused(
    paper: PaperCommunity, place: SigningPlace, other: PPercent
) -> None:
    proposal = with_p(paper, PPercent(p=15, salt=b"s" * 32))
    with pytest.raises(NotApproved, match="another p"):
        approve(place, proposal, p_percent=other)
    with pytest.raises(NotApproved, match="no p% rule"):
        approve(place, paper.study_envelope, p_percent=other)


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


def test_an_amendment_names_no_community_and_counts_when_all_have_signed(
    paper: PaperCommunity, place: SigningPlace
) -> None:
    study = paper.study
    amendment = Amendment(
        study_terms=study.terms_digest(), previous=study.digest(), presentation=study.presentation
    )
    envelope = signed(amendment, paper.party_keys[:1])
    for index, key in enumerate(paper.party_keys[1:], start=1):
        _, envelope = cosign(SigningPlace(place.home, paper.community, index, key), envelope)
    assert open_from_all_parties(envelope, Amendment, paper.community) == amendment
