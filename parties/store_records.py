"""What comes out of a party's store: documents, judged submissions, locked shares, messages to be sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from sqlalchemy import Row, Select, select

from mpc_cde.documents.base import Document
from mpc_cde.documents.canonical import decode_base64url, digest_of, encode_base64url
from mpc_cde.documents.envelope import Envelope, keyid_of, read_kept_document
from mpc_cde.errors import BadDocument, StoreDamaged
from parties import store_tables as tables

_BEFORE_PAYLOAD = b'{"payload":"'

SubmissionState = Literal["accepted", "refused"]
OutboxState = Literal["pending", "delivered", "refused"]

DocumentT = TypeVar("DocumentT", bound=Document)


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A verified document; `study` is the digest of terms.

    `subject` is whom or what it is about (the digest or id by which it is looked up: member id of
    memberships, withdrawals and revocations; submission of receipts; query of decisions; study of
    approvals; roster of checked rosters; job of complaints). `party` signed it, where one party does.
    `feed_number` and `received` (a timestamp of this party's clock) say when it last brought something new;
    None for own documents that the feed has yet to bring back.
    """

    digest: bytes
    type_name: str
    envelope: Envelope
    study: bytes | None = None
    subject: bytes | None = None
    party: int | None = None
    feed_number: int | None = None
    received: str | None = None

    def parse(self, document_class: type[DocumentT]) -> DocumentT:
        """The document inside. Raises BadDocument if it is of another type."""
        return read_kept_document(self.envelope.payload, document_class)

    def has_signature_of(self, public_key: bytes) -> bool:
        """Whether the key's signature is kept: only those that hold are, and under the hint to the key that made them
        (signature_filter.py)."""
        hint = keyid_of(public_key)
        return any(signature.keyid == hint for signature in self.envelope.signatures)


@dataclass(frozen=True, slots=True)
class SubmissionRecord:
    """One judged submission; `reason` is "accepted" or why not, `judged` when (this party's clock)."""

    digest: bytes
    study: bytes
    member: bytes
    sequence: int
    membership: bytes | None
    holding: str | None
    state: SubmissionState
    reason: str
    judged: str
    envelope: Envelope


@dataclass(frozen=True, slots=True)
class AcceptedRow:
    """An accepted submission by digests and numbers alone."""

    submission: bytes
    membership: bytes | None
    member: bytes
    sequence: int


@dataclass(frozen=True, slots=True)
class SealedShares:
    """This party's part of an accepted submission: the correction (public) and its seeds, still locked."""

    submission: bytes
    correction: bytes
    sealed_seeds: bytes
    envelope: Envelope


@dataclass(frozen=True, slots=True)
class OutboxItem:
    """One message to the gateway: an envelope as JSON, perhaps with a named JSON part beside it.

    `problem` says why it was refused or what last went wrong.
    """

    number: int
    path: str
    digest: bytes
    body: bytes
    state: OutboxState
    attempts: int
    problem: str | None
    attachment_name: str | None = None
    attachment: bytes | None = None


def submission_columns() -> Select[Any]:
    """All of a submission but its shares, which are large."""
    t = tables.submissions
    return select(
        t.c.digest,
        t.c.study,
        t.c.member,
        t.c.sequence,
        t.c.membership,
        t.c.holding,
        t.c.state,
        t.c.reason,
        t.c.judged,
        t.c.envelope,
    )


def stored_document(row: Row[Any]) -> StoredDocument:
    """A row of the documents table."""
    return StoredDocument(
        digest=row.digest,
        type_name=row.type,
        envelope=envelope_kept(row.digest, row.envelope),
        study=row.study,
        subject=row.subject,
        party=row.party,
        feed_number=row.feed_number,
        received=row.received,
    )


def submission_record(row: Row[Any]) -> SubmissionRecord:
    """A row of `submission_columns`."""
    return SubmissionRecord(
        digest=row.digest,
        study=row.study,
        member=row.member,
        sequence=row.sequence,
        membership=row.membership,
        holding=row.holding,
        state=row.state,
        reason=row.reason,
        judged=row.judged,
        envelope=envelope_kept(row.digest, row.envelope),
    )


def payload_kept(digest: bytes, kept: bytes) -> bytes:
    """The payload alone, without a look at signatures: an envelope is kept as its canonical JSON, in which the
    payload comes first. Raises StoreDamaged if the disk gives back another.
    """
    end = kept.find(b'"', len(_BEFORE_PAYLOAD))
    try:
        payload = decode_base64url(kept[len(_BEFORE_PAYLOAD) : end].decode("ascii"))
    except ValueError:
        payload = b""
    if not kept.startswith(_BEFORE_PAYLOAD) or digest_of(payload) != digest:
        raise StoreDamaged(f"the store's document {encode_base64url(digest)} is not the one that was kept")
    return payload


def envelope_kept(digest: bytes, kept: bytes) -> Envelope:
    """What was signed, from the row of this digest. Raises StoreDamaged if the disk gives back another."""
    try:
        envelope = Envelope.read_kept(kept)
    except BadDocument as error:
        raise StoreDamaged(f"the store's row {encode_base64url(digest)}: {error}") from None
    if envelope.digest() != digest:
        raise StoreDamaged(f"the store's document {encode_base64url(digest)} is not the one that was kept")
    return envelope
