"""The compiled loops of LOMO: bins, counts over windows, and the largest count in each strip. All release the GIL."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from resight.lomo.retinex import msrcp_into
from resight.lomo.siltp import CODES, RADII, gray_into, siltp_into

__all__ = ["BINS", "COLOURS", "SCALES", "STEP", "WINDOW", "bins_into", "describe_into"]

WINDOW = 10
"""Side of the square windows in pixels; they start every `STEP` pixels."""

STEP = 5
SCALES = 3
BINS = 8
"""Bins of each of hue, saturation and value."""

COLOURS = BINS**3

_compiled: Any = njit(cache=True, nogil=True)


@_compiled
def bins_into(image, out):  # type: ignore[no-untyped-def]
    """Hue, saturation and value of every pixel into `out`, in bins 0 to 7. Hue and saturation of a gray pixel are 0.

    The arithmetic is float64 in the order of the original, so that ties fall the same way.
    """
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
def describe_into(image, use_retinex, rows, columns, out):  # type: ignore[no-untyped-def]
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
    bins_into(colours, bins)

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
