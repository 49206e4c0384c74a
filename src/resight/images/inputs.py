"""Inputs of every kind to pixels: whatever a caller calls an image, or people on a frame."""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.errors import ArrayError, ImageError
from resight.images.decode import Pixels, decode
from resight.images.reading import read_file

__all__ = ["boxes_of", "cut", "is_frame", "is_image", "pixels_of"]

_EXPECTED = "a path, the bytes of a file, a uint8 RGB array of shape (height, width, 3), or a PIL image"
_DEEP = ("I", "F")  # Pillow's modes of more than 8 bits a channel begin like this


def is_image(given: Any) -> bool:
    """Tell if `given` is one image: a path, bytes, an array of two or three dimensions, or a PIL image."""
    if isinstance(given, np.ndarray):
        return given.ndim in (2, 3)
    return isinstance(given, str | os.PathLike | bytes | bytearray | memoryview) or _is_pillow(given)


def is_frame(given: Any) -> bool:
    """Tell if `given` is ``(frame, boxes)``: an image, and boxes as `boxes_of` takes them."""
    if not isinstance(given, tuple) or len(given) != 2 or not is_image(given[0]):
        return False
    second = given[1]
    array = isinstance(second, np.ndarray) and second.ndim == 2 and second.shape[1] == 4
    return hasattr(second, "xyxy") or isinstance(second, list) or array


def pixels_of(given: Any) -> Pixels:
    """Pixels of one image.

    Parameters
    ----------
    given : str, PathLike, bytes, array or PIL image
        See `is_image`. A PIL image is turned upright by its EXIF rotation and converted to RGB, like a file.

    Returns
    -------
    uint8 array of shape (height, width, 3)
        RGB. An array is returned as it is, without a copy.

    Raises
    ------
    ImageError
        If a file cannot be read or decoded.
    ArrayError
        If it is something else, such as a gray or a floating-point array.
    """
    if isinstance(given, np.ndarray):
        return _checked(given)
    if isinstance(given, bytes | bytearray | memoryview):
        return decode(bytes(given))
    if isinstance(given, str | os.PathLike):
        return decode(read_file(given))
    if not _is_pillow(given):
        raise ArrayError(f"got a {type(given).__name__}; expected {_EXPECTED}")
    if given.mode.startswith(_DEEP):
        raise ArrayError(f"a PIL image of mode {given.mode}, with more than 8 bits a channel; convert it to RGB first")
    from PIL import ImageOps

    return np.asarray(ImageOps.exif_transpose(given).convert("RGB"))


def boxes_of(given: Any) -> NDArray[np.float64]:
    """Boxes of people on a frame.

    Parameters
    ----------
    given : array of shape (n, 4), list of such rows, or object with such an array as `xyxy`
        Left, top, right and bottom of each box, in pixels; supervision's `Detections` has them as `xyxy`.

    Returns
    -------
    float64 array of shape (n, 4)

    Raises
    ------
    ArrayError
        If it has another shape, or holds NaN or infinity.
    """
    expected = "expected finite numbers of shape (n, 4): left, top, right, bottom in pixels"
    try:
        boxes = np.asarray(getattr(given, "xyxy", given), np.float64)
    except (TypeError, ValueError) as error:
        raise ArrayError(f"boxes are not a matrix of numbers: {error}; {expected}") from error
    if isinstance(given, list) and not given:
        boxes = boxes.reshape(0, 4)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not np.isfinite(boxes).all():
        raise ArrayError(f"boxes of shape {boxes.shape}; {expected}")
    return boxes


def cut(image: Pixels, box: NDArray[np.float64] | tuple[int, int, int, int]) -> Pixels:
    """The part of an image inside a box, as a view.

    Parameters
    ----------
    image : uint8 array of shape (h, w, 3)
    box : four numbers
        Left, top, right and bottom in pixels, rounded to whole ones. What lies outside the image is left out.

    Returns
    -------
    uint8 array of shape (height, width, 3)

    Raises
    ------
    ImageError
        If no pixel of the image is inside.
    """
    left, top, right, bottom = (max(int(np.rint(side)), 0) for side in box)
    part = image[top:bottom, left:right]
    if not part.size:
        sides = ", ".join(f"{side:g}" for side in box)
        raise ImageError(f"the box {sides} holds no pixel of the image of {image.shape[1]}x{image.shape[0]} pixels")
    return part


def _is_pillow(given: Any) -> bool:
    pillow = sys.modules.get("PIL.Image")  # whoever holds such an image has imported it
    return pillow is not None and isinstance(given, pillow.Image)


def _checked(array: NDArray[Any]) -> Pixels:
    shape = f"{array.dtype} of shape {array.shape}"
    if array.ndim == 3 and array.shape[2] == 3 and array.dtype == np.uint8:
        if not array.size:
            raise ArrayError(f"an array without pixels: {shape}")
        return np.ascontiguousarray(array)
    if array.ndim == 2:
        way_out = "repeat a gray image three times: np.repeat(image[..., None], 3, axis=2)"
    elif array.ndim == 3 and array.shape[2] == 4:
        way_out = "leave out the transparency: image[..., :3]"
    elif array.ndim == 3 and array.shape[0] == 3 and array.shape[2] != 3:
        way_out = "move the channels to the end: image.transpose(1, 2, 0)"
    else:
        way_out = "scale floating-point pixels to 0..255, round them and convert them"
    raise ArrayError(f"an array of {shape}; expected uint8 RGB (height, width, 3): {way_out}")
