"""A tracker that joins boxes which overlap, for tests of whatever surrounds trackers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from resight.cameras import Detections, Frame
from resight.cameras.boxes import overlap
from resight.cameras.tracking import Tracks


class OverlapTracker:
    """Gives a box the number of the box of the frame before that it overlaps with most."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.boxes = np.empty((0, 4), np.float32)
        self.next = 1

    def wanted(self, frame: Frame, detections: Detections) -> NDArray[np.bool_]:
        return np.ones(len(detections), bool)

    def update(self, frame: Frame, detections: Detections, embeddings: NDArray[np.float32] | None) -> Tracks:
        table = overlap(detections.xyxy, self.boxes)
        ids = np.zeros(len(detections), np.int64)
        for row in range(len(detections)):
            if table.size and table[row].max() > 0.2:
                best = int(np.argmax(table[row]))
                ids[row], table[:, best] = self.ids[best], 0
            else:
                ids[row], self.next = self.next, self.next + 1
        self.ids, self.boxes = ids.tolist(), detections.xyxy
        return Tracks(ids, detections.xyxy, detections.confidence, np.arange(len(ids)), np.ones(len(ids), bool))


def make_tracks() -> Tracks:
    """Nobody."""
    none = np.empty(0, np.int64)
    return Tracks(none, np.empty((0, 4), np.float32), np.empty(0, np.float32), none, np.empty(0, bool))
