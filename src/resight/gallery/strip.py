"""Strips: the crops of a tracklet side by side in one JPEG, which can be divided again and says how long the tracklet was."""

from __future__ import annotations

import re
from collections.abc import Sequence

import cv2
import numpy as np

from resight.errors import ImageError
from resight.images import Pixels, decode, resize

__all__ = ["SIZE", "best_crop", "crops_in", "draw_strip", "seconds_in"]

SIZE = 128, 64
"""Height and width of a crop, in pixels."""

_QUALITY = 85
_MARK = b"\xff\xd8\xff\xfe\x00\x0fresight-strip"  # start of an image, and a comment of 15 bytes with its length
_LASTS = b"\xff\xfe\x00\x18%020.6f s"  # a second comment; 20 digits with the point


def draw_strip(crops: Sequence[Pixels], seconds: float | None = None) -> bytes:
    """Encode crops as one JPEG, each 128x64 pixels, the first at the left.

    A comment in it says that it is a strip, and another one how many seconds the tracklet lasted, if that is given.
    """
    whole = np.concatenate([resize(crop, SIZE) for crop in crops], axis=1)
    return _MARK + (b"" if seconds is None else _LASTS % seconds) + _jpeg(whole)[2:]


def seconds_in(thumbnail: bytes) -> float | None:
    """Seconds that the tracklet of a strip lasted; None for any other picture, and for strips that do not say it."""
    found = re.match(re.escape(_MARK) + rb"\xff\xfe\x00\x18([0-9]{13}\.[0-9]{6}) s", thumbnail)
    return float(found[1]) if found else None


def crops_in(thumbnail: bytes) -> list[Pixels]:
    """Decode the picture of a sighting: the crops of a strip, or else the picture itself. Raises `ImageError` if it is damaged."""
    whole = decode(thumbnail)
    count = whole.shape[1] // SIZE[1] if thumbnail.startswith(_MARK) else 1
    if not count or whole.shape[1] % count:
        raise ImageError("the strip of crops is damaged")
    return [np.ascontiguousarray(part) for part in np.split(whole, count, axis=1)]


def best_crop(thumbnail: bytes) -> bytes:
    """First crop of a strip as a JPEG; any other picture as it is. Raises `ImageError` if it is damaged."""
    return _jpeg(crops_in(thumbnail)[0]) if thumbnail.startswith(_MARK) else thumbnail


def _jpeg(pixels: Pixels) -> bytes:
    _, data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return data.tobytes()
