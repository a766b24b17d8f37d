"""Studies: proposed, approved, amended, closed; and everything public about them."""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import APIRouter, Request
from starlette.responses import Response

from mpc_cde.documents.envelope import Envelope
from mpc_cde.gateway.admission_offices import amendment_rule, closing_rule, study_rule
from mpc_cde.gateway.admission_parties import approval_rule, refusal_rule
from mpc_cde.gateway.answers import (
    SignedBy,
    StudiesAnswer,
    StudyAnswer,
    StudyListing,
    SubmittedAnswer,
    send,
    send_cacheable,
)
from mpc_cde.gateway.desk import DeskOf
from mpc_cde.gateway.postings import post_one_of
from mpc_cde.gateway.problems import ProblemKind, RequestRefused
from mpc_cde.gateway.readers import SignedReader
from mpc_cde.gateway.routes.described import ACKNOWLEDGED, answered, digest_in_path, document_body
from mpc_cde.gateway.standing import registrar_of
from mpc_cde.gateway.store_view import StoredDocument, StoreView
from mpc_cde.gateway.study_files import StudyFile, all_studies, get_study
from mpc_cde.gateway.submitted import submitted_members

router = APIRouter(prefix="/v1", tags=["studies"])


@router.get("/studies", responses=answered(StudiesAnswer))
async def get_studies(request: Request, desk: DeskOf) -> Response:
    """Every study with its state by the gateway's clock, and how many members have submitted."""
    now = desk.clock()

    def find(view: StoreView) -> tuple[StudyListing, ...]:
        files = all_studies(view, desk.chain(view), now)
        return tuple(_listing(file, view.count_members(file.terms_digest)) for file in files)

    return send_cacheable(request, StudiesAnswer(studies=await desk.read(find)))


@router.get("/studies/{study}", responses=answered(StudyAnswer))
async def get_one_study(request: Request, study: str, desk: DeskOf) -> Response:
    """The study with these terms: every public document about it."""
    terms, now = digest_in_path(study), desk.clock()
    file = await desk.read(lambda view: get_study(view, desk.chain(view), terms, now))
    roster, checked_roster = file.roster, file.checked_roster
    answer = StudyAnswer(
        study=file.stored.envelope,
        amendments=_envelopes(file.amendments),
        approvals=_envelopes(file.approvals),
        refusals=_envelopes(file.refusals),
        closings=_envelopes(file.closings),
        roster=None if roster is None else roster.envelope,
        checked_roster=None if checked_roster is None else checked_roster.envelope,
        rosters_signed=_signed(file, file.rosters),
        checked_rosters_signed=_signed(file, file.checked_rosters),
        state=file.state.name,
        waiting_for=names_of(file, file.waiting_for),
    )
    return send_cacheable(request, answer)


@router.get("/studies/{study}/submitted", responses=answered(SubmittedAnswer))
async def get_submitted(study: str, desk: DeskOf, reader: SignedReader) -> Response:
    """Which members of the registrar that signed the request have submitted: who, never what, never when."""
    terms, now = digest_in_path(study), desk.clock()

    def find(view: StoreView) -> SubmittedAnswer:
        chain = desk.chain(view)
        registrar = registrar_of(chain, reader)
        if registrar is None:
            raise RequestRefused(
                ProblemKind.READER_NOT_ENTITLED, "this is for registrars, each about the members it certified"
            )
        get_study(view, chain, terms, now)
        members = submitted_members(view, terms, registrar)
        return SubmittedAnswer(study=terms, registrar=registrar.name, members=members)

    return send(await desk.read(find))


@router.post("/studies", responses=ACKNOWLEDGED, status_code=201, openapi_extra=document_body("study/v1"))
async def post_study(request: Request, desk: DeskOf) -> Response:
    """A study that a steward proposes."""
    return await post_one_of(request, desk, {"study/v1": study_rule})


@router.post(
    "/approvals",
    responses=ACKNOWLEDGED,
    status_code=201,
    openapi_extra=document_body("approval/v1", "refusal/v1"),
)
async def post_approval(request: Request, desk: DeskOf) -> Response:
    """A party's approval of a study, or its refusal."""
    return await post_one_of(request, desk, {"approval/v1": approval_rule, "refusal/v1": refusal_rule})


@router.post(
    "/amendments", responses=ACKNOWLEDGED, status_code=201, openapi_extra=document_body("amendment/v1")
)
async def post_amendment(request: Request, desk: DeskOf) -> Response:
    """A change to a study's presentation; it counts once every party has signed."""
    return await post_one_of(request, desk, {"amendment/v1": amendment_rule})


@router.post("/closings", responses=ACKNOWLEDGED, status_code=201, openapi_extra=document_body("closing/v1"))
async def post_closing(request: Request, desk: DeskOf) -> Response:
    """A closing that a steward proposes; it counts once every party has signed."""
    return await post_one_of(request, desk, {"closing/v1": closing_rule})


def names_of(file: StudyFile, parties: Iterable[int]) -> tuple[str, ...]:
    """Names of parties of the study's community."""
    return tuple(file.community.cards[party].name for party in parties)


def _listing(file: StudyFile, members: int) -> StudyListing:
    return StudyListing(
        terms=file.terms_digest,
        document=file.stored.digest,
        title=file.terms.title,
        state=file.state.name,
        opens=file.presentation.opens,
        closes=file.presentation.closes,
        members=members,
        waiting_for=names_of(file, file.waiting_for),
    )


def _envelopes(documents: tuple[StoredDocument, ...]) -> tuple[Envelope, ...]:
    return tuple(stored.envelope for stored in documents)


def _signed(file: StudyFile, documents: tuple[StoredDocument, ...]) -> tuple[SignedBy, ...]:
    return tuple(SignedBy(document=stored.digest, parties=file.parties_of(stored)) for stored in documents)
