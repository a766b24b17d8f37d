"""For operators: is it up, can it work, how much does it do."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from mpc_cde.gateway.desk import DeskOf
from mpc_cde.gateway.metrics import MEDIA_TYPE
from mpc_cde.gateway.problems import ProblemKind, RequestRefused
from mpc_cde.gateway.routes.described import PROBLEMS
from mpc_cde.gateway.settings import LOOPBACK_HOSTS

router = APIRouter(tags=["operations"])
_PLAIN = "text/plain; charset=utf-8"


@router.get("/healthz", responses={200: {"content": {"text/plain": {}}}, **PROBLEMS})
async def get_health() -> Response:
    """The process answers."""
    return Response(b"ok\n", 200, {"Cache-Control": "no-store"}, _PLAIN)


@router.get("/readyz", responses={200: {"content": {"text/plain": {}}}, **PROBLEMS})
async def get_readiness(desk: DeskOf) -> Response:
    """The store answers, and the gateway is not about to end."""
    if desk.bell.is_stopping:
        raise RequestRefused(ProblemKind.NOT_READY, "the gateway is about to end", retry_after_seconds=5)
    await desk.read(lambda view: view.fact("feed"))
    return Response(b"ready\n", 200, {"Cache-Control": "no-store"}, _PLAIN)


@router.get("/metrics", responses={200: {"content": {"text/plain": {}}}, **PROBLEMS})
async def get_metrics(request: Request, desk: DeskOf) -> Response:
    """Prometheus; from this machine only, unless the settings say otherwise."""
    client = request.client
    if not desk.settings.metrics_for_everybody and (client is None or client.host not in LOOPBACK_HOSTS):
        raise RequestRefused(
            ProblemKind.READER_NOT_ENTITLED, "metrics are read from the gateway's own machine"
        )
    return Response(desk.metrics.text(), 200, {"Cache-Control": "no-store"}, MEDIA_TYPE)
