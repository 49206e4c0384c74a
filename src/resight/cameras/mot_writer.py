"""Tracks as MOT text, written while cameras are watched."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

import numpy as np

from resight.cameras.frames import Frame
from resight.cameras.mot import mot_line, read_mot
from resight.cameras.tracking import Tracks, complete_tracks
from resight.errors import StorageError
from resight.files import write_text

__all__ = ["MotWriter"]

_LARGEST = 64_000_000  # bytes


class MotWriter:
    """Tracks as MOT text, a file ``NAME.txt`` for each camera; frames count from 1.

    A file has its name once its camera has ended. Then short gaps are filled, and what is too short to be somebody is left out; see
    `resight.cameras.tracking.complete_tracks`. A file of more than 64 MB stays as the tracker gave it.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, _Sheet] = {}

    def path(self, camera: str) -> Path:
        """File of a camera."""
        return self._folder / f"{camera.replace(os.sep, '_').replace('/', '_')}.txt"

    def see(self, frame: Frame, tracks: Tracks) -> None:
        """See `Observer.see`. Raises `StorageError`."""
        try:
            if frame.camera not in self._open:
                self._open[frame.camera] = _Sheet(self.path(frame.camera), frame)
            self._open[frame.camera].write(frame, tracks)
        except OSError as error:
            raise self._refused(frame.camera, error) from error

    def end(self, camera: str) -> None:
        """See `Observer.end`. Raises `StorageError`."""
        sheet = self._open.pop(camera, None)
        try:
            if sheet is None:
                write_text(self.path(camera), "")
                return
            sheet.stream.close()
            if sheet.partial.stat().st_size > _LARGEST:
                os.replace(sheet.partial, self.path(camera))
                return
            rows = complete_tracks(read_mot(sheet.partial), rate=sheet.rate)
            order = np.lexsort((rows.ids, rows.frames)).tolist()
            lines = (mot_line(int(rows.frames[n]), int(rows.ids[n]), rows.xyxy[n], float(rows.confidence[n])) for n in order)
            write_text(self.path(camera), "".join(lines))
            sheet.partial.unlink()
        except OSError as error:
            raise self._refused(camera, error) from error

    def close(self) -> None:
        """Close the files of cameras that have not ended; they keep the ending ``.partial``."""
        for sheet in self._open.values():
            sheet.stream.close()

    def _refused(self, camera: str, error: OSError) -> StorageError:
        return StorageError(f"cannot write {self.path(camera)}: {error.strerror or error}; free space or choose another folder")


class _Sheet:
    """A file that is being written."""

    def __init__(self, path: Path, first: Frame) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.partial = path.with_name(f".{path.name}.partial")
        self.stream: IO[str] = self.partial.open("w", encoding="utf-8")
        self._first = self._last = first.index, first.time

    @property
    def rate(self) -> float:
        """Frames in a second."""
        seconds = self._last[1] - self._first[1]
        return (self._last[0] - self._first[0]) / seconds if seconds > 0 else 25.0

    def write(self, frame: Frame, tracks: Tracks) -> None:
        self._last = frame.index, frame.time
        for id, box, sure in zip(tracks.ids.tolist(), tracks.xyxy, tracks.confidence.tolist(), strict=True):
            self.stream.write(mot_line(frame.index + 1, id, box, sure))
