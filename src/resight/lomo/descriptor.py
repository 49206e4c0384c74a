"""LOMO: the largest local count of colour and texture along every horizontal strip of a person's image.

26,960 numbers for an image of 128x48 or 128x64 pixels, by compiled loops; the slow and obvious form is in the tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from resight.compute import usable_cores
from resight.errors import ArrayError, ConfigurationError
from resight.lomo.counts import COLOURS, SCALES, STEP, WINDOW, describe_into
from resight.lomo.retinex import blur_matrices
from resight.lomo.siltp import CODES, RADII
from resight.progress import Progress, silent

__all__ = ["RETINEX", "lomo", "lomo_dimension", "warm_up"]

RETINEX = ("msrcp", "none")
"""Correction of the light, which differs between cameras, before the colours are counted."""

_CHUNK = 32  # images that a thread describes at a time

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
        ``"msrcp"`` evens out the light before the colours are counted, ``"none"`` counts them as they are. The texture always
        comes from the image as it is.
    workers : int, optional
        Number of threads; by default one for each usable core.
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
        If `retinex` is not in `RETINEX`.

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
            describe_into(image, retinex == "msrcp", rows, columns, out[row])
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


def warm_up() -> None:
    """Compile the loops, or load them from the cache on disk. The first time takes some ten seconds, later ones less than one."""
    image = np.zeros((WINDOW, WINDOW, 3), np.uint8)
    image[0, 0] = 255, 128, 0
    for retinex in RETINEX:
        lomo(image[None], retinex, workers=1)


def _check(images: Pixels | Sequence[Pixels]) -> int:
    """Length of the descriptors. Raises `ArrayError`, which says which image cannot be described and why."""
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
        if min(height, width) < WINDOW:
            raise ArrayError(f"image {number} is {height}x{width}; LOMO needs at least {WINDOW}x{WINDOW} pixels: resize it")
        if dimension not in (None, lomo_dimension(height, width)):
            raise ArrayError(
                f"image {number} is {height}x{width} with {lomo_dimension(height, width)} numbers, those before it have "
                f"{dimension}: resize them to one size"
            )
        dimension = lomo_dimension(height, width)
    if dimension is None:
        raise ArrayError("no images given; expected at least one")
    return dimension
