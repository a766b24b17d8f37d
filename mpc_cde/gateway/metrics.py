"""Numbers for operators (Prometheus): how much, how fast, how often refused; never who or what."""

from __future__ import annotations

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

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)
