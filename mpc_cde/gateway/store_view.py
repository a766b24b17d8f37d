"""Reading the gateway's store: documents with the signatures that came so far, and places in the feed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, bindparam, func, select

from mpc_cde.documents.envelope import Envelope, Signature, envelope_json
from mpc_cde.gateway import tables
from mpc_cde.gateway.gathered import COLUMNS, Gathered, Interest
from mpc_cde.lookups import Lookup
from mpc_cde.prepared_statements import PreparedStatement

MAX_ON_SHELF = 1000
_CHUNK = 500
T = TypeVar("T")


class KeptSignature(NamedTuple):
    """A `Signature` as a row has it."""

    keyid: bytes
    sig: bytes


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document that was verified and is to be kept; `signatures` by the key of their signer.

    `is_known` if it was here with all these signatures when it was verified.
    """

    type_name: str
    digest: bytes
    envelope: Envelope
    signatures: tuple[tuple[bytes, KeptSignature], ...]
    is_known: bool = False
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
    signatures: tuple[tuple[bytes, KeptSignature], ...]
    study: bytes | None
    subject: bytes | None
    party: int | None
    reader_key: bytes | None
    register_id: bytes | None
    number: int
    received: str

    @property
    def signers(self) -> frozenset[bytes]:
        """Public keys of those that signed."""
        return frozenset(signer for signer, _ in self.signatures)

    @property
    def envelope(self) -> Envelope:
        """The document with all its signatures."""
        made = (Signature(keyid=keyid, sig=sig) for keyid, sig in self._ordered)
        return Envelope(payload_type=self.payload_type, payload=self.payload, signatures=tuple(made))

    @property
    def envelope_json(self) -> bytes:
        """The envelope as it is written."""
        return envelope_json(self.payload_type, self.payload, self._ordered)

    @property
    def _ordered(self) -> list[tuple[bytes, bytes]]:
        return sorted((s.keyid, s.sig) for _, s in self.signatures)


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


class MemberCounts:
    """How many members each study has, as of one number of the feed; so that no posting counts them anew."""

    def __init__(self) -> None:
        self._as_of: tuple[int, dict[bytes, int]] = (0, {})

    def at(self, number: int, study: bytes, count: Callable[[], int]) -> int:
        """The number of members when the feed stood at `number`; `count` is asked if that is not known."""
        as_of, known = self._as_of
        if as_of == number and study in known:
            return known[study]
        counted = count()
        as_of, known = self._as_of
        if number >= as_of:
            self._as_of = (number, {**(known if as_of == number else {}), study: counted})
        return counted

    def move_on(self, before: int, after: int, joined: Mapping[bytes, int]) -> None:
        """One transaction took the feed from `before` to `after`, and so many members joined."""
        as_of, known = self._as_of
        if as_of == before:
            self._as_of = (after, {study: count + joined.get(study, 0) for study, count in known.items()})


class Shelf:
    """What was worked out from the store, each with the stamp of what it came from. For several threads."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, bytes], tuple[object, Any]] = {}
        self.members = MemberCounts()

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


_d, _g, _s, _e = (
    table.c for table in (tables.documents, tables.signatures, tables.submissions, tables.sealed_envelopes)
)
_SUBMISSION = select(_s.digest, _s.study, _s.member, _s.sequence, _s.membership)
_DOCUMENTS_BY = {
    name: Lookup(
        lambda values, column=_d[name]: (  # type: ignore[misc]  # the default only fixes the column
            select(tables.documents).where(column.in_(values)).order_by(_d.number)
        )
    )
    for name in ("digest", *COLUMNS)
}
_SIGNATURES = Lookup(
    lambda values: select(tables.signatures).where(_g.digest.in_(values)).order_by(_g.signer)
)
_SUBMISSIONS = Lookup(lambda values: _SUBMISSION.where(_s.digest.in_(values)))
_SUBMISSIONS_OF = Lookup(
    lambda values: _SUBMISSION.where(_s.study == bindparam("study"), _s.member.in_(values))
)
_PARTS = Lookup(
    lambda values: select(_s.digest, _s.correction, _e.content).where(
        _s.digest.in_(values), _e.submission == _s.digest, _e.party == bindparam("party")
    )
)


_FACT = PreparedStatement(select(tables.facts.c.value).where(tables.facts.c.name == bindparam("fact")))


class StoreView:
    """Reads of one transaction. What was gathered is answered from memory, all else by the database."""

    def __init__(self, connection: Connection, shelf: Shelf) -> None:
        self._connection = connection
        self._shelf = shelf
        self._gathered = Gathered()
        self._found: dict[object, Any] = {}

    @property
    def connection(self) -> Connection:
        """What this transaction has changed so far is seen through it."""
        return self._connection

    def gather(self, interests: Iterable[Interest]) -> None:
        """Read at once what is kept about these, so that looking at each costs no query."""
        wanted = Interest.union(interests)
        digests = sorted(wanted.digests)
        self._gathered.put_digests(digests, self._load_all(_DOCUMENTS_BY["digest"], digests))
        for name in COLUMNS:
            values = sorted(getattr(wanted, name))
            self._gathered.put_about(name, values, self._load_all(_DOCUMENTS_BY[name], values))
        self._gathered.put_submissions(digests, _submission_rows(self._rows_of(_SUBMISSIONS, digests)))
        for study in sorted({study for study, _ in wanted.takes_part}):
            members = sorted(member for other, member in wanted.takes_part if other == study)
            rows = self._rows_of(_SUBMISSIONS_OF, members, study=study)
            self._gathered.put_members(study, members, _submission_rows(rows))

    def once(self, what: object, find: Callable[[], T]) -> T:
        """What was found in this view before: a view never changes."""
        if what not in self._found:
            self._found[what] = find()
        found: T = self._found[what]
        return found

    def recall(self, name: str, key: bytes, stamp: object, make: Callable[[], T]) -> T:
        """What was worked out before, if `stamp` is still the same; the stamp must cover all that `make` reads."""
        return self._shelf.recall((name, key), stamp, make)

    def document(self, digest: bytes) -> StoredDocument | None:
        gathered = self._gathered.document(digest)
        if gathered is not None:
            return gathered[0]
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
        given = {name: value for name, value in wanted.items() if value is not None}
        gathered = self._gathered.documents(type_name, given)
        if gathered is not None:
            return gathered
        conditions = [columns[name] == value for name, value in given.items()]
        return self._load(columns.type == type_name, *conditions)

    def documents_by_digest(self, digests: Sequence[bytes]) -> dict[bytes, StoredDocument]:
        return {stored.digest: stored for stored in self._load_all(_DOCUMENTS_BY["digest"], digests)}

    def count_documents(self, type_name: str, *, study: bytes | None = None) -> int:
        statement = select(func.count()).select_from(tables.documents).where(_d.type == type_name)
        if study is not None:
            statement = statement.where(_d.study == study)
        return int(self._scalar(statement) or 0)

    def submission(self, digest: bytes) -> SubmissionRow | None:
        gathered = self._gathered.submission(digest)
        if gathered is not None:
            return gathered[0]
        return next(iter(_submission_rows(self._rows_of(_SUBMISSIONS, [digest]))), None)

    def submissions(self, study: bytes, *, member: bytes | None = None) -> list[SubmissionRow]:
        """Of a study, or of one member in it, by member and sequence."""
        gathered = None if member is None else self._gathered.submissions_of(study, member)
        if gathered is not None:
            return gathered
        columns = tables.submissions.c
        conditions = [columns.study == study]
        if member is not None:
            conditions.append(columns.member == member)
        return _submission_rows(self._rows(_SUBMISSION.where(*conditions).order_by(_s.member, _s.sequence)))

    def each_submission(self, study: bytes) -> Iterator[SubmissionRow]:
        """All of a study by digest, one after another."""
        statement = _SUBMISSION.where(_s.study == study).order_by(_s.digest)
        for rows in self._rows(statement.execution_options(yield_per=_CHUNK)).partitions():
            yield from _submission_rows(rows)

    def each_payload(self, type_name: str, *, study: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Digest and payload of all documents of a type, one after another and in no order."""
        statement = select(_d.digest, _d.payload).where(_d.type == type_name)
        if study is not None:
            statement = statement.where(_d.study == study)
        for row in self._rows(statement.execution_options(yield_per=_CHUNK)):
            yield bytes(row.digest), bytes(row.payload)

    def count_members(self, study: bytes) -> int:
        """How many members have at least one submission in the study."""
        return self.once(
            ("members", study),
            lambda: self._shelf.members.at(
                self.feed_number, study, lambda: self._count_rows_of_members(study)
            ),
        )

    def memberships_of_members(self, study: bytes) -> list[tuple[bytes, bytes]]:
        """Each member of the study with each membership that it submitted under: (member, digest)."""
        statement = select(_s.member, _s.membership).where(_s.study == study).distinct().order_by(_s.member)
        return [(bytes(row.member), bytes(row.membership)) for row in self._rows(statement)]

    def _count_rows_of_members(self, study: bytes) -> int:
        column = tables.submissions.c
        statement = select(func.count(func.distinct(column.member))).where(column.study == study)
        return int(self._scalar(statement) or 0)

    @cached_property
    def feed_number(self) -> int:
        """The number of the newest item in this view."""
        return self.fact("feed") or 0

    def count_submissions(self, study: bytes) -> int:
        column = tables.submissions.c
        return int(self._scalar(select(func.count()).where(column.study == study)) or 0)

    def count_by_party(self, type_name: str, study: bytes) -> dict[int, int]:
        """How many documents of a type each party has signed for the study."""
        c = tables.documents.c
        statement = select(c.party, func.count()).where(
            c.type == type_name, c.study == study, c.party.is_not(None)
        )
        return {int(party): int(count) for party, count in self._rows(statement.group_by(c.party))}

    def parts_for(self, party: int, submissions: Sequence[bytes]) -> dict[bytes, tuple[bytes, bytes]]:
        """Correction and the envelope sealed to a party, by the digest of the submission."""
        rows = self._rows_of(_PARTS, submissions, party=party)
        return {bytes(row.digest): (bytes(row.correction), bytes(row.content)) for row in rows}

    def roster_entries(self, roster: bytes) -> bytes | None:
        t = tables.roster_entries.c
        return _bytes(self._scalar(select(t.content).where(t.roster == roster)))

    def feed_after(self, number: int, *, limit: int) -> list[FeedPlace]:
        t = tables.feed.c
        statement = select(t.number, t.digest).where(t.number > number).order_by(t.number).limit(limit)
        return [FeedPlace(int(row.number), bytes(row.digest)) for row in self._rows(statement)]

    def fact(self, name: str) -> int | None:
        def find() -> int | None:
            value = _FACT.execute(self.connection, {"fact": name}).scalar()
            return None if value is None else int(value)

        return self.once(("fact", name), find)

    def _rows(self, statement: Any) -> Any:
        return self.connection.execute(statement)

    def _scalar(self, statement: Any) -> Any:
        return self._rows(statement).scalar()

    def _rows_of(self, lookup: Lookup, values: Sequence[bytes], **given: Any) -> list[Any]:
        return lookup.rows(self.connection, values, **given)

    def _load_all(self, lookup: Lookup, values: Sequence[bytes]) -> list[StoredDocument]:
        return self._with_signatures(self._rows_of(lookup, values))

    def _load(self, *conditions: Any) -> list[StoredDocument]:
        statement = select(tables.documents).where(*conditions).order_by(_d.number)
        return self._with_signatures(self._rows(statement).all())

    def _with_signatures(self, rows: Sequence[Any]) -> list[StoredDocument]:
        signatures: dict[bytes, list[tuple[bytes, KeptSignature]]] = {}
        for row in self._rows_of(_SIGNATURES, [bytes(row.digest) for row in rows]):
            signature = KeptSignature(bytes(row.keyid), bytes(row.sig))
            signatures.setdefault(bytes(row.digest), []).append((bytes(row.signer), signature))
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
                register_id=_bytes(row.register_id),
                number=int(row.number),
                received=row.received,
            )
            for row in rows
        ]


def _submission_rows(rows: Iterable[Any]) -> list[SubmissionRow]:
    return [
        SubmissionRow(bytes(r.digest), bytes(r.study), bytes(r.member), int(r.sequence), bytes(r.membership))
        for r in rows
    ]


def _bytes(value: Any) -> bytes | None:
    return None if value is None else bytes(value)
