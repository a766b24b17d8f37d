"""Fetching everything that a result rests on, so that it can be verified here and exported."""

from __future__ import annotations

from collections.abc import Iterable

from mpc_cde.client.connection import Connection, begins
from mpc_cde.client.http import Reader
from mpc_cde.client.member import Member, own_evidence
from mpc_cde.client.verification import Evidence, VerifiedResult, verify_result, verify_study
from mpc_cde.documents.envelope import Envelope, open_envelope
from mpc_cde.documents.result import Result
from mpc_cde.errors import BadDocument, CallerError


async def gather_evidence(
    connection: Connection,
    result_digest: bytes,
    *,
    reader: Reader | None = None,
    asker: Envelope | None = None,
    own: tuple[Member, Envelope] | None = None,
) -> Evidence:
    """All documents under a result, unverified. `asker` stands in where the gateway does not serve it.

    `own` is a member with its submission: its receipts and its proof come along. Raises NotFound, TransportError.
    """
    calls = connection.calls
    published = await calls.result(result_digest, reader)
    envelope = published.result
    if envelope.digest() != result_digest:
        raise BadDocument("the gateway served another result than was asked for", whom="the gateway")
    result = open_envelope(envelope, Result)
    file = await calls.study(result.study_terms)
    if file.roster is None or file.checked_roster is None:
        raise BadDocument("the gateway serves a result without its roster", whom="the gateway")
    own_part = None
    if own is not None:
        member, submission = own
        study = verify_study(connection.trusted, file.study, file.approvals, file.amendments)
        own_part = await own_evidence(connection, study, member, submission, reader=reader)
    return Evidence(
        communities=connection.trusted.envelopes,
        study=file.study,
        amendments=file.amendments,
        approvals=file.approvals,
        roster=file.roster,
        checked_roster=file.checked_roster,
        query=published.query,
        asker=None if published.query is None else published.asker or asker,
        result=envelope,
        own=own_part,
    )


async def verified_result(
    connection: Connection,
    result_digest: bytes,
    *,
    reader: Reader | None = None,
    asker: Envelope | None = None,
    own: tuple[Member, Envelope] | None = None,
) -> VerifiedResult:
    """Fetch a result with everything under it and verify it. Raises PeerError, NotFound, TransportError."""
    evidence = await gather_evidence(connection, result_digest, reader=reader, asker=asker, own=own)
    return verify_result(evidence, connection.trusted.fingerprint)


def choose_result(digests: Iterable[bytes], named: str) -> bytes:
    """The one result whose digest begins as a person wrote it. Raises CallerError."""
    found = [digest for digest in digests if begins(digest, named)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise CallerError(
            f"no result that may be read here begins with {named!r}",
            hint="See them with `mpc-cde result list`.",
        )
    raise CallerError(f"{len(found)} results begin with {named!r}", hint="Write more characters.")
