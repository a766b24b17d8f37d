"""Opening a party's log beside a node that goes on writing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mpc_cde.errors import StoreDamaged
from mpc_cde.keys import SigningKey
from parties.log import NodeLog
from parties.opening import open_log
from parties.party_home import CommunityHome
from parties.share_store import ShareStore, StoreView

KEY = SigningKey(b"k" * 32)


def clock() -> datetime:
    return datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


class BusyStore(ShareStore):
    """A store beside which another process writes log and store whenever it is about to be read."""

    log: NodeLog

    @contextmanager
    def reading(self) -> Iterator[StoreView]:
        with self.writing() as transaction:
            transaction.set_log_head(self.log.append("document.kept", {"number": 1}))
        with super().reading() as view:
            yield view


@pytest.fixture
def place(tmp_path: Path) -> CommunityHome:
    place = CommunityHome(tmp_path / "community")
    tmp_path.chmod(0o700)
    place.make()
    return place


def test_a_command_beside_a_busy_node_does_not_take_its_log_for_cut(place: CommunityHome) -> None:
    store = BusyStore.open(place.store_path)
    try:
        store.log = NodeLog(place.log_path, KEY, clock)
        assert open_log(place, store, KEY, clock).head.length == 1
    finally:
        store.close()


def test_a_log_that_was_cut_is_seen(place: CommunityHome) -> None:
    store = ShareStore.open(place.store_path)
    try:
        log = NodeLog(place.log_path, KEY, clock)
        log.append("node.started")
        with store.writing() as transaction:
            transaction.set_log_head(log.append("study.approved"))
        lines = place.log_path.read_bytes().splitlines(keepends=True)
        place.log_path.write_bytes(b"".join(lines[:-1]))
        with pytest.raises(StoreDamaged, match="was cut"):
            open_log(place, store, KEY, clock)
    finally:
        store.close()
