"""A party is stopped at every single write of taking a batch in; and whether the tests of stops would notice a fault.

Each deliberate fault takes one precaution away: the fsync of the log, the one transaction, the number of the feed
with the look at what is there already, the wait for the disk.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

import parties.log
from mpc_cde.errors import StoreDamaged
from mpc_cde.node_log import verify_log
from parties import share_store
from parties.opening import open_log
from parties.share_store import ShareStore, StoreTransaction, StoreView
from tests.checks.attack_tables import attack_of
from tests.faults.crash_points import Disks, Machine, MachineGone, Moment, WritePoint
from tests.mpc_cde.client.paper import PaperCommunity
from tests.parties.paper_node import PaperNode, PaperSubmission, make_submission

MEMBERS = 3


def stopped_everywhere(root: Path) -> list[str]:
    """What goes wrong when a party is stopped at each write of a batch, started again, and given the batch again."""
    paper = PaperCommunity()
    batch = [make_submission(paper, number) for number in range(MEMBERS)]
    rehearsal = _life(root / "rehearsal", paper, batch, None, "before")
    wrong = list(rehearsal.loose)
    for number, point in enumerate(rehearsal.trace):
        moments: tuple[Moment, ...] = (
            ("before", "torn", "after") if _is_append(point) else ("before", "after")
        )
        for moment in moments:
            place = root / f"{number} {moment}"
            try:
                _life(place, paper, batch, point, moment)
            except (AssertionError, IntegrityError, StoreDamaged) as error:
                wrong.append(f"{moment} {point}: {error}")
    return wrong


def _is_append(point: WritePoint) -> bool:
    return point.site.endswith(" append")


def _life(
    place: Path, paper: PaperCommunity, batch: list[PaperSubmission], stop: WritePoint | None, moment: Moment
) -> Machine:
    """A batch is taken in; where the party was stopped, it is started again and served again what it asks for."""
    place.mkdir(mode=0o700, parents=True)
    node = PaperNode(paper, place)
    node.open_study(MEMBERS)
    first = node.number
    disks = Disks()
    machine = disks.add("party", place)
    machine.fault = lambda point: moment if point == stop else None
    with disks.watched():
        try:
            node.take(*batch)
            assert stop is None, "it was not stopped"
        except MachineGone:
            machine.revive()
            node.store.close()
            node.start()
            with node.store.reading() as view:
                node.number = first
                served = batch[view.feed_number - first :]
                node.number = view.feed_number
            node.take(*served)
    _verify(node, paper, batch)
    node.store.close()
    return machine


def _verify(node: PaperNode, paper: PaperCommunity, batch: list[PaperSubmission]) -> None:
    given = [receipt.submission for receipt in node.receipts() if receipt.accepted]
    assert sorted(given) == sorted(made.digest for made in batch), "not one receipt for each submission"
    with node.store.reading() as view:
        accepted = view.submissions(paper.study.terms_digest(), state="accepted")
        head = view.log_head
    assert len(accepted) == len(batch)
    open_log(node.home, node.store, paper.party_keys[0], node.clock)
    verify_log(node.home.log_path, paper.party_keys[0].public_bytes, at_least=head)


def test_a_batch_is_taken_in_once_wherever_the_party_was_stopped(tmp_path: Path) -> None:
    assert stopped_everywhere(tmp_path) == []


# deliberate faults ------------------------------------------------------------------------------------------


class _OsWithoutFsync:
    """The module `os`, as it is at any time, but for one function."""

    def __getattr__(self, name: str) -> object:
        return getattr(os, name)

    @staticmethod
    def fsync(_: int) -> None:
        """The log is not synced."""


def _without_fsync(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(parties.log, "os", _OsWithoutFsync())


def _without_one_transaction(patch: pytest.MonkeyPatch) -> None:
    """What is accepted is committed before its receipt is queued."""
    put = StoreTransaction.put_submission

    def put_and_commit(transaction: StoreTransaction, *arguments: object, **named: object) -> None:
        put(transaction, *arguments, **named)  # type: ignore[arg-type]  # passed on as they come
        transaction.connection.commit()

    @contextmanager
    def writing(store: ShareStore) -> Iterator[StoreTransaction]:
        with store._engine.connect() as connection:
            yield StoreTransaction(connection)
            connection.commit()

    patch.setattr(StoreTransaction, "put_submission", put_and_commit)
    patch.setattr(ShareStore, "writing", writing)


def _without_idempotence(patch: pytest.MonkeyPatch) -> None:
    """The feed's number is not kept, and what was judged before is judged again."""
    patch.setattr(StoreTransaction, "set_feed_number", lambda *_: None)
    patch.setattr(StoreView, "submission", lambda *_: None)


def _without_waiting_for_the_disk(patch: pytest.MonkeyPatch) -> None:
    """Commits return before they are on disk."""
    set_up = share_store._set_up_sqlite

    def hasty(connection: object, record: object) -> None:
        set_up(connection, record)
        connection.execute("PRAGMA synchronous=OFF")  # type: ignore[attr-defined]  # SQLite's own

    patch.setattr(share_store, "_set_up_sqlite", hasty)


@pytest.mark.parametrize(
    "take_away",
    [
        _without_fsync,
        _without_one_transaction,
        _without_idempotence,
        _without_waiting_for_the_disk,
    ],
)
def test_a_precaution_that_is_taken_away_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, take_away: Callable[[pytest.MonkeyPatch], None]
) -> None:
    take_away(monkeypatch)
    assert stopped_everywhere(tmp_path)


ATTACKS = (
    attack_of(
        "a party stops at any single write of taking a batch in",
        "one receipt and one record for each submission",
        test_a_batch_is_taken_in_once_wherever_the_party_was_stopped,
    ),
    attack_of(
        "an fsync, the one transaction, idempotence or the wait for the disk is taken away on purpose",
        "the tests of stops notice it",
        test_a_precaution_that_is_taken_away_is_missed,
    ),
)
