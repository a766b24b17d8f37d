"""Pauses of the product are for the open internet; here nobody is far away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import stamina

from parties import computing_work, conductor, gateway_feed, outbox


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(gateway_feed, "FIRST_PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(gateway_feed, "LONGEST_PAUSE_SECONDS", 0.1)
    monkeypatch.setattr(outbox, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(outbox, "LONGEST_PAUSE_SECONDS", 0.2)
    monkeypatch.setattr(computing_work, "REFUSAL_PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(conductor, "IDLE_SECONDS", 0.2)
    with stamina.set_testing(True, attempts=10, cap=True):
        yield
