"""Tracklets: one person's path past one camera, with the best few crops and one vector."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.cameras.frames import Frame
from resight.cameras.quality import sharpness, size_quality
from resight.images import Pixels, cut, resize

__all__ = ["Path", "Tracklet"]

CROPS = 4
"""Crops that a tracklet keeps, at most."""

_HIGHEST = 384  # pixels of a crop that is kept; models look at fewer
_GOOD = 0.5  # of the best crop's quality, for the others


@dataclass(frozen=True, kw_only=True, eq=False)
class Tracklet:
    """One person's path past one camera.

    Attributes
    ----------
    name : str
        Camera, number and some digits that are the same whenever the same film is watched, and differ between films.
    camera : str
    track : int
        Number of the track within the camera.
    start, end : float
        Seconds since 1970, or since the beginning of the film if `dated` is false.
    dated : bool
    frames : int64 array of shape (n,)
        Numbers of the frames, from 0.
    xyxy : float32 array of shape (n, 4)
        Its boxes, in pixels.
    confidence : float32 array of shape (n,)
    crops : tuple of uint8 arrays of shape (height, width, 3)
        At most `CROPS`, the best first: large, sharp, whole, and unlike each other.
    embedding : float32 array of shape (d,)
        Mean direction of the vectors of all its boxes, each counted by its quality, at their mean length.
    """

    name: str
    camera: str
    track: int
    start: float
    end: float
    dated: bool
    frames: NDArray[np.int64]
    xyxy: NDArray[np.float32]
    confidence: NDArray[np.float32]
    crops: tuple[Pixels, ...]
    embedding: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.frames)

    def at(self, time: float) -> datetime | None:
        """A time of its camera as a date, if the camera has dates."""
        return datetime.fromtimestamp(time, UTC) if self.dated else None


@dataclass
class _Candidate:
    pixels: Pixels
    quality: float
    direction: NDArray[np.float32]


@dataclass
class Path:
    """A tracklet that grows. Its memory is bounded, except for one box a frame."""

    camera: str
    track: int
    dated: bool
    name: str = ""
    start: float = 0.0
    end: float = 0.0
    _frames: list[int] = field(default_factory=list)
    _boxes: list[NDArray[np.float32]] = field(default_factory=list)
    _confidence: list[float] = field(default_factory=list)
    _crops: list[_Candidate] = field(default_factory=list)
    _sum: Any = 0.0
    _length: float = 0.0

    def __len__(self) -> int:
        return len(self._frames)

    def see(self, frame: Frame, box: NDArray[np.float32], confidence: float, seen: float, embedding: NDArray[np.float32]) -> None:
        """Add a box.

        Parameters
        ----------
        frame : Frame
        box : float32 array of shape (4,)
            Inside the frame.
        confidence, seen : float
            Confidence of the detector, and share of the person that is seen.
        embedding : float32 array of shape (d,)
        """
        if not self._frames:
            self.start = frame.time
            text = f"{self.camera}\0{self.track}\0{frame.index}\0{round(frame.time * 1e6)}\0{box.tobytes().hex()}\0"
            digest = hashlib.sha256(text.encode() + np.ascontiguousarray(cut(frame.pixels, _sides(box))).tobytes()).hexdigest()
            self.name = f"{self.camera}-{self.track}-{digest[:8]}"
        self.end = frame.time
        self._frames.append(frame.index)
        self._boxes.append(box)
        self._confidence.append(confidence)
        crop = cut(frame.pixels, _sides(box))
        quality = (0.1 + size_quality(float(box[3] - box[1]))) * (0.3 + sharpness(crop)) * (0.1 + confidence) * (0.05 + seen)
        length = float(np.linalg.norm(embedding))
        direction = embedding / length if length > 0 else embedding
        self._sum = self._sum + direction.astype(np.float64) * quality
        self._length += length
        self._consider(crop, quality, direction)

    def _consider(self, crop: Pixels, quality: float, direction: NDArray[np.float32]) -> None:
        """Keep a crop if it is good; of too many, the worse of the two that are most alike goes."""
        if quality < _GOOD * max((each.quality for each in self._crops), default=0.0):
            return
        self._crops = [each for each in self._crops if each.quality >= _GOOD * quality]
        self._crops.append(_Candidate(crop, quality, direction))
        if len(self._crops) > CROPS:
            directions = np.stack([each.direction for each in self._crops])
            alike = np.tril(directions @ directions.T, -1) + np.triu(np.full((len(directions),) * 2, -np.inf))
            one, other = np.unravel_index(int(np.argmax(alike)), alike.shape)
            del self._crops[int(min(one, other, key=lambda place: self._crops[int(place)].quality))]
        if self._crops[-1].pixels is crop:
            height, width = crop.shape[:2]
            scale = min(1.0, _HIGHEST / height)
            size = max(1, round(height * scale)), max(1, round(width * scale))
            self._crops[-1].pixels = resize(crop, size).copy()  # not a view, which would keep the whole frame

    def finish(self, dimension: int) -> Tracklet:
        """The tracklet; its vector has `dimension` numbers."""
        mean = np.zeros(dimension) + self._sum
        length = float(np.linalg.norm(mean))
        scale = self._length / len(self) / length if length > 0 else 0.0
        crops = sorted(self._crops, key=lambda each: -each.quality)
        return Tracklet(
            name=self.name,
            camera=self.camera,
            track=self.track,
            start=self.start,
            end=self.end,
            dated=self.dated,
            frames=np.array(self._frames, np.int64),
            xyxy=np.stack(self._boxes),
            confidence=np.array(self._confidence, np.float32),
            crops=tuple(each.pixels for each in crops),
            embedding=np.asarray(mean * scale, np.float32),
        )


def _sides(box: NDArray[np.float32]) -> NDArray[np.float64]:
    return box.astype(np.float64)
