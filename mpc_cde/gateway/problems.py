"""One table of everything that a gateway may refuse, and how it says so (RFC 9457).

The `type` of a problem is stable; title and hint are for people. A detail never quotes a body.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from starlette.responses import Response

from mpc_cde.coded_text import message_of
from mpc_cde.documents.canonical import canonical_bytes
from mpc_cde.errors import (
    BadProof,
    BadSignature,
    CallerError,
    Conflict,
    MpcCdeError,
    NotFound,
    PeerError,
    TooLarge,
)
from mpc_cde.problem_documents import TYPE_PREFIX, code_members

MEDIA_TYPE = "application/problem+json"
MAX_DETAIL_CHARACTERS = 1000


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    status: int
    title: str
    hint: str


class ProblemKind(Enum):
    """Every problem that a gateway knows."""

    MALFORMED_REQUEST = _Kind(
        "malformed-request", 400, "The body cannot be read", "Send one signed document as JSON."
    )
    READER_SIGNATURE_REQUIRED = _Kind(
        "reader-signature-required",
        401,
        "This is not for everybody",
        "Sign the request with your key (RFC 9421), as docs/gateway-interface.md tells.",
    )
    READER_SIGNATURE_REFUSED = _Kind(
        "reader-signature-refused",
        401,
        "The reader's signature is not good here",
        "Check the clock of your machine and the address you use, then sign again.",
    )
    NONCE_REPLAYED = _Kind("nonce-replayed", 401, "This signature was used before", "Sign each request anew.")
    SIGNATURE_REFUSED = _Kind(
        "signature-refused",
        403,
        "A signature is missing or wrong",
        "Sign with the key that the community's documents name for this role.",
    )
    READER_NOT_ENTITLED = _Kind(
        "reader-not-entitled", 403, "This is not for you", "Ask whoever runs the study who may read it."
    )
    MEMBERSHIP_NOT_VALID = _Kind(
        "membership-not-valid", 403, "The membership does not count now", "Ask your registrar."
    )
    ASKER_NOT_ENROLLED = _Kind(
        "asker-not-enrolled", 403, "The asker may not ask now", "Wait until every party has enrolled you."
    )
    ANOTHER_COMMUNITY = _Kind(
        "another-community", 403, "This gateway serves another community", "Use that community's gateway."
    )
    NOT_FOUND = _Kind("not-found", 404, "There is nothing here", "Check the address or the digest.")
    METHOD_NOT_ALLOWED = _Kind(
        "method-not-allowed", 405, "Not this way", "Use the method that the interface names."
    )
    BODY_TOO_SLOW = _Kind("body-too-slow", 408, "The body did not arrive in time", "Send it again.")
    CONFLICT = _Kind(
        "conflict", 409, "It contradicts what is already here", "Look at what is here before you try again."
    )
    SEQUENCE_USED = _Kind(
        "sequence-used",
        409,
        "This sequence has other content already",
        "Send a correction under the next sequence.",
    )
    STUDY_NOT_OPEN = _Kind(
        "study-not-open", 409, "The study takes nothing now", "See its state with GET /v1/studies."
    )
    STUDY_FULL = _Kind("study-full", 409, "The study has as many members as it allows", "Ask its steward.")
    NO_COMMUNITY = _Kind(
        "no-community",
        409,
        "This gateway has no community yet",
        "Every party posts its signature of the community document first.",
    )
    BODY_TOO_LARGE = _Kind("body-too-large", 413, "The body is too large", "Stay within the limit it names.")
    WRONG_CONTENT_TYPE = _Kind(
        "wrong-content-type",
        415,
        "The body is of another media type",
        "Send application/json, or multipart/form-data where parts are asked for.",
    )
    FEED_ENDS_BEFORE = _Kind(
        "feed-ends-before", 416, "The feed does not go so far", "Read it again from its beginning."
    )
    DOCUMENT_REFUSED = _Kind(
        "document-refused",
        422,
        "The document is not what it must be",
        "Correct it, sign it and send it again.",
    )
    PARTS_REFUSED = _Kind(
        "parts-refused",
        422,
        "The parts are not those that the signed document names",
        "Send exactly the bytes whose digests were signed.",
    )
    INVALID_PARAMETER = _Kind(
        "invalid-parameter", 422, "A parameter is out of bounds", "Correct the named parameter."
    )
    TOO_MANY_REQUESTS = _Kind(
        "too-many-requests", 429, "Too many requests", "Wait as long as Retry-After says."
    )
    INTERNAL_ERROR = _Kind(
        "internal-error",
        500,
        "The gateway failed",
        "Nothing of this request counts unless it was acknowledged; try again, then tell its operator.",
    )
    STORE_UNAVAILABLE = _Kind(
        "store-unavailable", 503, "The gateway's store does not answer", "Try again in a moment."
    )
    NOT_READY = _Kind("not-ready", 503, "The gateway is not ready", "Try again in a moment.")

    @property
    def type_uri(self) -> str:
        return TYPE_PREFIX + self.value.name

    @property
    def status(self) -> int:
        return self.value.status


class RequestRefused(CallerError):
    """A request that is answered by a problem document; raise it anywhere below a route."""

    def __init__(
        self,
        kind: ProblemKind,
        detail: str,
        *,
        hint: str | None = None,
        retry_after_seconds: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail, hint=hint or kind.value.hint)
        self.kind = kind
        self.headers = dict(headers or {})
        if retry_after_seconds is not None:
            self.headers["Retry-After"] = str(max(1, math.ceil(retry_after_seconds)))


_BY_ERROR: tuple[tuple[type[MpcCdeError], ProblemKind], ...] = (
    (BadSignature, ProblemKind.SIGNATURE_REFUSED),
    (BadProof, ProblemKind.PARTS_REFUSED),
    (PeerError, ProblemKind.DOCUMENT_REFUSED),
    (NotFound, ProblemKind.NOT_FOUND),
    (Conflict, ProblemKind.CONFLICT),
    (TooLarge, ProblemKind.BODY_TOO_LARGE),
    (CallerError, ProblemKind.MALFORMED_REQUEST),
)

_BY_STATUS = {
    400: ProblemKind.MALFORMED_REQUEST,
    404: ProblemKind.NOT_FOUND,
    405: ProblemKind.METHOD_NOT_ALLOWED,
    413: ProblemKind.BODY_TOO_LARGE,
    415: ProblemKind.WRONG_CONTENT_TYPE,
    422: ProblemKind.INVALID_PARAMETER,
    429: ProblemKind.TOO_MANY_REQUESTS,
    503: ProblemKind.NOT_READY,
}


def problem_answer(
    kind: ProblemKind, detail: str, *, hint: str | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """The problem document of one refusal."""
    body: dict[str, Any] = {
        "type": kind.type_uri,
        "title": kind.value.title,
        "status": kind.status,
        "detail": _shown(detail),
        "hint": hint or kind.value.hint,
    }
    if members := code_members(detail):
        values = {name: _shown(value) for name, value in members["values"].items()}
        body |= {"code": members["code"], "values": values}
    given = {"Cache-Control": "no-store", **(headers or {})}
    if kind.status == 401:
        given["WWW-Authenticate"] = 'Signature realm="mpc-cde"'
    return Response(canonical_bytes(body), kind.status, given, MEDIA_TYPE)


def answer_to_error(error: MpcCdeError) -> Response:
    """The problem document of an error of ours; what is nobody else's fault is our own."""
    if isinstance(error, RequestRefused):
        return problem_answer(error.kind, message_of(error), hint=error.hint, headers=error.headers)
    for error_class, kind in _BY_ERROR:
        if isinstance(error, error_class):
            hint = error.hint if isinstance(error, CallerError) else None
            return problem_answer(kind, message_of(error), hint=hint)
    return problem_answer(ProblemKind.INTERNAL_ERROR, "an error of the gateway's own, noted in its log")


def answer_to_status(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """The problem document of a status that the framework chose."""
    kind = _BY_STATUS.get(status)
    if kind is None:
        kind = ProblemKind.MALFORMED_REQUEST if status < 500 else ProblemKind.INTERNAL_ERROR
    return problem_answer(kind, detail, headers=headers)


def _shown(text: str) -> str:
    """On one line, not long, and without lone surrogates, which no JSON may hold."""
    line = "".join(character if character.isprintable() else " " for character in text)
    return line.encode("utf-8", "replace").decode("utf-8")[:MAX_DETAIL_CHARACTERS]
