"""What parties say: receipts, decisions, signatures of rosters and results, complaints, checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from fastapi import APIRouter, Request
from starlette.responses import Response

from mpc_cde.body_parts import DOCUMENT_PART, ENTRIES_PART
from mpc_cde.documents.envelope import Envelope, open_envelope
from mpc_cde.documents.roster import Roster
from mpc_cde.gateway.admission import Context
from mpc_cde.gateway.admission_parties import (
    checked_roster_rule,
    checkpoint_rule,
    complaint_rule,
    decision_rule,
    receipt_rule,
    result_rule,
    roster_rule,
    withdrawal_receipt_rule,
)
from mpc_cde.gateway.bodies import (
    MULTIPART,
    media_type,
    parse_envelope,
    parse_multipart,
    read_body,
)
from mpc_cde.gateway.desk import Desk, DeskOf
from mpc_cde.gateway.keeping import Verified
from mpc_cde.gateway.postings import MakeRule, keep, post_one_of, post_several_of, rule_for, verify_with
from mpc_cde.gateway.problems import ProblemKind, RequestRefused
from mpc_cde.gateway.proofs import verify_posted_entries
from mpc_cde.gateway.routes.described import (
    ACKNOWLEDGED,
    SEVERAL_ACKNOWLEDGED,
    document_body,
    documents_body,
    signature_body,
)
from mpc_cde.gateway.store import StoreTransaction

router = APIRouter(prefix="/v1", tags=["parties"])

_RECEIPTS: Mapping[str, MakeRule] = {
    "receipt/v1": receipt_rule,
    "withdrawal-receipt/v1": withdrawal_receipt_rule,
}
_SIGNED_TOGETHER: Mapping[str, MakeRule] = {
    "roster/v1": roster_rule,
    "checked-roster/v1": checked_roster_rule,
    "result/v1": result_rule,
}


@router.post(
    "/receipts", responses=SEVERAL_ACKNOWLEDGED, status_code=201, openapi_extra=documents_body(*_RECEIPTS)
)
async def post_receipt(request: Request, desk: DeskOf) -> Response:
    """A party's answer to one submission, or to one withdrawal."""
    return await post_several_of(request, desk, _RECEIPTS)


@router.post(
    "/decisions", responses=ACKNOWLEDGED, status_code=201, openapi_extra=document_body("decision/v1")
)
async def post_decision(request: Request, desk: DeskOf) -> Response:
    """A party's yes or no to one query."""
    return await post_one_of(request, desk, {"decision/v1": decision_rule})


@router.post("/signatures", responses=ACKNOWLEDGED, status_code=201, openapi_extra=signature_body())
async def post_signature(request: Request, desk: DeskOf) -> Response:
    """One party's signature of a roster (with its entries, or without), checked roster or result."""
    if media_type(request) != MULTIPART:
        return await post_one_of(
            request, desk, _SIGNED_TOGETHER, max_bytes=desk.limits.max_party_document_bytes
        )
    body = await read_body(
        request, max_bytes=desk.limits.max_entries_bytes, deadline_seconds=desk.limits.body_seconds
    )
    parts = parse_multipart(request.headers["content-type"], body)
    if set(parts) != {DOCUMENT_PART, ENTRIES_PART}:
        raise RequestRefused(
            ProblemKind.PARTS_REFUSED, f"expected the parts {DOCUMENT_PART} and {ENTRIES_PART}"
        )
    envelope = parse_envelope(parts[DOCUMENT_PART])
    rule_for(envelope, {"roster/v1": roster_rule})
    return await _keep_roster(desk, envelope, parts[ENTRIES_PART])


async def _keep_roster(desk: Desk, envelope: Envelope, content: bytes) -> Response:
    def verify(context: Context) -> Verified:
        verified = verify_with(roster_rule, envelope, context)
        verify_posted_entries(content, open_envelope(envelope, Roster))
        keep_entries = partial(_put_entries, roster=verified.new.digest, content=content)
        return Verified(verified.new, verified.rule, context, keep_entries, always=True)

    return await keep(desk, envelope, verify)


def _put_entries(transaction: StoreTransaction, *, roster: bytes, content: bytes) -> None:
    transaction.put_roster_entries(roster, content)


@router.post(
    "/complaints", responses=ACKNOWLEDGED, status_code=201, openapi_extra=document_body("complaint/v1")
)
async def post_complaint(request: Request, desk: DeskOf) -> Response:
    """A party says that something went wrong, and where."""
    return await post_one_of(request, desk, {"complaint/v1": complaint_rule})


@router.post(
    "/checkpoints", responses=ACKNOWLEDGED, status_code=201, openapi_extra=document_body("log-checkpoint/v1")
)
async def post_checkpoint(request: Request, desk: DeskOf) -> Response:
    """Head and length of a party's log; others countersign."""
    return await post_one_of(request, desk, {"log-checkpoint/v1": checkpoint_rule})
