"""Cameras that are watched beside the routes, on a thread of their own, into the gallery that is served."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

from resight.cameras import Detector, Source, Watch
from resight.cameras.events import Log
from resight.cameras.plan import Plan
from resight.cameras.states import CameraState
from resight.decision import Calibration
from resight.errors import GalleryError, ResightError, StorageError
from resight.gallery import Gallery, Sighting, Where
from resight.gallery.keeping import Keeper
from resight.gallery.people import People
from resight.models.model import Model

__all__ = ["Watching"]

T = TypeVar("T")

_LOG = logging.getLogger(__name__)
_WHO = "cameras"  # name in the audit log
_AGAIN = 5.0  # seconds before something that could not be written is tried again
_PATIENCE = 8.0  # seconds to end in, from the moment that it is asked for
_KEEPS_NOTHING = "nothing can be kept at the moment; the service's log says why"
_BROKEN = "watching broke down; the service's log says why"


class Watching:
    """Watches cameras for the length of a block, and keeps their tracklets in a gallery.

    What cannot be written, because a disk is full or a database away, is tried again until it can be; live cameras drop frames
    meanwhile. Films that are not over at the end of the block are watched from their beginning the next time.

    Parameters
    ----------
    gallery : Gallery
    extractor : Model
        The gallery's.
    log : callable
        Writes an entry into the audit log, before the gallery is written; takes who, action and details.
    sources : sequence of Source
    detector : Detector
    refused : sequence of CameraState
        Cameras that could not be opened.
    calibration : Calibration, optional
        Decision by which tracklets are joined into people.
    plan : Plan, optional
        Travel times and overlaps.
    events : Log, optional
    """

    def __init__(
        self,
        gallery: Gallery,
        extractor: Model,
        log: Callable[..., object],
        sources: Sequence[Source],
        detector: Detector,
        *,
        refused: Sequence[CameraState] = (),
        calibration: Calibration | None = None,
        plan: Plan | None = None,
        events: Log | None = None,
    ) -> None:
        written = _LoggedGallery(gallery, log)
        self._people = None
        if calibration is not None:
            self._people = People(written, calibration.limits(), None if plan is None else plan.ways)
        self._keeper = Keeper(events, sources, written, self._people, attempt=self._attempt)
        self._watch = Watch(sources, detector, extractor, observers=[self._keeper], report=_LOG.warning)
        for name in self._watch.failures:
            self._keeper.end(name)
        self._refused = tuple(refused)
        self._stopping = threading.Event()
        self._end = 0.0  # when it must have ended
        self._trouble = ""
        self._thread = threading.Thread(target=self._run, name="cameras", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.stop()
        self._thread.join(max(0.0, self._end - time.monotonic()))
        if self._thread.is_alive():
            _LOG.error("the cameras did not end in time; people who were in view may be missing")

    def stop(self) -> None:
        """Begin to end: close the tracklets of live cameras. Returns at once."""
        if not self._stopping.is_set():
            self._end = time.monotonic() + _PATIENCE
            self._stopping.set()
            self._watch.stop()

    def states(self) -> list[CameraState]:
        """State of every camera at this moment, sorted by name."""
        return sorted((*self._refused, *self._watch.states()), key=lambda one: one.camera)

    @property
    def trouble(self) -> str:
        """Reason why nothing that the cameras see is kept; empty if it is."""
        return self._trouble

    def look_again(self) -> None:
        """Take up with the next frame what an operator changed."""
        if self._people is not None:
            self._people.look_again()

    def _run(self) -> None:
        try:
            for event in self._watch.run():
                self._keep(partial(self._keeper.keep, event))
            self._keep(self._keeper.join)
        except Exception:
            self._trouble = _BROKEN
            _LOG.exception("the cameras are not watched any more; start the service again")
        for name, reason in self._watch.failures.items():
            _LOG.error("%s: %s", name, reason)

    def _keep(self, call: Callable[[], None]) -> None:
        try:
            call()
        except ResightError as error:
            _LOG.error("a tracklet was not kept: %s", error)

    def _attempt(self, call: Callable[[], T]) -> T:
        """Do what reads or writes the gallery, as often as it takes; while ending, once more."""
        while True:
            last = self._stopping.is_set()
            try:
                result = call()
            except (StorageError, GalleryError) as error:
                if last:
                    raise
                if not self._trouble:
                    _LOG.error("what the cameras see cannot be kept: %s", error)
                self._trouble = _KEEPS_NOTHING
                self._stopping.wait(_AGAIN)
            else:
                if self._trouble:
                    _LOG.warning("what the cameras see is kept again")
                self._trouble = ""
                return result


class _LoggedGallery(Gallery):
    """A gallery that the audit log is ahead of: it holds what cameras add and name, before the gallery does."""

    def __init__(self, gallery: Gallery, log: Callable[..., object]) -> None:
        super().__init__(gallery._store, gallery.folder)
        self._log = log

    def add(self, sightings: Sequence[Sighting]) -> int:
        there = self._store.present([one.id for one in sightings])
        for one in sightings:
            if one.id not in there:
                time = None if one.time is None else one.time.isoformat()
                self._log(_WHO, "enrol", sighting=one.id, camera=one.camera, time=time, tracklet=one.tracklet)
        return super().add(sightings)

    def label(self, ids: Iterable[str], identity: str, was: Mapping[str, str] | None = None) -> int:
        before: dict[str, list[str]] = {}
        for record in self.records(Where(ids=frozenset(ids))):
            if was is None or record.identity == was.get(record.id):
                before.setdefault(record.identity, []).append(record.id)
        self._log(_WHO, "label", identity=identity, before=before)
        # An operator may name one while the log is written.
        return super().label([id for some in before.values() for id in some], identity, was)
