"""Multi-scale Retinex with chromaticity preservation (MSRCP): LOMO's correction of the light, which differs between cameras.

The published LOMO calls a closed binary that no open algorithm reproduces; this is the open form. Compiled loops process images in
float32; at most one pixel in a thousand ends one gray level away from the float64 result.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["SIGMAS", "blur_matrices", "msrcp_into"]

SIGMAS = (5.0, 20.0)
"""Standard deviations of the two Gaussians, in pixels (the LOMO paper, section 3.1)."""

CLIP = (0.1, 0.9)
"""The reflectance is clipped to these fractions of its sorted values before it is stretched."""

_FLAT = 1e-5  # a spread of the log reflectance below this is rounding noise of an image without contrast
_BUCKETS = 2048

# By the sum of a pixel's bytes, and by the largest of them.
_LOGARITHMS = np.log((np.arange(766) + 3) / 3).astype(np.float32)
_INVERSE_MEANS = 3 / (np.arange(766) + 3)
_LARGEST_GAINS = 256 / (np.arange(256) + 1.0)


def _log1p_by_x(x: NDArray[np.float64]) -> NDArray[np.float64]:
    ratio: NDArray[np.float64] = np.log1p(x) / x
    return ratio


_HALF = float(np.sqrt(0.5))
# log(1 + x) / x for 1 + x from sqrt(1/2) to sqrt(2), which is within float32's rounding.
_LOG_POLYNOMIAL = (
    np.polynomial.Chebyshev.interpolate(_log1p_by_x, 10, domain=[_HALF - 1, 2 * _HALF - 1])
    .convert(kind=np.polynomial.Polynomial)
    .coef.astype(np.float32)
)


@lru_cache(maxsize=64)
def _blur_matrix(size: int, sigma: float) -> NDArray[np.float32]:
    """The Gaussian along one axis as a matrix of shape (size, size): OpenCV's kernel length, reflect-101 at the border."""
    length = round(8 * sigma + 1) | 1  # OpenCV derives it from sigma like this for floating-point images
    kernel = cv2.getGaussianKernel(length, sigma, cv2.CV_64F).ravel()
    period = max(2 * (size - 1), 1)
    folded = np.abs((np.arange(size)[:, None] + np.arange(length) - length // 2 + size - 1) % period - (size - 1))
    matrix = np.zeros((size, size))
    np.add.at(matrix, (np.repeat(np.arange(size), length), folded.ravel()), np.tile(kernel, size))
    return matrix.astype(np.float32)


@lru_cache(maxsize=64)
def blur_matrices(height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Both Gaussians of `SIGMAS` as matrices, for images of one size.

    The kernel is longer than the image, so that a small matrix product on either side, ``rows[i] @ image @ columns[i]``, is
    faster than a convolution of 161 taps.

    Parameters
    ----------
    height, width : int
        Size of the images in pixels.

    Returns
    -------
    rows : float32 array of shape (2, height, height)
    columns : float32 array of shape (2, width, width)
    """
    rows = np.stack([_blur_matrix(height, sigma) for sigma in SIGMAS])
    columns = np.stack([np.ascontiguousarray(_blur_matrix(width, sigma).T) for sigma in SIGMAS])
    return rows, columns


_compiled: Any = njit(cache=True, nogil=True)
# Products and sums may fuse into one instruction here: it is twice as fast, and rounds once instead of twice.
_compiled_fused: Any = njit(cache=True, nogil=True, fastmath={"contract"})


@_compiled_fused
def _multiply(left, right, out):  # type: ignore[no-untyped-def]
    """out = left @ right, float32. A BLAS would start threads of its own, which compete with ours."""
    height, depth = left.shape
    width = right.shape[1]
    for i in range(0, height - 1, 2):
        for j in range(width):
            out[i, j] = 0
            out[i + 1, j] = 0
        k, end = 0, depth  # without the zeros at both ends, of which a narrow Gaussian has many
        while k < end and left[i, k] == 0 and left[i + 1, k] == 0:
            k += 1
        while k < end and left[i, end - 1] == 0 and left[i + 1, end - 1] == 0:
            end -= 1
        while k + 4 <= end:
            a0, a1, a2, a3 = left[i, k], left[i, k + 1], left[i, k + 2], left[i, k + 3]
            b0, b1, b2, b3 = left[i + 1, k], left[i + 1, k + 1], left[i + 1, k + 2], left[i + 1, k + 3]
            for j in range(width):
                r0, r1, r2, r3 = right[k, j], right[k + 1, j], right[k + 2, j], right[k + 3, j]
                out[i, j] += a0 * r0 + a1 * r1 + a2 * r2 + a3 * r3
                out[i + 1, j] += b0 * r0 + b1 * r1 + b2 * r2 + b3 * r3
            k += 4
        while k < end:
            for j in range(width):
                out[i, j] += left[i, k] * right[k, j]
                out[i + 1, j] += left[i + 1, k] * right[k, j]
            k += 1
    if height % 2:
        i = height - 1
        for j in range(width):
            out[i, j] = 0
        for k in range(depth):
            for j in range(width):
                out[i, j] += left[i, k] * right[k, j]


@_compiled_fused
def _log(values, out):  # type: ignore[no-untyped-def]
    """Natural logarithms of positive float32 numbers, which are overwritten: unlike np.log, it compiles to vector instructions."""
    bits = values.view(np.int32)
    for n in range(len(values)):
        exponent = (bits[n] - np.int32(0x3F3504F3)) >> 23  # 1 + x is in [sqrt(1/2), sqrt(2)): 0x3F3504F3 are the bits of sqrt(1/2)
        bits[n] -= exponent << 23
        out[n] = exponent
    for n in range(len(values)):
        x = values[n] - np.float32(1)
        y = _LOG_POLYNOMIAL[-1]
        for k in range(len(_LOG_POLYNOMIAL) - 2, -1, -1):
            y = y * x + _LOG_POLYNOMIAL[k]
        out[n] = out[n] * np.float32(0.6931471805599453) + x * y


@_compiled
def _two_of_sorted(values, first, second, low, high):  # type: ignore[no-untyped-def]
    """The values at two 0-based positions of the sorted values, all in [low, high]: a counting pass, then two short sorts."""
    counts = np.zeros(_BUCKETS, np.int64)
    buckets = np.empty(len(values), np.int64)
    scale = np.float32(_BUCKETS - 1) / (high - low)
    for n in range(len(values)):
        buckets[n] = np.int64((values[n] - low) * scale)
    for bucket in buckets:
        counts[bucket] += 1
    return _inside(values, buckets, counts, first), _inside(values, buckets, counts, second)


@_compiled
def _inside(values, buckets, counts, position):  # type: ignore[no-untyped-def]
    """The value at a position of the sorted values, found by sorting only those in its bucket."""
    bucket = 0
    while position >= counts[bucket]:
        position -= counts[bucket]
        bucket += 1
    inside = np.empty(counts[bucket], np.float32)
    n = 0
    for place in range(len(values)):
        if buckets[place] == bucket:
            inside[n] = values[place]
            n += 1
    inside.sort()
    return inside[position]


@_compiled
def msrcp_into(image, rows, columns, out):  # type: ignore[no-untyped-def]
    """MSRCP of one C-contiguous uint8 RGB image into `out`; the matrices come from `blur_matrices`. Releases the GIL.

    With x = value + 1 and I its mean over the channels: r, the mean over the two Gaussians of log I - log G(I), is clipped to
    its 10 % and 90 % points and stretched to 1..256; every channel is then scaled by A = min(256 / max of x, r / I). An image
    without contrast stays as it is.

    References
    ----------
    .. [1] A. B. Petro, C. Sbert, J.-M. Morel, "Multiscale Retinex", Image Processing On Line, 2014.
    .. [2] S. Liao et al., "Person Re-identification by Local Maximal Occurrence Representation and Metric Learning", CVPR 2015.
    """
    height, width = image.shape[:2]
    size = height * width
    sums = np.empty((height, width), np.int32)
    intensity = np.empty((height, width), np.float32)
    for i in range(height):
        for j in range(width):
            sums[i, j] = np.int32(image[i, j, 0]) + np.int32(image[i, j, 1]) + np.int32(image[i, j, 2])
            intensity[i, j] = np.float32(sums[i, j] + 3) / np.float32(3)
    across = np.empty((height, width), np.float32)
    blurred = np.empty((2, height, width), np.float32)
    for i in range(2):
        _multiply(intensity, columns[i], across)
        _multiply(rows[i], across, blurred[i])

    # r = log I - (log G5 + log G20) / 2
    product = blurred[0].ravel()
    product *= blurred[1].ravel()
    flat = np.empty(size, np.float32)
    _log(product, flat)
    low = np.float32(np.inf)
    high = np.float32(-np.inf)
    for n in range(size):
        flat[n] = _LOGARITHMS[sums.flat[n]] - np.float32(0.5) * flat[n]
        low = min(low, flat[n])
        high = max(high, flat[n])
    if high - low < _FLAT:
        out[:] = image
        return
    first, second = np.int64(np.ceil(CLIP[0] * size)) - 1, np.int64(np.ceil(CLIP[1] * size)) - 1
    bottom, top = _two_of_sorted(flat, first, second, low, high)
    if top - bottom < _FLAT:
        out[:] = image
        return
    # In float64: a pixel that the first bound scales to exactly 255 must not fall to 254.
    stretch = 255 / (np.float64(top) - np.float64(bottom))
    n = 0
    for i in range(height):
        for j in range(width):
            red, green, blue = image[i, j, 0], image[i, j, 1], image[i, j, 2]
            target = (min(max(flat[n], bottom), top) - np.float64(bottom)) * stretch + 1
            gain = min(_LARGEST_GAINS[max(red, green, blue)], target * _INVERSE_MEANS[sums[i, j]])
            out[i, j, 0] = np.uint8(np.int32(gain * (red + 1.0) - 1))
            out[i, j, 1] = np.uint8(np.int32(gain * (green + 1.0) - 1))
            out[i, j, 2] = np.uint8(np.int32(gain * (blue + 1.0) - 1))
            n += 1
