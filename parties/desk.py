"""One party's desk: its store, log, identity and clock, and the questions that sessions ask of them.

Shared by the conductor, which decides what is wanted, and by the work inside a session. Store access blocks, so
everything asynchronous goes through `read` and `write`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import anyio.to_thread

from mpc_cde.documents.authority import open_from_computing_parties
from mpc_cde.documents.base import Document
from mpc_cde.documents.canonical import encode_base64url, timestamp_of
from mpc_cde.documents.community import Community
from mpc_cde.documents.complaint import GIVEN_UP_STEP, Complaint
from mpc_cde.documents.decision import Decision
from mpc_cde.documents.envelope import Envelope
from mpc_cde.documents.query import Query
from mpc_cde.documents.result import Result
from mpc_cde.documents.roster import Roster
from mpc_cde.documents.roster_rows import RosterRows
from mpc_cde.errors import OwnError, PeerError
from mpc_cde.keys import SigningKey
from parties import answers_table, ledger_table, roster_table
from parties.clock import Clock
from parties.intake import Intake
from parties.job_proposals import next_attempt
from parties.log import NodeLog
from parties.policy import MAX_ATTEMPTS
from parties.release_ledger import Ledger
from parties.share_store import ShareStore, StoredDocument, StoreTransaction, StoreView
from parties.studies import KnownStudy, know_study

SIGNATURES_PATH = "/v1/signatures"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PendingQuery:
    """A query that every party agreed to and that has no complete result yet."""

    digest: bytes
    query: Query
    decisions: Mapping[int, Decision]


@dataclass(slots=True)
class Desk:
    """What a party works with. `wake_outbox` sends queued messages now."""

    store: ShareStore
    log: NodeLog
    intake: Intake
    identity: SigningKey
    clock: Clock
    wake_outbox: Callable[[], None]

    @property
    def community(self) -> Community:
        return self.intake.community

    @property
    def own_index(self) -> int:
        return self.intake.own_index

    def now(self) -> str:
        """This party's time as a document's timestamp."""
        return timestamp_of(self.clock())

    async def read(self, question: Callable[[StoreView], T]) -> T:
        """Ask the store, off the event loop."""

        def ask() -> T:
            with self.store.reading() as view:
                return question(view)

        return await anyio.to_thread.run_sync(ask)

    async def write(self, action: Callable[[StoreTransaction], T]) -> T:
        """Change the store in one transaction, then send what it queued."""

        def act() -> T:
            with self.store.writing() as transaction:
                return action(transaction)

        result = await anyio.to_thread.run_sync(act)
        self.wake_outbox()
        return result

    async def note(self, event: str, **details: str | int | bytes) -> None:
        """Append to the log; durable when this returns. Bytes are digests."""
        texts = {
            name: encode_base64url(value) if isinstance(value, bytes) else value
            for name, value in details.items()
        }
        await anyio.to_thread.run_sync(lambda: self.log.append(event, texts))

    def know(self, view: StoreView, study_terms: bytes) -> KnownStudy:
        """A study that must be there. Raises OwnError."""
        known = know_study(view, study_terms, self.community, self.clock())
        if known is None:
            raise OwnError("a study is not in this party's store")
        return known

    def studies(self, view: StoreView) -> list[KnownStudy]:
        """Every study, in the order of their digests."""
        digests = sorted({stored.study for stored in view.documents("study/v1") if stored.study})
        return [self.know(view, digest) for digest in digests]

    def roster(self, view: StoreView, digest: bytes) -> tuple[Roster, RosterRows]:
        """A signed roster and its rows. Raises OwnError, StoreDamaged."""
        stored = view.document(digest)
        if stored is None:
            raise OwnError("the signed roster is not in the store")
        roster = stored.parse(Roster)
        return roster, roster_table.read_entries(view, roster)

    def decisions(self, view: StoreView, query: bytes) -> dict[int, Decision]:
        """The decisions on a query that are here, by party."""
        found = (stored.parse(Decision) for stored in view.documents(Decision.type_name(), subject=query))
        return {decision.party: decision for decision in found}

    def pending_queries(self, view: StoreView, known: KnownStudy) -> list[PendingQuery]:
        """Queries with m yes decisions and no complete result, that have attempts left or an answer to sign, in order
        of arrival.
        """
        return self.sort_queries(view, known)[0]

    def sort_queries(
        self, view: StoreView, known: KnownStudy
    ) -> tuple[list[PendingQuery], list[PendingQuery]]:
        """Agreed queries without a result: those that may still have one, and those that this party gives up."""
        ledger = ledger_table.read_ledger(view, known.terms_digest)
        pending: list[PendingQuery] = []
        given_up: list[PendingQuery] = []
        for stored in view.documents(Query.type_name(), study=known.terms_digest):
            decisions = self.decisions(view, stored.digest)
            query = stored.parse(Query)
            agreed = len(decisions) == self.community.party_count and all(
                decision.agrees for decision in decisions.values()
            )
            if agreed and self.now() < query.expires and not self.is_answered(view, stored.digest):
                left = self._may_be_computed(
                    view, known.terms_digest, ledger, stored.digest
                ) or self.may_be_signed(view, known.terms_digest, stored.digest)
                (pending if left else given_up).append(PendingQuery(stored.digest, query, decisions))
        return pending, given_up

    def _may_be_computed(self, view: StoreView, study: bytes, ledger: Ledger, query: bytes) -> bool:
        """Whether an attempt is left here, and elsewhere as far as the others say, for as many as compute."""
        others = self.gave_up(view, study, query) - {self.own_index}
        enough = self.community.party_count - len(others) >= 2 * self.community.threshold + 1
        return enough and next_attempt(ledger, query) <= MAX_ATTEMPTS

    def may_be_signed(self, view: StoreView, study: bytes, query: bytes) -> bool:
        """Whether an answer that was opened here waits for signatures, and no party that must sign has given up."""
        gave_up = self.gave_up(view, study, query)
        return any(gave_up.isdisjoint(answer.parties) for answer in answers_table.read_answers(view, query))

    def gave_up(self, view: StoreView, study: bytes, query: bytes) -> frozenset[int]:
        """Parties that said that no attempt at the query is left to them; this one too, once it has."""
        return frozenset(
            complaint.party
            for stored in view.documents(Complaint.type_name(), study=study)
            if (complaint := stored.parse(Complaint)).step == GIVEN_UP_STEP and query in complaint.evidence
        )

    def is_answered(self, view: StoreView, query: bytes) -> bool:
        """Whether a result of this query is here that all its parties have signed."""
        for stored in view.documents(Result.type_name(), subject=query):
            try:
                open_from_computing_parties(stored.envelope, Result, self.community)
            except PeerError:
                continue
            return True
        return False

    def keep_and_post(
        self,
        transaction: StoreTransaction,
        document_class: type[Document],
        envelope: Envelope,
        *,
        study: bytes,
        subject: bytes | None = None,
        attachment: tuple[str, bytes] | None = None,
    ) -> None:
        """Keep a document that the parties made and signed, and queue it for the gateway."""
        transaction.put_document(
            StoredDocument(
                envelope.digest(), document_class.type_name(), envelope, study=study, subject=subject
            )
        )
        transaction.enqueue(SIGNATURES_PATH, envelope, queued=self.now(), attachment=attachment)
