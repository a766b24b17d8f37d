"""What the gateway answers, as models: the interface's other half beside the documents themselves.

Nothing in an answer has to be believed: what matters in it are envelopes, which the reader verifies.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from mpc_cde.documents.base import Part
from mpc_cde.documents.canonical import Digest, MemberId, digest_of, encode_base64url
from mpc_cde.documents.envelope import Envelope

JSON = "application/json"


class Answer(Part):
    """Base of all answers."""

    max_payload_bytes: ClassVar[int] = 256 << 20


class Problem(BaseModel):
    """RFC 9457; `type` is stable, `hint` says what to do next.

    Where `code` is given it names the detail in every language, and `values` are what stands in it.
    """

    type: str
    title: str
    status: int
    detail: str
    hint: str
    code: str | None = None
    values: dict[str, str] | None = None


class Acknowledged(Answer):
    """The document is on disk. `number` is its place in the feed, None if nothing was new."""

    document: Digest
    type: str
    number: int | None
    signatures: int
    complete: bool
    waiting_for: tuple[str, ...]


class PostedDocument(Answer):
    """What became of one document of several: 201 kept, 200 here already, else `problem` says why not."""

    status: int
    number: int | None
    problem: Problem | None


class PostedAnswer(Answer):
    """In the order in which they were posted."""

    documents: tuple[PostedDocument, ...]


class CommunityAnswer(Answer):
    """All versions in force, oldest first."""

    versions: tuple[Envelope, ...]


class StudyListing(Answer):
    """One study in a list; `waiting_for` are parties whose document would move it on."""

    terms: Digest
    document: Digest
    title: str
    state: str
    opens: str
    closes: str
    members: int
    waiting_for: tuple[str, ...]


class StudiesAnswer(Answer):
    studies: tuple[StudyListing, ...]


class SignedBy(Answer):
    """A document and the indices of the parties that signed it; two of one kind are a disagreement."""

    document: Digest
    parties: tuple[int, ...]


class StudyAnswer(Answer):
    """All public documents of a study; roster and checked roster only once they are complete."""

    study: Envelope
    amendments: tuple[Envelope, ...]
    approvals: tuple[Envelope, ...]
    refusals: tuple[Envelope, ...]
    closings: tuple[Envelope, ...]
    roster: Envelope | None
    checked_roster: Envelope | None
    rosters_signed: tuple[SignedBy, ...]
    checked_rosters_signed: tuple[SignedBy, ...]
    state: str
    waiting_for: tuple[str, ...]


class SubmissionAnswer(Answer):
    """Receipts of one submission; holds nothing about its member."""

    submission: Digest
    study: Digest
    received: str
    receipts: tuple[Envelope, ...]
    waiting_for: tuple[str, ...]


class WithdrawalAnswer(Answer):
    """Receipts of one withdrawal; holds nothing about its member."""

    withdrawal: Digest
    study: Digest
    received: str
    receipts: tuple[Envelope, ...]
    waiting_for: tuple[str, ...]


class MembershipAnswer(Answer):
    membership: Envelope
    waiting_for: tuple[str, ...]


class SubmittedAnswer(Answer):
    """Members of one registrar that have submitted at least once, sorted; a withdrawal does not show."""

    study: Digest
    registrar: str
    members: tuple[MemberId, ...]


class ResearcherAnswer(Answer):
    researcher: Envelope
    waiting_for: tuple[str, ...]


class QueryAnswer(Answer):
    """A query as it stands; `asker` is the researcher's document where it may be shown."""

    query: Envelope
    asker: Envelope | None
    decisions: tuple[Envelope, ...]
    results: tuple[Digest, ...]
    state: str
    waiting_for: tuple[str, ...]


class ResultListing(Answer):
    """One published result that this reader may see."""

    result: Digest
    study: Digest
    query: Digest | None
    checked_roster: Digest
    time: str
    audience: Literal["public", "contributors", "researchers", "self"]


class ResultsAnswer(Answer):
    results: tuple[ResultListing, ...]


class ResultAnswer(Answer):
    result: Envelope
    query: Envelope | None
    asker: Envelope | None


def send(
    answer: Part,
    status: int = 200,
    *,
    headers: dict[str, str] | None = None,
) -> Response:
    """An answer that is not to be kept by anybody on the way."""
    return Response(answer.payload_bytes(), status, {"Cache-Control": "no-store", **(headers or {})}, JSON)


def send_cacheable(request: Request, answer: Part) -> Response:
    """A public answer with an entity tag; 304 if the caller has it already."""
    body = answer.payload_bytes()
    tag = f'"{encode_base64url(digest_of(body))}"'
    headers = {"ETag": tag, "Cache-Control": "public, no-cache"}
    known = [
        given.strip().removeprefix("W/") for given in request.headers.get("if-none-match", "").split(",")
    ]
    if tag in known:
        return Response(None, 304, headers)
    return Response(body, 200, headers, JSON)
