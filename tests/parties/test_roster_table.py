"""The kept rows of a roster are those that the signed root stands for, or the store is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpc_cde.documents.roster_rows import RosterRows
from mpc_cde.errors import StoreDamaged
from parties.roster_table import put_entries, read_entries, rows
from parties.share_store import ShareStore
from tests.mpc_cde.client.paper import PaperCommunity


@pytest.fixture
def paper() -> PaperCommunity:
    return PaperCommunity()


@pytest.fixture
def store(paper: PaperCommunity, tmp_path: Path) -> ShareStore:
    store = ShareStore.open(tmp_path / "node.sqlite3")
    with store.writing() as transaction:
        put_entries(transaction, paper.roster().digest(), paper.rows())
        put_entries(transaction, paper.roster().digest(), paper.rows())
    return store


def read(store: ShareStore, paper: PaperCommunity) -> RosterRows:
    with store.reading() as view:
        return read_entries(view, paper.roster())


def test_rows_come_back_in_their_order(store: ShareStore, paper: PaperCommunity) -> None:
    assert tuple(read(store, paper)) == paper.entries()


def test_a_row_that_was_altered_on_disk_is_found(store: ShareStore, paper: PaperCommunity) -> None:
    other = paper.entries()[0].model_copy(update={"groups": {"size": "tiny"}})
    with store.writing() as transaction:
        transaction.connection.execute(
            rows.update().where(rows.c.row == 0).values(entry=other.payload_bytes())
        )
    with pytest.raises(StoreDamaged, match="not those that were signed"):
        read(store, paper)


def test_a_row_that_is_gone_from_disk_is_found(store: ShareStore, paper: PaperCommunity) -> None:
    with store.writing() as transaction:
        transaction.connection.execute(rows.delete().where(rows.c.row == len(paper.entries()) - 1))
    with pytest.raises(StoreDamaged):
        read(store, paper)
