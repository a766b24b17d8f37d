"""How often one key or address may ask: a bucket of tokens each, refilled with time.

Buckets that are full again are forgotten, so that many callers cost no memory for long.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

MAX_BUCKETS = 100_000


@dataclass(frozen=True, slots=True)
class Rate:
    """`per_second` tokens come back, up to `burst`."""

    per_second: float
    burst: float


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class TokenBuckets:
    """Buckets of one rate; `monotonic` gives seconds. Not for several threads: used on the event loop."""

    def __init__(self, rate: Rate, monotonic: Callable[[], float]) -> None:
        self._rate = rate
        self._monotonic = monotonic
        self._buckets: dict[Hashable, _Bucket] = {}

    def take(self, caller: Hashable) -> float:
        """Take one token: 0.0 if there was one, else the seconds until there is."""
        bucket = self._bucket_of(caller)
        if bucket.tokens >= 1.0:
            bucket.tokens -= 1.0
            return 0.0
        return (1.0 - bucket.tokens) / self._rate.per_second

    def owe(self, caller: Hashable, tokens: int) -> float:
        """Take tokens for what is done already, though there may be too few: 0.0 if there were enough, else the
        seconds until the next one may be taken."""
        bucket = self._bucket_of(caller)
        bucket.tokens -= tokens
        return 0.0 if bucket.tokens >= 0.0 else (1.0 - bucket.tokens) / self._rate.per_second

    def _bucket_of(self, caller: Hashable) -> _Bucket:
        now = self._monotonic()
        bucket = self._buckets.get(caller)
        if bucket is None:
            if len(self._buckets) >= MAX_BUCKETS:
                self._forget(now)
            bucket = self._buckets[caller] = _Bucket(self._rate.burst, now)
        bucket.tokens = min(self._rate.burst, bucket.tokens + (now - bucket.at) * self._rate.per_second)
        bucket.at = now
        return bucket

    def _forget(self, now: float) -> None:
        """Drop full buckets; if all callers are busy, the older half of them."""
        refill = self._rate.burst / self._rate.per_second
        self._buckets = {k: b for k, b in self._buckets.items() if now - b.at < refill}
        if len(self._buckets) >= MAX_BUCKETS:
            by_age = sorted(self._buckets.items(), key=lambda item: item[1].at)
            self._buckets = dict(by_age[len(by_age) // 2 :])
