"""Whose signature counts: each role, and each way to pose as one."""

from __future__ import annotations

from typing import Any

import pytest

from mpc_cde.documents.authority import (
    open_first_community,
    open_from_all_parties,
    open_from_computing_parties,
    open_from_member,
    open_from_party,
    open_membership,
    open_next_community,
    open_party_card,
    open_proposed_closing,
    open_proposed_study,
    open_query,
    open_revocation,
    signing_parties,
)
from mpc_cde.documents.base import Document
from mpc_cde.documents.checked_roster import CheckedRoster
from mpc_cde.documents.closing import Closing
from mpc_cde.documents.community import Community
from mpc_cde.documents.decision import Decision
from mpc_cde.documents.envelope import Envelope, add_signature, sign_document
from mpc_cde.documents.researcher import Researcher
from mpc_cde.documents.result import Result
from mpc_cde.documents.submission import Submission
from mpc_cde.documents.withdrawal import Withdrawal
from mpc_cde.errors import BadDocument, BadSignature
from mpc_cde.keys import SigningKey
from tests.mpc_cde.documents.samples import (
    checked_roster,
    community,
    every_document,
    membership,
    party_card,
    party_key,
    query,
    researcher,
    result,
    revocation,
    signing_key,
    study,
    submission,
    withdrawal,
)

COMMUNITY = community()
PARTIES = [party_key(index) for index in range(3)]


def signed(document: Document, *keys: SigningKey) -> Envelope:
    envelope = sign_document(document, keys[0])
    for key in keys[1:]:
        envelope = add_signature(envelope, key)
    return envelope


def changed(part: Any, **changes: Any) -> Any:
    fields = {name: getattr(part, name) for name in type(part).model_fields}
    return type(part)(**{**fields, **changes})


def following(**changes: Any) -> Community:
    built = changed(COMMUNITY, version=2, previous=COMMUNITY.digest(), **changes)
    assert isinstance(built, Community)
    return built


def test_card_is_signed_by_its_own_key() -> None:
    assert open_party_card(signed(party_card(0), PARTIES[0])) == party_card(0)
    with pytest.raises(BadSignature):
        open_party_card(signed(party_card(0), PARTIES[1]))


def test_community_is_the_pinned_one_and_signed_by_every_party() -> None:
    envelope = signed(COMMUNITY, *PARTIES)
    assert open_first_community(envelope, fingerprint=COMMUNITY.fingerprint()) == COMMUNITY
    with pytest.raises(BadSignature, match="party 2"):
        open_first_community(signed(COMMUNITY, *PARTIES[:2]), fingerprint=COMMUNITY.fingerprint())


def test_gateway_cannot_serve_another_community() -> None:
    other = changed(COMMUNITY, name="Retailers of Elsewhere")
    with pytest.raises(BadDocument, match="fingerprint"):
        open_first_community(signed(other, *PARTIES), fingerprint=COMMUNITY.fingerprint())


def test_next_version_needs_the_parties_of_both() -> None:
    grown = following(cards=(*COMMUNITY.cards, party_card(3)))
    everybody = [*PARTIES, party_key(3)]
    assert open_next_community(COMMUNITY, signed(grown, *everybody)) == grown
    for missing in everybody:
        with pytest.raises(BadSignature):
            open_next_community(COMMUNITY, signed(grown, *(key for key in everybody if key is not missing)))


def test_leaving_party_must_sign_its_leave() -> None:
    replaced = following(cards=(*COMMUNITY.cards[:2], party_card(3)))
    with pytest.raises(BadSignature, match="party 2"):
        open_next_community(COMMUNITY, signed(replaced, PARTIES[0], PARTIES[1], party_key(3)))


def test_skipped_or_forked_version_is_refused() -> None:
    for wrong in (
        changed(following(), version=3),
        changed(following(), previous=bytes(32)),
        COMMUNITY,
    ):
        with pytest.raises(BadDocument):
            open_next_community(COMMUNITY, signed(wrong, *PARTIES))


def test_forged_membership_is_refused() -> None:
    for keys in (["corner shop"], ["notary"], ["corner shop", "notary"], ["bureau", "notary"]):
        with pytest.raises(BadSignature):
            open_membership(signed(membership(), *map(signing_key, keys)), COMMUNITY)
    unknown = changed(membership(), registrar="butcher")
    with pytest.raises(BadSignature, match="butcher"):
        open_membership(signed(unknown, signing_key("butcher"), signing_key("notary")), COMMUNITY)


def test_registrar_alone_cannot_invent_a_member() -> None:
    guild = signing_key("guild")
    for keys in ([], [PARTIES[0]], [signing_key("bureau")]):
        with pytest.raises(BadSignature, match="second registrar"):
            open_membership(signed(membership(), guild, *keys), COMMUNITY)
    for keys in ([signing_key("notary")], PARTIES[:2], PARTIES):
        assert open_membership(signed(membership(), guild, *keys), COMMUNITY) == membership()


def test_registrar_that_is_also_a_party_countersigns_nothing_twice() -> None:
    guild = PARTIES[0]
    label = COMMUNITY.registrars[0]
    both = changed(COMMUNITY, registrars=(changed(label, key=guild.public_bytes),))
    with pytest.raises(BadSignature):
        open_membership(signed(membership(), guild, PARTIES[1]), both)
    assert open_membership(signed(membership(), guild, PARTIES[1], PARTIES[2]), both)


def test_community_may_waive_the_countersignature() -> None:
    alone = changed(COMMUNITY, membership_rule="registrar_alone")
    assert open_membership(signed(membership(), signing_key("guild")), alone) == membership()


def test_revocation_takes_a_registrar_or_more_than_t_parties() -> None:
    for keys in ([signing_key("notary")], PARTIES[:2]):
        assert open_revocation(signed(revocation(), *keys), COMMUNITY) == revocation()
    for keys in (PARTIES[:1], [signing_key("bureau")], [signing_key("corner shop")]):
        with pytest.raises(BadSignature):
            open_revocation(signed(revocation(), *keys), COMMUNITY)


def test_study_comes_from_its_steward_for_this_community() -> None:
    assert open_proposed_study(signed(study(), signing_key("bureau")), COMMUNITY) == study()
    with pytest.raises(BadSignature):
        open_proposed_study(signed(study(), signing_key("guild")), COMMUNITY)
    with pytest.raises(BadSignature, match="steward"):
        open_proposed_study(signed(changed(study(), steward="guild"), signing_key("guild")), COMMUNITY)
    with pytest.raises(BadDocument, match="version"):
        open_proposed_study(signed(study(), signing_key("bureau")), following())


def test_closing_is_proposed_by_a_steward_and_counts_with_every_party() -> None:
    closing = every_document()["closing/v1"]
    proposed = signed(closing, signing_key("bureau"))
    assert open_proposed_closing(proposed, COMMUNITY) == closing
    with pytest.raises(BadSignature, match="steward bureau"):
        open_proposed_closing(signed(closing, signing_key("guild")), COMMUNITY)
    with pytest.raises(BadSignature, match="no steward guild"):
        open_proposed_closing(signed(changed(closing, steward="guild"), signing_key("guild")), COMMUNITY)
    with pytest.raises(BadSignature):
        open_from_all_parties(proposed, Closing, COMMUNITY)
    assert open_from_all_parties(signed(closing, *PARTIES), Closing, COMMUNITY) == closing


def test_party_cannot_speak_for_another() -> None:
    decision = every_document()["decision/v1"]
    assert isinstance(decision, Decision)
    assert open_from_party(signed(decision, PARTIES[decision.party]), Decision, COMMUNITY) == decision
    with pytest.raises(BadSignature, match="party 1"):
        open_from_party(signed(decision, PARTIES[0], PARTIES[2]), Decision, COMMUNITY)
    for nobody in (3, 9):
        with pytest.raises(BadDocument, match=f"no party {nobody}"):
            open_from_party(signed(changed(decision, party=nobody), PARTIES[0]), Decision, COMMUNITY)


def test_researcher_is_enrolled_by_every_party() -> None:
    assert open_from_all_parties(signed(researcher(), *PARTIES), Researcher, COMMUNITY) == researcher()
    with pytest.raises(BadSignature):
        open_from_all_parties(signed(researcher(), *PARTIES[1:]), Researcher, COMMUNITY)


def test_result_needs_every_party_it_names_and_at_least_2t_plus_1() -> None:
    assert open_from_computing_parties(signed(result(), *PARTIES), Result, COMMUNITY) == result()
    with pytest.raises(BadSignature, match="party 0"):
        open_from_computing_parties(signed(result(), *PARTIES[1:]), Result, COMMUNITY)
    five = community(5, 2)
    with pytest.raises(BadSignature, match="expected 5 parties"):
        open_from_computing_parties(signed(result(), *PARTIES), Result, five)
    four = [party_key(index) for index in range(4)]
    named = changed(result(), parties=(0, 1, 2, 3), log_heads=())
    with pytest.raises(BadSignature, match="expected 5 parties"):
        open_from_computing_parties(signed(named, *four), Result, five)
    assert open_from_computing_parties(signed(named, *four), Result, community(4, 1)) == named


def test_checked_roster_is_signed_by_exactly_2t_plus_1() -> None:
    assert open_from_computing_parties(signed(checked_roster(), *PARTIES), CheckedRoster, COMMUNITY)
    wide = community(5, 1)
    more = changed(checked_roster(), parties=(0, 1, 2, 3, 4))
    with pytest.raises(BadSignature):
        open_from_computing_parties(
            signed(more, *(party_key(index) for index in range(5))), CheckedRoster, wide
        )


def test_member_cannot_submit_for_another() -> None:
    shop = signing_key("corner shop")
    assert open_from_member(signed(submission(), shop), Submission, membership()) == submission()
    assert open_from_member(signed(withdrawal(), shop), Withdrawal, membership()) == withdrawal()
    with pytest.raises(BadSignature):
        open_from_member(signed(submission(), signing_key("thief")), Submission, membership())
    with pytest.raises(BadSignature, match="another member"):
        open_from_member(signed(submission(), shop), Submission, membership("bakery"))


def test_query_of_somebody_else_is_refused() -> None:
    ada = signing_key("ada")
    assert open_query(signed(query(), ada), researcher()) == query()
    with pytest.raises(BadSignature):
        open_query(signed(query(), signing_key("eve")), researcher())
    with pytest.raises(BadSignature, match="another asker"):
        open_query(signed(changed(query(), asker=bytes(32)), ada), researcher())
    with pytest.raises(BadSignature, match="another asker"):
        open_query(signed(changed(query(), asker_kind="member"), ada), researcher())
    own = changed(query(), asker_kind="member", asker=membership().digest())
    assert open_query(signed(own, signing_key("corner shop")), membership()) == own


def test_signing_parties_ignores_strangers_and_repetition() -> None:
    envelope = signed(COMMUNITY, PARTIES[2], PARTIES[0], signing_key("stranger"))
    assert signing_parties(add_signature(envelope, PARTIES[2]), COMMUNITY) == {0, 2}
