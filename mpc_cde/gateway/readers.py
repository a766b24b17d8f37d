"""Who is reading: a signed GET (RFC 9421), good once and for a minute.

The key that signed is all that is known here; what it stands for is looked up in `standing`.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

from anyio import to_thread
from fastapi import Depends, Request

from mpc_cde.errors import BadSignature
from mpc_cde.gateway.desk import Desk, DeskOf
from mpc_cde.gateway.problems import ProblemKind, RequestRefused
from mpc_cde.gateway.standing import Reader
from mpc_cde.reader_signatures import (
    INPUT_HEADER,
    MAX_AGE_SECONDS,
    SIGNATURE_HEADER,
    claimed_reader,
    verify_reader,
)


async def reader_of(request: Request, desk: DeskOf) -> Reader | None:
    """The reader, or None for an unsigned request. Raises RequestRefused for a signature that is not good."""
    headers = request.headers
    if any(len(headers.getlist(name)) > 1 for name in (INPUT_HEADER, SIGNATURE_HEADER)):
        raise RequestRefused(ProblemKind.READER_SIGNATURE_REFUSED, "expected one signature")
    now = int(desk.clock().timestamp())
    try:
        claim = claimed_reader(headers)
        if claim is None:
            return None
        verify_reader(claim, method=request.method, target_uri=_target_uri(request, desk), now=now)
    except BadSignature as error:
        raise RequestRefused(ProblemKind.READER_SIGNATURE_REFUSED, str(error)) from None
    forget_at = claim.created + 2 * MAX_AGE_SECONDS
    use = partial(desk.store.use_nonce, claim.key, claim.nonce, now=now, forget_at=forget_at)
    if not await to_thread.run_sync(use):
        raise RequestRefused(ProblemKind.NONCE_REPLAYED, "a request with this nonce was answered before")
    charge(desk, claim.key)
    return Reader(claim.key)


async def signed_reader(reader: Annotated[Reader | None, Depends(reader_of)]) -> Reader:
    """The reader of what is not for everybody. Raises RequestRefused for an unsigned request."""
    if reader is None:
        raise RequestRefused(ProblemKind.READER_SIGNATURE_REQUIRED, "the request is not signed")
    return reader


AnyReader = Annotated[Reader | None, Depends(reader_of)]
SignedReader = Annotated[Reader, Depends(signed_reader)]


def charge(desk: Desk, key: bytes) -> None:
    """Take a token of a key that has proved itself; offices have more. Raises RequestRefused."""
    wait = (desk.offices if desk.is_office(key) else desk.keys).take(key)
    if wait > 0:
        raise RequestRefused(
            ProblemKind.TOO_MANY_REQUESTS, "too many requests with this key", retry_after_seconds=wait
        )


def charge_office(desk: Desk, key: bytes) -> None:
    """As `charge`, for what only parties and registrars may do. Raises RequestRefused."""
    require_office(desk, key)
    charge(desk, key)


def require_office(desk: Desk, key: bytes) -> None:
    """Returns if the key is a party's or a registrar's. Raises RequestRefused."""
    if not desk.is_office(key):
        raise RequestRefused(
            ProblemKind.READER_NOT_ENTITLED, "several at a time are for parties and registrars"
        )


def _target_uri(request: Request, desk: Desk) -> str:
    """What was signed: origin, path and query as they came."""
    origin = f"{request.url.scheme}://{request.headers.get('host', '')}"
    if desk.settings.public_url is not None:
        origin = desk.settings.public_url  # behind a proxy the request may have come in under another name
    elif desk.reader_origins and origin not in desk.reader_origins:
        raise RequestRefused(
            ProblemKind.READER_SIGNATURE_REFUSED, "the request is not for an address of this gateway"
        )
    raw_path = request.scope.get("raw_path") or request.url.path.encode()
    query = request.scope.get("query_string", b"")
    return (
        origin
        + raw_path.decode("ascii", "replace")
        + ("?" + query.decode("ascii", "replace") if query else "")
    )
