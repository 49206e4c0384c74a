"""Detections: where a detector sees people on one frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from resight.errors import ArrayError
from resight.images import boxes_of

__all__ = ["Detections"]


@dataclass(frozen=True, eq=False)
class Detections:
    """People on one frame. Arrays are copied, checked, and read-only.

    Attributes
    ----------
    xyxy : float32 array of shape (n, 4)
        Left, top, right and bottom of each box, in pixels. A box may leave the frame; see `clipped`.
    confidence : float32 array of shape (n,)
        From 0 to 1.
    tracker_id : int64 array of shape (n,), optional
        Number of each person, if another program tracks them; named as in supervision.

    Raises
    ------
    ArrayError
        If an array has another shape, holds NaN or infinity, a box ends before it begins, or a confidence is outside of 0 to 1.

    Examples
    --------
    >>> found = Detections([[10, 20, 40, 100]], [0.9])
    >>> len(found), found.clipped(50, 30).xyxy.tolist()
    (1, [[10.0, 20.0, 30.0, 50.0]])
    """

    xyxy: NDArray[np.float32]
    confidence: NDArray[np.float32]
    tracker_id: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        boxes = boxes_of(np.asarray(self.xyxy, np.float64).reshape(-1, 4) if not np.size(self.xyxy) else self.xyxy)
        confidence = np.asarray(self.confidence, np.float64)
        if confidence.shape != (len(boxes),):
            raise ArrayError(f"confidences of shape {confidence.shape} for {len(boxes)} boxes; expected one number a box")
        share = (confidence >= 0) & (confidence <= 1)
        if not share.all():
            raise ArrayError(f"a confidence of {confidence[int(np.argmin(share))]}; expected 0 to 1")
        with np.errstate(over="ignore"):
            plain = boxes.astype(np.float32)
        wrong = (plain[:, 2:] < plain[:, :2]).any(axis=1) | ~np.isfinite(plain).all(axis=1)
        if wrong.any():
            sides = ", ".join(f"{side:g}" for side in boxes[int(np.argmax(wrong))])
            raise ArrayError(f"the box {sides}; expected left, top, right and bottom, none beyond the next")
        arrays: dict[str, NDArray[Any]] = {"xyxy": plain, "confidence": confidence.astype(np.float32)}
        if self.tracker_id is not None:
            ids = arrays["tracker_id"] = np.array(self.tracker_id, np.int64)
            if ids.shape != (len(boxes),) or len(np.unique(ids)) < len(ids):
                raise ArrayError(f"tracks {ids.tolist()} of {len(boxes)} boxes; expected one number a box, and none twice")
        for name, array in arrays.items():
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @classmethod
    def of(cls, given: Any) -> Self:
        """Take the detections of another library: any object with `xyxy` and `confidence`, such as supervision's `Detections`.

        Raises
        ------
        ArrayError
            If it is something else. A missing confidence counts as 1.
        """
        if isinstance(given, cls):
            return given
        if not hasattr(given, "xyxy") or not hasattr(given, "confidence"):
            raise ArrayError(f"got a {type(given).__name__}; expected an object with xyxy (n, 4) and confidence (n,)")
        confidence = given.confidence
        if confidence is None:
            confidence = np.ones(len(given.xyxy), np.float32)
        return cls(given.xyxy, confidence, getattr(given, "tracker_id", None))

    @classmethod
    def none(cls) -> Self:
        """Nobody."""
        return cls(np.empty((0, 4), np.float32), np.empty(0, np.float32))

    def __len__(self) -> int:
        return len(self.xyxy)

    def __getitem__(self, rows: Any) -> Self:
        """Some of them, chosen by an array of rows, a mask or a slice."""
        ids = None if self.tracker_id is None else self.tracker_id[rows]
        return type(self)(self.xyxy[rows], self.confidence[rows], ids)

    def clipped(self, height: int, width: int) -> Self:
        """Clip the boxes to a frame, and leave out those with less than two pixels left."""
        sides = np.array([width, height, width, height], np.float32)
        boxes = np.clip(self.xyxy, 0, sides)
        left = (boxes[:, 2:] - boxes[:, :2] >= 2).all(axis=1)
        return replace(self[left], xyxy=boxes[left])
