"""Overlap of boxes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["area", "overlap", "shared_area"]

Boxes = NDArray[np.floating]


def area(boxes: Boxes) -> NDArray[np.float64]:
    """Area of each of (n, 4) boxes xyxy; 0 if it has none."""
    sides = np.maximum(boxes[:, 2:].astype(np.float64) - boxes[:, :2], 0)
    product: NDArray[np.float64] = sides[:, 0] * sides[:, 1]
    return product


def shared_area(ones: Boxes, others: Boxes) -> NDArray[np.float64]:
    """Area that each of (n, 4) boxes shares with each of (m, 4): (n, m)."""
    near = np.maximum(ones[:, None, :2].astype(np.float64), others[None, :, :2])
    far = np.minimum(ones[:, None, 2:].astype(np.float64), others[None, :, 2:])
    sides = np.maximum(far - near, 0)
    product: NDArray[np.float64] = sides[..., 0] * sides[..., 1]
    return product


def overlap(ones: Boxes, others: Boxes) -> NDArray[np.float64]:
    """Intersection over union of each of (n, 4) boxes with each of (m, 4): (n, m), 0 to 1."""
    both = shared_area(ones, others)
    union = area(ones)[:, None] + area(others)[None] - both
    return np.divide(both, union, out=np.zeros_like(both), where=union > 0)
