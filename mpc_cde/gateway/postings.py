"""The one way into the store: read a body, verify it, keep it, tell everybody who waits, then acknowledge.

A posted document needs no second signature. Handing it in again is harmless: it is named by its digest, and the
answer is 200 where the first was 201.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from anyio import to_thread
from fastapi import Request
from starlette.responses import Response

from mpc_cde.documents.canonical import encode_base64url
from mpc_cde.documents.community import Community
from mpc_cde.documents.envelope import Envelope
from mpc_cde.documents.registry import document_class_of
from mpc_cde.gateway.admission import Context, Rule, admit
from mpc_cde.gateway.answers import Acknowledged, send
from mpc_cde.gateway.bodies import JSON, parse_envelope, read_body, require_media_type
from mpc_cde.gateway.desk import Desk
from mpc_cde.gateway.keeping import Posting, Verified
from mpc_cde.gateway.problems import ProblemKind, RequestRefused
from mpc_cde.gateway.readers import charge
from mpc_cde.gateway.store_view import StoredDocument

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


async def keep(desk: Desk, envelope: Envelope, verify: Callable[[Context], Verified]) -> Response:
    """Verify outside of any lock, charge the key that signed, keep, acknowledge. Raises RequestRefused."""
    verified = await desk.keeper.verifying.ask(Posting(envelope, verify))
    charge(desk, verified.new.signatures[0][0])
    found = await desk.keeper.keeping.ask(verified)
    kept, stored, waiting = found.kept, found.kept.stored, found.waiting
    if kept.number is not None:
        if stored.type_name == Community.type_name():
            await to_thread.run_sync(desk.refresh_community)
        desk.metrics.documents.labels(stored.type_name).inc()
        desk.bell.ring()
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


def _location_of(stored: StoredDocument) -> str | None:
    name = stored.type_name.partition("/")[0]
    if name == "study" and stored.study is not None:
        return f"/v1/studies/{encode_base64url(stored.study)}"
    collections = {"submission": "submissions", "query": "queries", "result": "results"}
    if name in collections:
        return f"/v1/{collections[name]}/{encode_base64url(stored.digest)}"
    return None
