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
from resight.models.model import Model
from resight.service.access import FindCaller
from resight.service.admission import FairThreads, Places
from resight.service.audit import Act, AuditLog
from resight.service.metrics import GalleryState, Metrics
from resight.service.search_queue import SearchQueue
from resight.service.watching import Watching

__all__ = ["Limits", "Purging", "Service"]

_LOG = logging.getLogger(__name__)

_RETENTION, _SERVICE = "retention", "service"  # names in the audit log
_PATIENCE = 2.0  # seconds to end in
_COUNTED = 10.0  # seconds for which a number of people holds
_USUAL = 3600.0  # and for which what is usual in the gallery does
_JUMP = 3600.0  # seconds by which the clock may be set without stopping the retention


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
    """

    running: bool
    done: int
    of: int
    since: str | None


class Service:
    """A gallery and its model while they are served.

    As a context manager it runs for the length of a block; `resight.service.app.create_app` makes an application of it.

    Parameters
    ----------
    gallery : Gallery
    extractor : Model
    audit : AuditLog
    find : FindCaller
    calibration : Calibration, optional
    people : int
        Number of people in the gallery, for which the calibration's thresholds are moved; 0 reckons it.
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
        audit: AuditLog,
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
        self.calibration, self.limits, self.purge_every = calibration, limits or Limits(), purge_every
        places = {"audit": audit.path.parent} | ({} if gallery.folder is None else {"gallery": gallery.folder})
        self.metrics = Metrics(GalleryState(self.ready, gallery.cameras, places))
        self.watching: Watching | None = None
        self.places = Places(self.limits.queue)
        self.metrics.waiting.set_function(lambda: self.places.taken)
        self.uploads = FairThreads(usable_cores())
        self.searches = SearchQueue(gallery, audit, self.metrics.batch.observe)
        self._stopped = threading.Event()
        self._retention: threading.Thread | None = None
        self._unready = False  # and said so
        self._clock = time.time(), time.monotonic()
        self.purging = Purging(running=False, done=0, of=0, since=None)
        self._purges: list[str] = []  # those that run or wait, by the time of their start
        self._future = 0  # sightings that were enrolled in the future, and said so
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
        if self.purge_every is not None:
            self._retention = threading.Thread(target=self._purge_regularly, name="retention", daemon=True)
            self._retention.start()

    def stop(self) -> None:
        """Answer waiting requests, then stop, within two seconds. A purge that goes on is finished by the next one."""
        self._stopped.set()
        end = time.monotonic() + _PATIENCE
        for wait in (self.uploads.close, self.searches.close, *([self._retention.join] if self._retention else [])):
            wait(max(0.0, end - time.monotonic()))

    def ready(self) -> bool:
        """Return whether searches can be answered and logged. A log that failed before is tried again."""
        try:
            len(self.gallery)
            if self.audit.failing:
                self.log(_SERVICE, "ready")
        except ResightError as error:
            if not self._unready:
                _LOG.error("not ready: %s", error)
            self._unready = True
            return False
        self._unready = False
        return not self._stopped.is_set()

    def people(self, cameras: frozenset[str] | None = None) -> int | None:
        """Return about how many people some or all cameras saw, at most a few seconds ago; None without a calibration."""
        if self.calibration is None or self._people:
            return self._people or None
        now = time.monotonic()
        if now - self._counted > _COUNTED:
            self._counts, self._counted = {}, now
        if cameras not in self._counts:
            self._counts[cameras] = self.calibration.reckon(*self.gallery.people(cameras))
        return self._counts[cameras]

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
            if self.gallery.folder is None or not self.gallery.release_reserve(self.gallery.folder):
                raise
            self.log(who, "purge", **details)

    def purge_expired(self) -> Removal | None:
        """Delete expired sightings; None if there are none."""
        cutoff = self.gallery.settings.expired_before(datetime.now(UTC))
        if cutoff is None:
            return None
        jump = (time.time() - self._clock[0]) - (time.monotonic() - self._clock[1])
        if abs(jump) > _JUMP:
            raise StorageError(
                f"the system's clock has jumped by {jump / 3600:.1f} hours; nothing expires until the service is started again"
            )
        where = Where(older_than=cutoff)
        here, elsewhere = self.gallery.reach(where)
        if not here and not elsewhere:
            return None
        self.log_purge(_RETENTION, older_than=cutoff.isoformat(), sightings=len(here) + elsewhere)
        return self.purge(where)

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

    def _warn_of_the_future(self) -> None:
        future = self.gallery.statistics().future
        if future and future != self._future:
            _LOG.warning(
                "%d sightings were enrolled in the future, and would be kept too long; if the clock is right now, "
                "delete them by `resight gallery purge --future`",
                future,
            )
        self._future = future

    def _purge_regularly(self) -> None:
        nothing = Where(ids=frozenset())
        while True:
            try:
                if self.gallery.reach(nothing)[1]:  # an interrupted purge
                    self.purge(nothing)
                self.purge_expired()
                self._warn_of_the_future()
                self.gallery.cameras()  # which makes memory forget what other processes purged
            except Exception:  # whatever it was, it is tried again
                self.metrics.failures.inc()
                _LOG.exception("expired sightings could not be purged")
            if self._stopped.wait(self.purge_every):
                return
