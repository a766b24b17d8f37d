"""Published results, each to its audience; as signed JSON, or as a table."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from mpc_cde.documents.result import Result
from mpc_cde.errors import NotFound
from mpc_cde.gateway.answers import ResultAnswer, ResultListing, ResultsAnswer, send
from mpc_cde.gateway.audiences import asker_to_show, audience_of_result, may_read, verify_entitled
from mpc_cde.gateway.completeness import unsigned_by_named
from mpc_cde.gateway.desk import Desk, DeskOf
from mpc_cde.gateway.parsed import parse_stored
from mpc_cde.gateway.readers import AnyReader
from mpc_cde.gateway.routes.described import PROBLEMS, answered, digest_in_path
from mpc_cde.gateway.standing import Reader
from mpc_cde.gateway.store_view import StoredDocument, StoreView
from mpc_cde.gateway.study_files import get_study
from mpc_cde.result_csv import MEDIA_TYPE as CSV
from mpc_cde.result_csv import csv_of_result

router = APIRouter(prefix="/v1", tags=["results"])


@router.get("/results", responses=answered(ResultsAnswer))
async def get_results(desk: DeskOf, reader: AnyReader) -> Response:
    """Every result that this reader may read; without a signature the public ones."""
    return send(await desk.read(lambda view: _list(desk, view, reader)))


def _list(desk: Desk, view: StoreView, reader: Reader | None) -> ResultsAnswer:
    context = desk.context(view)
    listed = []
    for stored in view.documents(Result.type_name()):
        result = parse_stored(stored, Result)
        file = get_study(view, context.chain, result.study_terms, context.now)
        audience = audience_of_result(result, file.terms)
        query = None if result.query is None else view.document(result.query)
        if unsigned_by_named(stored, file.community) or not may_read(
            reader, audience, query, result.study_terms, context
        ):
            continue
        listed.append(
            ResultListing(
                result=stored.digest,
                study=result.study_terms,
                query=result.query,
                checked_roster=result.checked_roster,
                time=result.time,
                audience=audience,
            )
        )
    return ResultsAnswer(results=tuple(listed))


@router.get(
    "/results/{result}",
    responses={
        200: {
            "description": "The result that every party which computed has signed",
            "model": ResultAnswer,
            "content": {CSV: {"schema": {"type": "string"}}},
        },
        **PROBLEMS,
    },
)
async def get_one_result(request: Request, result: str, desk: DeskOf, reader: AnyReader) -> Response:
    """One result with the query it answers; `Accept: text/csv` for a table of its values."""
    digest = digest_in_path(result)
    document, answer = await desk.read(lambda view: _one(desk, view, digest, reader))
    if _prefers_csv(request.headers.get("accept", "")):
        headers = {
            "Cache-Control": "no-store",
            "Vary": "Accept",
            "Content-Disposition": f'attachment; filename="result-{result[:11]}.csv"',
        }
        return Response(csv_of_result(document), 200, headers, f"{CSV}; charset=utf-8")
    return send(answer, headers={"Vary": "Accept"})


def _one(desk: Desk, view: StoreView, digest: bytes, reader: Reader | None) -> tuple[Result, ResultAnswer]:
    context = desk.context(view)
    stored = view.document(digest)
    if stored is None or stored.type_name != Result.type_name():
        raise NotFound("this gateway knows no such result")
    result = parse_stored(stored, Result)
    file = get_study(view, context.chain, result.study_terms, context.now)
    query: StoredDocument | None = None if result.query is None else view.document(result.query)
    verify_entitled(reader, audience_of_result(result, file.terms), query, result.study_terms, context)
    if unsigned_by_named(stored, file.community):
        raise NotFound("this result is not signed yet by every party that computed it")
    asker = asker_to_show(query, reader, context)
    answer = ResultAnswer(
        result=stored.envelope,
        query=None if query is None else query.envelope,
        asker=None if asker is None else asker.envelope,
    )
    return result, answer


def _prefers_csv(accept: str) -> bool:
    """Whether CSV is named, and JSON is not named before it."""
    names = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    return CSV in names and "application/json" not in names[: names.index(CSV)]
