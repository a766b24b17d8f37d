"""Writing to a party's store: one transaction, which sees what it has changed so far.

Only what was verified comes in: whoever calls `put_document` vouches for the signatures in the envelope.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Table, bindparam, insert, select, update

from mpc_cde.documents.envelope import Envelope, merge_signatures
from mpc_cde.node_log import LogHead
from mpc_cde.prepared_statements import PreparedStatement
from parties import store_tables as tables
from parties.store_records import OutboxState, StoredDocument, SubmissionRecord
from parties.store_view import StoreView

_INSERT = {
    table: PreparedStatement(insert(table))
    for table in (tables.documents, tables.submissions, tables.register_entries)
}
_INSERT[tables.outbox] = PreparedStatement(
    insert(tables.outbox).prefix_with("OR IGNORE"),  # the same message twice is one
    columns=[column.name for column in tables.outbox.c if column.name not in ("number", "problem")],
)


class StoreTransaction(StoreView):
    """Writing: everything in it is durable when the `with` block ends, or nothing is.

    New rows are put together and written in one statement a table, before the next use of the database.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._new_rows: dict[Table, list[dict[str, Any]]] = {}
        self._merged: list[dict[str, Any]] = []

    @property
    def connection(self) -> Connection:
        self.write_rows()
        return self._connection

    def write_rows(self) -> None:
        """Hand new rows, and documents that were merged with more signatures, to the database."""
        new, self._new_rows = self._new_rows, {}
        for table, rows in new.items():
            _INSERT[table].execute_for_each(self._connection, rows)
        merged, self._merged = self._merged, []
        if merged:
            t = tables.documents
            self._connection.execute(update(t).where(t.c.digest == bindparam("merged")), merged)

    def _insert(self, table: Table, **row: Any) -> None:
        self._new_rows.setdefault(table, []).append(row)

    def set_fact(self, key: str, value: str) -> None:
        """Keep a small fact under `key`, in place of what was there."""
        t = tables.meta
        if self.connection.execute(t.update().where(t.c.key == key).values(value=value)).rowcount == 0:
            self.connection.execute(t.insert().values(key=key, value=value))

    def set_log_head(self, head: LogHead) -> None:
        """The log goes at least this far; a log that later ends before was cut."""
        self.set_fact("log_head", f"{head.length} {head.digest.hex()}")

    def set_feed_number(self, number: int) -> None:
        """Everything up to this feed item is done."""
        self.set_fact("feed_number", str(number))

    def put_document(self, stored: StoredDocument) -> bool:
        """Keep a verified document; signatures merge with those already held. True if anything is new.

        The caller vouches for every signature in the envelope. The first signature of a key stands: a signer
        that makes more and more of them can neither fill the envelope nor make an old document look new.
        """
        t = tables.documents
        before = self._held(stored)
        if before is None:
            self._insert(
                t,
                digest=stored.digest,
                type=stored.type_name,
                study=stored.study,
                subject=stored.subject,
                party=stored.party,
                feed_number=stored.feed_number,
                received=stored.received,
                envelope=stored.envelope.to_json(),
            )
            self._gathered.note_document(stored)
            return True
        held = {signature.keyid for signature in before.envelope.signatures}
        added = tuple(s for s in stored.envelope.signatures if s.keyid not in held)
        came_back = before.feed_number is None and stored.feed_number is not None
        if not added and not came_back:
            return False
        news = stored.envelope.model_copy(update={"signatures": added})
        merged = merge_signatures(before.envelope, [news])
        self._merged.append(
            {
                "merged": stored.digest,
                "envelope": merged.to_json(),
                "feed_number": stored.feed_number,
                "received": stored.received,
            }
        )
        self._gathered.note_document(
            replace(before, envelope=merged, feed_number=stored.feed_number, received=stored.received)
        )
        return bool(added)

    def _held(self, stored: StoredDocument) -> StoredDocument | None:
        """The document as it is kept; one whose subject was gathered would be there."""
        about = None if stored.subject is None else self._gathered.about.get(stored.subject)
        if about is None:
            return self.document(stored.digest)
        return next((other for other in about if other.digest == stored.digest), None)

    def claim_register_entry(self, register_id: bytes, member: bytes) -> None:
        """From now on this entry of the external register belongs to this member id."""
        t = tables.register_entries
        holder = self.registered_member(register_id)
        if holder is None:
            self._insert(t, register_id=register_id, member=member)
        elif holder != member:
            self.connection.execute(t.update().where(t.c.register_id == register_id).values(member=member))
        if register_id in self._gathered.registered:
            self._gathered.registered[register_id] = member

    def put_submission(
        self, record: SubmissionRecord, *, correction: bytes | None = None, sealed_seeds: bytes | None = None
    ) -> None:
        """Keep a judged submission (in place of its earlier refusal), with this party's part if accepted."""
        if (record.state == "accepted") != (correction is not None and sealed_seeds is not None):
            raise ValueError(
                "an accepted submission comes with its correction and seeds, a refused one without"
            )
        t = tables.submissions
        if self.submission(record.digest) is not None:
            self.connection.execute(t.delete().where(t.c.digest == record.digest, t.c.state == "refused"))
        self._insert(
            t,
            digest=record.digest,
            study=record.study,
            member=record.member,
            sequence=record.sequence,
            membership=record.membership,
            holding=record.holding,
            state=record.state,
            reason=record.reason,
            judged=record.judged,
            envelope=record.envelope.to_json(),
            correction=correction,
            sealed_seeds=sealed_seeds,
        )
        self._gathered.note_submission(record)

    def delete_shares(self, study: bytes) -> int:
        """Forget corrections and seeds of a study (records stay); returns of how many submissions."""
        t = tables.submissions
        result = self.connection.execute(
            t.update()
            .where(t.c.study == study, t.c.sealed_seeds.is_not(None))
            .values(correction=None, sealed_seeds=None)
        )
        return int(result.rowcount)

    def enqueue(
        self,
        path: str,
        envelope: Envelope,
        *,
        queued: str,
        attachment: tuple[str, bytes] | None = None,
    ) -> None:
        """Send this document to the gateway: kept until it is delivered or refused for good.

        `path` such as "/v1/receipts", `queued` a timestamp; `attachment` is a named JSON part that goes
        with it (body_parts.py), such as ("entries", ...) with a roster. The same message twice is one
        message.
        """
        body = envelope.to_json()
        identity = hashlib.sha256(path.encode() + b"\x00" + body).digest()
        self._insert(
            tables.outbox,
            identity=identity,
            path=path,
            digest=envelope.digest(),
            body=body,
            attachment_name=None if attachment is None else attachment[0],
            attachment=None if attachment is None else attachment[1],
            state="pending",
            attempts=0,
            queued=queued,
        )

    def settle(self, number: int, state: OutboxState, problem: str | None = None) -> None:
        """Note one attempt to send: delivered, refused for good, or still pending with a problem."""
        self.settle_all([(number, state, problem)])

    def settle_all(self, attempts: Sequence[tuple[int, OutboxState, str | None]]) -> None:
        """As `settle` for many messages, with one statement for those delivered and one for the others."""
        t = tables.outbox
        attempted = update(t).where(t.c.number == bindparam("message"))
        attempted = attempted.values(
            state=bindparam("now"), problem=bindparam("why"), attempts=t.c.attempts + 1
        )
        # the document of a delivered message is kept among the documents
        delivered = attempted.values(body=b"", attachment=None)
        for statement, is_delivered in ((delivered, True), (attempted, False)):
            rows = [
                {"message": number, "now": state, "why": problem}
                for number, state, problem in attempts
                if (state == "delivered") == is_delivered
            ]
            if rows:
                self.connection.execute(statement, rows)

    def retry_unseen(self, numbers: Iterable[int]) -> None:
        """Send these delivered messages once more; their documents are kept."""
        o, d = tables.outbox, tables.documents
        for number in numbers:
            kept = select(d.c.envelope).where(d.c.digest == o.c.digest).scalar_subquery()
            self.connection.execute(
                o.update().where(o.c.number == number).values(state="pending", attempts=0, body=kept)
            )

    def retry_refused(self) -> int:
        """Send what the gateway refused once more; returns how many messages."""
        t = tables.outbox
        changed = self.connection.execute(
            t.update().where(t.c.state == "refused").values(state="pending", attempts=0)
        )
        return int(changed.rowcount)
