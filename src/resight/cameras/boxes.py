"""Overlap of boxes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["area", "overlap", "overlap_grown", "shared_area"]

Boxes = NDArray[np.floating]

_OUTWARDS = np.array([-1, -1, 1, 1])


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


def overlap_grown(ones: Boxes, others: Boxes, by: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of (n, 4) boxes with (m, 4), all grown by a share of their width and height, `by` (n,), first."""
    grown = ones + by[:, None] / 2 * (ones[:, 2:] - ones[:, :2])[:, [0, 1, 0, 1]] * _OUTWARDS
    sides = (others[:, 2:].astype(np.float64) - others[:, :2])[:, [0, 1, 0, 1]]
    theirs = others[None] + by[:, None, None] / 2 * sides[None] * _OUTWARDS
    near = np.maximum(grown[:, None, :2], theirs[..., :2])
    far = np.minimum(grown[:, None, 2:], theirs[..., 2:])
    both: NDArray[np.float64] = np.maximum(far - near, 0).prod(axis=2)
    union = area(grown)[:, None] + (theirs[..., 2:] - theirs[..., :2]).prod(axis=2) - both
    result: NDArray[np.float64] = np.divide(both, union, out=np.zeros_like(both), where=union > 0)
    return result
