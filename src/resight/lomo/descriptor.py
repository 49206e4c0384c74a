"""LOMO: the largest local count of colour and texture along every horizontal strip of a person's image.

26,960 numbers for an image of 128x48 or 128x64 pixels, by compiled loops; the slow and obvious form is in the tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from resight.compute import usable_cores
from resight.errors import ArrayError, ConfigurationError
from resight.lomo.retinex import blur_matrices, msrcp_into
from resight.lomo.siltp import CODES, RADII, gray_into, siltp_into
from resight.progress import Progress, silent

__all__ = ["RETINEX", "hsv_bins", "lomo", "lomo_dimension", "warm_up"]

RETINEX = ("msrcp", "none")
"""What may be done against the cameras' different light before the colours are counted."""

WINDOW = 10
"""Side of the square windows in pixels; they start every `STEP` pixels."""

STEP = 5
SCALES = 3
BINS = 8
"""Bins of each of hue, saturation and value."""

COLOURS = BINS**3
_CHUNK = 32  # images that a thread takes at a time

Pixels = NDArray[np.uint8]


def lomo(
    images: Pixels | Sequence[Pixels], retinex: str = "msrcp", *, workers: int | None = None, progress: Progress = silent
) -> NDArray[np.float32]:
    """LOMO descriptors of images of people.

    [HSV | SILTP, radius 3 | SILTP, radius 5]; inside each the scales 1, 1/2 and 1/4; inside a scale the strips from top to
    bottom; inside a strip the histogram bins. Every bin holds the largest count over the 10x10 windows of its strip; each of
    the three blocks is ln(count + 1), scaled to length 1, so that a descriptor has the length sqrt(3).

    Parameters
    ----------
    images : uint8 array of shape (n, height, width, 3), or sequence of arrays of shape (height, width, 3)
        RGB. A sequence may mix sizes whose descriptors are equally long, such as 128x48 and 128x64.
    retinex : str
        ``"msrcp"`` to even out the light before the colours are counted, ``"none"`` to count them as they are. The texture is
        always taken from the image as it is.
    workers : int, optional
        Threads; one for each core unless given.
    progress : Progress

    Returns
    -------
    float32 array of shape (n, d)
        d = `lomo_dimension` of the images' size.

    Raises
    ------
    ArrayError
        If the images are not RGB of type uint8, are smaller than a window, or have descriptors of different lengths.
    ConfigurationError
        If `retinex` is neither of `RETINEX`.

    Notes
    -----
    The published code uses a closed Retinex binary; everything after it agrees with that code to the last bit of float32. A
    scale smaller than a window has no strip, and a radius no SILTP at a scale smaller than 2 * radius + 1.

    References
    ----------
    .. [1] S. Liao, Y. Hu, X. Zhu, S. Z. Li, "Person Re-identification by Local Maximal Occurrence Representation and Metric
           Learning", CVPR 2015.
    """
    if retinex not in RETINEX:
        raise ConfigurationError(f"retinex is {retinex!r}; expected one of {', '.join(RETINEX)}")
    dimension = _check(images)
    out = np.empty((len(images), dimension), np.float32)

    def describe(start: int) -> int:
        stop = min(start + _CHUNK, len(images))
        for row in range(start, stop):
            image = np.ascontiguousarray(images[row])
            rows, columns = blur_matrices(image.shape[0], image.shape[1])
            _describe(image, retinex == "msrcp", rows, columns, out[row])
        return stop - start

    starts = range(0, len(images), _CHUNK)
    threads = min(workers or usable_cores(), len(starts) or 1)
    with ThreadPoolExecutor(threads) as pool:
        done = 0
        for count in pool.map(describe, starts) if threads > 1 else map(describe, starts):
            done += count
            progress("describing", done, len(images))
    return out


def lomo_dimension(height: int, width: int) -> int:
    """Length of the LOMO descriptor of an image of this size in pixels: 26,960 for 128x48 and for 128x64."""
    total = 0
    for _ in range(SCALES):
        if height >= WINDOW and width >= WINDOW:
            strips = (height - WINDOW) // STEP + 1
            total += strips * (COLOURS + CODES * sum(min(height, width) > 2 * radius for radius in RADII))
        height, width = height // 2, width // 2
    return total


def hsv_bins(image: Pixels) -> Pixels:
    """Hue, saturation and value of every pixel, each in eight bins.

    Parameters
    ----------
    image : uint8 array of shape (height, width, 3)
        RGB.

    Returns
    -------
    uint8 array of shape (height, width, 3)
        Bins 0 to 7 of hue, saturation and value. Hue and saturation of a gray pixel are 0.

    Raises
    ------
    ArrayError
        If it is no such array.
    """
    _check([image], smallest=1)
    out = np.empty(image.shape, np.uint8)
    _bins_into(image, out)
    return out


def warm_up() -> None:
    """Compile the loops, or load them from the cache on disk: some ten seconds the first time, less than one afterwards."""
    image = np.zeros((WINDOW, WINDOW, 3), np.uint8)
    image[0, 0] = 255, 128, 0
    for retinex in RETINEX:
        lomo(image[None], retinex, workers=1)


def _check(images: Pixels | Sequence[Pixels], smallest: int = WINDOW) -> int:
    """Length of the descriptors, or an `ArrayError` that says which image cannot be described and why."""
    if isinstance(images, np.ndarray) and images.ndim != 4:
        raise ArrayError(
            f"images have shape {images.shape}; expected (n, height, width, 3): stack them, gray ones as three channels"
        )
    dimension = None
    for number, image in enumerate(images[:1] if isinstance(images, np.ndarray) else images):
        if not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            given = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
            raise ArrayError(f"image {number} is {given}; expected uint8 RGB of shape (height, width, 3)")
        height, width = image.shape[:2]
        if min(height, width) < smallest:
            raise ArrayError(f"image {number} is {height}x{width}; LOMO needs at least {smallest}x{smallest} pixels: resize it")
        if dimension not in (None, lomo_dimension(height, width)):
            raise ArrayError(
                f"image {number} is {height}x{width} with {lomo_dimension(height, width)} numbers, those before it have "
                f"{dimension}: resize them to one size"
            )
        dimension = lomo_dimension(height, width)
    if dimension is None:
        raise ArrayError("no images given; expected at least one")
    return dimension


_compiled: Any = njit(cache=True, nogil=True)


@_compiled
def _bins_into(image, out):  # type: ignore[no-untyped-def]
    """`hsv_bins` into `out`, in float64 and in the order of operations of the original: ties must fall the same way."""
    height, width = image.shape[:2]
    for i in range(height):
        for j in range(width):
            red, green, blue = image[i, j, 0] / 255, image[i, j, 1] / 255, image[i, j, 2] / 255
            top = max(red, green, blue)
            bottom = min(red, green, blue)
            hue = 0.0
            saturation = 0.0
            if top > bottom:
                if red == top:
                    hue = 1 / 6 * (green - blue) / (top - bottom)
                elif green == top:
                    hue = 1 / 3 + 1 / 6 * (blue - red) / (top - bottom)
                else:
                    hue = 2 / 3 + 1 / 6 * (red - green) / (top - bottom)
                if hue < 0:
                    hue += 1
                saturation = 1 - bottom / top
            out[i, j, 0] = min(np.int64(BINS * hue), BINS - 1)
            out[i, j, 1] = min(np.int64(BINS * saturation), BINS - 1)
            out[i, j, 2] = min(np.int64(BINS * top), BINS - 1)


@_compiled
def _strip_maxima(codes, bins, out):  # type: ignore[no-untyped-def]
    """Largest count of every code over the windows of each strip, into `out` of shape (strips * bins,).

    A window is four 5x5 cells: a pixel is counted once, and the sums and maxima run over bytes (a window holds 100 pixels).
    """
    strips = (codes.shape[0] - WINDOW) // STEP + 1
    windows = (codes.shape[1] - WINDOW) // STEP + 1
    upper = np.empty((windows + 1) * bins, np.uint8)
    lower = np.empty((windows + 1) * bins, np.uint8)
    for strip in range(-1, strips):
        upper, lower = lower, upper
        lower[:] = 0
        top = (strip + 1) * STEP
        for i in range(top, top + STEP):
            for cell in range(windows + 1):
                for j in range(cell * STEP, cell * STEP + STEP):
                    lower[cell * bins + codes[i, j]] += np.uint8(1)
        if strip < 0:
            continue
        for k in range((windows + 1) * bins):
            upper[k] += lower[k]
        largest = out[strip * bins : (strip + 1) * bins]
        largest[:] = 0
        for window in range(windows):
            left = upper[window * bins : (window + 1) * bins]
            right = upper[(window + 1) * bins : (window + 2) * bins]
            for k in range(bins):
                largest[k] = max(largest[k], np.uint8(left[k] + right[k]))


@_compiled
def _normalise(counts, out):  # type: ignore[no-untyped-def]
    """ln(count + 1), scaled to length 1, through a table: a count is at most 100."""
    table = np.log(np.arange(WINDOW * WINDOW + 1) + 1.0)
    squares = table * table
    total = np.zeros(4)
    n = len(counts)
    for k in range(0, n - 3, 4):
        total[0] += squares[counts[k]]
        total[1] += squares[counts[k + 1]]
        total[2] += squares[counts[k + 2]]
        total[3] += squares[counts[k + 3]]
    for k in range(n - n % 4, n):
        total[0] += squares[counts[k]]
    scaled = (table / np.sqrt(total.sum())).astype(np.float32)
    for k in range(n):
        out[k] = scaled[counts[k]]


@_compiled
def _describe(image, use_retinex, rows, columns, out):  # type: ignore[no-untyped-def]
    """LOMO of one C-contiguous image into `out`."""
    height, width = image.shape[:2]
    gray_bytes = np.empty((height, width), np.uint8)
    gray_into(image, gray_bytes)
    gray = np.empty((height, width), np.float64)
    for i in range(height):
        for j in range(width):
            gray[i, j] = gray_bytes[i, j] / 255
    colours = image
    if use_retinex:
        colours = np.empty(image.shape, np.uint8)
        msrcp_into(image, rows, columns, colours)
    bins = np.empty(image.shape, np.uint8)
    _bins_into(colours, bins)

    counts = np.empty(len(out), np.uint8)
    sizes = np.zeros(1 + len(RADII), np.int64)
    # First how long each block is, so that its scales can be written side by side.
    h, w = height, width
    for _ in range(SCALES):
        if h >= WINDOW and w >= WINDOW:
            strips = (h - WINDOW) // STEP + 1
            sizes[0] += strips * COLOURS
            for r in range(len(RADII)):
                if min(h, w) > 2 * RADII[r]:
                    sizes[1 + r] += strips * CODES
        h, w = h // 2, w // 2
    starts = np.array([0, sizes[0], sizes[0] + sizes[1]])
    ends = starts.copy()

    h, w = height, width
    for _ in range(SCALES):
        if h < WINDOW or w < WINDOW:
            break
        strips = (h - WINDOW) // STEP + 1
        codes = np.empty((h, w), np.uint16)
        for i in range(h):
            for j in range(w):
                codes[i, j] = bins[i, j, 0] + np.uint16(BINS) * bins[i, j, 1] + np.uint16(BINS * BINS) * bins[i, j, 2]
        _strip_maxima(codes, COLOURS, counts[ends[0] : ends[0] + strips * COLOURS])
        ends[0] += strips * COLOURS
        patterns = np.empty((h, w), np.uint8)
        for r in range(len(RADII)):
            if min(h, w) > 2 * RADII[r]:
                siltp_into(gray, RADII[r], patterns)
                _strip_maxima(patterns, CODES, counts[ends[1 + r] : ends[1 + r] + strips * CODES])
                ends[1 + r] += strips * CODES
        h, w = h // 2, w // 2
        smaller_bins = np.empty((h, w, 3), np.uint8)
        smaller_gray = np.empty((h, w), np.float64)
        for i in range(h):
            for j in range(w):
                y, x = 2 * i, 2 * j
                for c in range(3):
                    total = np.int64(bins[y, x, c]) + np.int64(bins[y + 1, x, c])
                    smaller_bins[i, j, c] = (total + np.int64(bins[y, x + 1, c]) + np.int64(bins[y + 1, x + 1, c])) // 4
                smaller_gray[i, j] = (gray[y, x] + gray[y + 1, x] + gray[y, x + 1] + gray[y + 1, x + 1]) / 4
        bins, gray = smaller_bins, smaller_gray
    for block in range(len(sizes)):
        if sizes[block]:
            _normalise(counts[starts[block] : ends[block]], out[starts[block] : ends[block]])
