"""The outbox: nothing that must be said is lost, whatever the gateway does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import anyio
import httpx
import pytest

from mpc_cde.documents.envelope import Envelope
from parties import outbox
from parties.gateway_client import PartyGateway
from parties.log import NodeLog
from parties.outbox import MAX_NOT_FOUND, Outbox
from parties.share_store import ShareStore, StoredDocument
from tests.mpc_cde.client.paper import PaperCommunity
from tests.parties.paper_node import ManualClock
from tests.parties.scripted_gateway import ScriptedGateway

NOW = "2026-06-01T12:00:00Z"


class Sender:
    """A store with an outbox before a scripted gateway."""

    def __init__(self, path: Path) -> None:
        self.paper = PaperCommunity()
        self.path = path
        self.store = ShareStore.open(path / "node.sqlite3")
        self.log = NodeLog(path / "log.jsonl", self.paper.party_keys[0], ManualClock())
        self.gateway = ScriptedGateway()
        self.client = self.connect(self.gateway)

    def connect(self, gateway: ScriptedGateway) -> PartyGateway:
        transport = httpx.ASGITransport(gateway.app())
        return PartyGateway("http://127.0.0.1:9", transport=transport, attempts=1)

    def put(self, path: str, *envelopes: Envelope) -> None:
        with self.store.writing() as transaction:
            for envelope in envelopes:
                transaction.enqueue(path, envelope, queued=NOW)

    def outbox(self) -> Outbox:
        return Outbox(self.store, self.client, self.log)

    def counts(self) -> dict[str, int]:
        with self.store.reading() as view:
            return view.count_outbox()


@pytest.fixture
def sender(tmp_path: Path) -> Iterator[Sender]:
    sender = Sender(tmp_path)
    yield sender
    sender.store.close()


async def test_everything_is_delivered_once(sender: Sender) -> None:
    receipts = [receipt for number in range(40) for receipt in sender.paper.receipts(number)]
    sender.put("/v1/receipts", *receipts)
    flushed = await sender.outbox().flush()
    assert (flushed.delivered, flushed.kept, flushed.problem) == (120, 0, None)
    assert (await sender.outbox().flush()).delivered == 0
    posted = sender.gateway.posted["receipts"]
    assert sorted(envelope.digest() for envelope in posted) == sorted(e.digest() for e in receipts)


async def test_a_message_waits_while_the_gateway_is_down(sender: Sender) -> None:
    sender.put("/v1/receipts", *sender.paper.receipts(0))
    sender.gateway.faults = [503]
    flushed = await sender.outbox().flush()
    assert (flushed.delivered, flushed.kept) == (0, 3)
    assert flushed.problem is not None
    assert (await sender.outbox().flush()).delivered == 3


async def test_a_lost_answer_is_no_lost_message(sender: Sender) -> None:
    sender.put("/v1/receipts", sender.paper.receipts(0)[0])
    sender.gateway.faults = ["lose"]
    assert (await sender.outbox().flush()).delivered == 0
    assert (await sender.outbox().flush()).delivered == 1
    first, second = sender.gateway.posted["receipts"]
    assert first == second


async def test_a_crash_between_cause_and_sending_loses_nothing(sender: Sender) -> None:
    sender.put("/v1/receipts", sender.paper.receipts(0)[0])
    again = ShareStore.open(sender.path / "node.sqlite3")
    outbox = Outbox(again, sender.client, sender.log)
    assert (await outbox.flush()).delivered == 1
    again.close()


@pytest.mark.parametrize("status", [400, 403, 409, 413, 422])
async def test_a_message_refused_for_good_is_logged_and_not_sent_again(sender: Sender, status: int) -> None:
    sender.put("/v1/receipts", sender.paper.receipts(0)[0])
    sender.gateway.faults = [status]
    assert (await sender.outbox().flush()).refused == 1
    assert (await sender.outbox().flush()).refused == 0
    assert [entry.event for entry in sender.log.entries()] == ["outbox.refused_by_gateway"]


async def test_what_a_gateway_refused_once_is_sent_again_by_the_hour_and_noted_once(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "REFUSED_AGAIN_SECONDS", 0.02)
    monkeypatch.setattr(outbox, "POLL_SECONDS", 0.01)
    sender.put("/v1/receipts", sender.paper.receipts(0)[0])
    sender.gateway.faults = [403, 403, 403]
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sender.outbox().run)
            while not sender.counts().get("delivered"):  # noqa: ASYNC110  # the store is what is looked at
                await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()
    assert [entry.event for entry in sender.log.entries()] == ["outbox.refused_by_gateway"]


async def test_a_receipt_that_was_acknowledged_and_is_in_no_feed_is_sent_again(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a gateway that says "kept" and drops it; one that came back in the feed is not sent again."""
    monkeypatch.setattr(outbox, "REFUSED_AGAIN_SECONDS", 0.02)
    monkeypatch.setattr(outbox, "POLL_SECONDS", 0.01)
    dropped, shown = sender.paper.receipts(0)[:2]
    with sender.store.writing() as transaction:
        for envelope, number in ((dropped, None), (shown, 7)):
            transaction.enqueue("/v1/receipts", envelope, queued=NOW)
            transaction.put_document(
                StoredDocument(envelope.digest(), "receipt/v1", envelope, feed_number=number)
            )
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sender.outbox().run)
            while len(sender.gateway.posted.get("receipts", [])) < 4:  # noqa: ASYNC110  # the gateway's list
                await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()
    posted = [envelope.digest() for envelope in sender.gateway.posted["receipts"]]
    assert posted.count(shown.digest()) == 1
    assert posted.count(dropped.digest()) >= 3


async def test_too_many_requests_are_tried_again(sender: Sender) -> None:
    sender.put("/v1/receipts", sender.paper.receipts(0)[0])
    sender.gateway.faults = [429]
    assert (await sender.outbox().flush()).delivered == 0
    assert sender.counts()["pending"] == 1
    assert (await sender.outbox().flush()).delivered == 1


async def test_not_found_is_tried_again_but_not_for_ever(sender: Sender) -> None:
    sender.put("/v1/receipts", sender.paper.receipts(0)[0])
    sender.gateway.faults = [404]
    assert (await sender.outbox().flush()).kept == 1
    with sender.store.writing() as transaction:
        (item,) = transaction.outbox()
        for _ in range(MAX_NOT_FOUND):
            transaction.settle(item.number, "pending", "not found")
    sender.gateway.faults = [404]
    assert (await sender.outbox().flush()).refused == 1


async def test_one_refused_message_does_not_hold_up_the_others(sender: Sender) -> None:
    sender.put("/v1/receipts", *sender.paper.receipts(0))
    sender.gateway.faults = [422, 422]  # all of them together, then one of them
    flushed = await sender.outbox().flush()
    assert (flushed.delivered, flushed.refused) == (2, 1)


async def test_messages_to_another_path_wait_their_turn(sender: Sender) -> None:
    sender.put("/v1/receipts", *sender.paper.receipts(0))
    sender.put("/v1/approvals", *sender.paper.approvals)
    sender.gateway.faults = [503]
    await sender.outbox().flush()
    assert "approvals" not in sender.gateway.posted


async def test_a_message_that_the_gateway_always_fails_on_holds_the_others_up_for_so_long(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MAX_HOLDING_UP", 2)
    sender.put("/v1/receipts", sender.paper.receipts(0)[0])
    sender.put("/v1/approvals", *sender.paper.approvals)
    for _ in range(2):
        sender.gateway.faults = [500]
        assert (await sender.outbox().flush()).problem is not None
        assert "approvals" not in sender.gateway.posted
    sender.gateway.faults = [500]
    flushed = await sender.outbox().flush()
    assert (flushed.delivered, flushed.kept, flushed.problem) == (3, 1, None)


async def test_an_attachment_travels_with_its_document(sender: Sender) -> None:
    envelope = sender.paper.receipts(0)[0]
    with sender.store.writing() as transaction:
        transaction.enqueue("/v1/signatures", envelope, queued=NOW, attachment=("entries", b'{"entries":[]}'))
    assert (await sender.outbox().flush()).delivered == 1
    assert sender.gateway.posted["signatures"] == [envelope]
    assert sender.gateway.attachments == [("entries", b'{"entries":[]}')]
