"""From the body of a request to the pixels of people; on threads beside the event loop."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import TypeVar

import cv2
from fastapi import Request

from resight.errors import ImageError, ModelMismatchError, UploadError
from resight.gallery import Settings
from resight.images import Pixels, decode, resize
from resight.service.forms import F, parse_form, read_form
from resight.service.service import Service

__all__ = ["check_model", "crop_file", "person", "upload"]

T = TypeVar("T")


async def upload(request: Request, service: Service, kind: type[F], work: Callable[[F], T]) -> T:
    """Read a form and work on it, on one of the service's threads. The caller holds a place."""
    body = await request.body()
    content_type = request.headers.get("content-type", "")

    def read() -> T:
        return work(read_form(kind, parse_form(content_type, body)))

    return await asyncio.get_running_loop().run_in_executor(service.uploads, read)


def check_model(settings: Settings, sha256: str) -> None:
    """Refuse what is meant for another model than the gallery's. Raises `ModelMismatchError`."""
    if sha256 not in ("", settings.model_sha256):
        raise ModelMismatchError(
            f"the request is for a model {sha256[:12]} and the gallery of {settings.model_sha256[:12]}; ask without model_sha256, "
            "or the gallery of that model"
        )


def person(data: bytes, box: str, size: tuple[int, int]) -> Pixels:
    """What the model sees of one upload: all of an image, or a box of it, resized.

    Parameters
    ----------
    data : bytes
    box : str
        ``x,y,width,height`` in pixels of the upright image; empty for all of it.
    size : tuple of (height, width)

    Returns
    -------
    uint8 array of shape (height, width, 3)

    Raises
    ------
    ImageError
        If it cannot be decoded.
    UploadError
        If the box is none, or outside the image.
    """
    image = decode(data, size=None if box else size)
    return resize(_cut(image, box) if box else image, size)


def _cut(image: Pixels, box: str) -> Pixels:
    """The part of an image in a box, see `person`."""
    if not (match := re.fullmatch(r"\s*(-?\d{1,6}),(-?\d{1,6}),(\d{1,6}),(\d{1,6})\s*", box)):
        raise UploadError(f"the box {box[:60]!r} is none; expected x,y,width,height in whole pixels")
    x, y, width, height = map(int, match.groups())
    part = image[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)]
    if not part.size:
        raise UploadError(f"the box {box} is outside the image of {image.shape[1]}x{image.shape[0]} pixels")
    return part


def crop_file(data: bytes, box: str) -> bytes:
    """The file that is enrolled: the upload itself, or the box as a PNG, which loses nothing.

    Raises
    ------
    ImageError, UploadError
        See `person`.
    """
    if not box:
        return data
    done, png = cv2.imencode(".png", cv2.cvtColor(_cut(decode(data), box), cv2.COLOR_RGB2BGR))
    if not done:
        raise ImageError("the box cannot be encoded")
    return png.tobytes()
