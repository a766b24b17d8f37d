"""The one way into the store: read a body, verify it, keep it, tell everybody who waits, then acknowledge.

A posted document needs no second signature. Handing it in again is harmless: it is named by its digest, and the
answer is 200 where the first was 201.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from anyio import to_thread
from fastapi import Request
from starlette.responses import Response

from mpc_cde.body_parts import DOCUMENTS_MEDIA_TYPE
from mpc_cde.documents.canonical import encode_base64url
from mpc_cde.documents.community import Community
from mpc_cde.documents.envelope import Envelope
from mpc_cde.documents.registry import document_class_of
from mpc_cde.errors import BadSignature, MpcCdeError
from mpc_cde.gateway.admission import Context, Rule, admit
from mpc_cde.gateway.answers import Acknowledged, PostedAnswer, PostedDocument, Problem, send
from mpc_cde.gateway.bodies import (
    JSON,
    media_type,
    parse_envelope,
    parse_envelopes,
    read_body,
    require_media_type,
)
from mpc_cde.gateway.desk import Desk, address_of
from mpc_cde.gateway.keeping import Acknowledgeable, Posting, Verified
from mpc_cde.gateway.problems import ProblemKind, RequestRefused, answer_to_error
from mpc_cde.gateway.readers import charge, charge_office, require_office
from mpc_cde.gateway.store import Kept
from mpc_cde.gateway.store_view import StoredDocument

GROWTH = 8
MakeRule = Callable[[Envelope, Context], Rule]


async def post_one_of(
    request: Request, desk: Desk, rules: Mapping[str, MakeRule], *, max_bytes: int | None = None
) -> Response:
    """A POST whose body is one document of one of these types ("approval/v1")."""
    require_media_type(request, JSON)
    body = await read_body(
        request,
        max_bytes=max_bytes or desk.limits.max_document_bytes,
        deadline_seconds=desk.limits.body_seconds,
    )
    envelope = parse_envelope(body)
    make_rule = rule_for(envelope, rules)
    return await keep(desk, envelope, partial(verify_with, make_rule, envelope))


def rule_for(envelope: Envelope, rules: Mapping[str, MakeRule]) -> MakeRule:
    """The rule of the document's type. Raises RequestRefused if it does not belong here."""
    for name, make_rule in rules.items():
        if document_class_of(name).payload_type() == envelope.payload_type:
            return make_rule
    raise RequestRefused(
        ProblemKind.DOCUMENT_REFUSED, f"expected {' or '.join(rules)}, found {envelope.payload_type}"
    )


def verify_with(make_rule: MakeRule, envelope: Envelope, context: Context) -> Verified:
    """The document as its rule admits it."""
    rule = make_rule(envelope, context)
    return Verified(admit(envelope, rule, context), rule, context)


async def post_several_of(request: Request, desk: Desk, rules: Mapping[str, MakeRule]) -> Response:
    """A POST of one document as `post_one_of`, or of several that a party or a registrar signed."""
    if media_type(request) != DOCUMENTS_MEDIA_TYPE:
        return await post_one_of(request, desk, rules)
    limits = desk.limits
    body = await read_body(request, max_bytes=limits.max_document_bytes, deadline_seconds=limits.body_seconds)
    envelopes = parse_envelopes(body)
    postings = [Posting(e, partial(verify_with, rule_for(e, rules), e)) for e in envelopes]
    verified = await _verify_growing(desk, postings, address_of(request.scope))
    good = [each for each in verified if isinstance(each, Verified)]
    kept = iter(await desk.keeper.keeping.ask_all(good))
    outcomes = [next(kept) if isinstance(each, Verified) else each for each in verified]
    _tell(desk, [outcome.kept for outcome in outcomes if isinstance(outcome, Acknowledgeable)])
    return send(PostedAnswer(documents=tuple(_posted(outcome) for outcome in outcomes)))


async def _verify_growing(
    desk: Desk, postings: Sequence[Posting], address: str
) -> list[Verified | Exception]:
    """Verify and charge each document on its own, as far as an office signed it.

    Few at first: a stranger's forgery ends the body before much of it was verified. What is refused, and what
    was here before, anybody can send in an office's name: the address pays for it, and when it cannot the body
    ends.
    """
    paid = 1  # for the request
    outcomes: list[Verified | Exception] = []
    size = 1
    while len(outcomes) < len(postings):
        group = postings[len(outcomes) : len(outcomes) + size]
        size *= GROWTH
        outcomes += [_charged(desk, each) for each in await desk.keeper.verifying.ask_all(group)]
        in_vain = sum(not isinstance(outcome, Verified) or outcome.is_known for outcome in outcomes)
        wait = desk.addresses.owe(address, max(0, in_vain - paid))
        paid = max(paid, in_vain)
        why = None
        if any(isinstance(outcome, BadSignature) for outcome in outcomes):
            why = "not looked at: one before it has a bad signature"
        elif wait > 0:
            why = "not looked at: too much from this address was refused, or known"
        if why is not None:
            rest = RequestRefused(ProblemKind.TOO_MANY_REQUESTS, why, retry_after_seconds=wait or None)
            outcomes += [rest] * (len(postings) - len(outcomes))
    return outcomes


def _charged(desk: Desk, verified: Verified | Exception) -> Verified | Exception:
    if isinstance(verified, Verified):
        try:
            if verified.is_known:  # whoever sends it again: its signer's tokens are not for others to spend
                require_office(desk, verified.new.signatures[0][0])
                return verified
            charge_office(desk, verified.new.signatures[0][0])
        except RequestRefused as refused:
            return refused
    return verified


def _posted(outcome: Acknowledgeable | Exception) -> PostedDocument:
    if isinstance(outcome, Acknowledgeable):
        number = outcome.kept.number
        return PostedDocument(status=200 if number is None else 201, number=number, problem=None)
    if not isinstance(outcome, MpcCdeError):
        raise outcome
    problem = Problem.model_validate_json(bytes(answer_to_error(outcome).body))
    return PostedDocument(status=problem.status, number=None, problem=problem)


async def keep(desk: Desk, envelope: Envelope, verify: Callable[[Context], Verified]) -> Response:
    """Verify outside of any lock, charge the key that signed, keep, acknowledge. Raises RequestRefused."""
    verified = await desk.keeper.verifying.ask(Posting(envelope, verify))
    signer = verified.new.signatures[0][0]
    if not (verified.is_known and desk.is_office(signer)):  # again: the request of its address has paid
        charge(desk, signer)
    found = await desk.keeper.keeping.ask(verified)
    kept, stored, waiting = found.kept, found.kept.stored, found.waiting
    if kept.number is not None and stored.type_name == Community.type_name():
        await to_thread.run_sync(desk.refresh_community)
    _tell(desk, [kept])
    acknowledged = Acknowledged(
        document=stored.digest,
        type=stored.type_name,
        number=kept.number,
        signatures=len(stored.signatures),
        complete=not waiting,
        waiting_for=waiting,
    )
    location = _location_of(stored)
    headers = {"Location": location} if location else {}
    return send(acknowledged, 200 if kept.number is None else 201, headers=headers)


def _tell(desk: Desk, kept: Sequence[Kept]) -> None:
    """Count what is new and wake who waits for it."""
    news = [each for each in kept if each.number is not None]
    for each in news:
        desk.metrics.count_kept(each.stored.type_name)
        desk.receipts.tell(each)
    if news:
        desk.bell.ring()


def _location_of(stored: StoredDocument) -> str | None:
    name = stored.type_name.partition("/")[0]
    if name == "study" and stored.study is not None:
        return f"/v1/studies/{encode_base64url(stored.study)}"
    collections = {"submission": "submissions", "query": "queries", "result": "results"}
    if name in collections:
        return f"/v1/{collections[name]}/{encode_base64url(stored.digest)}"
    return None
