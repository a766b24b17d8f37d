"""Reading a party's store: what a page of the feed asks for is gathered at once and answered from memory, all else by
the database.

Everything here blocks: asynchronous callers go through `anyio.to_thread.run_sync`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import Connection, func, select

from mpc_cde.errors import StoreDamaged
from mpc_cde.lookups import Lookup
from mpc_cde.node_log import EMPTY, LogHead
from parties import store_tables as tables
from parties.gathered_rows import Gathered, Interest
from parties.store_records import (
    AcceptedRow,
    OutboxItem,
    OutboxState,
    SealedShares,
    StoredDocument,
    SubmissionRecord,
    SubmissionState,
    envelope_kept,
    payload_kept,
    stored_document,
    submission_columns,
    submission_record,
)

_CHUNK = 500
_SEEN_IN_FEED = ("receipt/v1", "withdrawal-receipt/v1", "decision/v1")
"""Own messages that somebody waits for, and whose coming back shows that the gateway has them."""


_DOCUMENTS = Lookup(lambda values: select(tables.documents).where(tables.documents.c.digest.in_(values)))
_DOCUMENTS_ABOUT = Lookup(
    lambda values: select(tables.documents).where(tables.documents.c.subject.in_(values))
)
_REGISTERED = Lookup(
    lambda values: select(tables.register_entries).where(tables.register_entries.c.register_id.in_(values))
)
_SUBMISSIONS = Lookup(lambda values: submission_columns().where(tables.submissions.c.digest.in_(values)))
_SUBMISSIONS_OF = Lookup(
    lambda values: (
        submission_columns()
        .where(tables.submissions.c.member.in_(values))
        .order_by(tables.submissions.c.digest)
    )
)


class StoreView:
    """Reading, in or outside a transaction. What was gathered is answered from memory."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._gathered = Gathered()

    @property
    def connection(self) -> Connection:
        """For further tables; what this transaction has changed so far is seen through it."""
        return self._connection

    def gather(self, interests: Iterable[Interest]) -> None:
        """Read at once what is kept about these, so that looking at each costs no query."""
        wanted = Interest.union(interests)
        connection, gathered = self.connection, self._gathered
        gathered.documents.update(dict.fromkeys(wanted.digests))
        for row in _DOCUMENTS.rows(connection, wanted.digests):
            gathered.documents[row.digest] = stored_document(row)
        gathered.about.update((subject, []) for subject in wanted.subjects)
        for row in _DOCUMENTS_ABOUT.rows(connection, wanted.subjects):
            gathered.about[row.subject].append(stored_document(row))
        gathered.submissions.update(dict.fromkeys(wanted.digests))
        for row in _SUBMISSIONS.rows(connection, wanted.digests):
            gathered.submissions[row.digest] = submission_record(row)
        gathered.registered.update(dict.fromkeys(wanted.register_ids))
        for row in _REGISTERED.rows(connection, wanted.register_ids):
            gathered.registered[row.register_id] = row.member
        gathered.of_member.update((member, []) for member in wanted.members)
        for row in _SUBMISSIONS_OF.rows(connection, wanted.members):
            gathered.of_member[row.member].append(submission_record(row))

    def fact(self, key: str) -> str | None:
        """A small fact kept under `key`, or None."""
        value: str | None = self.connection.scalar(
            select(tables.meta.c.value).where(tables.meta.c.key == key)
        )
        return value

    @property
    def feed_number(self) -> int:
        """The number of the last feed item whose effects are in the store; 0 before the first."""
        return int(self.fact("feed_number") or 0)

    @property
    def log_head(self) -> LogHead:
        """How far the log went at the last commit that wrote to it."""
        length, _, digest = (self.fact("log_head") or "").partition(" ")
        return LogHead(int(length), bytes.fromhex(digest)) if digest else EMPTY

    def document(self, digest: bytes) -> StoredDocument | None:
        """The verified document with this digest, or None."""
        if digest in self._gathered.documents:
            return self._gathered.documents[digest]
        t = tables.documents
        row = self.connection.execute(select(t).where(t.c.digest == digest)).one_or_none()
        return None if row is None else stored_document(row)

    def documents(
        self,
        type_name: str,
        *,
        study: bytes | None = None,
        subject: bytes | None = None,
        party: int | None = None,
    ) -> list[StoredDocument]:
        """Verified documents of a type such as "approval/v1", as they came, narrowed by what is given."""
        if subject is not None:
            gathered = self._gathered.documents_about(type_name, subject, study, party)
            if gathered is not None:
                return gathered
        t = tables.documents
        query = select(t).where(t.c.type == type_name)
        if study is not None:
            query = query.where(t.c.study == study)
        if subject is not None:
            query = query.where(t.c.subject == subject)
        if party is not None:
            query = query.where(t.c.party == party)
        # Own documents have no feed number yet: they count as the newest, in order of digest.
        order = func.coalesce(t.c.feed_number, 1 << 60)
        return [
            stored_document(row) for row in self.connection.execute(query.order_by(order, t.c.digest)).all()
        ]

    def each_payload(self, type_name: str, *, study: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Digest and payload of all verified documents of a type, one after another and in no order: for types of
        which there are as many as members. Raises StoreDamaged.
        """
        t = tables.documents
        query = select(t.c.digest, t.c.envelope).where(t.c.type == type_name)
        if study is not None:
            query = query.where(t.c.study == study)
        for row in self.connection.execute(query.execution_options(yield_per=_CHUNK)):
            yield row.digest, payload_kept(row.digest, row.envelope)

    def count_documents(self, type_name: str, *, study: bytes, subject: bytes) -> int:
        """How many verified documents of a type are about this study and subject."""
        t = tables.documents
        query = select(func.count()).where(t.c.type == type_name, t.c.study == study, t.c.subject == subject)
        return int(self.connection.scalar(query) or 0)

    def submission(self, digest: bytes) -> SubmissionRecord | None:
        """The judged submission with this digest, or None."""
        if digest in self._gathered.submissions:
            return self._gathered.submissions[digest]
        row = self.connection.execute(
            submission_columns().where(tables.submissions.c.digest == digest)
        ).one_or_none()
        return None if row is None else submission_record(row)

    def submissions(
        self, study: bytes, *, member: bytes | None = None, state: SubmissionState | None = None
    ) -> list[SubmissionRecord]:
        """Judged submissions of a study (of one member), all sequences, sorted by digest."""
        own = None if member is None else self._gathered.of_member.get(member)
        if own is not None:
            return [record for record in own if record.study == study and state in (None, record.state)]
        t = tables.submissions
        query = submission_columns().where(t.c.study == study)
        if member is not None:
            query = query.where(t.c.member == member)
        if state is not None:
            query = query.where(t.c.state == state)
        return [submission_record(row) for row in self.connection.execute(query.order_by(t.c.digest)).all()]

    def each_accepted(self, study: bytes) -> Iterator[AcceptedRow]:
        """What a roster list says of every accepted submission, by its digest; without reading any document."""
        t = tables.submissions
        query = select(t.c.digest, t.c.membership, t.c.member, t.c.sequence).where(
            t.c.study == study, t.c.state == "accepted"
        )
        for row in self.connection.execute(query.order_by(t.c.digest).execution_options(yield_per=_CHUNK)):
            yield AcceptedRow(row.digest, row.membership, row.member, row.sequence)

    def members_of_holding(self, study: bytes, holding: str) -> set[bytes]:
        """Members with an accepted submission under this holding."""
        t = tables.submissions
        query = select(t.c.member).where(t.c.study == study, t.c.holding == holding, t.c.state == "accepted")
        return set(self.connection.scalars(query).all())

    def count_members(self, study: bytes) -> int:
        """How many members have an accepted submission."""
        t = tables.submissions
        query = select(func.count(t.c.member.distinct())).where(t.c.study == study, t.c.state == "accepted")
        return int(self.connection.scalar(query) or 0)

    def count_refused(self, member: bytes) -> int:
        """How many submissions of this member were refused, in all studies."""
        own = self._gathered.of_member.get(member)
        if own is not None:
            return sum(record.state == "refused" for record in own)
        t = tables.submissions
        query = select(func.count()).where(t.c.member == member, t.c.state == "refused")
        return int(self.connection.scalar(query) or 0)

    def registered_member(self, register_id: bytes) -> bytes | None:
        """The member id that this entry of the external register was first certified for, or None."""
        if register_id in self._gathered.registered:
            return self._gathered.registered[register_id]
        t = tables.register_entries
        member: bytes | None = self.connection.scalar(
            select(t.c.member).where(t.c.register_id == register_id)
        )
        return member

    def holds_shares(self, study: bytes) -> bool:
        """Whether seeds of any submission of this study are kept."""
        t = tables.submissions
        query = select(t.c.digest).where(t.c.study == study, t.c.sealed_seeds.is_not(None)).limit(1)
        return self.connection.scalar(query) is not None

    def count_submissions(self, study: bytes) -> dict[str, int]:
        """How many submissions were accepted, and how many refused by which reason."""
        t = tables.submissions
        query = select(t.c.reason, func.count()).where(t.c.study == study).group_by(t.c.reason)
        return {reason: int(count) for reason, count in self.connection.execute(query)}

    def sealed_shares(self, submissions: Sequence[bytes]) -> Iterator[SealedShares]:
        """Correction and locked seeds of accepted submissions, in the order of their digests given here.

        Raises StoreDamaged if one of them is not held, or is not what was kept.
        """
        t = tables.submissions
        for start in range(0, len(submissions), _CHUNK):
            wanted = submissions[start : start + _CHUNK]
            query = select(t.c.digest, t.c.correction, t.c.sealed_seeds, t.c.envelope).where(
                t.c.digest.in_(wanted), t.c.state == "accepted"
            )
            found = {row.digest: row for row in self.connection.execute(query)}
            for digest in wanted:
                row = found.get(digest)
                if row is None or row.correction is None or row.sealed_seeds is None:
                    raise StoreDamaged("the seeds of an accepted submission are not in the store")
                yield SealedShares(
                    digest, row.correction, row.sealed_seeds, envelope_kept(digest, row.envelope)
                )

    def outbox(
        self, state: OutboxState = "pending", *, after: int = 0, limit: int | None = None
    ) -> list[OutboxItem]:
        """Messages numbered above `after`, in the order they were put in; delivered ones without their body."""
        t = tables.outbox
        query = select(t).where(t.c.state == state, t.c.number > after).order_by(t.c.number).limit(limit)
        return [
            OutboxItem(
                number=row.number,
                path=row.path,
                digest=row.digest,
                body=row.body,
                state=row.state,
                attempts=row.attempts,
                problem=row.problem,
                attachment_name=row.attachment_name,
                attachment=row.attachment,
            )
            for row in self.connection.execute(query)
        ]

    def unseen_messages(self) -> frozenset[int]:
        """Receipts and decisions that the gateway acknowledged and has not shown in the feed, by number."""
        o, d = tables.outbox.c, tables.documents.c
        query = (
            select(o.number)
            .join(tables.documents, d.digest == o.digest)
            .where(o.state == "delivered", d.feed_number.is_(None), d.type.in_(_SEEN_IN_FEED))
        )
        return frozenset(self.connection.scalars(query).all())

    def count_outbox(self) -> dict[str, int]:
        """How many messages are pending, delivered, refused."""
        t = tables.outbox
        found = {
            state: int(count)
            for state, count in self.connection.execute(select(t.c.state, func.count()).group_by(t.c.state))
        }
        return {state: found.get(state, 0) for state in ("pending", "delivered", "refused")}
