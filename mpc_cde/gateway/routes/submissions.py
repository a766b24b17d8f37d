"""What members hand in, what the parties say about it, and the proof that it counts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import TypeAdapter, ValidationError
from starlette.responses import Response

from mpc_cde.body_parts import CORRECTION_PART, DOCUMENT_PART, envelope_part
from mpc_cde.documents.envelope import Envelope, open_envelope
from mpc_cde.documents.roster import RosterProof
from mpc_cde.documents.submission import Submission
from mpc_cde.errors import NotFound
from mpc_cde.gateway.admission import Context, admit
from mpc_cde.gateway.admission_members import submission_rule, withdrawal_rule
from mpc_cde.gateway.answers import Answer, SubmissionAnswer, WithdrawalAnswer, send
from mpc_cde.gateway.bodies import MULTIPART, parse_envelope, parse_multipart, read_body, require_media_type
from mpc_cde.gateway.desk import Desk, DeskOf
from mpc_cde.gateway.keeping import Verified
from mpc_cde.gateway.postings import keep, post_one_of, rule_for
from mpc_cde.gateway.problems import ProblemKind, RequestRefused
from mpc_cde.gateway.proofs import is_removed
from mpc_cde.gateway.readers import AnyReader
from mpc_cde.gateway.routes.described import (
    ACKNOWLEDGED,
    answered,
    digest_in_path,
    document_body,
    submission_body,
)
from mpc_cde.gateway.standing import Reader, member_of
from mpc_cde.gateway.store import StoreTransaction
from mpc_cde.gateway.store_view import StoreView, SubmissionRow
from mpc_cde.gateway.study_files import get_study

router = APIRouter(prefix="/v1", tags=["submissions"])


@router.post("/submissions", responses=ACKNOWLEDGED, status_code=201, openapi_extra=submission_body())
async def post_submission(request: Request, desk: DeskOf) -> Response:
    """A submission with its parts: 201 once it is on disk."""
    require_media_type(request, MULTIPART)
    body = await read_body(
        request, max_bytes=desk.limits.max_submission_bytes, deadline_seconds=desk.limits.body_seconds
    )
    parts = parse_multipart(request.headers["content-type"], body)
    if DOCUMENT_PART not in parts:
        raise RequestRefused(ProblemKind.MALFORMED_REQUEST, f"the part {DOCUMENT_PART} is missing")
    if len(parts[DOCUMENT_PART]) > desk.limits.max_document_bytes:
        raise RequestRefused(
            ProblemKind.BODY_TOO_LARGE,
            f"{DOCUMENT_PART}: expected at most {desk.limits.max_document_bytes} bytes",
        )
    envelope = parse_envelope(parts[DOCUMENT_PART])
    rule_for(envelope, {"submission/v1": withdrawal_rule})  # of this type, whatever else is wrong with it
    return await keep(desk, envelope, partial(verify_submission, envelope, parts))


def verify_submission(envelope: Envelope, parts: Mapping[str, bytes], context: Context) -> Verified:
    """The submission as it may be kept, with its parts. Raises as `submission_rule` and `admit`."""
    rule, membership = submission_rule(envelope, context, parts)
    new = admit(envelope, rule, context)
    submission = open_envelope(envelope, Submission)
    row = SubmissionRow(
        digest=new.digest,
        study=submission.study_terms,
        member=submission.member,
        sequence=submission.sequence,
        membership=membership.digest,
    )
    sealed = [parts[envelope_part(party)] for party in range(len(submission.envelopes))]

    def also_keep(transaction: StoreTransaction) -> None:
        transaction.put_submission(row, correction=parts[CORRECTION_PART], envelopes=sealed)

    return Verified(new, rule, context, also_keep)


@router.post(
    "/withdrawals", responses=ACKNOWLEDGED, status_code=201, openapi_extra=document_body("withdrawal/v1")
)
async def post_withdrawal(request: Request, desk: DeskOf) -> Response:
    """A member takes its figures out, until the roster is signed."""
    return await post_one_of(request, desk, {"withdrawal/v1": withdrawal_rule})


Known = Annotated[int, Query(ge=0, le=64)]
Wait = Annotated[float, Query(ge=0, le=300)]
_KNOWN, _WAIT = TypeAdapter(Known), TypeAdapter(Wait)


@router.get("/submissions/{submission}", responses=answered(SubmissionAnswer))
async def get_submission(submission: str, desk: DeskOf, known: Known = 0, wait: Wait = 0.0) -> Response:
    """Receipts of every party. Whoever knows the digest may read them; nothing in them is about the member.

    Waits up to `wait` seconds, and never longer than the gateway's own limit, for more than `known` receipts.
    """
    return send(await _receipts_of(SubmissionAnswer, submission, desk, known, wait))


@router.get("/withdrawals/{withdrawal}", responses=answered(WithdrawalAnswer))
async def get_withdrawal(withdrawal: str, desk: DeskOf, known: Known = 0, wait: Wait = 0.0) -> Response:
    """Receipts of the parties that have the withdrawal; waits for more than `known`, as for a submission."""
    return send(await _receipts_of(WithdrawalAnswer, withdrawal, desk, known, wait))


async def _receipts_of(kind: type[Answer], named: str, desk: Desk, known: int, wait: float) -> Answer:
    digest, seconds = digest_in_path(named), min(wait, desk.limits.long_poll_seconds)
    with desk.metrics.waiting.track_inprogress():
        answer = await desk.receipts.read(digest, known=known, wait_seconds=seconds)
    if not isinstance(answer, kind):
        raise NotFound("this gateway knows no such document of that kind")
    return answer


async def read_submission(request: Request, desk: Desk) -> Response:
    """`get_submission` for a request as it came."""
    given = request.query_params
    try:
        known = _KNOWN.validate_python(given.get("known", 0))
        wait = _WAIT.validate_python(given.get("wait", 0.0))
    except ValidationError as error:
        raise RequestRefused(
            ProblemKind.INVALID_PARAMETER, f"known, wait: {error.errors()[0]['msg']}"
        ) from None
    return await get_submission(request.path_params["submission"], desk, known, wait)


@router.get("/studies/{study}/proofs/{submission}", responses=answered(RosterProof))
async def get_proof(study: str, submission: str, desk: DeskOf, reader: AnyReader) -> Response:
    """The row of a submission in the signed roster, and the way from there to the root.

    Whoever knows the digest may read it, unless the input checks removed the submission: then its digest is
    public, and only its member and the parties may.
    """
    terms, digest = digest_in_path(study), digest_in_path(submission)
    return send(await desk.read(lambda view: _proof(desk, view, terms, digest, reader)))


def _proof(desk: Desk, view: StoreView, terms: bytes, digest: bytes, reader: Reader | None) -> RosterProof:
    context = desk.context(view)
    file = get_study(view, context.chain, terms, context.now)
    if is_removed(file, digest):
        row = view.submission(digest)
        if reader is None:
            raise RequestRefused(
                ProblemKind.READER_SIGNATURE_REQUIRED,
                "the input checks removed it: only its member may read on",
            )
        member = member_of(view, context.chain, reader, context.now_text)
        is_own = row is not None and member is not None and member.member == row.member
        if not is_own and context.chain.current.party_index(reader.key) is None:
            raise RequestRefused(ProblemKind.READER_NOT_ENTITLED, "this is for the member that submitted it")
    return desk.proofs.proof(file, digest, context)
