"""Studies and what parties say about them, through the gateway."""

from __future__ import annotations

from typing import Any

from mpc_cde.body_parts import entries_content
from mpc_cde.documents.amendment import Amendment
from mpc_cde.documents.approval import Refusal
from mpc_cde.documents.canonical import encode_base64url
from mpc_cde.documents.closing import Closing
from mpc_cde.documents.receipt import Receipt
from mpc_cde.documents.roster import RosterProof, verify_member_row
from tests.mpc_cde.client.paper import sealing_key, secret, signed
from tests.mpc_cde.gateway.paper_gateway import PaperGateway, PaperMembers, problem, resigned


async def state_of(gateway: PaperGateway) -> str:
    listed = (await gateway.read("/v1/studies")).json()["studies"]
    served = (await gateway.read(gateway.study_path)).json()
    assert [study["state"] for study in listed] == [served["state"]]
    return str(served["state"])


async def test_study_goes_from_proposal_to_its_checked_roster(gateway: PaperGateway) -> None:
    await gateway.found()
    await gateway.posted("studies", gateway.paper.study_envelope)
    assert await state_of(gateway) == "proposed"
    await gateway.posted("approvals", *gateway.paper.approvals[:2])
    assert (await gateway.read(gateway.study_path)).json()["waiting_for"] == ["Party 2"]
    await gateway.posted("approvals", *gateway.paper.approvals[2:])
    assert await state_of(gateway) == "open"
    await gateway.freeze()
    assert await state_of(gateway) == "checked"
    served = (await gateway.read(gateway.study_path)).json()
    assert len(served["approvals"]) == 3
    assert len(served["roster"]["signatures"]) == 3
    assert served["rosters_signed"][0]["parties"] == [0, 1, 2]


async def test_closing_signed_by_all_parties_closes(gateway: PaperGateway) -> None:
    await gateway.open_study()
    closing = Closing(
        study_terms=gateway.paper.study.terms_digest(), steward="steward", time="2026-06-01T12:00:00Z"
    )
    unproposed = signed(closing, gateway.paper.party_keys)
    problem(await gateway.post("closings", unproposed), 403, "signature-refused")
    await gateway.posted("closings", signed(closing, [gateway.paper.steward_key]))
    assert await state_of(gateway) == "open"
    for key in gateway.paper.party_keys:
        answer = await gateway.post("closings", resigned(unproposed, [key]))
    assert answer.json()["complete"] is True
    assert await state_of(gateway) == "closing"
    await gateway.enrol(0)
    problem(await gateway.submit(gateway.paper.parts(0)), 409, "study-not-open")


async def test_refusal_of_a_party_refuses_the_study(gateway: PaperGateway) -> None:
    await gateway.found()
    await gateway.posted("studies", gateway.paper.study_envelope)
    study = gateway.paper.study
    refusal = Refusal(study=study.digest(), study_terms=study.terms_digest(), party=1, reason="Too detailed.")
    await gateway.posted("approvals", signed(refusal, [gateway.paper.party_keys[1]]))
    assert await state_of(gateway) == "refused"
    problem(await gateway.post("approvals", gateway.paper.approvals[1]), 409, "conflict")


async def test_same_terms_are_proposed_once_at_a_time(gateway: PaperGateway) -> None:
    await gateway.open_study()
    presentation = gateway.paper.study.presentation.model_copy(update={"closes": "2027-02-01T00:00:00Z"})
    again = gateway.paper.study.model_copy(update={"presentation": presentation})
    answer = await gateway.post("studies", signed(again, [gateway.paper.steward_key]))
    assert "amendment" in problem(answer, 409, "conflict")["hint"]


async def test_study_not_signed_by_its_steward_is_refused(gateway: PaperGateway) -> None:
    await gateway.found()
    forged = resigned(gateway.paper.study_envelope, gateway.paper.party_keys[:1])
    problem(await gateway.post("studies", forged), 403, "signature-refused")


async def test_party_cannot_approve_for_another(gateway: PaperGateway) -> None:
    await gateway.found()
    await gateway.posted("studies", gateway.paper.study_envelope)
    forged = resigned(gateway.paper.approvals[0], gateway.paper.party_keys[1:2])
    problem(await gateway.post("approvals", forged), 403, "signature-refused")


async def test_party_cannot_replace_its_sealing_key(gateway: PaperGateway) -> None:
    await gateway.open_study()
    other = gateway.paper.approval(0).model_copy(update={"sealing_key": sealing_key("another").public})
    problem(await gateway.post("approvals", signed(other, gateway.paper.party_keys[:1])), 409, "conflict")


async def test_amendment_counts_when_every_party_has_signed(gateway: PaperGateway) -> None:
    await gateway.open_study()
    study = gateway.paper.study

    def amendment(closes: str) -> Amendment:
        presentation = study.presentation.model_copy(update={"closes": closes})
        return Amendment(study_terms=study.terms_digest(), previous=study.digest(), presentation=presentation)

    earlier = signed(amendment("2026-12-01T00:00:00Z"), gateway.paper.party_keys)
    problem(await gateway.post("amendments", earlier), 409, "conflict")
    later = signed(amendment("2028-01-01T00:00:00Z"), gateway.paper.party_keys)
    await gateway.posted("amendments", resigned(later, gateway.paper.party_keys[:2]))
    gateway.clock.advance(days=300)
    assert await state_of(gateway) == "closing"
    await gateway.posted("amendments", later)
    assert await state_of(gateway) == "open"
    assert (await gateway.post("amendments", later)).status_code == 200


async def test_disagreement_about_the_roster_is_seen_by_everybody(gateway: PaperGateway) -> None:
    await gateway.open_study()
    gateway.clock.advance(days=300)
    roster = gateway.paper.roster()
    other = roster.model_copy(update={"merkle_root": secret("another root")})
    await gateway.posted("signatures", signed(roster, gateway.paper.party_keys[:2]))
    await gateway.posted("signatures", signed(other, gateway.paper.party_keys[2:]))
    served = (await gateway.read(gateway.study_path)).json()
    assert served["roster"] is None
    assert sorted(entry["parties"] for entry in served["rosters_signed"]) == [[0, 1], [2]]


async def test_receipts_are_of_the_party_they_name_and_stand(gateway: PaperGateway) -> None:
    await gateway.open_study()
    await gateway.submitted(0)
    own = gateway.paper.receipts(0)
    problem(
        await gateway.post("receipts", resigned(own[0], gateway.paper.party_keys[1:2])),
        403,
        "signature-refused",
    )
    await gateway.posted("receipts", *own)
    refused = Receipt.parse_payload(own[0].payload).model_copy(
        update={"verdict": "refused", "reason": "changed_mind", "explanation": "Changed its mind."}
    )
    problem(await gateway.post("receipts", signed(refused, gateway.paper.party_keys[:1])), 409, "conflict")
    unknown = Receipt.parse_payload(own[0].payload).model_copy(update={"submission": secret("unknown")})
    problem(await gateway.post("receipts", signed(unknown, gateway.paper.party_keys[:1])), 404, "not-found")


async def test_document_of_another_type_is_refused(gateway: PaperGateway) -> None:
    await gateway.open_study()
    for collection in ("receipts", "signatures", "memberships", "checkpoints", "complaints", "withdrawals"):
        answer = await gateway.post(collection, gateway.paper.study_envelope)
        problem(answer, 422, "document-refused")


async def test_proof_leads_to_the_signed_root_and_needs_no_posted_entries(gateway: PaperGateway) -> None:

    paper = gateway.paper
    members = tuple(range(paper.members))
    await gateway.open_study()
    await gateway.submitted(*members)
    path = f"{gateway.study_path}/proofs/{encode_base64url(paper.submission(3).digest())}"
    problem(await gateway.read(path), 404, "not-found")
    await gateway.receipted(*members)
    await gateway.freeze()
    proof = RosterProof.model_validate_json((await gateway.read(path)).content)
    verify_member_row(paper.roster(), proof, submission=paper.submission(3).digest())
    unknown = f"{gateway.study_path}/proofs/{encode_base64url(secret('unknown'))}"
    problem(await gateway.read(unknown), 404, "not-found")


async def test_posted_entries_serve_proofs_and_false_ones_are_refused(gateway: PaperGateway) -> None:

    paper = gateway.paper
    await gateway.open_study()
    gateway.clock.advance(days=300)
    roster = signed(paper.roster(), paper.party_keys)
    false = entries_content(paper.rows()[1:])
    problem(await gateway.post_roster_with_entries(roster, false), 422, "parts-refused")
    await gateway.posted("signatures", resigned(roster, paper.party_keys[:1]))
    answer = await gateway.post_roster_with_entries(roster)
    assert answer.status_code == 201
    path = f"{gateway.study_path}/proofs/{encode_base64url(paper.submission(0).digest())}"
    assert (await gateway.read(path)).json()["entry"]["groups"] == {"size": "large"}


async def test_row_of_a_removed_submission_is_for_its_member(tmp_path: Any) -> None:

    gateway = PaperGateway(tmp_path, paper=PaperMembers(removed=(2,)))
    try:
        paper = gateway.paper
        await gateway.open_study()
        await gateway.submitted(2, 3)
        await gateway.freeze(with_entries=True)
        path = f"{gateway.study_path}/proofs/{encode_base64url(paper.submission(2).digest())}"
        problem(await gateway.read(path), 401, "reader-signature-required")
        problem(await gateway.read(path, paper.member_key(3)), 403, "reader-not-entitled")
        assert (await gateway.read(path, paper.member_key(2))).status_code == 200
        assert (await gateway.read(path, paper.party_keys[0])).status_code == 200
    finally:
        await gateway.close()
