"""Scale-invariant local ternary patterns: LOMO's texture, indifferent to a pixel-wise scaling of the gray level.

S. Liao et al., "Modeling Pixel Process with Scale Invariant Local Patterns for Background Subtraction in Complex Scenes",
CVPR 2010, in the form that LOMO uses: four neighbours, tau = 0.3, 3^4 = 81 codes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from resight.errors import ArrayError

__all__ = ["CODES", "RADII", "TAU", "gray_level", "siltp"]

CODES = 81
"""Number of codes: three digits for each of four neighbours."""

RADII = (3, 5)
"""LOMO's distances between a pixel and its neighbours, in pixels."""

TAU = 0.3
"""A neighbour counts as darker below (1 - TAU) times the centre, as brighter above (1 + TAU) times; strictly."""

_compiled: Any = njit(cache=True, nogil=True)


def gray_level(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Gray levels of one RGB image: .298936 R + .587043 G + .114021 B, rounded.

    Parameters
    ----------
    image : uint8 array of shape (height, width, 3)

    Returns
    -------
    uint8 array of shape (height, width)

    Raises
    ------
    ArrayError
        If it has another shape or type.
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        shape = f"{getattr(image, 'dtype', type(image).__name__)} {getattr(image, 'shape', '')}"
        raise ArrayError(f"gray_level got {shape}; expected one uint8 RGB image of shape (height, width, 3)")
    gray = np.empty(image.shape[:2], np.uint8)
    gray_into(image, gray)
    return gray


def siltp(gray: NDArray[np.float64], radius: int) -> NDArray[np.uint8]:
    """SILTP code of every pixel.

    The digits are 1 for a neighbour below 0.7 times the centre, 2 for one above 1.3 times, 0 otherwise, and count 1 for the
    right neighbour, 3 for the upper, 9 for the left and 27 for the lower one. The border is repeated outwards.

    Parameters
    ----------
    gray : float array of shape (height, width)
        Gray levels on any scale that starts at 0.
    radius : int
        Distance of the neighbours in pixels, at least 1.

    Returns
    -------
    uint8 array of shape (height, width)
        In [0, 80].

    Raises
    ------
    ArrayError
        If `gray` has another shape, holds NaN or infinity, or has a side shorter than 2 * radius + 1.
    """
    gray = np.ascontiguousarray(gray, np.float64)
    if gray.ndim != 2 or not np.isfinite(gray).all():
        raise ArrayError(f"siltp got an array of shape {gray.shape}; expected one gray image (height, width) of finite numbers")
    if radius < 1 or min(gray.shape) < 2 * radius + 1:
        raise ArrayError(f"siltp got a {gray.shape[0]}x{gray.shape[1]} image; radius {radius} needs {2 * radius + 1} pixels a side")
    codes = np.empty(gray.shape, np.uint8)
    siltp_into(gray, radius, codes)
    return codes


@_compiled
def gray_into(image, out):  # type: ignore[no-untyped-def]
    """`gray_level` into `out`; compiled, releases the GIL."""
    height, width = out.shape
    for i in range(height):
        for j in range(width):
            level = 0.298936 * image[i, j, 0] + 0.587043 * image[i, j, 1] + 0.114021 * image[i, j, 2]
            out[i, j] = np.uint8(level + 0.5)


@_compiled
def siltp_into(gray, radius, out):  # type: ignore[no-untyped-def]
    """`siltp` of a C-contiguous float64 image into `out`; compiled, releases the GIL."""
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
