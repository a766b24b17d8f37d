"""What is true of a party in the end, whatever happened to it on the way."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from mpc_cde.node_log import verify_log
from parties.ledger_table import read_ledger
from parties.policy import MAX_ATTEMPTS
from parties.share_store import StoreView


def verify_party(
    view: StoreView,
    *,
    log: Path,
    key: bytes,
    study: bytes,
    acknowledged: Collection[bytes],
    queries: Collection[bytes],
) -> None:
    """Everything acknowledged is accepted once; no cell was begun on two rosters, or twice for one query; the log
    holds all that the store relies on; the gateway refused nothing that this party had to say."""
    ledger = read_ledger(view, study)
    assert len({entry.checked_roster for entry in ledger.entries}) <= 1, "a second roster was begun"
    cells = {(entry.job, entry.item.payload_bytes()) for entry in ledger.entries}
    assert len(cells) == len(ledger.entries), "a cell stands in the ledger twice"
    for query in queries:
        assert 1 <= ledger.attempts(query) <= MAX_ATTEMPTS
    assert not view.outbox("refused"), "the gateway refused what a party had to say"
    accepted = [record.digest for record in view.submissions(study, state="accepted")]
    assert sorted(accepted) == sorted(acknowledged)
    head = view.log_head
    assert verify_log(log, key, at_least=head).length >= head.length
