"""Boxes, or tracks, that another program made: MOT text, COCO JSON, JSON lines."""

from __future__ import annotations

import json
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from typing import IO, Any

import numpy as np

from resight.cameras.detections import Detections
from resight.cameras.detectors.detector import Detector
from resight.cameras.frames import Frame
from resight.cameras.mot import read_mot
from resight.cameras.numbering import frame_indices
from resight.datasets.names import camera_name
from resight.errors import ConfigurationError, DatasetError, ResightError

__all__ = ["BoxesDetector"]

_MOST_BYTES = 256 * 2**20
_MOST_LINE = 2**20
_MOST_WAITING = 10_000
_PEOPLE = ("person", "pedestrian", "people")
_KINDS = "MOT text (.txt), COCO (.json) or JSON lines (.jsonl, or - for standard input)"

Frames = dict[int, Detections]


class BoxesDetector(Detector):
    """Boxes from a file, or from standard input. If they have the numbers of tracks, people are not tracked again.

    Parameters
    ----------
    file : str
        One of these:

        - MOT text, such as ``det.txt`` or ``gt.txt``; frames count from 1; for one camera
        - a folder with such a file for each camera, ``NAME.txt``
        - COCO, ``.json``: annotations with images, whose file names are in the order of the frames, or count them, as those of a
          folder do (see `resight.cameras.numbering`); or a list of results, whose image_id is the number of the frame, from 1; for
          one camera
        - JSON lines, ``.jsonl``, or ``-`` for standard input: a line a frame, in their order, such as ``{"camera": "door",
          "frame": 0, "boxes": [[left, top, right, bottom]], "confidence": [0.9], "ids": [7]}``; frames count from 0, and all but
          frame and boxes may be left out. Several lines of one frame are put together, so a frame is complete when a line of a
          later one comes
    threshold : float
        Smallest confidence.
    threads : int
        Not used.

    Raises
    ------
    ConfigurationError
        If no file is given.
    DatasetError
        If it cannot be read, or is of another kind.
    """

    def __init__(self, file: str = "", *, threshold: float = 0.1, threads: int = 0) -> None:
        if not file:
            raise ConfigurationError(f"boxes needs a file, such as boxes:det.txt; expected {_KINDS}")
        self.name = "boxes"
        self._threshold = threshold
        self._file = Path(file)
        self._lines: _Lines | None = None
        self._frames: Frames = {}
        if file == "-":
            self._lines = _Lines(sys.stdin, "standard input")
        elif not self._file.exists():
            raise DatasetError(f"{file}: there is no such file; expected {_KINDS}")
        elif self._file.suffix == ".jsonl":
            self._lines = _Lines(self._file.open(encoding="utf-8"), file)
        elif not self._file.is_dir():
            self._frames = _read(self._file)
            self.one_camera = f"{file} does not name cameras, and several are watched; name a folder with NAME.txt for each"

    def for_camera(self, camera: str) -> Detector:
        """The boxes of one camera."""
        if self._lines is not None:
            self._lines.cameras.add(camera)
            return _OfCamera(self._lines, camera, self._threshold)
        if self._file.is_dir():
            name = camera_name(camera)
            path = self._file / f"{name}.txt"
            if Path(name).name != name or not path.is_file():
                raise DatasetError(f"{self._file}: no file {name}.txt for the camera {name!r}; expected one for each camera")
            return BoxesDetector(str(path), threshold=self._threshold)
        return self

    def detect(self, frame: Frame) -> Detections:
        """See `Detector.detect`."""
        return _sure(self._frames.get(frame.index, Detections.none()), self._threshold)


class _OfCamera(Detector):
    """JSON lines of one camera."""

    def __init__(self, lines: _Lines, camera: str, threshold: float) -> None:
        self.name = "boxes"
        self._lines, self._camera, self._threshold = lines, camera, threshold

    def detect(self, frame: Frame) -> Detections:
        return _sure(self._lines.of(self._camera, frame.index, self.report), self._threshold)


class _Lines:
    """JSON lines that are read as far as they are needed. Lines of other cameras, and of frames to come, wait.

    If too many wait, the oldest are dropped: their camera may have ended, or nobody watches it. If that camera asks for them after
    all, the lines are in a wrong order. For a file this is an error; on standard input, live cameras go on and are warned once.

    Attributes
    ----------
    cameras : set of str
        Cameras that are watched.
    """

    def __init__(self, stream: IO[str], name: str) -> None:
        self._stream, self._name = stream, name
        self._number = 0
        self._waiting: dict[tuple[str, int], Detections] = {}
        self._reached: dict[str, int] = {}
        self._dropped: dict[str, int] = {}  # last frame whose line was dropped
        self._given: dict[str, int] = {}  # last frame that was asked for
        self.cameras = set[str]()
        self._told = set[str]()
        self._ended = False
        if stream is not sys.stdin:
            weakref.finalize(self, stream.close)

    def of(self, camera: str, frame: int, report: Callable[[str], None]) -> Detections:
        """Boxes of a frame. A line without a camera holds for every camera."""
        names = (camera, "")
        while not self._ended and max(self._reached.get(name, -1) for name in names) <= frame:  # more lines of it may come
            self._read_line(report)
        for name in names:
            self._given[name] = max(frame, self._given.get(name, -1))
        for key in [key for key in self._waiting if key[0] == camera and key[1] < frame]:
            del self._waiting[key]  # of frames that were dropped
        for name in names:
            if (name, frame) in self._waiting:
                return self._waiting.pop((name, frame)) if name else self._waiting[name, frame]
        if frame <= max(self._dropped.get(name, -1) for name in names):
            lost = f"{self._name}: boxes of {camera!r} from frame {frame} on are lost, because more than {_MOST_WAITING} lines"
            lost += " came before their turn; sort the lines by frame, not by camera"
            if self._stream is not sys.stdin:
                raise DatasetError(lost)
            self._tell(report, camera, lost)
        return Detections.none()

    def _tell(self, report: Callable[[str], None], camera: str, line: str) -> None:
        """Report a loss of a camera's boxes once."""
        if camera not in self._told:
            report(line)
        self._told.add(camera)

    def _read_line(self, report: Callable[[str], None]) -> None:
        try:
            line = self._stream.readline(_MOST_LINE)
        except (OSError, UnicodeDecodeError) as error:
            raise DatasetError(f"{self._name}: cannot be read: {error}") from error
        if not line:
            self._ended = True
            return
        self._number += 1
        if not line.strip():
            return
        try:
            values = json.loads(line)
            camera, frame = values.get("camera", ""), values["frame"]
            if not isinstance(camera, str):
                raise ValueError(f"camera {camera!r} is not a text")
            if type(frame) is not int or frame < 0:
                raise ValueError(f"frame {frame!r}")
            name, boxes = camera_name(camera), values["boxes"]
            found = Detections(boxes, values.get("confidence", np.ones(len(boxes))), values.get("ids"))
            found = _together(self._waiting.get((name, frame), found.none()), found)
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError, ResightError) as error:
            raise DatasetError(
                f"{self._name}, line {self._number}: {line.strip()[:60]!r} ({error}); expected such as "
                '{"camera": "door", "frame": 0, "boxes": [[10, 20, 60, 180]], "confidence": [0.9]}'
            ) from error
        if name and name not in self.cameras:
            self._tell(report, name, f"{self._name}: nobody watches the camera {name!r}; its boxes are left out")
        elif frame <= self._given.get(name, -1):
            late = f"boxes of {name!r} in frame {frame} came after those of a later one, and are left out; sort the lines by frame"
            self._tell(report, name, f"{self._name}: {late}")
            return
        self._reached[name] = max(frame, self._reached.get(name, -1))
        self._waiting[name, frame] = found
        if len(self._waiting) > _MOST_WAITING:
            name, frame = next(iter(self._waiting))
            self._dropped[name] = max(frame, self._dropped.get(name, -1))
            del self._waiting[name, frame]


def _together(some: Detections, others: Detections) -> Detections:
    """Boxes of several lines of one frame. Raises `ArrayError` if only some of them, or two the same, have numbers of tracks."""
    if not len(some) or not len(others):
        return some if len(some) else others
    ids = [each.tracker_id for each in (some, others) if each.tracker_id is not None]
    confidence = np.concatenate([some.confidence, others.confidence])
    return Detections(np.concatenate([some.xyxy, others.xyxy]), confidence, np.concatenate(ids) if ids else None)


def _sure(found: Detections, threshold: float) -> Detections:
    return found[found.confidence >= threshold] if len(found) else found


def _read(path: Path) -> Frames:
    if path.suffix == ".json":
        return _read_coco(path)
    if path.suffix != ".txt":
        raise DatasetError(f"{path}: expected {_KINDS}")
    rows = read_mot(path)
    found = {}
    for frame in np.unique(rows.frames).tolist():
        some = rows.of(frame)
        ids = rows.ids[some]
        try:
            # Some detectors give logarithms or unbounded scores; all of these count as sure.
            sure = np.clip(rows.confidence[some], 0, 1)
            found[frame - 1] = Detections(rows.xyxy[some], sure, ids if (ids >= 0).all() else None)
        except ResightError as error:
            raise DatasetError(f"{path}, frame {frame}: {error}") from error
    return found


def _read_coco(path: Path) -> Frames:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DatasetError(f"{path}: {path.stat().st_size} bytes; at most {_MOST_BYTES} are read as COCO")
        values = json.loads(path.read_bytes())
        rows: dict[int, list[dict[str, Any]]] = {}
        for index, annotation in _annotations(values):
            rows.setdefault(index, []).append(annotation)
        return {index: _detections(some) for index, some in rows.items()}
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}") from error
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise DatasetError(f"{path}: not COCO's annotations or results ({reason}); expected image_id, category_id, bbox") from error


def _annotations(values: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    """Place of the frame, and what is on it, for each annotation of a person."""
    if isinstance(values, list):
        yield from ((int(one["image_id"]) - 1, one) for one in values if one.get("category_id", 1) == 1)
        return
    people = [one["id"] for one in values.get("categories", [{"id": 1, "name": "person"}]) if one["name"].lower() in _PEOPLE]
    names = [PurePath(str(image.get("file_name", image["id"]))).name for image in values["images"]]
    order = {image["id"]: index for image, index in zip(values["images"], frame_indices(names), strict=True)}
    yield from ((order[one["image_id"]], one) for one in values["annotations"] if one.get("category_id", 1) in people)


def _detections(rows: list[dict[str, Any]]) -> Detections:
    sizes = np.array([row["bbox"] for row in rows], np.float64).reshape(-1, 4)
    boxes = np.concatenate([sizes[:, :2], sizes[:, :2] + sizes[:, 2:]], axis=1)
    ids = [row.get("track_id", -1) for row in rows]
    return Detections(boxes, np.array([row.get("score", 1.0) for row in rows]), None if min(ids) < 0 else np.array(ids))
