"""Postings in groups: verified under one view of the store, kept in one transaction that is on disk before any
of them is acknowledged.

While one group waits for the disk the next one is verified. A posting that is refused leaves the others of its
group alone: checks come before changes, and should one fail after it changed something, all are kept one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mpc_cde.documents.envelope import Envelope, open_envelope
from mpc_cde.documents.membership import Membership
from mpc_cde.documents.receipt import Receipt, WithdrawalReceipt
from mpc_cde.documents.submission import Submission
from mpc_cde.documents.withdrawal import Withdrawal
from mpc_cde.errors import BadDocument
from mpc_cde.gateway.admission import Context, Rule
from mpc_cde.gateway.completeness import NEED_SEVERAL, waiting_for
from mpc_cde.gateway.gathered import Interest
from mpc_cde.gateway.group_work import GroupWork
from mpc_cde.gateway.store import Kept, Store, StoreTransaction
from mpc_cde.gateway.store_view import NewDocument, StoreView


@dataclass(frozen=True, slots=True)
class Posting:
    """A document as it came, and how to verify it."""

    envelope: Envelope
    verify: Callable[[Context], Verified]


@dataclass(frozen=True, slots=True)
class Verified:
    """A document that may be kept; `also_keep` runs in the transaction that first keeps it, or `always`."""

    new: NewDocument
    rule: Rule
    context: Context
    also_keep: Callable[[StoreTransaction], None] | None = None
    always: bool = False

    @property
    def is_known(self) -> bool:
        """Whether it was here with all these signatures when it was verified."""
        return self.new.is_known


@dataclass(frozen=True, slots=True)
class Acknowledgeable:
    """What is on disk now, and whose signature it lacks."""

    kept: Kept
    waiting: tuple[str, ...]


class Keeper:
    """The one way into the store for posted documents. `context` gives what checks look at."""

    def __init__(
        self, store: Store, *, context: Callable[[StoreView], Context], received: Callable[[], str]
    ) -> None:
        self._store = store
        self._context = context
        self._received = received
        self.verifying: GroupWork[Posting, Verified] = GroupWork(self._verify_all)
        self.keeping: GroupWork[Verified, Acknowledgeable] = GroupWork(self._keep_all)

    def _verify_all(self, postings: Sequence[Posting]) -> list[Verified | Exception]:
        with self._store.reading() as view:
            view.gather(interest_of(posting.envelope) for posting in postings)
            context = self._context(view)
            return [_outcome(posting.verify, context) for posting in postings]

    def _keep_all(self, group: Sequence[Verified]) -> list[Acknowledgeable | Exception]:
        try:
            return self._keep_together(group)
        except Exception as error:  # noqa: BLE001  # whose fault it was shows when each is kept alone
            if len(group) == 1:
                return [error]
        return [self._keep_all([verified])[0] for verified in group]

    def _keep_together(self, group: Sequence[Verified]) -> list[Acknowledgeable | Exception]:
        """One transaction. Raises the error of one that failed after it changed something; nothing is kept then."""
        received = self._received()
        outcomes: list[Acknowledgeable | Exception] = []
        with self._store.writing() as transaction:
            transaction.gather(interest_of(verified.new.envelope) for verified in group)
            for verified in group:
                changes = transaction.changes
                try:
                    outcomes.append(_keep(transaction, verified, received))
                except Exception as error:  # the answer to this posting alone
                    if transaction.changes != changes:
                        raise
                    outcomes.append(error)
        return outcomes


def _keep(transaction: StoreTransaction, verified: Verified, received: str) -> Acknowledgeable:
    known = transaction.document(verified.new.digest) is not None
    if not known and verified.rule.guard is not None:
        verified.rule.guard(transaction)
    kept = transaction.put_document(verified.new, received=received)
    if verified.also_keep is not None and (verified.always or not known):
        verified.also_keep(transaction)
    if kept.stored.type_name not in NEED_SEVERAL:
        return Acknowledgeable(kept, ())
    return Acknowledgeable(kept, waiting_for(kept.stored, replace(verified.context, view=transaction)))


def _outcome(verify: Callable[[Context], Verified], context: Context) -> Verified | Exception:
    try:
        return verify(context)
    except Exception as error:  # noqa: BLE001  # the answer to this posting alone; raised by whoever asked
        return error


def interest_of(envelope: Envelope) -> Interest:
    """What the checks of this document will look at; more is looked up when it is asked for."""
    digests = {envelope.digest()}
    try:
        match envelope.payload_type:
            case "application/vnd.mpc-cde.submission.v1+json":
                return _about_member(digests, open_envelope(envelope, Submission))
            case "application/vnd.mpc-cde.withdrawal.v1+json":
                return _about_member(digests, open_envelope(envelope, Withdrawal))
            case "application/vnd.mpc-cde.receipt.v1+json":
                submission = open_envelope(envelope, Receipt).submission
                return Interest(frozenset({*digests, submission}), frozenset({submission}))
            case "application/vnd.mpc-cde.withdrawal-receipt.v1+json":
                withdrawal = open_envelope(envelope, WithdrawalReceipt).withdrawal
                return Interest(frozenset({*digests, withdrawal}), frozenset({withdrawal}))
            case "application/vnd.mpc-cde.membership.v1+json":
                membership = open_envelope(envelope, Membership)
                return Interest(
                    frozenset(digests),
                    frozenset({membership.member}),
                    frozenset({membership.signing_key}),
                    frozenset({membership.register_id}),
                )
    except BadDocument:
        pass  # its own check says so
    return Interest(frozenset(digests))


def _about_member(digests: set[bytes], document: Submission | Withdrawal) -> Interest:
    takes_part = frozenset({(document.study_terms, document.member)})
    return Interest(frozenset(digests), frozenset({document.member}), takes_part=takes_part)
