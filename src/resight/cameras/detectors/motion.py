"""Detection by motion, for a camera that stands still: no network, no download."""

from __future__ import annotations

import cv2
import numpy as np

from resight.cameras.detections import Detections
from resight.cameras.detectors.detector import Detector, suppressed
from resight.cameras.frames import Frame
from resight.errors import ConfigurationError

__all__ = ["MotionDetector"]

_WIDTH = 320
"""Width in pixels to which frames are shrunk, which removes noise and keeps people."""

_LEARNT = 5
"""Frames before the first answer, because everything looks new at first."""

_RATE = 1 / 500
"""Weight of a frame in the background. People who stand still become part of it after some hundred frames."""

_FOREGROUND = 255
"""Value of pixels that move; shadows have another."""


class MotionDetector(Detector):
    """Background subtraction by mixtures of Gaussians (Z. Zivkovic, ICPR 2004, OpenCV's MOG2).

    It sees everything that moves and is higher than wide, as one box if two touch. Who stands still for long becomes background.

    Parameters
    ----------
    file : str
        Must be empty.
    threshold : float
        Smallest confidence, the share of its box that something that moves fills.
    threads : int
        Not used.
    """

    def __init__(self, file: str = "", *, threshold: float = 0.1, threads: int = 0) -> None:
        if file:
            raise ConfigurationError(f"motion:{file}; motion has no file: write --detector motion")
        self.name = "motion"
        self._threshold = threshold
        self._model = cv2.createBackgroundSubtractorMOG2(history=500, varThreshold=25, detectShadows=True)
        self._frames = 0
        self._size = (0, 0)

    def for_camera(self, camera: str) -> MotionDetector:
        """A background of its own for each camera."""
        return MotionDetector(threshold=self._threshold)

    def detect(self, frame: Frame) -> Detections:
        """See `Detector.detect`."""
        height, width = frame.size
        scale = min(1.0, _WIDTH / width)
        small = cv2.resize(
            frame.pixels, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=cv2.INTER_AREA
        )
        if frame.size != self._size:  # another picture altogether
            self._frames, self._size = 0, frame.size
        rate = _RATE if self._frames >= _LEARNT else 1 / (1 + self._frames)
        moving = self._model.apply(small, learningRate=rate)
        self._frames += 1
        if self._frames <= _LEARNT:
            return Detections.none()
        mask = (moving == _FOREGROUND).astype(np.uint8)
        mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((9, 5), np.uint8))
        _, _, parts, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        left, top, wide, high, area = parts[1:].T.astype(np.float64)  # the first is the background
        filled = area / np.maximum(wide * high, 1)
        like_people = (area >= 0.001 * mask.size) & (high >= 1.1 * wide) & (high <= 6 * wide) & (filled >= self._threshold)
        boxes = np.stack([left, top, left + wide, top + high], axis=1)[like_people] / scale
        return suppressed(boxes, filled[like_people], overlap=1.0, name=self.name)
