"""From the feed into the store: every document verified before it is kept, every submission answered.

The gateway that serves the feed is not trusted: it can hold things back, and nothing else. What does not
verify is logged and passed over, so that no item can stop the node. A submission that its member signed
gets exactly one receipt, accepted or refused with a reason; one without the member's signature gets none,
since a refusal would let anybody spoil the digest of what the member has yet to send. A withdrawal gets one
when it is kept, unless this party has signed a roster that holds what it takes out: others may complete it.

One call of `take` is one transaction: documents, seeds, receipts to be sent and the feed's number are durable
together; the log is written just before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from mpc_cde.documents.authority import open_next_community
from mpc_cde.documents.canonical import encode_base64url, short_text_of, timestamp_of
from mpc_cde.documents.community import Community
from mpc_cde.documents.envelope import Envelope, open_envelope, sign_document
from mpc_cde.documents.log_checkpoint import LogCheckpoint
from mpc_cde.documents.membership import Membership
from mpc_cde.documents.receipt import Receipt, WithdrawalReceipt
from mpc_cde.documents.revocation import Revocation
from mpc_cde.documents.submission import Submission
from mpc_cde.documents.withdrawal import Withdrawal
from mpc_cde.errors import BadDocument, CallerError, PeerError
from mpc_cde.feed_format import FeedFrame
from mpc_cde.keys import Passphrase, SigningKey
from mpc_cde.life_cycles.roster_rules import is_standing
from mpc_cde.sealing import SealingPrivateKey, does_not_open, open_sealed
from parties import roster_table
from parties.clock import Clock
from parties.document_checks import (
    DocumentContext,
    SignedBy,
    is_revoked,
    membership_of,
    verify_document,
    withdrawn_sequences,
)
from parties.envelope_opener import SealedPart
from parties.errors import PartyError
from parties.log import NodeLog
from parties.looking_ahead import LookingAhead, look_ahead
from parties.opener_process import OpenerProcess
from parties.page_notes import together
from parties.party_home import CommunityHome
from parties.seed_vault import SeedVault
from parties.share_store import ShareStore, StoredDocument, StoreTransaction, SubmissionRecord
from parties.studies import STUDY_TYPES, KnownStudy, know_study
from parties.submission_checks import (
    AcceptedSeeds,
    Parts,
    PartyPlace,
    Refused,
    SubmissionContext,
    judge_submission,
    where_sealed,
)
from protocols.randomness import Randomness

RECEIPTS_PATH = "/v1/receipts"
MAX_REASON_CHARACTERS = 500
"""An error may quote names that a stranger chose: a log entry has a limit, and what exceeds it stops the node."""
MAX_REFUSALS_NOTED = 1000
"""An hour. What exceeds it is counted."""
MAX_REFUSED_EACH = 500
"""Submissions of one member that are refused with a receipt, in all studies; then it gets none."""
_PARTS_OF_A_SUBMISSION = 2


@dataclass  # without slots, where what is worked out once has no room
class _Batch:
    """What one call of `take` has found so far."""

    transaction: StoreTransaction
    now: datetime
    ahead: LookingAhead = field(default_factory=LookingAhead)
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    studies: dict[bytes, KnownStudy | None] = field(default_factory=dict)
    may_open: dict[bytes, bool] = field(default_factory=dict)
    """Whether the sealing key of a study is here; looked for once a batch."""
    members: dict[bytes, int] = field(default_factory=dict)
    gone: dict[bytes, int] = field(default_factory=dict)
    """How many of these members have nothing that stands, being revoked or withdrawn; by study, once it is full."""
    refused: int = 0

    @cached_property
    def now_text(self) -> str:
        """The time as a document's timestamp."""
        return timestamp_of(self.now)

    def note(self, event: str, **details: str | int | bytes) -> None:
        texts = {
            name: encode_base64url(value) if isinstance(value, bytes) else value
            for name, value in details.items()
        }
        self.events.append((event, texts))


@dataclass(frozen=True, slots=True)
class Taken:
    """Up to which number the feed is done; `is_in_vain` if no item of the batch was accepted."""

    feed_number: int
    is_in_vain: bool


@dataclass(slots=True)
class _RefusalNotes:
    """Which refused items are noted: so many an hour, since the log is for ever and the gateway fills the feed."""

    since: datetime | None = None
    noted: int = 0
    passed_over: int = 0

    def begin_hour(self, now: datetime) -> int:
        """How many were passed over in the hour before, if a new one begins now."""
        if self.since is not None and timedelta(0) <= now - self.since < timedelta(hours=1):
            return 0
        passed_over, self.since, self.noted, self.passed_over = self.passed_over, now, 0, 0
        return passed_over

    def take_one(self) -> bool:
        if self.noted >= MAX_REFUSALS_NOTED:
            self.passed_over += 1
            return False
        self.noted += 1
        return True


class Intake:
    """Takes what the feed brings; the one writer of documents and submissions in the store."""

    def __init__(
        self,
        *,
        store: ShareStore,
        log: NodeLog,
        home: CommunityHome,
        community: Community,
        identity: SigningKey,
        clock: Clock,
        randomness: Randomness,
        passphrase: Passphrase | None = None,
        opener: OpenerProcess | None = None,
    ) -> None:
        """`community` is the newest version signed by all; `identity` is the key of one of its parties; `opener` is
        asked about long pages."""
        self._store = store
        self._log = log
        self._home = home
        self._community = community
        self._identity = identity
        self._clock = clock
        self._randomness = randomness
        self._passphrase = passphrase
        self._opener = opener
        self._sealing_keys: dict[bytes, SealingPrivateKey] = {}
        self._vaults: dict[bytes, SeedVault] = {}
        self._members: dict[bytes, int] = {}
        """How many members have submitted to a study, as of the last batch: nobody else adds any."""
        self._refusals = _RefusalNotes()
        own_index = community.party_index(identity.public_bytes)
        if own_index is None:
            raise ValueError("this party is not in the community")
        self._own_index = own_index

    @property
    def community(self) -> Community:
        """The version in force."""
        return self._community

    @property
    def own_index(self) -> int:
        return self._own_index

    def take(self, items: Sequence[FeedFrame]) -> Taken:
        """Judge and keep everything of a batch; the number is that up to which the feed is done. Blocks.

        Items at or below that number are passed over: they were done before.
        """
        with self._store.writing() as transaction:
            batch = _Batch(transaction, self._clock(), members=dict(self._members))
            done = reached = transaction.feed_number
            fresh = [item for item in items if item.number > reached]
            batch.ahead = self._look_ahead(batch, fresh)
            taken = 0
            for place, item in enumerate(fresh):
                batch.ahead.reach(place)
                if item.number <= done:
                    continue
                done, taken = item.number, taken + 1
                self._take_item(batch, item)
            transaction.set_feed_number(done)
            transaction.set_log_head(self._log.append_all(together(batch.events)))
        self._members = batch.members
        return Taken(done, taken > 0 and batch.refused == taken)

    def rest(self) -> None:
        """Nothing comes for a while: end the process that helps with long pages. Blocks."""
        if self._opener is not None:
            self._opener.stop()

    def read_again(self) -> int:
        """Go back to the beginning of the feed, where everything that was taken in is known; returns 0. Blocks."""
        with self._store.writing() as transaction:
            batch = _Batch(transaction, self._clock())
            self._note_within_limit(batch, "feed.read_again", reached=transaction.feed_number)
            transaction.set_feed_number(0)
            transaction.set_log_head(self._log.append_all(batch.events))
        return 0

    def _look_ahead(self, batch: _Batch, items: Sequence[FeedFrame]) -> LookingAhead:
        def failed(error: PartyError) -> None:
            self._note_within_limit(batch, "opener.failed", reason=short_text_of(str(error)))

        return look_ahead(
            batch.transaction,
            items,
            self._community,
            opener=self._opener,
            part_of=lambda item: self._part_to_open(batch, item),
            sealing_key_of=self._sealing_key,
            failed=failed,
        )

    def _part_to_open(self, batch: _Batch, item: FeedFrame) -> SealedPart | None:
        """The envelope that comes to be opened if the rest of the item is as it should be."""
        if (
            item.envelope.payload_type != Submission.payload_type()
            or len(item.parts) != _PARTS_OF_A_SUBMISSION
            or batch.transaction.submission(item.envelope.digest()) is not None
        ):
            return None
        try:
            submission = open_envelope(item.envelope, Submission)
            known = self._study(batch, submission.study_terms)
        except PeerError:
            return None  # its own check says so
        if known is None or not known.is_open or not self._may_open(batch, submission.study_terms):
            return None
        return SealedPart(Parts(*item.parts).envelope, where_sealed(submission, self._own_index))

    def _take_item(self, batch: _Batch, item: FeedFrame) -> None:
        try:
            if item.envelope.payload_type == Community.payload_type():
                self._take_community(batch, item)
            elif item.envelope.payload_type == Submission.payload_type():
                self._take_submission(batch, item)
            else:
                self._take_document(batch, item)
        except PeerError as error:
            self._note_refused(batch, item, error)

    def _note_refused(self, batch: _Batch, item: FeedFrame, error: PeerError) -> None:
        batch.refused += 1
        self._note_within_limit(
            batch,
            "feed.not_accepted",
            number=item.number,
            type=item.envelope.payload_type,
            digest=item.envelope.digest(),
            reason=short_text_of(str(error), max_characters=MAX_REASON_CHARACTERS),
            whom=short_text_of(error.whom),
        )

    def _note_within_limit(self, batch: _Batch, event: str, **details: str | int | bytes) -> None:
        """What a gateway can bring about as often as it likes is noted so many times an hour."""
        passed_over = self._refusals.begin_hour(batch.now)
        if passed_over:
            batch.note("feed.more_not_accepted", count=passed_over)
        if self._refusals.take_one():
            batch.note(event, **details)

    def _context(self, batch: _Batch) -> DocumentContext:
        return DocumentContext(batch.transaction, self._community, batch.now)

    def _take_community(self, batch: _Batch, item: FeedFrame) -> None:
        digest = item.envelope.digest()
        if digest == self._community.digest() or batch.transaction.document(digest) is not None:
            return
        following = open_next_community(self._community, item.envelope)
        self._keep(batch, item, StoredDocument(digest, Community.type_name(), item.envelope))
        own_index = following.party_index(self._identity.public_bytes)
        if own_index != self._own_index:
            # A node that goes on under another index would open envelopes that are not meant for it.
            batch.note("community.own_place_changed", version=following.version)
            raise PlaceChanged(f"version {following.version} of the community gives this party another place")
        self._keep_version_before(batch)
        self._home.write_envelope(self._home.community_path, item.envelope)
        self._community = following
        batch.studies.clear()

    def _keep_version_before(self, batch: _Batch) -> None:
        """Studies and certificates name the version that they were made for; the first one came by hand."""
        before = self._community
        unsigned = Envelope(payload_type=before.payload_type(), payload=before.payload_bytes(), signatures=())
        envelope = self._home.read_envelope(self._home.community_path) or unsigned
        batch.transaction.put_document(StoredDocument(before.digest(), before.type_name(), envelope))

    def _take_document(self, batch: _Batch, item: FeedFrame) -> None:
        if item.envelope.payload_type == Withdrawal.payload_type():
            self._take_withdrawal(batch, item)
            return
        stored = verify_document(item.envelope, self._context(batch))
        if stored.type_name == Membership.type_name():
            membership = stored.parse(Membership)
            batch.transaction.claim_register_entry(membership.register_id, membership.member)
        self._keep(batch, item, stored)
        if stored.type_name == Revocation.type_name():
            batch.gone.clear()
        if stored.study is not None and stored.type_name in STUDY_TYPES:
            batch.studies.pop(stored.study, None)

    def _take_withdrawal(self, batch: _Batch, item: FeedFrame) -> None:
        if batch.transaction.document(item.envelope.digest()) is not None:
            return
        stored = verify_document(item.envelope, self._context(batch))
        self._keep(batch, item, stored)
        withdrawal = stored.parse(Withdrawal)
        batch.gone.pop(withdrawal.study_terms, None)
        if roster_table.has_signed_with(
            batch.transaction, withdrawal.study_terms, withdrawal.member, up_to=withdrawal.sequence
        ):
            batch.note("withdrawal.after_signing", withdrawal=stored.digest, study=withdrawal.study_terms)
            return
        receipt = WithdrawalReceipt(
            study_terms=withdrawal.study_terms, withdrawal=stored.digest, party=self._own_index
        )
        signed = sign_document(receipt, self._identity)
        batch.note("withdrawal.receipted", withdrawal=stored.digest, study=withdrawal.study_terms)
        self._keep_own_receipt(batch, receipt, signed, about=stored.digest)
        batch.transaction.enqueue(RECEIPTS_PATH, signed, queued=timestamp_of(batch.now))

    def _keep(self, batch: _Batch, item: FeedFrame, stored: StoredDocument) -> None:
        numbered = StoredDocument(
            digest=stored.digest,
            type_name=stored.type_name,
            envelope=stored.envelope,
            study=stored.study,
            subject=stored.subject,
            party=stored.party,
            feed_number=item.number,
            received=batch.now_text,
        )
        if batch.transaction.put_document(numbered):
            batch.note("document.kept", type=stored.type_name, digest=stored.digest, number=item.number)
            if stored.type_name == LogCheckpoint.type_name():
                seen = stored.parse(LogCheckpoint)
                batch.note("checkpoint.seen", party=seen.party, length=seen.length, head=seen.head)

    def _take_submission(self, batch: _Batch, item: FeedFrame) -> None:
        submission = open_envelope(item.envelope, Submission)
        digest = item.envelope.digest()
        if batch.transaction.submission(digest) is not None:
            return
        context = self._context(batch)
        signed_by = membership_of(context, submission.member, item.envelope)
        if batch.transaction.count_refused(submission.member) >= MAX_REFUSED_EACH:
            raise BadDocument(
                f"{MAX_REFUSED_EACH} submissions of this member were refused", whom="the member"
            )
        known = self._study(batch, submission.study_terms)
        if known is None:
            verdict: AcceptedSeeds | Refused = Refused("study_unknown", "This party knows no such study.")
        elif not signed_by.countersigned:
            verdict = Refused(
                "membership_not_countersigned",
                "The membership lacks its countersignature; ask the registrar, then submit again.",
            )
        elif known.is_open and not self._may_open(batch, submission.study_terms):
            # The operator refused the study, and the feed has not brought the refusal back yet.
            verdict = Refused("study_cancelled", "This party refused the study; it will not take place.")
        elif len(item.parts) != _PARTS_OF_A_SUBMISSION:
            verdict = Refused("parts_missing", "The correction or the envelope did not arrive with it.")
        else:
            verdict = judge_submission(
                submission,
                Parts(*item.parts),
                self._submission_context(batch, submission, signed_by.membership, known),
                lambda part: self._open(batch, part),
            )
        self._answer(batch, item, submission, signed_by, verdict)

    def _study(self, batch: _Batch, terms_digest: bytes) -> KnownStudy | None:
        if terms_digest not in batch.studies:
            batch.studies[terms_digest] = know_study(
                batch.transaction, terms_digest, self._community, batch.now
            )
        return batch.studies[terms_digest]

    def _may_open(self, batch: _Batch, study_terms: bytes) -> bool:
        if study_terms not in batch.may_open:
            batch.may_open[study_terms] = self._home.has_sealing_key(study_terms)
        return batch.may_open[study_terms]

    def _submission_context(
        self, batch: _Batch, submission: Submission, membership: Membership, known: KnownStudy
    ) -> SubmissionContext:
        transaction, study, member = batch.transaction, submission.study_terms, submission.member
        if study not in batch.members:
            batch.members[study] = transaction.count_members(study)
        accepted = transaction.submissions(study, member=member, state="accepted")
        documents = self._context(batch)
        holding = membership.holding
        under_it = set() if holding is None else transaction.members_of_holding(study, holding)
        return SubmissionContext(
            place=PartyPlace(self._own_index, self._community.party_count, self._community.threshold),
            known=known,
            membership=membership,
            revoked=is_revoked(documents, member),
            accepted=frozenset(record.sequence for record in accepted),
            withdrawn=withdrawn_sequences(transaction, study, member),
            holding_members=frozenset(other for other in under_it if self._stands(documents, study, other)),
            members=self._members_that_stand(batch, documents, study, roster_cap=known.terms.roster_cap),
            now=batch.now_text,
        )

    def _members_that_stand(
        self, batch: _Batch, documents: DocumentContext, study: bytes, *, roster_cap: int
    ) -> int:
        """Members with an accepted submission; once these fill the roster, less those of whom none stands."""
        members = batch.members[study]
        if members < roster_cap:
            return members
        if study not in batch.gone:
            left = (
                *batch.transaction.documents(Revocation.type_name()),
                *batch.transaction.documents(Withdrawal.type_name(), study=study),
            )
            batch.gone[study] = sum(
                bool(subject and batch.transaction.submissions(study, member=subject, state="accepted"))
                and not self._stands(documents, study, subject)
                for subject in {stored.subject for stored in left}
            )
        return members - batch.gone[study]

    def _stands(self, documents: DocumentContext, study: bytes, member: bytes | None) -> bool:
        """Whether the member, if it is one, was not revoked and has figures in the study that it did not withdraw."""
        if member is None or is_revoked(documents, member):
            return False
        accepted = documents.view.submissions(study, member=member, state="accepted")
        return is_standing(
            [record.sequence for record in accepted], withdrawn_sequences(documents.view, study, member)
        )

    def _sealing_key(self, study_terms: bytes) -> SealingPrivateKey:
        if study_terms not in self._sealing_keys:
            self._sealing_keys[study_terms] = self._home.load_sealing_key(study_terms, self._passphrase)
        return self._sealing_keys[study_terms]

    def _open(self, batch: _Batch, part: SealedPart) -> bytes:
        """What is in it, found out already or now. Raises SealRefused."""
        if part not in batch.ahead.opened:
            return open_sealed(self._sealing_key(part.where.study_terms), part.sealed, part.where)
        plaintext = batch.ahead.opened[part]
        if plaintext is None:
            raise does_not_open(part.where)
        return plaintext

    def _answer(
        self,
        batch: _Batch,
        item: FeedFrame,
        submission: Submission,
        signed_by: SignedBy,
        verdict: AcceptedSeeds | Refused,
    ) -> None:
        """Keep the judgement and queue the receipt, in the one transaction of the batch."""
        digest = item.envelope.digest()
        refused = verdict if isinstance(verdict, Refused) else None
        judged = batch.now_text
        record = SubmissionRecord(
            digest=digest,
            study=submission.study_terms,
            member=submission.member,
            sequence=submission.sequence,
            membership=signed_by.digest,
            holding=signed_by.membership.holding,
            state="refused" if refused else "accepted",
            reason=refused.reason if refused else "accepted",
            judged=judged,
            envelope=item.envelope,
        )
        receipt = Receipt(
            study_terms=submission.study_terms,
            submission=digest,
            party=self._own_index,
            verdict=record.state,
            reason=refused.reason if refused else None,
            explanation=refused.explanation if refused else None,
        )
        if isinstance(verdict, Refused):
            batch.transaction.put_submission(record)
            batch.note("submission.refused", submission=digest, study=record.study, reason=verdict.reason)
        else:
            self._keep_shares(batch, record, item.parts[0], verdict)
            batch.note("submission.accepted", submission=digest, study=record.study, sequence=record.sequence)
        signed = sign_document(receipt, self._identity)
        self._keep_own_receipt(batch, receipt, signed, about=digest)
        batch.transaction.enqueue(RECEIPTS_PATH, signed, queued=judged)

    def _keep_shares(
        self, batch: _Batch, record: SubmissionRecord, correction: bytes, accepted: AcceptedSeeds
    ) -> None:
        if record.study not in self._vaults:
            self._vaults[record.study] = SeedVault(self._sealing_key(record.study), record.study)
        locked = self._vaults[record.study].lock(record.digest, accepted.seeds, self._randomness)
        first = not batch.transaction.submissions(record.study, member=record.member, state="accepted")
        batch.gone.pop(record.study, None)  # who withdrew may be back
        batch.transaction.put_submission(record, correction=correction, sealed_seeds=locked)
        if first and record.study in batch.members:
            batch.members[record.study] += 1

    def _keep_own_receipt(
        self, batch: _Batch, receipt: Receipt | WithdrawalReceipt, signed: Envelope, *, about: bytes
    ) -> None:
        batch.transaction.put_document(
            StoredDocument(
                signed.digest(),
                receipt.type_name(),
                signed,
                study=receipt.study_terms,
                subject=about,
                party=self._own_index,
            )
        )


class PlaceChanged(CallerError):
    """A new version of the community gives this party another index, or none: its operator must decide."""
