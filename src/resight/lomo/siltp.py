"""Scale-invariant local ternary patterns: LOMO's texture, indifferent to a pixel-wise scaling of the gray level.

S. Liao et al., "Modeling Pixel Process with Scale Invariant Local Patterns for Background Subtraction in Complex Scenes",
CVPR 2010, in the form that LOMO uses: four neighbours, tau = 0.3, 3^4 = 81 codes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

__all__ = ["CODES", "RADII", "gray_into", "siltp_into"]

CODES = 81
"""Number of codes: three digits for each of four neighbours."""

RADII = (3, 5)
"""LOMO's distances between a pixel and its neighbours, in pixels."""

_compiled: Any = njit(cache=True, nogil=True)


@_compiled
def gray_into(image, out):  # type: ignore[no-untyped-def]
    """Gray levels of one uint8 RGB image into `out`: .298936 R + .587043 G + .114021 B, rounded. Releases the GIL."""
    height, width = out.shape
    for i in range(height):
        for j in range(width):
            level = 0.298936 * image[i, j, 0] + 0.587043 * image[i, j, 1] + 0.114021 * image[i, j, 2]
            out[i, j] = np.uint8(level + 0.5)


@_compiled
def siltp_into(gray, radius, out):  # type: ignore[no-untyped-def]
    """SILTP code of every pixel of a gray image, C-contiguous float64, into `out`. Releases the GIL.

    The digits are 1 for a neighbour below 0.7 times the centre, 2 for one above 1.3 times (strictly), 0 otherwise, and count 1 for
    the right neighbour, 3 for the upper, 9 for the left and 27 for the lower one, `radius` pixels away. The border is repeated
    outwards. The image's sides are at least 2 * radius + 1.
    """
    height, width = gray.shape
    padded = np.empty(width + 2 * radius, np.float64)
    for i in range(height):
        above = gray[max(i - radius, 0)]
        below = gray[min(i + radius, height - 1)]
        centre = gray[i]
        for j in range(radius):
            padded[j] = centre[0]
            padded[radius + width + j] = centre[width - 1]
        for j in range(width):
            padded[radius + j] = centre[j]
        left = padded
        right = padded[2 * radius :]
        for j in range(width):
            low = 0.7 * centre[j]
            high = 1.3 * centre[j]
            code = np.int32(right[j] < low) + np.int32(2) * np.int32(right[j] > high)
            code += np.int32(3) * np.int32(above[j] < low) + np.int32(6) * np.int32(above[j] > high)
            code += np.int32(9) * np.int32(left[j] < low) + np.int32(18) * np.int32(left[j] > high)
            code += np.int32(27) * np.int32(below[j] < low) + np.int32(54) * np.int32(below[j] > high)
            out[i, j] = np.uint8(code)
