"""Metrics of the service, for Prometheus."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from resight.errors import ResightError
from resight.gallery import Camera

__all__ = ["GalleryState", "Metrics"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class GalleryState(Collector):
    """State of a gallery, asked for whenever the metrics are.

    Parameters
    ----------
    ready : callable
        Tells if searches can be answered and logged.
    cameras : callable
        Returns the cameras by name.
    places : mapping of str to Path
        Folders whose disks must not be full, by what they are for.
    """

    def __init__(self, ready: Callable[[], bool], cameras: Callable[[], Mapping[str, Camera]], places: Mapping[str, Path]) -> None:
        self._ready, self._cameras, self._places = ready, cameras, places

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics; without those of the cameras if the gallery cannot be read."""
        ready = self._ready()
        yield GaugeMetricFamily("resight_ready", "1 if searches can be answered and logged, 0 if not", float(ready))
        free = GaugeMetricFamily("resight_free_bytes", "Free space on the disk of the gallery or the log", labels=["place"])
        for place, folder in self._places.items():
            with suppress(OSError):
                free.add_metric([place], shutil.disk_usage(folder).free)
        yield free
        sightings = GaugeMetricFamily("resight_sightings", "Sightings in the gallery", labels=["camera"])
        newest = GaugeMetricFamily(
            "resight_last_sighting_timestamp_seconds", "Time of the newest sighting that has a time", labels=["camera"]
        )
        cameras: Mapping[str, Camera] = {}
        with suppress(ResightError):
            cameras = self._cameras()
        for name, camera in cameras.items():
            sightings.add_metric([name], camera.sightings)
            if camera.last is not None:
                newest.add_metric([name], camera.last.timestamp())
        yield from (sightings, newest)


class Metrics:
    """Metrics of one service. Labels hold the route of a request and names of cameras, and nothing else that a request says.

    Parameters
    ----------
    state : GalleryState
    """

    def __init__(self, state: GalleryState) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(state)
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
        """Return all metrics in Prometheus's text format."""
        return generate_latest(self.registry)
