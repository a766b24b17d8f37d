"""What a client asks of a gateway: one method a call, envelopes in and out, nothing believed.

The gateway's JSON is read here and nowhere else. A field that is missing or of another kind is the gateway's
fault and says so.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from mpc_cde.client.http import GatewayClient, GatewayFailed, Reader
from mpc_cde.documents.canonical import MAX_INTEGER, canonical_bytes, decode_base64url, encode_base64url
from mpc_cde.documents.envelope import Envelope
from mpc_cde.documents.roster import RosterProof
from mpc_cde.errors import BadDocument, NotCanonical

DIGEST_BYTES = 32
MEMBER_ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class StudyListing:
    """One line of the list of studies; a claim of the gateway."""

    terms: bytes
    title: str
    state: str
    members: int
    waiting_for: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StudyFile:
    """All public documents of one study, unverified; `state` is the gateway's word."""

    study: Envelope
    amendments: tuple[Envelope, ...]
    approvals: tuple[Envelope, ...]
    refusals: tuple[Envelope, ...]
    roster: Envelope | None
    checked_roster: Envelope | None
    state: str


@dataclass(frozen=True, slots=True)
class QueryFile:
    """A query with the decisions on it, unverified; `results` are digests of what answers it."""

    query: Envelope
    asker: Envelope | None
    decisions: tuple[Envelope, ...]
    results: tuple[bytes, ...]
    state: str


@dataclass(frozen=True, slots=True)
class ResultFile:
    """A published result with the query it answers and who asked, unverified."""

    result: Envelope
    query: Envelope | None
    asker: Envelope | None


@dataclass(frozen=True, slots=True)
class ResultListing:
    """One line of the list of results; a claim of the gateway."""

    result: bytes
    study: bytes
    time: str
    query: bytes | None


class GatewayCalls:
    """The calls of documents.md's table that clients make."""

    def __init__(self, client: GatewayClient) -> None:
        self._client = client

    @property
    def url(self) -> str:
        return self._client.url

    async def communities(self) -> tuple[Envelope, ...]:
        """All versions that the gateway serves, oldest first."""
        return _envelopes(await self._client.get("/v1/community"), "versions")

    async def studies(self) -> tuple[StudyListing, ...]:
        answer = await self._client.get("/v1/studies")
        return tuple(
            StudyListing(
                _digest(item, "terms"),
                _text(item, "title"),
                _text(item, "state"),
                _count(item, "members"),
                _names(item, "waiting_for"),
            )
            for item in _items(answer, "studies")
        )

    async def study(self, terms: bytes) -> StudyFile:
        answer = await self._client.get(f"/v1/studies/{encode_base64url(terms)}")
        return StudyFile(
            study=_envelope(answer, "study"),
            amendments=_envelopes(answer, "amendments"),
            approvals=_envelopes(answer, "approvals"),
            refusals=_envelopes(answer, "refusals"),
            roster=_optional_envelope(answer, "roster"),
            checked_roster=_optional_envelope(answer, "checked_roster"),
            state=_text(answer, "state"),
        )

    async def post(self, collection: str, envelope: Envelope) -> None:
        """POST /v1/`collection`, such as "memberships"."""
        await self._client.post(f"/v1/{collection}", envelope)

    async def post_several(self, collection: str, envelopes: Sequence[Envelope]) -> None:
        """POST many documents to /v1/`collection` as a registrar does. Raises the first refusal."""
        for refusal in await self._client.post_several(f"/v1/{collection}", envelopes):
            if refusal is not None:
                raise refusal

    async def submit(self, parts: Sequence[tuple[str, bytes, str]]) -> None:
        """Returns when the gateway has stored the submission durably."""
        await self._client.post_parts("/v1/submissions", parts)

    async def receipts(
        self, submission: bytes, *, known: int = 0, wait_seconds: float = 0.0
    ) -> tuple[Envelope, ...]:
        """The receipts that are there; with `wait_seconds` as soon as there are more than `known`."""
        return await self._receipts("submissions", submission, known, wait_seconds)

    async def withdrawal_receipts(
        self, withdrawal: bytes, *, known: int = 0, wait_seconds: float = 0.0
    ) -> tuple[Envelope, ...]:
        """The same of a withdrawal."""
        return await self._receipts("withdrawals", withdrawal, known, wait_seconds)

    async def _receipts(
        self, collection: str, digest: bytes, known: int, wait_seconds: float
    ) -> tuple[Envelope, ...]:
        parameters = {"known": str(known), "wait": f"{wait_seconds:.0f}"} if wait_seconds >= 1 else None
        path = f"/v1/{collection}/{encode_base64url(digest)}"
        return _envelopes(await self._client.get(path, parameters=parameters), "receipts")

    async def proof(self, terms: bytes, submission: bytes, reader: Reader | None = None) -> RosterProof:
        """The own row; of a removed submission only its member may read it."""
        study, own = encode_base64url(terms), encode_base64url(submission)
        return _proof(await self._client.get(f"/v1/studies/{study}/proofs/{own}", reader=reader))

    async def membership(self, reader: Reader) -> Envelope:
        """The membership of the key that the reader signs with, with all countersignatures."""
        return _envelope(await self._client.get("/v1/memberships/own", reader=reader), "membership")

    async def submitted(self, terms: bytes, reader: Reader) -> frozenset[bytes]:
        """Ids of the reading registrar's own members that have submitted to the study; a claim of the gateway."""
        answer = await self._client.get(f"/v1/studies/{encode_base64url(terms)}/submitted", reader=reader)
        return frozenset(_decoded(text, length=MEMBER_ID_BYTES) for text in _items(answer, "members"))

    async def enrolment(self, reader: Reader) -> Envelope:
        """The researcher's document of the key that the reader signs with."""
        return _envelope(await self._client.get("/v1/researchers/own", reader=reader), "researcher")

    async def query(self, digest: bytes, reader: Reader | None = None) -> QueryFile:
        answer = await self._client.get(f"/v1/queries/{encode_base64url(digest)}", reader=reader)
        return QueryFile(
            query=_envelope(answer, "query"),
            asker=_optional_envelope(answer, "asker"),
            decisions=_envelopes(answer, "decisions"),
            results=tuple(_decoded(text) for text in _items(answer, "results")),
            state=_text(answer, "state"),
        )

    async def results(self, reader: Reader | None = None) -> tuple[ResultListing, ...]:
        answer = await self._client.get("/v1/results", reader=reader)
        return tuple(
            ResultListing(
                result=_digest(item, "result"),
                study=_digest(item, "study"),
                time=_text(item, "time"),
                query=_digest(item, "query") if _member(item, "query") is not None else None,
            )
            for item in _items(answer, "results")
        )

    async def result(self, digest: bytes, reader: Reader | None = None) -> ResultFile:
        answer = await self._client.get(f"/v1/results/{encode_base64url(digest)}", reader=reader)
        return ResultFile(
            result=_envelope(answer, "result"),
            query=_optional_envelope(answer, "query"),
            asker=_optional_envelope(answer, "asker"),
        )

    def progress(self, digest: bytes) -> AsyncGenerator[dict[str, Any], None]:
        """Events of a study or query, as they come."""
        return self._client.events(f"/v1/progress/{encode_base64url(digest)}")


def _member(answer: Any, name: str) -> Any:
    if not isinstance(answer, Mapping) or name not in answer:
        raise GatewayFailed(f"the gateway's answer lacks {name}; is it of another version?")
    return answer[name]


def _items(answer: Any, name: str) -> list[Any]:
    value = _member(answer, name)
    if not isinstance(value, list):
        raise GatewayFailed(f"the gateway's answer: {name} is no list")
    return value


def _text(answer: Any, name: str) -> str:
    value = _member(answer, name)
    if not isinstance(value, str):
        raise GatewayFailed(f"the gateway's answer: {name} is no text")
    return _printable(value[:500])


def _printable(text: str) -> str:
    """Without what moves a terminal's cursor or turns the direction of what is shown."""
    return "".join(character if character.isprintable() else " " for character in text)


def _count(answer: Any, name: str) -> int:
    value = _member(answer, name)
    if type(value) is not int or not 0 <= value <= MAX_INTEGER:
        raise GatewayFailed(f"the gateway's answer: {name} is no number")
    return value


def _names(answer: Any, name: str) -> tuple[str, ...]:
    return tuple(_printable(str(one)[:200]) for one in _items(answer, name))


def _digest(answer: Any, name: str) -> bytes:
    return _decoded(_member(answer, name))


def _decoded(value: Any, *, length: int = DIGEST_BYTES) -> bytes:
    try:
        name = decode_base64url(value) if isinstance(value, str) else b""
    except ValueError:
        name = b""
    if len(name) != length:
        raise GatewayFailed(f"the gateway's answer: expected the base64url of {length} bytes")
    return name


def _envelope(answer: Any, name: str) -> Envelope:
    return _parsed(_member(answer, name), name)


def _optional_envelope(answer: Any, name: str) -> Envelope | None:
    value = _member(answer, name)
    return None if value is None else _parsed(value, name)


def _envelopes(answer: Any, name: str) -> tuple[Envelope, ...]:
    return tuple(_parsed(value, name) for value in _items(answer, name))


def _parsed(value: Any, name: str) -> Envelope:
    try:
        return Envelope.parse_json(canonical_bytes(value))
    except (BadDocument, NotCanonical) as error:
        raise GatewayFailed(f"the gateway's answer: {name} is no signed document ({error})") from None


def _proof(value: Any) -> RosterProof:
    try:
        return RosterProof.model_validate_json(canonical_bytes(value))
    except (ValidationError, NotCanonical):
        raise GatewayFailed("the gateway's answer is no Merkle proof") from None
