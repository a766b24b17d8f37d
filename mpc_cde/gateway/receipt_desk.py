"""What members ask most: whether the parties hold their figures. Answered in groups, and told when there is news."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from mpc_cde.documents.receipt import Receipt
from mpc_cde.errors import NotFound
from mpc_cde.gateway.admission import Context
from mpc_cde.gateway.answers import SubmissionAnswer
from mpc_cde.gateway.bell import Bells, wait_for_ring
from mpc_cde.gateway.gathered import Interest
from mpc_cde.gateway.group_work import GroupWork
from mpc_cde.gateway.parsed import parse_stored
from mpc_cde.gateway.store import Kept, Store
from mpc_cde.gateway.store_view import StoreView
from mpc_cde.gateway.study_files import get_study


class ReceiptDesk:
    """Receipts by the digest of their submission. `context` gives what a view of the store is read with."""

    def __init__(self, store: Store, *, context: Callable[[StoreView], Context]) -> None:
        self._store = store
        self._context = context
        self._reading: GroupWork[bytes, SubmissionAnswer] = GroupWork(self._read_all)
        self.bells = Bells()

    async def read(self, submission: bytes, *, known: int, wait_seconds: float) -> SubmissionAnswer:
        """The receipts as soon as there are more than `known`, or after a while. Raises NotFound."""
        end = time.monotonic() + wait_seconds
        while True:
            with self.bells.hearing(submission) as ring:
                answer = await self._reading.ask(submission)
                left = end - time.monotonic()
                news = len(answer.receipts) > known or not answer.waiting_for
                if news or left <= 0 or self.bells.is_stopping:
                    return answer
                await wait_for_ring(ring, left)

    def tell(self, kept: Kept) -> None:
        """A document is on disk: wake who waits for it. On the event loop."""
        if kept.stored.type_name == Receipt.type_name() and kept.stored.subject is not None:
            self.bells.ring(kept.stored.subject)

    def _read_all(self, digests: Sequence[bytes]) -> list[SubmissionAnswer | Exception]:
        wanted = frozenset(digests)
        with self._store.reading() as view:
            view.gather([Interest(wanted, wanted)])
            context = self._context(view)
            return [_answer(view, context, digest) for digest in digests]


def _answer(view: StoreView, context: Context, digest: bytes) -> SubmissionAnswer | Exception:
    row, stored = view.submission(digest), view.document(digest)
    if row is None or stored is None:
        return NotFound("this gateway knows no such submission")
    receipts = view.documents(Receipt.type_name(), subject=digest)
    answered_by = {parse_stored(receipt, Receipt).party for receipt in receipts}
    cards = get_study(view, context.chain, row.study, context.now).community.cards
    return SubmissionAnswer(
        submission=digest,
        study=row.study,
        received=stored.received,
        receipts=tuple(receipt.envelope for receipt in receipts),
        waiting_for=tuple(card.name for j, card in enumerate(cards) if j not in answered_by),
    )
