"""Reading the gateway's store: documents with the signatures that came so far, and places in the feed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, func, select

from mpc_cde.documents.envelope import Envelope, Signature
from mpc_cde.gateway import tables

MAX_ON_SHELF = 1000
_CHUNK = 400

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document that was verified and is to be kept; `signatures` by the key of their signer."""

    type_name: str
    envelope: Envelope
    signatures: tuple[tuple[bytes, Signature], ...]
    study: bytes | None = None
    subject: bytes | None = None
    party: int | None = None
    reader_key: bytes | None = None
    register_id: bytes | None = None


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document as it is kept, with every signature that came so far."""

    digest: bytes
    type_name: str
    payload_type: str
    payload: bytes
    signatures: tuple[tuple[bytes, Signature], ...]
    study: bytes | None
    subject: bytes | None
    party: int | None
    reader_key: bytes | None
    number: int
    received: str

    @property
    def signers(self) -> frozenset[bytes]:
        """Public keys of those that signed."""
        return frozenset(signer for signer, _ in self.signatures)

    @property
    def envelope(self) -> Envelope:
        """The document with all its signatures."""
        ordered = sorted((s for _, s in self.signatures), key=lambda s: (s.keyid, s.sig))
        return Envelope(payload_type=self.payload_type, payload=self.payload, signatures=tuple(ordered))


@dataclass(frozen=True, slots=True)
class SubmissionRow:
    """What is kept of a submission beside its document."""

    digest: bytes
    study: bytes
    member: bytes
    sequence: int
    membership: bytes


@dataclass(frozen=True, slots=True)
class FeedPlace:
    """One number of the feed."""

    number: int
    digest: bytes


class Shelf:
    """What was worked out from the store, each with the stamp of what it came from. For several threads."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, bytes], tuple[object, Any]] = {}

    def recall(self, what: tuple[str, bytes], stamp: object, make: Callable[[], T]) -> T:
        """What was made under the same stamp, or a new one."""
        kept = self._kept.get(what)
        if kept is not None and kept[0] == stamp:
            found: T = kept[1]
            return found
        made = make()
        if len(self._kept) >= MAX_ON_SHELF:
            self._kept.clear()
        self._kept[what] = (stamp, made)
        return made


class StoreView:
    """Reads of one transaction."""

    def __init__(self, connection: Connection, shelf: Shelf) -> None:
        self.connection = connection
        self._shelf = shelf

    def recall(self, name: str, key: bytes, stamp: object, make: Callable[[], T]) -> T:
        """What was worked out before, if `stamp` is still the same; the stamp must cover all that `make` reads."""
        return self._shelf.recall((name, key), stamp, make)

    def document(self, digest: bytes) -> StoredDocument | None:
        return next(iter(self._load(tables.documents.c.digest == digest)), None)

    def documents(
        self,
        type_name: str,
        *,
        study: bytes | None = None,
        subject: bytes | None = None,
        party: int | None = None,
        reader_key: bytes | None = None,
        register_id: bytes | None = None,
    ) -> list[StoredDocument]:
        """All documents of a type for which every given column is so, in the order of their arrival."""
        columns = tables.documents.c
        wanted = {
            "study": study,
            "subject": subject,
            "party": party,
            "reader_key": reader_key,
            "register_id": register_id,
        }
        conditions = [columns[name] == value for name, value in wanted.items() if value is not None]
        return self._load(columns.type == type_name, *conditions)

    def documents_by_digest(self, digests: Sequence[bytes]) -> dict[bytes, StoredDocument]:
        found: dict[bytes, StoredDocument] = {}
        for start in range(0, len(digests), _CHUNK):
            part = list(digests[start : start + _CHUNK])
            found.update((d.digest, d) for d in self._load(tables.documents.c.digest.in_(part)))
        return found

    def has_document(self, digest: bytes) -> bool:
        column = tables.documents.c.digest
        return self.connection.scalar(select(column).where(column == digest)) is not None

    def count_documents(self, type_name: str) -> int:
        statement = select(func.count()).select_from(tables.documents)
        return int(self.connection.scalar(statement.where(tables.documents.c.type == type_name)) or 0)

    def submission(self, digest: bytes) -> SubmissionRow | None:
        return next(iter(self._submissions(tables.submissions.c.digest == digest)), None)

    def submissions(self, study: bytes, *, member: bytes | None = None) -> list[SubmissionRow]:
        """Of a study, or of one member in it, by member and sequence."""
        columns = tables.submissions.c
        conditions = [columns.study == study]
        if member is not None:
            conditions.append(columns.member == member)
        return self._submissions(*conditions)

    def count_members(self, study: bytes) -> int:
        """How many members have at least one submission in the study."""
        column = tables.submissions.c
        statement = select(func.count(func.distinct(column.member))).where(column.study == study)
        return int(self.connection.scalar(statement) or 0)

    def count_submissions(self, study: bytes) -> int:
        column = tables.submissions.c
        return int(self.connection.scalar(select(func.count()).where(column.study == study)) or 0)

    def count_by_party(self, type_name: str, study: bytes) -> dict[int, int]:
        """How many documents of a type each party has signed for the study."""
        c = tables.documents.c
        statement = select(c.party, func.count()).where(
            c.type == type_name, c.study == study, c.party.is_not(None)
        )
        return {
            int(party): int(count) for party, count in self.connection.execute(statement.group_by(c.party))
        }

    def correction(self, submission: bytes) -> bytes | None:
        t = tables.submissions.c
        return _bytes(self.connection.scalar(select(t.correction).where(t.digest == submission)))

    def sealed_envelope(self, submission: bytes, party: int) -> bytes | None:
        t = tables.sealed_envelopes.c
        statement = select(t.content).where(t.submission == submission, t.party == party)
        return _bytes(self.connection.scalar(statement))

    def roster_entries(self, roster: bytes) -> bytes | None:
        t = tables.roster_entries.c
        return _bytes(self.connection.scalar(select(t.content).where(t.roster == roster)))

    def feed_after(self, number: int, *, limit: int) -> list[FeedPlace]:
        t = tables.feed.c
        statement = select(t.number, t.digest).where(t.number > number).order_by(t.number).limit(limit)
        return [FeedPlace(int(row.number), bytes(row.digest)) for row in self.connection.execute(statement)]

    def fact(self, name: str) -> int | None:
        t = tables.facts.c
        value = self.connection.scalar(select(t.value).where(t.name == name))
        return None if value is None else int(value)

    def _submissions(self, *conditions: Any) -> list[SubmissionRow]:
        t = tables.submissions.c
        statement = select(t.digest, t.study, t.member, t.sequence, t.membership).where(*conditions)
        rows = self.connection.execute(statement.order_by(t.member, t.sequence))
        return [
            SubmissionRow(
                bytes(r.digest), bytes(r.study), bytes(r.member), int(r.sequence), bytes(r.membership)
            )
            for r in rows
        ]

    def _load(self, *conditions: Any) -> list[StoredDocument]:
        statement = select(tables.documents).where(*conditions).order_by(tables.documents.c.number)
        rows = self.connection.execute(statement).all()
        signatures = self._signatures([bytes(row.digest) for row in rows])
        return [
            StoredDocument(
                digest=bytes(row.digest),
                type_name=row.type,
                payload_type=row.payload_type,
                payload=bytes(row.payload),
                signatures=tuple(signatures.get(bytes(row.digest), ())),
                study=_bytes(row.study),
                subject=_bytes(row.subject),
                party=row.party,
                reader_key=_bytes(row.reader_key),
                number=int(row.number),
                received=row.received,
            )
            for row in rows
        ]

    def _signatures(self, digests: list[bytes]) -> dict[bytes, list[tuple[bytes, Signature]]]:
        t = tables.signatures
        found: dict[bytes, list[tuple[bytes, Signature]]] = {}
        for start in range(0, len(digests), _CHUNK):
            chosen = select(t).where(t.c.digest.in_(digests[start : start + _CHUNK])).order_by(t.c.signer)
            for row in self.connection.execute(chosen):
                signature = Signature(keyid=bytes(row.keyid), sig=bytes(row.sig))
                found.setdefault(bytes(row.digest), []).append((bytes(row.signer), signature))
        return found


def _bytes(value: Any) -> bytes | None:
    return None if value is None else bytes(value)
