"""Bytes to pixels: the only place that decodes and resizes images.

Images are hostile. The size is read from the header and held against a bound before a decoder sees the file, and a file that
ends too early is refused instead of being filled with gray.

OpenCV decodes everything. A plain JPEG is first given to simplejpeg, which hands the same pixels on from the same library with less
work around it: that halves the time for a crop of 128x64. What it does not like is OpenCV's to judge.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import simplejpeg  # type: ignore[import-untyped]
from numpy.typing import NDArray

from resight.compute import usable_cores
from resight.errors import ImageError
from resight.images.header import header_size
from resight.progress import Progress, silent

__all__ = [
    "MAX_FILE_BYTES",
    "MAX_PIXELS",
    "RESIZE",
    "Pixels",
    "decode",
    "read_file",
    "read_image",
    "read_images",
    "read_into",
    "resize",
    "unreadable",
]

MAX_PIXELS = 32_000_000
"""Largest image that is decoded, in pixels (96 MB as RGB); a person crop has some 10^4."""

MAX_FILE_BYTES = 64 * 2**20
"""Largest image file that is read."""

RESIZE = "bilinear-or-area"
"""Names what `resize` does, in the files of exported models."""

Pixels = NDArray[np.uint8]

_NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # a named pipe without a writer is an empty file, not a wait for ever
_TASK = 32  # images that a thread reads at a time


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS, size: tuple[int, int] | None = None) -> Pixels:
    """Decode one image file.

    Parameters
    ----------
    data : bytes
        JPEG, PNG, WebP or BMP.
    max_pixels : int
        Refuse larger images from their header, before any pixel is decoded.
    size : tuple of (height, width), optional
        What the image will be resized to. A JPEG of at least four times this, both ways, may come back at a half, a quarter or an
        eighth of its own size, and never below twice `size`: that takes about two thirds of the time, and changes what comes
        out of `resize` by a gray level or less in the mean, which is no more than another filter would.

    Returns
    -------
    uint8 array of shape (height, width, 3)
        RGB; gray images have three equal channels, transparency is dropped, an EXIF rotation is applied.

    Raises
    ------
    ImageError
        If the file is empty, foreign, truncated, damaged or too large.
    """
    if not data:
        raise ImageError("the file is empty")
    kind, height, width = header_size(data)
    if height < 1 or width < 1:
        raise ImageError(f"the image has no pixels ({height}x{width})")
    if height * width > max_pixels:
        raise ImageError(f"the image is {height}x{width}, more than the {max_pixels} pixels that are decoded; crop or shrink it")
    if kind == "jpeg" and b"Exif" not in data:
        divisor = _divisor(height, width, size) if size else 1
        try:
            # It picks the smallest of the library's sizes that is not below these.
            plain: Pixels = simplejpeg.decode_jpeg(data, "RGB", min_height=-(-height // divisor), min_width=-(-width // divisor))
            return plain
        except ValueError:
            pass
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error as error:
        raise ImageError("the image is damaged") from error
    if image is None or image.dtype != np.uint8:
        raise ImageError("the image is damaged")
    return image  # type: ignore[return-value]


def _divisor(height: int, width: int, size: tuple[int, int]) -> int:
    """The largest by which an image can be divided while it is decoded and still have twice `size` both ways."""
    return next((k for k in (8, 4, 2) if height >= 2 * k * size[0] and width >= 2 * k * size[1]), 1)


def resize(image: Pixels, size: tuple[int, int], *, out: Pixels | None = None) -> Pixels:
    """Resize to (height, width): bilinear where the image grows, area average where it shrinks both ways.

    Parameters
    ----------
    image : uint8 array of shape (h, w, 3)
    size : tuple of (height, width)
    out : uint8 array of shape (height, width, 3), optional
        Where to put the result; contiguous.

    Returns
    -------
    uint8 array of shape (height, width, 3)
        `out`; without it, the array itself if it has that size already.
    """
    height, width = size
    if image.shape[:2] == (height, width):
        if out is None:
            return image
        out[...] = image
        return out
    shrinks = height < image.shape[0] and width < image.shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, (width, height), dst=out, interpolation=interpolation)  # type: ignore[return-value]


def read_image(path: str | Path, *, max_pixels: int = MAX_PIXELS, size: tuple[int, int] | None = None) -> Pixels:
    """Read and decode one file, resized to `size` if that is given; see `decode`. Raises `ImageError`, which names the file."""
    try:
        image = decode(read_file(path), max_pixels=max_pixels, size=size)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error
    return resize(image, size) if size else image


def read_file(path: str | Path) -> bytes:
    """The bytes of an image file; never waits. Raises `ImageError`, without the name, if it cannot be read or is too large."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _NO_WAIT | getattr(os, "O_BINARY", 0))
        try:
            size = os.fstat(descriptor).st_size
            if size > MAX_FILE_BYTES:
                raise ImageError(f"the file is larger than {MAX_FILE_BYTES // 2**20} MiB")
            data = os.read(descriptor, size)
            while len(data) < size and (more := os.read(descriptor, size - len(data))):
                data += more
            return data
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        raise ImageError(str(getattr(error, "strerror", None) or error)) from error


def read_into(paths: Sequence[str], out: Pixels) -> dict[int, str]:
    """Read, decode and resize images, one after the other.

    Parameters
    ----------
    paths : sequence of str
        n image files.
    out : uint8 array of shape (n, height, width, 3)
        Where to put the pixels. Those of an image that cannot be read become black.

    Returns
    -------
    dict of int to str
        The rows that cannot be read, with the reason.
    """
    size = out.shape[1:3]
    failures = {}
    for row, path in enumerate(paths):
        try:
            resize(decode(read_file(path), size=size), size, out=out[row])
        except ImageError as error:
            out[row] = 0
            failures[row] = str(error)
    return failures


def read_images(
    paths: Sequence[str],
    size: tuple[int, int],
    *,
    out: Pixels | None = None,
    workers: int | None = None,
    progress: Progress = silent,
) -> Pixels:
    """Read, decode and resize many images, on all cores.

    Parameters
    ----------
    paths : sequence of str
        n image files.
    size : tuple of (height, width)
    out : uint8 array of shape (n, height, width, 3), optional
        Where to put the pixels, for example a memory-mapped file.
    workers : int, optional
        Threads; one for each core unless given.
    progress : Progress

    Returns
    -------
    uint8 array of shape (n, height, width, 3)

    Raises
    ------
    ImageError
        If any image cannot be read: how many, the first few by name, and why.
    """
    pixels = np.empty((len(paths), *size, 3), np.uint8) if out is None else out
    starts = range(0, len(paths), _TASK)
    failures: list[str] = []
    with ThreadPoolExecutor(workers or usable_cores()) as pool:
        parts = pool.map(lambda start: read_into(paths[start : start + _TASK], pixels[start : start + _TASK]), starts)
        for start, failed in zip(starts, parts, strict=True):
            failures += [f"{paths[start + row]}: {reason}" for row, reason in failed.items()]
            done = min(start + _TASK, len(paths))
            if done % 256 == 0 or done == len(paths):
                progress("decoding", done, len(paths))
    if failures:
        raise unreadable(failures, len(paths))
    return pixels


def unreadable(failures: Sequence[str], count: int) -> ImageError:
    """The error for some of `count` images: how many, and the first few with the reason."""
    shown = "; ".join(failures[:3]) + ("; ..." if len(failures) > 3 else "")
    return ImageError(f"{len(failures)} of {count} images cannot be read: {shown}. Repair or remove them.")
