"""Buckets: never more than the burst at once, never more than the rate for long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_cde.gateway import token_buckets
from mpc_cde.gateway.token_buckets import Rate, TokenBuckets


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@given(st.lists(st.floats(0, 3), min_size=1, max_size=80), st.integers(1, 5), st.floats(0.5, 4))
def test_no_caller_gets_more_than_burst_and_rate_allow(steps: list[float], burst: int, rate: float) -> None:
    seconds = Seconds()
    buckets = TokenBuckets(Rate(rate, burst), seconds)
    granted = 0
    for step in steps:
        seconds.now += step
        granted += buckets.take("caller") == 0.0
    assert granted <= burst + rate * seconds.now + 1e-6


def test_who_waits_as_long_as_told_gets_a_token() -> None:
    seconds = Seconds()
    buckets = TokenBuckets(Rate(2.0, 1.0), seconds)
    assert buckets.take("a") == 0.0
    wait = buckets.take("a")
    assert wait > 0
    assert buckets.take("b") == 0.0
    seconds.now += wait
    assert buckets.take("a") == 0.0


def test_many_busy_callers_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_buckets, "MAX_BUCKETS", 100)
    seconds = Seconds()
    buckets = TokenBuckets(Rate(0.001, 10.0), seconds)
    for number in range(500):
        seconds.now += 0.001
        buckets.take(number)
    assert len(buckets._buckets) <= 100
