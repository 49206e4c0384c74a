"""The base class of detectors, and the boxes that remain of those that overlap."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from resight.cameras.detections import Detections
from resight.cameras.frames import Frame
from resight.errors import ArrayError, WeightsError

__all__ = ["CallableDetector", "Detector", "suppressed"]


class Detector(ABC):
    """Finds people on frames.

    Attributes
    ----------
    name : str
        Name in reports.
    report : callable
        Called with a line about what is wrong, if the detector goes on nevertheless. A `resight.cameras.Watch` sets it.
    one_camera : str
        Reason why it is for one camera only; empty if it is for several.
    """

    name: str
    one_camera: str = ""
    report: Callable[[str], None] = staticmethod(lambda line: None)

    @abstractmethod
    def detect(self, frame: Frame) -> Detections:
        """Find the people on a frame. Boxes may leave the frame."""

    def for_camera(self, camera: str) -> Detector:
        """The detector of one camera. By default all cameras share one, which must not remember earlier frames."""
        return self


class CallableDetector(Detector):
    """A function as a detector.

    Parameters
    ----------
    function : callable
        Receives pixels, uint8 RGB (height, width, 3), and returns an object with `xyxy` and `confidence`, such as supervision's
        `Detections`.
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.name = getattr(function, "__name__", type(function).__name__)
        self._function = function

    def detect(self, frame: Frame) -> Detections:
        """See `Detector.detect`. Raises `ArrayError` if the function returns something else."""
        try:
            return Detections.of(self._function(frame.pixels))
        except ArrayError as error:
            raise ArrayError(f"the detector {self.name}, frame {frame.index} of {frame.camera!r}: {error}") from error


def suppressed(boxes: NDArray[Any], scores: NDArray[Any], *, overlap: float, name: str) -> Detections:
    """Detections without the boxes that overlap with a surer one by more than `overlap` (intersection over union).

    Parameters
    ----------
    boxes : array of shape (n, 4)
        Left, top, right, bottom.
    scores : array of shape (n,)

    Raises
    ------
    WeightsError
        If a network gave NaN or infinity.
    """
    if not len(boxes):
        return Detections.none()
    if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
        raise WeightsError(f"{name} gives NaN or infinity; its weights are damaged, or it is not a detector of people")
    boxes = np.concatenate([boxes[:, :2], np.maximum(boxes[:, 2:], boxes[:, :2])], axis=1)
    sizes = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    kept = cv2.dnn.NMSBoxes(sizes.tolist(), scores.tolist(), 0.0, overlap)
    rows = np.sort(np.asarray(kept, np.int64).ravel())
    return Detections(boxes[rows], np.clip(scores[rows], 0, 1))
