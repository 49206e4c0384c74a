"""MOTChallenge's text files: a line a box."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resight.errors import DatasetError
from resight.files import write_text

__all__ = ["MotRows", "join_cameras", "mot_line", "read_mot", "write_mot"]

_MOST_BYTES = 256 * 2**20


@dataclass(frozen=True, eq=False)
class MotRows:
    """Boxes of one sequence, sorted by frame; rows of one frame keep their order in the file.

    Attributes
    ----------
    frames : int64 array of shape (n,)
        Numbers of the frames, counted from 1.
    ids : int64 array of shape (n,)
        Track of each box; -1 if a detector wrote the file.
    xyxy : float32 array of shape (n, 4)
        Left, top, right and bottom in pixels.
    confidence : float32 array of shape (n,)
        Seventh column. In ground truth, 0 marks a box that does not count.
    classes : int64 array of shape (n,)
        Eighth column of ground truth since MOT16, 1 for a walking person. -1 in files of other than nine columns.
    visibility : float32 array of shape (n,)
        Ninth column of the same ground truth, from 0 to 1; -1 in all other files.
    """

    frames: NDArray[np.int64]
    ids: NDArray[np.int64]
    xyxy: NDArray[np.float32]
    confidence: NDArray[np.float32]
    classes: NDArray[np.int64]
    visibility: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.frames)

    @classmethod
    def table(cls, frames: ArrayLike, ids: ArrayLike, xyxy: ArrayLike, confidence: ArrayLike | None = None) -> Self:
        """Rows from lists or arrays in any order; confidence 1 if it is not given."""
        numbers = np.asarray(frames, np.int64).reshape(-1)
        order = np.argsort(numbers, kind="stable")
        n = len(numbers)
        return cls(
            numbers[order],
            np.asarray(ids, np.int64).reshape(-1)[order],
            np.asarray(xyxy, np.float32).reshape(-1, 4)[order],
            np.ones(n, np.float32) if confidence is None else np.asarray(confidence, np.float32)[order],
            np.full(n, -1),
            np.full(n, -1, np.float32),
        )

    def of(self, frame: int) -> slice:
        """Rows of one frame."""
        first, last = np.searchsorted(self.frames, [frame, frame + 1])
        return slice(int(first), int(last))


def read_mot(path: str | Path) -> MotRows:
    """Read a file such as ``gt.txt``, ``det.txt`` or a tracker's result.

    Its lines are frame, id, left, top, width, height, and perhaps confidence, class, visibility; a comma or blanks divide them.

    Raises
    ------
    DatasetError
        If it cannot be read, or a line is something else; the message names the line.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DatasetError(f"{path}: {path.stat().st_size} bytes; at most {_MOST_BYTES} are read as MOT text")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: not text; expected MOT lines: frame, id, left, top, width, height") from error
    rows = np.array(list(_numbers(path, text)), np.float64).reshape(-1, 9)
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    boxes = rows[:, 2:6].copy()
    boxes[:, 2:] += boxes[:, :2]
    frames, ids, classes = (rows[:, column].astype(np.int64) for column in (0, 1, 7))
    return MotRows(frames, ids, boxes.astype(np.float32), rows[:, 6].astype(np.float32), classes, rows[:, 8].astype(np.float32))


def _numbers(path: Path, text: str) -> Iterator[list[float]]:
    for number, line in enumerate(text.splitlines(), 1):
        cells = line.replace(",", " ").split()
        if not cells:
            continue
        try:
            values = [float(cell) for cell in cells]
            if len(values) < 6 or not np.isfinite(values).all() or values[0] < 1 or min(values[4:6]) < 0:
                raise ValueError
            if abs(values[0]) > 2**53 or values[0] != int(values[0]) or abs(values[1]) > 2**53 or values[1] != int(values[1]):
                raise ValueError
        except ValueError as error:
            expected = "expected frame (from 1), id, left, top, width, height, and perhaps confidence, class, visibility"
            raise DatasetError(f"{path}, line {number}: {line[:60]!r}; {expected}") from error
        # MOT15's ground truth has ten columns: a place in the world follows the seventh, not a class.
        yield [*values[:6], values[6] if len(values) > 6 else 1.0, *(values[7:9] if len(values) == 9 else (-1.0, -1.0))]


def mot_line(frame: int, id: int, box: NDArray[np.float32], confidence: float) -> str:
    """One line of a tracker's result, with its line end; `frame` counts from 1 and `box` is left, top, right, bottom."""
    left, top, right, bottom = (float(side) for side in box)
    return f"{frame},{id},{left:.2f},{top:.2f},{right - left:.2f},{bottom - top:.2f},{confidence:.4f},-1,-1,-1\n"


def write_mot(path: str | Path, rows: MotRows) -> None:
    """Write a tracker's result, sorted by frame. Raises `StorageError`."""
    boxes = zip(rows.frames.tolist(), rows.ids.tolist(), rows.xyxy, rows.confidence.tolist(), strict=True)
    write_text(path, "".join(mot_line(*box) for box in boxes))


def join_cameras(cameras: Sequence[MotRows], lengths: Sequence[int]) -> MotRows:
    """Several cameras as one long recording: the frames of each follow those of the one before.

    Its scores count all cameras together: a track is right if it keeps one identity in all of them. Join truth and tracks by the
    same lengths, in frames; the last frames may be empty in either.
    """
    starts = np.cumsum([0, *lengths])[: len(cameras)]
    frames = [rows.frames + start for rows, start in zip(cameras, starts, strict=True)]
    parts = ("ids", "xyxy", "confidence", "classes", "visibility")
    return MotRows(np.concatenate(frames), *(np.concatenate([getattr(rows, part) for rows in cameras]) for part in parts))
