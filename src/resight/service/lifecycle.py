"""The running service: what the routes share, and the retention that runs beside them."""

from __future__ import annotations

import logging
import math
import threading
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import numpy as np

from resight.compute import usable_cores
from resight.decision import Calibration
from resight.decision.words import Usual, look_around
from resight.errors import ConfigurationError, ResightError, StorageError
from resight.gallery import Gallery, Removal, Where
from resight.gallery.upkeep import release_reserve
from resight.models.model import Model
from resight.service.access import FindCaller
from resight.service.admission import FairThreads, Places
from resight.service.audit import Act, Audit
from resight.service.metrics import GalleryState, Metrics
from resight.service.retention import Retention
from resight.service.search_queue import SearchQueue
from resight.service.watching import Watching

__all__ = ["Limits", "Purging", "Service"]

_LOG = logging.getLogger(__name__)

_WHO = "service"  # name in the audit log
_PATIENCE = 2.0  # seconds to end in
_COUNTED = 10.0  # seconds for which a number of people holds
_USUAL = 3600.0  # and for which what is usual in the gallery does


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits on what the service accepts.

    Attributes
    ----------
    queue : int
        Uploads that may wait or be worked on at once; further ones are answered 429. Callers share them.
    upload : int
        Largest request, in bytes.
    k : int
        Largest number of matches of one search.
    pixels : int
        Most pixels of all images of one request.
    """

    queue: int = 8
    upload: int = 8_000_000
    k: int = 200
    pixels: int = 40_000_000

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 1:
                raise ConfigurationError(f"the limit {name} is {value}; expected at least 1")


@dataclass(frozen=True, kw_only=True)
class Purging:
    """State of a purge.

    Attributes
    ----------
    running : bool
        True if one runs or waits. Otherwise the rest describes the last one.
    done, of : int
        Sightings that it has deleted, and that it has to delete. They count up as their traces are gone, too.
    since : str or None
        Time of its start; ISO 8601, UTC. None if there was none since the service was started.
    unfinished : bool
        True if traces are left: another service's purge goes on, or one was interrupted, which the next purge or retention ends.
    """

    running: bool
    done: int
    of: int
    since: str | None
    unfinished: bool = False


class Service:
    """A gallery and its model while they are served.

    As a context manager it runs for the length of a block; `resight.service.app.create_app` makes an application of it.

    Parameters
    ----------
    gallery : Gallery
    extractor : Model
    audit : Audit
    find : FindCaller
    calibration : Calibration, optional
    people : int
        Number of people in the gallery, to which the calibration's thresholds are adjusted; 0 estimates it.
    limits : Limits
    purge_every : float, optional
        Seconds between purges of expired sightings; None never purges.

    Attributes
    ----------
    places : Places
        Places for uploads.
    uploads : FairThreads
        Threads that decode and embed uploads.
    searches : SearchQueue
    retention : Retention
    purging : Purging
    metrics : Metrics
    watching : Watching or None
        Cameras that are watched into the gallery.

    Raises
    ------
    ModelMismatchError
        If the model or the calibration is not the gallery's.
    """

    def __init__(
        self,
        gallery: Gallery,
        extractor: Model,
        audit: Audit,
        find: FindCaller,
        *,
        calibration: Calibration | None = None,
        people: int = 0,
        limits: Limits | None = None,
        purge_every: float | None = 3600.0,
    ) -> None:
        gallery.settings.check_model(extractor)
        if calibration is not None:
            calibration.check(gallery.settings)
        self.gallery, self.extractor, self.audit, self.find = gallery, extractor, audit, find
        self.calibration, self.limits = calibration, limits or Limits()
        places = {name: folder for name, folder in (("audit", audit.folder), ("gallery", gallery.folder)) if folder is not None}
        self.metrics = Metrics(GalleryState(self.ready, gallery.cameras, places))
        self.watching: Watching | None = None
        self.places = Places(self.limits.queue)
        self.metrics.waiting.set_function(lambda: self.places.taken)
        self.uploads = FairThreads(usable_cores())
        self.searches = SearchQueue(gallery, audit, self.metrics.batch.observe)
        self.retention = Retention(self, purge_every)
        self._stopped = False
        self._unready = False  # and said so
        self.purging = Purging(running=False, done=0, of=0, since=None)
        self._purges: list[str] = []  # those that run or wait, by the time of their start
        self._people = people
        self._counts: dict[frozenset[str] | None, int] = {}  # people by the cameras that saw them
        self._counted = -math.inf  # when that was
        self._usual: Usual | None = None
        self._looked = -math.inf
        self._looking = threading.Lock()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Start. The gallery is in memory and the model has run once when this returns."""
        height, width = self.extractor.size
        first = self.gallery.embed(self.extractor, [np.zeros((height, width, 3), np.uint8)])
        self.gallery.search(first, 1)
        self.retention.start()

    def stop(self) -> None:
        """Answer waiting requests, then stop, within two seconds. A purge that goes on is finished by the next one."""
        self._stopped = True
        self.retention.stop()
        end = time.monotonic() + _PATIENCE
        for wait in (self.uploads.close, self.searches.close, self.retention.join):
            wait(max(0.0, end - time.monotonic()))

    def ready(self) -> bool:
        """Return whether searches can be answered and logged. A log that failed before is tried again."""
        try:
            len(self.gallery)
            if self.audit.failing:
                self.log(_WHO, "ready")
        except ResightError as error:
            if not self._unready:
                _LOG.error("not ready: %s", error)
            self._unready = True
            return False
        self._unready = False
        return not self._stopped

    def people(self, cameras: frozenset[str] | None = None) -> int | None:
        """Return about how many people some or all cameras saw, at most a few seconds ago; None without a calibration."""
        if self.calibration is None or self._people:
            return self._people or None
        now = time.monotonic()
        if now - self._counted > _COUNTED:
            self._counts, self._counted = {}, now
        counts = self._counts  # another thread may replace it meanwhile
        if cameras not in counts:
            counts[cameras] = self.calibration.reckon(*self.gallery.people(cameras))
        return counts[cameras]

    def usual(self) -> Usual | None:
        """Return how common the appearances in the gallery are, as they were at most an hour ago; None without a cohort."""
        if self.calibration is None or self.calibration.cohort is None:
            return None
        with self._looking:
            if time.monotonic() - self._looked > _USUAL:
                self._usual, self._looked = look_around(self.gallery, self.calibration.cohort), time.monotonic()
            return self._usual

    def log(self, who: str, action: str, **details: Any) -> dict[str, Any]:
        """Log an action before it is done. Raises `StorageError`; the action must then not be done."""
        return self.audit.append([Act(who, action, details)])[0]

    def log_purge(self, who: str, **details: Any) -> None:
        """Log a purge; on a full disk in the space that is kept for it."""
        try:
            self.log(who, "purge", **details)
        except StorageError:
            if self.gallery.folder is None or not release_reserve(self.gallery.folder):
                raise
            self.log(who, "purge", **details)

    def purge(self, where: Where) -> Removal:
        """Delete sightings for good, and keep `purging` up to date meanwhile."""
        started = datetime.now(UTC).isoformat(timespec="seconds")
        self._purges.append(started)

        def progress(stage: str, done: int, total: int, note: str = "") -> None:
            self.purging = Purging(running=True, done=done, of=total, since=started)

        try:
            removal = self.gallery.purge(where, progress=progress)
        finally:
            self._purges.remove(started)
            self.purging = replace(self.purging, running=bool(self._purges))
        self.metrics.purged.inc(removal.removed)
        return removal
