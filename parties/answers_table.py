"""Answers that jobs came to, on disk before anything that depends on them is signed or sent.

An answer that was opened is given again from here, never computed on something else: whoever finds that a job of a
query came to an answer finishes that one.
"""

from __future__ import annotations

from sqlalchemy import select

from parties.results import FoundAnswer
from parties.share_store import StoreTransaction, StoreView
from parties.store_tables import answers


def put_answer(transaction: StoreTransaction, answer: FoundAnswer) -> None:
    """Keep an answer; keeping it twice changes nothing."""
    known = transaction.connection.scalar(select(answers.c.number).where(answers.c.job == answer.job))
    if known is None:
        values = {"query": answer.query, "job": answer.job, "found": answer.payload_bytes()}
        transaction.connection.execute(answers.insert(), [values])


def read_answers(view: StoreView, query: bytes) -> tuple[FoundAnswer, ...]:
    """What the jobs of a query came to here, in the order in which they did."""
    rows = view.connection.scalars(
        select(answers.c.found).where(answers.c.query == query).order_by(answers.c.number)
    )
    return tuple(FoundAnswer.parse_payload(found) for found in rows)
