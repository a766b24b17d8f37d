"""What operators see: alive, ready or why not, and counts; never a member."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from parties.node_health import STALE_AFTER, NodeHealth
from parties.operations import create_operations_app
from parties.share_store import ShareStore
from tests.mpc_cde.client.paper import PaperCommunity
from tests.parties.paper_node import ManualClock


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ShareStore]:
    store = ShareStore.open(tmp_path / "node.sqlite3")
    yield store
    store.close()


def client(health: NodeHealth, store: ShareStore) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_operations_app(health, store))
    return httpx.AsyncClient(transport=transport, base_url="http://node")


async def test_a_node_without_community_is_alive_and_not_ready(store: ShareStore) -> None:
    async with client(NodeHealth(ManualClock()), store) as pages:
        assert (await pages.get("/healthz")).status_code == 200
        answer = await pages.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["reason"] == "waiting for the community"


async def test_a_node_whose_feed_answers_is_ready_until_it_goes_silent(store: ShareStore) -> None:
    clock = ManualClock()
    health = NodeHealth(clock, community_stands=True)
    async with client(health, store) as pages:
        assert (await pages.get("/readyz")).status_code == 503
        health.feed_answered(7)
        assert (await pages.get("/readyz")).json() == {
            "ready": True,
            "reason": None,
            "phase": "idle",
            "feed": 7,
        }
        clock.now += STALE_AFTER
        health.feed_failed("no route")
        assert (await pages.get("/readyz")).status_code == 200
        clock.now += timedelta(seconds=1)
        answer = await pages.get("/readyz")
    assert answer.status_code == 503
    assert "no route" in answer.json()["reason"]


async def test_metrics_count_feed_and_outbox(store: ShareStore) -> None:
    paper = PaperCommunity()
    with store.writing() as transaction:
        transaction.enqueue("/v1/receipts", paper.receipts(0)[0], queued="2026-06-01T12:00:00Z")
    health = NodeHealth(ManualClock())
    health.feed_answered(12)
    async with client(health, store) as pages:
        text = (await pages.get("/metrics")).text
    assert "mpc_party_feed_number 12.0" in text
    assert 'mpc_party_outbox_messages{state="pending"} 1.0' in text


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json", "/v1/community"])
async def test_there_is_nothing_else(store: ShareStore, path: str) -> None:
    async with client(NodeHealth(ManualClock()), store) as pages:
        assert (await pages.get(path)).status_code == 404
