"""Quality of a crop, by which the best few are kept."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from resight.cameras.boxes import area, shared_area
from resight.images import Pixels

__all__ = ["completeness", "sharpness", "size_quality"]

_ENOUGH_HEIGHT, _ENOUGH_CONTRAST = 160.0, 200.0
_EDGE = 2.0


def size_quality(height: float) -> float:
    """Rise from 0 to 1 with the height of a box in pixels, up to the height that models look at."""
    return min(1.0, height / _ENOUGH_HEIGHT)


def sharpness(crop: Pixels) -> float:
    """Variance of the Laplacian of a crop at 64x32 pixels, from 0 to 1: motion and focus blur lower it, noise hardly raises it."""
    small = cv2.resize(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), (32, 64), interpolation=cv2.INTER_AREA)
    return float(min(1.0, cv2.Laplacian(small, cv2.CV_32F).var() / _ENOUGH_CONTRAST))


def completeness(boxes: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float64]:
    """Share of each box that seems to be seen.

    Boxes that touch the frame's edge are cut off and count half. Of two boxes that overlap, the one whose feet are higher in the
    frame is behind the other.

    Parameters
    ----------
    boxes : float32 array of shape (n, 4)
    size : tuple of (height, width)
        Size of the frame.

    Returns
    -------
    float64 array of shape (n,)
        From 0 to 1.
    """
    plain = boxes.astype(np.float64)
    hiding = shared_area(plain, plain) / np.maximum(area(plain), 1e-9)[:, None]
    in_front = plain[None, :, 3] > plain[:, None, 3]
    hidden = np.where(in_front, hiding, 0.0).max(axis=1, initial=0.0)
    height, width = size
    cut = (plain[:, 0] <= _EDGE) | (plain[:, 1] <= _EDGE) | (plain[:, 2] >= width - _EDGE) | (plain[:, 3] >= height - _EDGE)
    seen: NDArray[np.float64] = (1 - np.minimum(hidden, 1)) * np.where(cut, 0.5, 1.0)
    return seen
