"""Annotated video: frames with the boxes and numbers of tracks, and people blurred if asked."""

from __future__ import annotations

import contextlib
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from resight.cameras.frames import Frame
from resight.cameras.sources.video import pyav
from resight.cameras.tracking import Tracks
from resight.errors import StorageError
from resight.images import Pixels

__all__ = ["VideoWriter", "annotate"]

_COLOURS = (
    (230, 60, 60),
    (60, 170, 75),
    (65, 105, 225),
    (245, 150, 30),
    (150, 60, 190),
    (30, 190, 200),
    (230, 60, 190),
    (140, 170, 20),
)
_CLOCK = 1000  # ticks in a second
_BLOCKS = 6  # across a blurred person


class VideoWriter:
    """An MP4 for each camera, with the times of its frames. A file has its name once its camera has ended.

    Parameters
    ----------
    path : Path
        File; with several cameras, their names are added before its ending.
    cameras : int
        Number of cameras.
    blur : bool
        Make everybody with a box unrecognisable.
    """

    def __init__(self, path: Path, cameras: int = 1, *, blur: bool = False) -> None:
        self._path, self._several, self._blur = path, cameras > 1, blur
        self._open: dict[str, _Film] = {}

    def path(self, camera: str) -> Path:
        """File of a camera."""
        return self._path.with_stem(f"{self._path.stem}-{camera.replace(os.sep, '_')}") if self._several else self._path

    def see(self, frame: Frame, tracks: Tracks) -> None:
        """See `Observer.see`. Raises `StorageError`."""
        pixels = annotate(frame.pixels, tracks, blur=self._blur)
        try:
            if frame.camera not in self._open:
                self._open[frame.camera] = _Film(self.path(frame.camera), frame)
            self._open[frame.camera].write(pixels, frame.time)
        except (OSError, pyav().error.FFmpegError) as error:
            raise self._refused(frame.camera, error) from error

    def end(self, camera: str) -> None:
        """See `Observer.end`. Raises `StorageError`."""
        film = self._open.get(camera)
        if film is None:
            return
        try:
            film.finish()
            os.replace(film.partial, self.path(camera))
        except (OSError, pyav().error.FFmpegError) as error:
            raise self._refused(camera, error) from error
        del self._open[camera]

    def close(self) -> None:
        """Remove the files of cameras that have not ended."""
        for film in self._open.values():
            try:
                with contextlib.suppress(OSError, pyav().error.FFmpegError):  # a full disk cannot take the end either
                    film.container.close()
            finally:
                film.partial.unlink(missing_ok=True)

    def _refused(self, camera: str, error: Exception) -> StorageError:
        reason = getattr(error, "strerror", None) or error
        return StorageError(f"cannot write {self.path(camera)}: {reason}; free space or choose another file")


class _Film:
    """A file that is being written. Its pictures have the size of the first, in even numbers, as H.264 wants it."""

    def __init__(self, path: Path, first: Frame) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.partial = path.with_name(f".{path.name}.partial")
        self.partial.touch()  # PyAV makes the file only when it has something to write
        self.container: Any = pyav().open(str(self.partial), "w", format="mp4")
        self._stream = self.container.add_stream("libx264", rate=25, options={"preset": "veryfast", "crf": "23"})
        self._size = first.size[0] // 2 * 2 or 2, first.size[1] // 2 * 2 or 2
        self._stream.height, self._stream.width = self._size
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = Fraction(1, _CLOCK)
        self._start, self._last = first.time, -1

    def write(self, pixels: Pixels, time: float) -> None:
        height, width = self._size
        if pixels.shape[:2] != self._size:
            near = abs(pixels.shape[0] - height) < 2 and abs(pixels.shape[1] - width) < 2
            pixels = pixels[:height, :width] if near else cv2.resize(pixels, (width, height))  # type: ignore[assignment]
        picture = pyav().VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        picture.time_base = Fraction(1, _CLOCK)
        self._last = picture.pts = max(round((time - self._start) * _CLOCK), self._last + 1)
        self.container.mux(self._stream.encode(picture))

    def finish(self) -> None:
        self.container.mux(self._stream.encode())
        self.container.close()


def annotate(pixels: Pixels, tracks: Tracks, *, blur: bool = False) -> Pixels:
    """A copy of a frame with a box and a number for each track that counts as somebody.

    Parameters
    ----------
    pixels : uint8 array of shape (height, width, 3)
    tracks : Tracks
    blur : bool
        Replace everybody by a few coarse blocks first.

    Returns
    -------
    uint8 array of shape (height, width, 3)
    """
    drawn = pixels.copy()
    boxes = [_inside(box, pixels.shape[:2]) for box in tracks.xyxy]
    if blur:
        for left, top, right, bottom in boxes:
            part = drawn[top:bottom, left:right]
            if part.size:
                blocks = max(1, round(_BLOCKS * part.shape[0] / part.shape[1]))
                small = cv2.resize(part, (_BLOCKS, blocks), interpolation=cv2.INTER_AREA)
                part[:] = cv2.resize(small, part.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    for id, (left, top, right, bottom), sure in zip(tracks.ids.tolist(), boxes, tracks.confirmed.tolist(), strict=True):
        if not sure:
            continue
        colour = _COLOURS[id % len(_COLOURS)]
        cv2.rectangle(drawn, (left, top), (right - 1, bottom - 1), colour, 2)
        cv2.putText(drawn, str(id), (left, max(top - 4, 12)), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 2, cv2.LINE_AA)
    return drawn


def _inside(box: NDArray[np.float32], size: tuple[int, ...]) -> tuple[int, int, int, int]:
    left, top, right, bottom = (round(float(side)) for side in box)
    return max(left, 0), max(top, 0), min(right, size[1]), min(bottom, size[0])
