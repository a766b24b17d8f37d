"""The FastAPI application of one gateway: routes, layers around them, every error a problem document."""

from __future__ import annotations

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mpc_cde.errors import MpcCdeError, OwnError
from mpc_cde.gateway.cross_origin import CrossOrigin
from mpc_cde.gateway.desk import Clock, Desk, system_clock
from mpc_cde.gateway.express import ExpressCalls, is_express
from mpc_cde.gateway.guard import Guard
from mpc_cde.gateway.problems import ProblemKind, answer_to_error, answer_to_status, problem_answer
from mpc_cde.gateway.routes import (
    enrolment,
    feed,
    operations,
    party_documents,
    progress,
    queries,
    results,
    studies,
    submissions,
)
from mpc_cde.gateway.settings import GatewaySettings
from mpc_cde.gateway.store import Store
from mpc_cde.web.assets import SETTINGS_PATH
from mpc_cde.web.serving import PagesApp, PagesSettings, public_paths

INTERFACE_VERSION = "1"
log = structlog.get_logger("gateway")
_ROUTERS = (
    enrolment.router,
    studies.router,
    submissions.router,
    party_documents.router,
    queries.router,
    results.router,
    progress.router,
    feed.router,
    operations.router,
)


class _Application(FastAPI):
    """The framework with the express calls beside it."""

    express: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.express is not None and is_express(scope):
            await self.express(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def create_app(settings: GatewaySettings, store: Store, clock: Clock = system_clock) -> FastAPI:
    """One application over one store; its desk is `app.state.desk`."""
    app = _Application(
        title="mpc-cde gateway",
        version=INTERFACE_VERSION,
        description="Keeps signed documents and sealed envelopes; cannot read a figure.",
        docs_url=None,  # the pages of the framework load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        # The framework can export every address that is read, to wherever the environment says. Never here.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    desk = Desk(settings, store, clock)
    desk.refresh_community()
    app.state.desk = desk
    for router in _ROUTERS:
        app.include_router(router)
    _serve_public_pages(app, desk)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(RequestValidationError, _answer_validation)
    app.add_exception_handler(MpcCdeError, _answer_own)
    app.add_middleware(CrossOrigin, origins=desk.origins)
    app.add_middleware(Guard, desk=desk)
    express = ExpressCalls(desk=desk, answer_error=_answer_own)
    app.express = Guard(CrossOrigin(express, origins=desk.origins), desk=desk)
    return app


def _serve_public_pages(app: FastAPI, desk: Desk) -> None:
    """The page of public results. Never those where figures are typed: they come from a party."""

    def current() -> PagesSettings:
        # an empty address: whatever origin the reader came to
        return PagesSettings(gateway="", fingerprint=desk.fingerprint, party=None, connect=frozenset())

    paths = public_paths()
    pages = PagesApp(current, front="results.html", paths=paths)
    for path in ("", SETTINGS_PATH, *sorted(paths)):
        app.router.routes.append(Route(f"/{path}", pages, methods=["GET"], include_in_schema=False))


async def _answer_http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    detail = {404: "there is nothing at this address", 405: f"{request.method} is not for this address"}
    return answer_to_status(
        error.status_code, detail.get(error.status_code, str(error.detail)), error.headers
    )


async def _answer_validation(_: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    faults = [f"{'.'.join(str(step) for step in fault['loc'])}: {fault['msg']}" for fault in error.errors()]
    return problem_answer(ProblemKind.INVALID_PARAMETER, "; ".join(faults[:5]))


async def _answer_own(_: Request, error: Exception) -> Response:
    if not isinstance(error, MpcCdeError):
        raise error
    if isinstance(error, OwnError):
        log.error("request_failed", error=type(error).__name__, exc_info=error)
    return answer_to_error(error)
