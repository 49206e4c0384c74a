"""Strips: the crops of a tracklet side by side in one JPEG, which can be divided again."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from resight.errors import ImageError
from resight.images import Pixels, decode, resize

__all__ = ["best_crop", "crops_in", "draw_strip"]

_SIZE = 128, 64
_QUALITY = 85
_MARK = b"\xff\xd8\xff\xfe\x00\x0fresight-strip"  # start of an image, and a comment of 15 bytes with its length


def draw_strip(crops: Sequence[Pixels]) -> bytes:
    """Encode crops as one JPEG, each 128x64 pixels, the first at the left. A comment in it says that it is a strip."""
    whole = np.concatenate([resize(crop, _SIZE) for crop in crops], axis=1)
    return _MARK + _jpeg(whole)[2:]


def crops_in(thumbnail: bytes) -> list[Pixels]:
    """Decode the picture of a sighting: the crops of a strip, or else the picture itself. Raises `ImageError` if it is damaged."""
    whole = decode(thumbnail)
    count = whole.shape[1] // _SIZE[1] if thumbnail.startswith(_MARK) else 1
    if not count or whole.shape[1] % count:
        raise ImageError("the strip of crops is damaged")
    return [np.ascontiguousarray(part) for part in np.split(whole, count, axis=1)]


def best_crop(thumbnail: bytes) -> bytes:
    """First crop of a strip as a JPEG; any other picture as it is. Raises `ImageError` if it is damaged."""
    return _jpeg(crops_in(thumbnail)[0]) if thumbnail.startswith(_MARK) else thumbnail


def _jpeg(pixels: Pixels) -> bytes:
    _, data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return data.tobytes()
