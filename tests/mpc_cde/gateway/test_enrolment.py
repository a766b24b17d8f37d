"""Who is who at the gateway: communities, memberships, researchers."""

from __future__ import annotations

from pathlib import Path

from mpc_cde.documents.canonical import decode_base64url
from mpc_cde.documents.envelope import Envelope
from mpc_cde.documents.membership import Membership
from mpc_cde.gateway.settings import Limits
from mpc_cde.keys import SigningKey
from tests.mpc_cde.client.paper import PaperCommunity, secret, signed
from tests.mpc_cde.gateway.paper_gateway import PaperGateway, problem, resigned


async def test_community_is_served_when_the_last_party_has_signed(gateway: PaperGateway) -> None:
    paper = gateway.paper
    for number, key in enumerate(paper.party_keys):
        problem(await gateway.read("/v1/community"), 404, "not-found")
        answer = await gateway.post("communities", resigned(paper.community_envelope, [key]))
        assert answer.status_code == 201
        assert answer.json()["complete"] is (number == 2)
        assert len(answer.json()["waiting_for"]) == 2 - number
    served = (await gateway.read("/v1/community")).json()["versions"]
    assert [decode_base64url(version["payload"]) for version in served] == [paper.community.payload_bytes()]
    assert len(served[0]["signatures"]) == 3


async def test_community_signed_by_a_stranger_is_refused(gateway: PaperGateway) -> None:
    stranger = SigningKey(secret("stranger"))
    answer = await gateway.post("communities", resigned(gateway.paper.community_envelope, [stranger]))
    problem(answer, 403, "signature-refused")


async def test_gateway_pinned_to_a_fingerprint_takes_no_other_community(tmp_path: Path) -> None:
    other = PaperCommunity(m=4)
    gateway = PaperGateway(tmp_path, fingerprint=other.fingerprint)
    try:
        answer = await gateway.post("communities", gateway.paper.community_envelope)
        problem(answer, 403, "another-community")
        assert (await gateway.post("communities", other.community_envelope)).json()["complete"] is True
    finally:
        await gateway.close()


async def test_second_community_cannot_displace_the_first(gateway: PaperGateway) -> None:
    await gateway.found()
    problem(
        await gateway.post("communities", PaperCommunity(m=4).community_envelope), 403, "another-community"
    )


async def test_flood_of_proposals_ends(tmp_path: Path) -> None:
    gateway = PaperGateway(tmp_path, limits=Limits(pending_communities=2))
    try:
        answers = []
        for number in range(3):
            named = gateway.paper.community.model_copy(update={"name": f"Community {number}"})
            answers.append(await gateway.post("communities", signed(named, gateway.paper.party_keys[:1])))
        assert [answer.status_code for answer in answers] == [201, 201, 409]
    finally:
        await gateway.close()


async def test_next_version_needs_every_party_of_the_one_before(gateway: PaperGateway) -> None:
    await gateway.found()
    following, envelope = gateway.paper.next_community()
    first = await gateway.post("communities", resigned(envelope, gateway.paper.party_keys[:2]))
    assert first.json()["waiting_for"] == ["Party 2"]
    assert len((await gateway.read("/v1/community")).json()["versions"]) == 1
    await gateway.posted("communities", resigned(envelope, gateway.paper.party_keys[2:]))
    versions = (await gateway.read("/v1/community")).json()["versions"]
    assert decode_base64url(versions[1]["payload"]) == following.payload_bytes()


async def test_unchanged_community_is_not_sent_twice(gateway: PaperGateway) -> None:
    await gateway.found()
    first = await gateway.read("/v1/community")
    again = await gateway.read("/v1/community", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""


async def test_forged_membership_is_refused(gateway: PaperGateway) -> None:
    await gateway.found()
    stranger = SigningKey(secret("stranger"))
    forged = resigned(gateway.paper.membership_envelope(0), [stranger])
    problem(await gateway.post("memberships", forged), 403, "signature-refused")
    countersigned_only = resigned(gateway.paper.membership_envelope(0), gateway.paper.registrar_keys[1:])
    problem(await gateway.post("memberships", countersigned_only), 403, "signature-refused")


async def test_membership_for_another_community_is_refused(gateway: PaperGateway) -> None:
    await gateway.found()
    foreign = gateway.paper.membership(0).model_copy(update={"community": secret("another")})
    answer = await gateway.post("memberships", signed(foreign, gateway.paper.registrar_keys))
    problem(answer, 404, "not-found")


async def test_one_entry_of_the_register_gets_one_membership(gateway: PaperGateway) -> None:
    await gateway.found()
    await gateway.enrol(0)
    for change in (
        {"member": secret("other id")[:16]},
        {"member": secret("other id")[:16], "register_id": secret("other entry")},
        {"register_id": secret("other entry")},
    ):
        twin = gateway.paper.membership(0).model_copy(update=change)
        answer = await gateway.post("memberships", signed(twin, gateway.paper.registrar_keys))
        problem(answer, 409, "conflict")


async def test_membership_can_be_renewed(gateway: PaperGateway) -> None:
    await gateway.found()
    await gateway.enrol(0)
    renewed = gateway.paper.membership(0).model_copy(update={"valid_until": "2030-01-01T00:00:00Z"})
    await gateway.posted("memberships", signed(renewed, gateway.paper.registrar_keys))
    own = (await gateway.read("/v1/memberships/own", gateway.paper.member_key(0))).json()
    assert decode_base64url(own["membership"]["payload"]) == renewed.payload_bytes()


async def test_memberships_are_read_by_their_member_alone(gateway: PaperGateway) -> None:
    await gateway.found()
    await gateway.enrol(0, 1)
    own = await gateway.read("/v1/memberships/own", gateway.paper.member_key(1))
    envelope = Envelope.parse_json(
        own.content[own.content.index(b'{"payload') :].partition(b',"waiting_for"')[0]
    )
    assert Membership.parse_payload(envelope.payload) == gateway.paper.membership(1)
    problem(await gateway.read("/v1/memberships/own"), 401, "reader-signature-required")
    problem(await gateway.read("/v1/memberships/own", gateway.paper.member_key(5)), 404, "not-found")
    for path in ("/v1/memberships", "/v1/researchers", "/v1/revocations"):
        problem(await gateway.read(path), 405, "method-not-allowed")


async def test_researcher_counts_when_every_party_has_signed(gateway: PaperGateway) -> None:
    await gateway.open_study()
    paper = gateway.paper
    enrolment = signed(paper.researcher(), paper.registrar_keys[:1])
    assert (await gateway.post("researchers", enrolment)).json()["waiting_for"] == [
        "Party 0",
        "Party 1",
        "Party 2",
    ]
    query = signed(paper.query(), [paper.researcher_key])
    assert "Party 0" in problem(await gateway.post("queries", query), 403, "asker-not-enrolled")["detail"]
    await gateway.posted("researchers", signed(paper.researcher(), paper.party_keys))
    assert (await gateway.post("queries", query)).status_code == 201
    own = (await gateway.read("/v1/researchers/own", paper.researcher_key)).json()
    assert own["waiting_for"] == []
