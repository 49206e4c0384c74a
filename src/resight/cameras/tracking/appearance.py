"""Appearance of tracks: a running mean of the embeddings of boxes in full view."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from resight.cameras.boxes import area, shared_area
from resight.errors import ArrayError

__all__ = ["Appearance", "in_view", "unit_length"]

Floats = NDArray[np.float64]


class Appearance:
    """Looks of all tracks, a row a track; a row of NaN is a track that has not been seen clearly yet."""

    def __init__(self, memory: float) -> None:
        self.memory = memory
        self.means = np.empty((0, 0))

    def distances(self, looks: Floats) -> Floats:
        """Cosine distance of each track from each of (m, d) unit vectors: (n, m), NaN if one is not known."""
        if not len(self.means):
            return np.empty((0, len(looks)))
        distances: Floats = 1 - self.means @ looks.T
        return distances

    def see(self, rows: NDArray[np.int64], looks: Floats) -> None:
        """Update each of the rows by a unit vector."""
        before = self.means[rows]
        means = np.where(np.isnan(before), looks, self.memory * before + (1 - self.memory) * looks)
        self.means[rows] = unit_length(means)

    def add(self, looks: Floats) -> None:
        """Begin with one unit vector a track."""
        self.means = np.concatenate([self.means, looks]) if len(self.means) else looks.copy()

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Forget all tracks but those of a mask."""
        self.means = self.means[rows]


def unit_length(embeddings: NDArray[np.floating] | None, boxes: int | None = None, size: int = 0) -> Floats:
    """Embeddings of length 1; NaN for boxes without one, which have NaN or zeros.

    Raises
    ------
    ArrayError
        If there is not one row a box, or its length is not that of the rows before (`size`, 0 if any will do).
    """
    if embeddings is None:
        return np.full((boxes or 0, size or 1), np.nan)
    vectors = np.asarray(embeddings, np.float64)
    if vectors.ndim != 2 or (boxes is not None and len(vectors) != boxes) or (size and len(vectors) and vectors.shape[1] != size):
        raise ArrayError(
            f"embeddings of shape {vectors.shape} for {boxes} boxes; expected a row a box, all of {size or 'one'} numbers"
        )
    with np.errstate(invalid="ignore", divide="ignore"):
        unit: Floats = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def in_view(xyxy: NDArray[np.float32], sure: NDArray[np.bool_], hidden: float) -> NDArray[np.bool_]:
    """Tell if each box is free of others that stand nearer, which is lower: less than `hidden` of it is behind a sure one."""
    behind = shared_area(xyxy, xyxy) / np.maximum(area(xyxy), 1)[:, None]
    nearer = (xyxy[None, :, 3] > xyxy[:, None, 3]) & sure[None]
    view: NDArray[np.bool_] = np.where(nearer, behind, 0).max(axis=1, initial=0) < hidden
    return view
