"""Questions: signed by who asks, decided by every party, answered by those that computed."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from mpc_cde.gateway.admission_members import query_rule
from mpc_cde.gateway.answers import QueryAnswer, send
from mpc_cde.gateway.audiences import asker_to_show, audience_of_query, verify_entitled
from mpc_cde.gateway.desk import Desk, DeskOf
from mpc_cde.gateway.postings import post_one_of
from mpc_cde.gateway.query_files import QueryFile, get_query
from mpc_cde.gateway.readers import AnyReader
from mpc_cde.gateway.routes.described import ACKNOWLEDGED, PROBLEMS, digest_in_path, document_body
from mpc_cde.gateway.standing import Reader
from mpc_cde.gateway.store_view import StoreView

router = APIRouter(prefix="/v1", tags=["queries"])
RETRY_SECONDS = 1


@router.post("/queries", responses=ACKNOWLEDGED, status_code=201, openapi_extra=document_body("query/v1"))
async def post_query(request: Request, desk: DeskOf) -> Response:
    """A question inside a study; every party decides it by its own policy."""
    return await post_one_of(request, desk, {"query/v1": query_rule})


@router.get(
    "/queries/{query}",
    responses={
        200: {"description": "Decided for good", "model": QueryAnswer},
        202: {"description": "Still under way; come back after Retry-After", "model": QueryAnswer},
        **PROBLEMS,
    },
)
async def get_one_query(query: str, desk: DeskOf, reader: AnyReader) -> Response:
    """The query with every party's decision and its reason; for whoever may read the answer."""
    digest = digest_in_path(query)
    file, answer = await desk.read(lambda view: _answer(desk, view, digest, reader))
    if file.is_final:
        return send(answer)
    return send(answer, 202, headers={"Retry-After": str(RETRY_SECONDS)})


def _answer(
    desk: Desk, view: StoreView, digest: bytes, reader: Reader | None
) -> tuple[QueryFile, QueryAnswer]:
    context = desk.context(view)
    file = get_query(context, digest, decision_seconds=desk.limits.decision_seconds)
    audience = audience_of_query(file.query, file.study.terms)
    verify_entitled(reader, audience, file.stored, file.study.terms_digest, context)
    asker = asker_to_show(file.stored, reader, context)
    answer = QueryAnswer(
        query=file.stored.envelope,
        asker=None if asker is None else asker.envelope,
        decisions=tuple(stored.envelope for stored in file.decisions),
        results=tuple(stored.digest for stored in file.published),
        state=file.state_name,
        waiting_for=file.waiting_for,
    )
    return file, answer
