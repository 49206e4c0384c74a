"""Bytes to pixels: the only place that decodes and resizes images, so that one file always has the same pixels.

Images are hostile. The size is read from the header and checked against a bound before a decoder sees the file. A file that ends
too early is refused; decoders would fill it with gray.

OpenCV decodes everything. simplejpeg tries plain JPEGs first: it returns the same pixels from the same library with less work
around it, which halves the time for a crop of 128x64. OpenCV judges what simplejpeg refuses. HEIC and AVIF need the extra
``[heif]`` and are decoded by Pillow; for them the bound holds for the size that the file announces.

Of a file with several pictures (GIF, TIFF, animated WebP or PNG) the first one is read. Sixteen bits become eight: a picture whose
largest value is below 4096 holds 12 bits, as industrial cameras write them; any other holds 16.
"""

from __future__ import annotations

import importlib.util
import io
import os

import cv2
import numpy as np
import simplejpeg  # type: ignore[import-untyped]
from numpy.typing import NDArray

from resight.errors import ConfigurationError, ImageError
from resight.images.header import header_size

__all__ = ["MAX_PIXELS", "RESIZE", "Pixels", "can_decode", "decode", "most_pixels", "resize"]

MAX_PIXELS = 32_000_000
"""Largest image that is decoded, in pixels (96 MB as RGB), unless ``RESIGHT_MAX_PIXELS`` says another number."""

_TWELVE_BITS = 4096
_PILLOW = {"heic": ("pillow_heif", "HEIF"), "avif": ("PIL", "AVIF")}

RESIZE = "bilinear-or-area"
"""Name of what `resize` does, in the files of exported models."""

Pixels = NDArray[np.uint8]


def most_pixels() -> int:
    """Largest image that is decoded, in pixels. Raises `ConfigurationError` if ``RESIGHT_MAX_PIXELS`` is not a number."""
    given = os.environ.get("RESIGHT_MAX_PIXELS", "")
    if given and not (given.isdecimal() and int(given) > 0):
        raise ConfigurationError(f"RESIGHT_MAX_PIXELS is {given!r}; expected a number of pixels, such as {MAX_PIXELS}")
    return int(given or MAX_PIXELS)


def can_decode(kind: str) -> bool:
    """Tell if a kind of image can be decoded with what is installed."""
    return kind not in _PILLOW or importlib.util.find_spec(_PILLOW[kind][0]) is not None


def decode(data: bytes, *, max_pixels: int | None = None) -> Pixels:
    """Decode one image file at its full size.

    Parameters
    ----------
    data : bytes
        See `resight.images.header.FORMATS`.
    max_pixels : int, optional
        Largest image to decode, by default `most_pixels`; the header of a larger one is enough to refuse it.

    Returns
    -------
    uint8 array of shape (height, width, 3)
        RGB, upright by its EXIF rotation. A gray image has three equal channels; transparency is dropped.

    Raises
    ------
    ImageError
        If the file is empty, foreign, truncated, damaged or too large, or if it needs an extra that is not installed.
    """
    if not data:
        raise ImageError("the file is empty")
    kind, height, width = header_size(data)
    if height < 1 or width < 1:
        raise ImageError(f"the image has no pixels ({height}x{width})")
    most = most_pixels() if max_pixels is None else max_pixels
    if height * width > most:
        way_out = "crop or shrink it, or set RESIGHT_MAX_PIXELS"
        raise ImageError(f"the image is {height}x{width}; at most {most} pixels are decoded: {way_out}")
    if kind in _PILLOW:
        return _by_pillow(kind, data, most)
    if kind == "jpeg" and b"Exif" not in data:
        try:
            plain: Pixels = simplejpeg.decode_jpeg(data, "RGB")
            return plain
        except ValueError:
            pass
    try:
        # Not IMREAD_COLOR_RGB: OpenCV 5.0 then leaves a TIFF of three 16-bit channels as the memory was.
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    except cv2.error as error:
        raise ImageError("the image is damaged") from error
    if image is not None and image.dtype == np.uint16:
        image = np.right_shift(image, 4 if image.max() < _TWELVE_BITS else 8, dtype=np.uint16).astype(np.uint8)
    if image is None or image.dtype != np.uint8:
        raise ImageError("the image is damaged, or its numbers are not whole")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]


def _by_pillow(kind: str, data: bytes, most: int) -> Pixels:
    if not can_decode(kind):
        raise ImageError(f"{kind.upper()} needs an extra that is not installed; in the folder of Resight, pip install '.[heif]'")
    from PIL import Image, ImageOps

    if kind == "heic":
        import pillow_heif

        pillow_heif.register_heif_opener()
    try:
        with Image.open(io.BytesIO(data), formats=[_PILLOW[kind][1]]) as image:
            if image.width * image.height > most:
                raise ImageError(f"the image is {image.height}x{image.width}, and announces less")
            return np.array(ImageOps.exif_transpose(image).convert("RGB"))
    except ImageError:
        raise
    except Exception as error:  # the decoders' errors have no base of their own
        raise ImageError("the image is damaged") from error


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
