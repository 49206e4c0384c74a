"""Watching cameras: frames to detections, vectors, tracks and tracklets, each camera at its own pace."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from resight.cameras.detections import Detections
from resight.cameras.detectors import Detector
from resight.cameras.events import Event
from resight.cameras.frames import Frame
from resight.cameras.quality import completeness
from resight.cameras.sources import Reader, Source
from resight.cameras.states import CameraState, Condition
from resight.cameras.tracking import Tracker, Tracks
from resight.cameras.tracklets import Path
from resight.errors import ConfigurationError, ResightError, StorageError, one_line
from resight.models.model import Model

__all__ = ["AnyTracker", "Observer", "Watch"]

_PATIENCE = 1.0  # seconds for the threads of all cameras to end in
_AHEAD = 2  # frames of a file that are taken at once: while one is embedded and tracked, people are found on the next


class AnyTracker(Protocol):
    """A tracker of one camera, such as `resight.cameras.tracking.Tracker`."""

    def wanted(self, frame: Frame, detections: Detections) -> NDArray[np.bool_]:
        """Choose the boxes whose embedding counts, with all that may become part of a track."""

    def update(self, frame: Frame, detections: Detections, embeddings: NDArray[np.float32] | None) -> Tracks:
        """Take the next frame. The embedding of a box that was not wanted is NaN."""


class Observer(Protocol):
    """Receiver of every frame with its tracks, such as a writer of MOT text."""

    def see(self, frame: Frame, tracks: Tracks) -> None:
        """Take the next frame of any camera."""

    def end(self, camera: str) -> None:
        """Learn that a camera has ended."""


class Watch:
    """Several cameras, watched at once.

    Each camera has a thread that decodes, and a tracker. The detector works on a thread of its own, a frame ahead of the model and
    the trackers on the caller's; cameras take turns. The result of a file depends on the file alone.

    Parameters
    ----------
    sources : sequence of Source
        Their names must differ.
    detector : Detector
    model : Model
    tracker : callable
        Makes a tracker for each camera.
    least : int
        Boxes that a tracklet needs; shorter ones are counted and left out.
    gap : float
        Seconds without a box after which a person has left; the tracker finds them again until then. Everybody has left a live
        camera that has given no frame for so long, and any camera whose pictures change their size.
    longest : float
        Seconds after which a tracklet is closed and a new one begun, so that memory stays bounded.
    observers : sequence of Observer
    report : callable
        Called, from any thread, with a line about each failure of a live camera, and what the detector reports.

    Attributes
    ----------
    failures : dict of str to str
        Reason why a camera ended early, by its name.
    short : int
        Tracklets that were left out.
    tracklets : dict of str to int
        Number of tracklets, by camera.

    Raises
    ------
    ConfigurationError
        If two cameras have the same name, or there are none.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        detector: Detector,
        model: Model,
        tracker: Callable[[], AnyTracker] = Tracker,
        *,
        least: int = 3,
        gap: float = 8.0,
        longest: float = 600.0,
        observers: Sequence[Observer] = (),
        report: Callable[[str], None] = lambda line: None,
    ) -> None:
        names = [source.camera for source in sources]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice or not names:
            given = f"the name {twice[0]!r} is given to several cameras" if twice else "no camera is given"
            raise ConfigurationError(f"{given}; expected NAME=SOURCE, each name once")
        if detector.one_camera and len(names) > 1:
            raise ConfigurationError(detector.one_camera)
        self.failures: dict[str, str] = {}
        self._detecting: ThreadPoolExecutor
        self.short = 0
        self.tracklets = dict.fromkeys(names, 0)
        self._ready = threading.Condition()
        self._stopped = False
        self._sources = sources
        self._model = model
        self._least, self._gap, self._longest = least, gap, longest
        self._observers = observers
        self._cameras = []
        for source in sources:
            reader = Reader(source, self._ready, report=report)
            try:
                own = detector.for_camera(source.camera)
                own.report = report
                self._cameras.append(_Camera(reader, own, tracker()))
            except ResightError as error:
                self.failures[source.camera] = str(error)
        self._open = list(self._cameras)

    def run(self) -> Iterator[Event]:
        """Watch until all cameras have ended, or `stop` is called. Yields events as they happen.

        Raises
        ------
        StorageError
            If an observer cannot write. Whatever else happens to a camera is in `failures`, and the others go on.
        """
        for camera in self._open:
            camera.reader.start()
        self._detecting = ThreadPoolExecutor(1, "detector")
        try:
            while self._open and not self._stopped:
                for camera in self._next():
                    yield from self._step(camera)
                for camera in self._open:
                    silent = not camera.ahead and time.monotonic() - camera.heard > self._gap
                    if camera.reader.source.live and camera.paths and silent:
                        yield from self._finish(camera, list(camera.paths))
            if self._stopped:
                yield from self.close_live()
        finally:
            self._detecting.shutdown(cancel_futures=True)
            for camera in self._cameras:
                camera.reader.stop()
            end = time.monotonic() + _PATIENCE
            for camera in self._cameras:
                camera.reader.close(max(0.0, end - time.monotonic()))

    def stop(self) -> None:
        """End `run` soon, from any thread: as if it was interrupted, with `close_live`."""
        self._stopped = True
        with self._ready:
            self._ready.notify_all()

    def states(self) -> list[CameraState]:
        """State of every camera at this moment, in the order of the sources; from any thread."""
        known = {camera.reader.source.camera: camera for camera in self._cameras}
        return [self._state(source, known.get(source.camera)) for source in self._sources]

    def _state(self, source: Source, camera: _Camera | None) -> CameraState:
        reason = self.failures.get(source.camera, "")
        state: Condition
        if camera is None or reason:
            state = "failed"
        elif camera.reader.ended:
            state = "ended"
        elif camera.reader.trouble:
            state, reason = "reconnecting", camera.reader.trouble
        else:
            state = "running" if source.counts.frames else "starting"
        return CameraState(
            camera=source.camera,
            source=source.shown,
            state=state,
            reason=reason,
            **vars(source.counts),
            tracklets=self.tracklets[source.camera],
            in_view=camera.in_view if camera is not None and state == "running" else 0,
            last=camera.last if camera is not None and source.dated else None,
        )

    def close_live(self) -> list[Event]:
        """End the live cameras, after an interruption. The tracklets of files come when the files are watched again."""
        events: list[Event] = []
        for camera in self._open:
            if camera.reader.source.live:
                events += self._finish(camera, list(camera.paths))
                for observer in self._observers:
                    observer.end(camera.reader.source.camera)
        return events

    def _next(self) -> list[_Camera]:
        """Wait for cameras that have a frame, or have ended, but not for long."""
        with self._ready:
            found = self._found()
            if not found and not self._stopped:
                self._ready.wait(min(1.0, self._gap))
                found = self._found()
        return found

    def _found(self) -> list[_Camera]:
        """Cameras that have frames, which are taken, or have ended."""
        for camera in self._open:
            room = 1 if camera.reader.source.live else _AHEAD  # what is live waits for nothing
            while len(camera.ahead) < room and (frame := camera.reader.take()) is not None:
                camera.ahead.append((frame, self._detecting.submit(camera.detector.detect, frame)))
        return [camera for camera in self._open if camera.ahead or camera.reader.ended]

    def _step(self, camera: _Camera) -> Iterator[Event]:
        name = camera.reader.source.camera
        if camera.ahead:
            frame, detections = camera.ahead.popleft()
            try:
                yield from self._see(camera, frame, detections.result().clipped(*frame.size))
                return
            except StorageError:
                raise
            except Exception as error:  # one camera's fault must not silence the others
                self.failures[name] = one_line(error)
                camera.reader.close()
        elif camera.reader.failure:
            self.failures[name] = camera.reader.failure
        self._open.remove(camera)
        yield from self._finish(camera, list(camera.paths))
        for observer in self._observers:
            observer.end(name)

    def _see(self, camera: _Camera, frame: Frame, detections: Detections) -> Iterator[Event]:
        tracked = detections.tracker_id is not None
        wanted = np.ones(len(detections), bool) if tracked else camera.tracker.wanted(frame, detections)
        vectors = np.full((len(detections), self._model.embedding_size), np.nan, np.float32)
        vectors[wanted] = self._model.embed((frame.pixels, detections.xyxy[wanted]))
        if detections.tracker_id is None:
            tracks = camera.tracker.update(frame, detections, vectors)
        else:
            ids = detections.tracker_id
            tracks = Tracks(ids, detections.xyxy, detections.confidence, np.arange(len(ids)), np.ones(len(ids), bool))
        for observer in self._observers:
            observer.see(frame, tracks)
        camera.last, camera.in_view = frame.time, len(tracks.ids)
        other = frame.size != camera.size  # boxes of two sizes cannot be compared
        camera.size, camera.heard = frame.size, time.monotonic()
        yield from self._finish(camera, [id for id, path in camera.paths.items() if other or self._over(path, frame.time)])
        seen = completeness(detections.xyxy, frame.size)
        for id, row in zip(tracks.ids.tolist(), tracks.rows.tolist(), strict=True):
            path = camera.paths.setdefault(id, Path(frame.camera, id, camera.reader.source.dated))
            path.see(frame, detections.xyxy[row], float(detections.confidence[row]), float(seen[row]), vectors[row])
            if len(path) == self._least:
                yield Event(kind="appeared", camera=frame.camera, name=path.name, track=id, time=path.start)

    def _over(self, path: Path, now: float) -> bool:
        return now - path.end > self._gap or now - path.start > self._longest

    def _finish(self, camera: _Camera, ids: list[int]) -> Iterator[Event]:
        for id in ids:
            path = camera.paths.pop(id)
            if len(path) < self._least:
                self.short += 1
                continue
            made = path.finish(self._model.embedding_size)
            self.tracklets[made.camera] += 1
            yield Event(kind="left", camera=made.camera, name=made.name, track=id, time=made.end, tracklet=made)


class _Camera:
    """State of one camera."""

    def __init__(self, reader: Reader, detector: Detector, tracker: AnyTracker) -> None:
        self.reader, self.detector, self.tracker = reader, detector, tracker
        self.paths: dict[int, Path] = {}
        self.ahead: deque[tuple[Frame, Future[Detections]]] = deque()
        self.last: float | None = None
        self.in_view = 0
        self.size = (0, 0)
        self.heard = 0.0  # when the last frame was watched, by a clock that never jumps
