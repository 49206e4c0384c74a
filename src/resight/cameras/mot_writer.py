"""Tracks as MOT text, written while cameras are watched."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Any

from resight.cameras.frames import Frame
from resight.cameras.mot import mot_line
from resight.cameras.watching import Tracks
from resight.errors import StorageError

__all__ = ["MotWriter"]


class MotWriter:
    """Tracks as MOT text, a file ``NAME.txt`` for each camera; frames count from 1. A file has its name once its camera has ended.

    Parameters
    ----------
    folder : Path
    every : int
        If only each so many-th frame is looked at, boxes are drawn straight between two of them.
    """

    def __init__(self, folder: Path, every: int = 1) -> None:
        self._folder, self._every = folder, every
        self._streams: dict[str, IO[str]] = {}
        self._last: dict[tuple[str, int], tuple[int, Any, float]] = {}

    def path(self, camera: str) -> Path:
        """File of a camera."""
        return self._folder / f"{camera.replace('/', '_').replace(os.sep, '_')}.txt"

    def see(self, frame: Frame, tracks: Tracks) -> None:
        """See `Observer.see`. Raises `StorageError`."""
        try:
            stream = self._streams.get(frame.camera) or self._begin(frame.camera)
            for id, box, sure in zip(tracks.ids.tolist(), tracks.xyxy, tracks.confidence.tolist(), strict=True):
                before = self._last.get((frame.camera, id))
                if self._every > 1:
                    if before is not None and frame.index - before[0] <= 2 * self._every:
                        for index in range(before[0] + 1, frame.index):
                            share = (index - before[0]) / (frame.index - before[0])
                            stream.write(mot_line(index + 1, id, before[1] + (box - before[1]) * share, sure))
                    self._last[frame.camera, id] = frame.index, box, sure
                stream.write(mot_line(frame.index + 1, id, box, sure))
        except OSError as error:
            raise self._refused(frame.camera, error) from error

    def end(self, camera: str) -> None:
        """See `Observer.end`. Raises `StorageError`."""
        try:
            stream = self._streams.pop(camera, None) or self._begin(camera)
            self._streams.pop(camera, None)
            stream.flush()
            os.fsync(stream.fileno())
            stream.close()
            os.replace(stream.name, self.path(camera))
        except OSError as error:
            raise self._refused(camera, error) from error
        self._last = {key: value for key, value in self._last.items() if key[0] != camera}

    def close(self) -> None:
        """Close files of cameras that have not ended; they keep the ending ``.partial``."""
        for stream in self._streams.values():
            stream.close()

    def _begin(self, camera: str) -> IO[str]:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self.path(camera)
        self._streams[camera] = path.with_name(f".{path.name}.partial").open("w", encoding="utf-8")
        return self._streams[camera]

    def _refused(self, camera: str, error: OSError) -> StorageError:
        return StorageError(f"cannot write {self.path(camera)}: {error.strerror or error}; free space or choose another folder")
