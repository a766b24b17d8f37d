"""Who is who: the community, memberships, researchers, revocations."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from mpc_cde.errors import NotFound
from mpc_cde.gateway.admission_offices import (
    community_rule,
    membership_rule,
    researcher_rule,
    revocation_rule,
)
from mpc_cde.gateway.answers import (
    CommunityAnswer,
    MembershipAnswer,
    ResearcherAnswer,
    send,
    send_cacheable,
)
from mpc_cde.gateway.completeness import waiting_for
from mpc_cde.gateway.desk import DeskOf
from mpc_cde.gateway.postings import post_one_of, post_several_of
from mpc_cde.gateway.readers import SignedReader
from mpc_cde.gateway.routes.described import (
    ACKNOWLEDGED,
    SEVERAL_ACKNOWLEDGED,
    answered,
    document_body,
    documents_body,
)
from mpc_cde.gateway.standing import memberships_of_key, researchers_of_key
from mpc_cde.gateway.store_view import StoreView

router = APIRouter(prefix="/v1", tags=["who is who"])


@router.get("/community", responses=answered(CommunityAnswer))
async def get_community(request: Request, desk: DeskOf) -> Response:
    """All versions of the community in force, oldest first."""
    chain = await desk.read(desk.chain)
    if not chain.versions:
        raise NotFound(
            "no community document is complete here yet",
            hint="Every party posts its signature of the document to /v1/communities.",
        )
    return send_cacheable(
        request, CommunityAnswer(versions=tuple(stored.envelope for stored in chain.stored))
    )


@router.post(
    "/communities", responses=ACKNOWLEDGED, status_code=201, openapi_extra=document_body("community/v1")
)
async def post_community(request: Request, desk: DeskOf) -> Response:
    """A version of the community with one or more signatures; in force once every party has signed."""
    return await post_one_of(request, desk, {"community/v1": community_rule})


@router.post(
    "/memberships",
    responses=SEVERAL_ACKNOWLEDGED,
    status_code=201,
    openapi_extra=documents_body("membership/v1"),
)
async def post_membership(request: Request, desk: DeskOf) -> Response:
    """A membership signed by its registrar; countersignatures may come along or later."""
    return await post_several_of(request, desk, {"membership/v1": membership_rule})


@router.get("/memberships/own", responses=answered(MembershipAnswer))
async def get_own_membership(desk: DeskOf, reader: SignedReader) -> Response:
    """The newest membership of the key that signed the request."""

    def find(view: StoreView) -> MembershipAnswer:
        for stored in memberships_of_key(view, reader.key):
            waiting = waiting_for(stored, desk.context(view))
            return MembershipAnswer(membership=stored.envelope, waiting_for=waiting)
        raise NotFound("no membership here has your key", hint="Hand your card to a registrar.")

    return send(await desk.read(find))


@router.post(
    "/researchers", responses=ACKNOWLEDGED, status_code=201, openapi_extra=document_body("researcher/v1")
)
async def post_researcher(request: Request, desk: DeskOf) -> Response:
    """A researcher's enrolment; it counts once every party has signed."""
    return await post_one_of(request, desk, {"researcher/v1": researcher_rule})


@router.get("/researchers/own", responses=answered(ResearcherAnswer))
async def get_own_enrolment(desk: DeskOf, reader: SignedReader) -> Response:
    """The newest enrolment of the key that signed the request."""

    def find(view: StoreView) -> ResearcherAnswer:
        for stored in researchers_of_key(view, reader.key):
            waiting = waiting_for(stored, desk.context(view))
            return ResearcherAnswer(researcher=stored.envelope, waiting_for=waiting)
        raise NotFound("no enrolment here has your key", hint="Hand your request to a registrar.")

    return send(await desk.read(find))


@router.post(
    "/revocations", responses=ACKNOWLEDGED, status_code=201, openapi_extra=document_body("revocation/v1")
)
async def post_revocation(request: Request, desk: DeskOf) -> Response:
    """A revocation by a registrar, or by parties until there are t + 1."""
    return await post_one_of(request, desk, {"revocation/v1": revocation_rule})
