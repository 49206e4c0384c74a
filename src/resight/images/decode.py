"""Bytes to pixels: the only place that decodes and resizes images, so that one file always has the same pixels.

Images are hostile. The size is read from the header and checked against a bound before a decoder sees the file. A file that ends
too early is refused; decoders would fill it with gray.

OpenCV decodes everything. simplejpeg tries plain JPEGs first: it returns the same pixels from the same library with less work
around it, which halves the time for a crop of 128x64. OpenCV judges what simplejpeg refuses.
"""

from __future__ import annotations

import cv2
import numpy as np
import simplejpeg  # type: ignore[import-untyped]
from numpy.typing import NDArray

from resight.errors import ImageError
from resight.images.header import header_size

__all__ = ["MAX_PIXELS", "RESIZE", "Pixels", "decode", "resize"]

MAX_PIXELS = 32_000_000
"""Largest image that is decoded, in pixels (96 MB as RGB); a person crop has some 10^4."""

RESIZE = "bilinear-or-area"
"""Name of what `resize` does, in the files of exported models."""

Pixels = NDArray[np.uint8]


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Decode one image file at its full size.

    Parameters
    ----------
    data : bytes
        JPEG, PNG, WebP or BMP.
    max_pixels : int
        Largest image to decode; the header of a larger one is enough to refuse it.

    Returns
    -------
    uint8 array of shape (height, width, 3)
        RGB, upright by its EXIF rotation. A gray image has three equal channels; transparency is dropped.

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
        raise ImageError(f"the image is {height}x{width}; at most {max_pixels} pixels are decoded: crop or shrink it")
    if kind == "jpeg" and b"Exif" not in data:
        try:
            plain: Pixels = simplejpeg.decode_jpeg(data, "RGB")
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


def resize(image: Pixels, size: tuple[int, int], *, out: Pixels | None = None) -> Pixels:
    """Resize to (height, width): by area average if the image shrinks both ways, bilinear otherwise.

    Parameters
    ----------
    image : uint8 array of shape (h, w, 3)
    size : tuple of (height, width)
    out : uint8 array of shape (height, width, 3), optional
        Contiguous array for the result.

    Returns
    -------
    uint8 array of shape (height, width, 3)
        `out` if given; `image` itself if it has that size already.
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
