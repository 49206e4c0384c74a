"""Counters of the service, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

__all__ = ["Metrics"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Counters of one service. Labels hold the route of a request, and nothing else that the request says."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "resight_requests", "Requests that were answered", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "resight_request_seconds", "From a request's head to its answer", ["route"], buckets=_SECONDS, registry=self.registry
        )
        self.batch = Histogram(
            "resight_batch_searches",
            "Searches that were answered together",
            buckets=(1, 2, 4, 8, 16, 32),
            registry=self.registry,
        )
        self.purged = Counter("resight_purged_sightings", "Sightings that were deleted for good", registry=self.registry)
        self.failures = Counter("resight_failed_purges", "Purges of the retention that failed", registry=self.registry)
        self.waiting = Gauge("resight_places_taken", "Uploads that are being worked on or wait", registry=self.registry)

    def text(self) -> bytes:
        """Return all counters in Prometheus's text format."""
        return generate_latest(self.registry)
