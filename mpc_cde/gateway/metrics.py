"""Numbers for operators (Prometheus): how much, how fast, how often refused; never who or what."""

from __future__ import annotations

from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """One registry for one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "mpc_cde_gateway_requests",
            "Answered requests by route and status",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "mpc_cde_gateway_request_seconds",
            "Time to an answer by route, waiting included",
            ("route",),
            registry=self.registry,
        )
        self.documents = Counter(
            "mpc_cde_gateway_documents",
            "Documents kept, or grown by a signature, by type",
            ("type",),
            registry=self.registry,
        )
        self.waiting = Gauge(
            "mpc_cde_gateway_waiting", "Long polls and streams that are open", registry=self.registry
        )

        # Looking a line up by its labels costs several times what counting does.
        self._counted = cache(self.requests.labels)
        self._observed = cache(self.seconds.labels)
        self._kept = cache(self.documents.labels)

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """One answered request. `method` and `route` come from tables: each makes a line."""
        self._counted(method, route, str(status)).inc()
        self._observed(route).observe(seconds)

    def count_kept(self, type_name: str) -> None:
        """One document that was kept, or grew by a signature."""
        self._kept(type_name).inc()

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)
