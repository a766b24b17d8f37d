"""What members ask most: whether the parties hold their figures, or know of a withdrawal. Answered in groups, and
told when there is news.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

from mpc_cde.documents.receipt import Receipt, WithdrawalReceipt
from mpc_cde.documents.submission import Submission
from mpc_cde.documents.withdrawal import Withdrawal
from mpc_cde.errors import NotFound
from mpc_cde.gateway.admission import Context
from mpc_cde.gateway.answers import SubmissionAnswer, WithdrawalAnswer
from mpc_cde.gateway.bell import Bells, wait_for_ring
from mpc_cde.gateway.gathered import Interest
from mpc_cde.gateway.group_work import GroupWork
from mpc_cde.gateway.store import Kept, Store
from mpc_cde.gateway.store_view import StoreView
from mpc_cde.gateway.study_files import get_study

AboutOne: TypeAlias = SubmissionAnswer | WithdrawalAnswer
_RECEIPTS: dict[str, type[Receipt] | type[WithdrawalReceipt]] = {
    Submission.type_name(): Receipt,
    Withdrawal.type_name(): WithdrawalReceipt,
}


class ReceiptDesk:
    """Receipts by the digest of what a member signed. `context` gives what a view of the store is read with."""

    def __init__(self, store: Store, *, context: Callable[[StoreView], Context]) -> None:
        self._store = store
        self._context = context
        self._reading: GroupWork[bytes, AboutOne] = GroupWork(self._read_all)
        self.bells = Bells()

    async def read(self, digest: bytes, *, known: int, wait_seconds: float) -> AboutOne:
        """The receipts of a submission or withdrawal as soon as there are more than `known`, or after a while.

        Raises NotFound.
        """
        end = time.monotonic() + wait_seconds
        while True:
            with self.bells.hearing(digest) as ring:
                answer = await self._reading.ask(digest)
                left = end - time.monotonic()
                news = len(answer.receipts) > known or not answer.waiting_for
                if news or left <= 0 or self.bells.is_stopping:
                    return answer
                await wait_for_ring(ring, left)

    def tell(self, kept: Kept) -> None:
        """A document is on disk: wake who waits for it. On the event loop."""
        stored = kept.stored
        is_receipt = any(stored.type_name == receipt.type_name() for receipt in _RECEIPTS.values())
        if is_receipt and stored.subject is not None:
            self.bells.ring(stored.subject)

    def _read_all(self, digests: Sequence[bytes]) -> list[AboutOne | Exception]:
        wanted = frozenset(digests)
        with self._store.reading() as view:
            view.gather([Interest(wanted, wanted)])
            context = self._context(view)
            return [_answer(view, context, digest) for digest in digests]


def _answer(view: StoreView, context: Context, digest: bytes) -> AboutOne | Exception:
    stored = view.document(digest)
    if stored is None or stored.study is None or stored.type_name not in _RECEIPTS:
        return NotFound("this gateway knows no such submission or withdrawal")
    receipt_class = _RECEIPTS[stored.type_name]
    receipts = view.documents(receipt_class.type_name(), subject=digest)
    answered_by = {receipt.party for receipt in receipts}
    cards = get_study(view, context.chain, stored.study, context.now).community.cards
    envelopes = tuple(receipt.envelope for receipt in receipts)
    waiting_for = tuple(card.name for j, card in enumerate(cards) if j not in answered_by)
    if receipt_class is Receipt:
        return SubmissionAnswer(
            submission=digest,
            study=stored.study,
            received=stored.received,
            receipts=envelopes,
            waiting_for=waiting_for,
        )
    return WithdrawalAnswer(
        withdrawal=digest,
        study=stored.study,
        received=stored.received,
        receipts=envelopes,
        waiting_for=waiting_for,
    )
