"""Submissions at the gateway: what is kept, what is refused, and that a 201 means it."""

from __future__ import annotations

import hashlib
from typing import Any

from mpc_cde.body_parts import CORRECTION_PART, DOCUMENT_PART
from mpc_cde.documents.canonical import encode_base64url
from mpc_cde.documents.revocation import Revocation
from mpc_cde.documents.withdrawal import Withdrawal
from mpc_cde.gateway.settings import Limits
from tests.mpc_cde.client.paper import signed
from tests.mpc_cde.gateway.paper_gateway import PaperGateway, PaperMembers, problem, resigned


async def test_submission_is_acknowledged_with_its_digest_and_place(gateway: PaperGateway) -> None:
    await gateway.open_study()
    await gateway.enrol(0)
    answer = await gateway.submit(gateway.paper.parts(0))
    digest = encode_base64url(gateway.paper.submission(0).digest())
    assert answer.status_code == 201
    assert answer.json()["document"] == digest
    assert answer.headers["location"] == f"/v1/submissions/{digest}"
    receipts = (await gateway.read(answer.headers["location"])).json()
    assert receipts["receipts"] == []
    assert receipts["waiting_for"] == ["Party 0", "Party 1", "Party 2"]


async def test_submitting_the_same_again_is_harmless(gateway: PaperGateway) -> None:
    await gateway.open_study()
    await gateway.submitted(0)
    again = await gateway.submit(gateway.paper.parts(0))
    assert again.status_code == 200
    assert again.json()["number"] is None
    gateway.clock.advance(days=400)
    assert (await gateway.submit(gateway.paper.parts(0))).status_code == 200


async def test_same_sequence_with_other_content_is_refused(gateway: PaperGateway) -> None:
    await gateway.open_study()
    await gateway.submitted(0)
    other = gateway.paper.submission(0).model_copy(update={"waiver": True})
    parts = gateway.paper.parts(0) | {DOCUMENT_PART: signed(other, [gateway.paper.member_key(0)]).to_json()}
    problem(await gateway.submit(parts), 409, "sequence-used")


async def test_correction_under_the_next_sequence_is_kept(gateway: PaperGateway) -> None:
    await gateway.open_study()
    await gateway.submitted(0)
    assert (await gateway.submit(gateway.paper.parts(0, sequence=2))).status_code == 201


async def test_thief_of_a_key_cannot_jump_to_a_far_sequence(gateway: PaperGateway) -> None:
    await gateway.open_study()
    await gateway.submitted(0)
    replaced = gateway.paper.submission(0).digest()
    far = gateway.paper.submission(0, sequence=1).model_copy(update={"sequence": 1002, "replaces": replaced})
    parts = gateway.paper.parts(0) | {DOCUMENT_PART: signed(far, [gateway.paper.member_key(0)]).to_json()}
    assert "1000" in problem(await gateway.submit(parts), 409, "conflict")["detail"]


async def test_submission_signed_by_another_member_is_refused(gateway: PaperGateway) -> None:
    await gateway.open_study()
    await gateway.enrol(0, 1)
    forged = resigned(gateway.paper.submission_envelope(0), [gateway.paper.member_key(1)])
    parts = gateway.paper.parts(0) | {DOCUMENT_PART: forged.to_json()}
    problem(await gateway.submit(parts), 403, "signature-refused")


async def test_submission_of_an_unknown_member_is_refused(gateway: PaperGateway) -> None:
    await gateway.open_study()
    problem(await gateway.submit(gateway.paper.parts(0)), 403, "membership-not-valid")


async def test_membership_without_countersignature_does_not_count(gateway: PaperGateway) -> None:
    await gateway.open_study()
    alone = resigned(gateway.paper.membership_envelope(0), gateway.paper.registrar_keys[:1])
    answer = await gateway.post("memberships", alone)
    assert answer.json()["complete"] is False
    problem(await gateway.submit(gateway.paper.parts(0)), 403, "membership-not-valid")
    await gateway.enrol(0)
    assert (await gateway.submit(gateway.paper.parts(0))).status_code == 201


async def test_revoked_member_is_refused(gateway: PaperGateway) -> None:
    await gateway.open_study()
    await gateway.enrol(0)
    revocation = Revocation(
        community=gateway.paper.community.digest(),
        kind="member",
        subject=gateway.paper.membership(0).member,
        reason="Left the trade.",
        time="2026-06-01T00:00:00Z",
    )
    await gateway.posted("revocations", signed(revocation, gateway.paper.registrar_keys[1:]))
    problem(await gateway.submit(gateway.paper.parts(0)), 403, "membership-not-valid")


async def test_tampered_correction_is_refused(gateway: PaperGateway) -> None:
    await gateway.open_study()
    await gateway.enrol(0)
    parts = gateway.paper.parts(0)
    flipped = bytes([parts[CORRECTION_PART][0] ^ 1]) + parts[CORRECTION_PART][1:]
    found = problem(await gateway.submit(parts | {CORRECTION_PART: flipped}), 422, "parts-refused")
    assert "correction" in found["detail"]


async def test_envelope_moved_to_another_party_is_refused(gateway: PaperGateway) -> None:
    await gateway.open_study()
    await gateway.enrol(0)
    parts = gateway.paper.parts(0)
    moved = parts | {"envelope-0": parts["envelope-1"], "envelope-1": parts["envelope-0"]}
    assert "envelope-0" in problem(await gateway.submit(moved), 422, "parts-refused")["detail"]


async def test_envelope_moved_from_another_member_is_refused(gateway: PaperGateway) -> None:
    await gateway.open_study()
    await gateway.enrol(0, 1)
    moved = gateway.paper.parts(0) | {"envelope-2": gateway.paper.parts(1)["envelope-2"]}
    problem(await gateway.submit(moved), 422, "parts-refused")


def _change(parts: dict[str, bytes], change: str) -> dict[str, bytes]:
    if change == "missing":
        return {name: content for name, content in parts.items() if name != "envelope-1"}
    if change == "extra":
        return parts | {"envelope-3": b"x"}
    return parts | {CORRECTION_PART: parts[CORRECTION_PART][:-8]}


async def test_parts_that_are_missing_or_too_many_or_short_are_refused(gateway: PaperGateway) -> None:
    await gateway.open_study()
    await gateway.enrol(0)
    for change in ("missing", "extra", "short"):
        problem(await gateway.submit(_change(gateway.paper.parts(0), change)), 422, "parts-refused")


async def test_oversize_envelope_is_refused_though_its_digest_is_signed(gateway: PaperGateway) -> None:
    await gateway.open_study()
    await gateway.enrol(0)
    large = bytes(100_000)
    digests = (hashlib.sha256(large).digest(), *gateway.paper.submission(0).envelopes[1:])
    submission = gateway.paper.submission(0).model_copy(update={"envelopes": digests})
    document = signed(submission, [gateway.paper.member_key(0)]).to_json()
    parts = gateway.paper.parts(0) | {DOCUMENT_PART: document, "envelope-0": large}
    assert "at most" in problem(await gateway.submit(parts), 422, "parts-refused")["detail"]


async def test_oversize_body_is_refused_before_it_is_read(tmp_path: Any) -> None:
    gateway = PaperGateway(tmp_path, limits=Limits(max_submission_bytes=4096))
    try:
        await gateway.open_study()
        await gateway.enrol(0)
        problem(await gateway.submit(gateway.paper.parts(0)), 413, "body-too-large")

        async def endless() -> Any:
            while True:
                yield bytes(1024)

        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        answer = await gateway.http.post("/v1/submissions", content=endless(), headers=headers)
        problem(answer, 413, "body-too-large")
    finally:
        await gateway.close()


async def test_study_that_is_not_open_takes_nothing(gateway: PaperGateway) -> None:
    await gateway.found()
    await gateway.enrol(0)
    problem(await gateway.submit(gateway.paper.parts(0)), 404, "not-found")
    await gateway.posted("studies", gateway.paper.study_envelope)
    problem(await gateway.submit(gateway.paper.parts(0)), 409, "study-not-open")
    await gateway.posted("approvals", *gateway.paper.approvals)
    gateway.clock.advance(days=300)
    problem(await gateway.submit(gateway.paper.parts(0)), 409, "study-not-open")


async def test_study_takes_no_more_members_than_its_roster(tmp_path: Any) -> None:
    gateway = PaperGateway(tmp_path, paper=PaperMembers(roster_cap=2))
    try:
        await gateway.open_study()
        await gateway.submitted(0, 1)
        await gateway.enrol(2, 3)
        problem(await gateway.submit(gateway.paper.parts(2)), 409, "study-full")
        revocation = Revocation(
            community=gateway.paper.community.digest(),
            kind="member",
            subject=gateway.paper.membership(0).member,
            reason="The key was stolen.",
            time="2026-06-01T12:00:00Z",
        )
        await gateway.posted("revocations", signed(revocation, gateway.paper.registrar_keys[:1]))
        assert (await gateway.submit(gateway.paper.parts(2))).status_code == 201
        problem(await gateway.submit(gateway.paper.parts(3)), 409, "study-full")
        assert (await gateway.submit(gateway.paper.parts(1, sequence=2))).status_code == 201
        await gateway.posted("withdrawals", gateway.paper.withdrawal(1, sequence=2))
        assert (await gateway.submit(gateway.paper.parts(3))).status_code == 201
        problem(await gateway.submit(gateway.paper.parts(1, sequence=3)), 409, "study-full")
        await gateway.posted("withdrawals", gateway.paper.withdrawal(3))
        assert (await gateway.submit(gateway.paper.parts(1, sequence=3))).status_code == 201
    finally:
        await gateway.close()


async def test_withdrawn_figures_stay_withdrawn(gateway: PaperGateway) -> None:
    await gateway.open_study()
    await gateway.submitted(0)
    withdrawal = Withdrawal(
        study_terms=gateway.paper.study.terms_digest(), member=gateway.paper.membership(0).member, sequence=2
    )
    await gateway.posted("withdrawals", signed(withdrawal, [gateway.paper.member_key(0)]))
    problem(await gateway.submit(gateway.paper.parts(0, sequence=2)), 409, "conflict")
    assert (await gateway.submit(gateway.paper.parts(0, sequence=3))).status_code == 201


async def test_withdrawal_signed_by_another_member_is_refused(gateway: PaperGateway) -> None:
    await gateway.open_study()
    await gateway.submitted(0, 1)
    withdrawal = Withdrawal(
        study_terms=gateway.paper.study.terms_digest(), member=gateway.paper.membership(0).member, sequence=1
    )
    answer = await gateway.post("withdrawals", signed(withdrawal, [gateway.paper.member_key(1)]))
    problem(answer, 403, "signature-refused")


async def test_withdrawal_after_the_roster_is_signed_is_refused(gateway: PaperGateway) -> None:
    await gateway.open_study()
    await gateway.submitted(0)
    await gateway.freeze(with_entries=True)
    withdrawal = Withdrawal(
        study_terms=gateway.paper.study.terms_digest(), member=gateway.paper.membership(0).member, sequence=1
    )
    answer = await gateway.post("withdrawals", signed(withdrawal, [gateway.paper.member_key(0)]))
    problem(answer, 409, "study-not-open")
