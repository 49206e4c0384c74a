"""The body of a request to the pixels of people, on threads beside the event loop."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import TypeVar

import cv2
from fastapi import Request

from resight.errors import ImageError, ModelMismatchError, UploadError
from resight.gallery import Settings
from resight.images import Pixels, cut, decode, resize
from resight.service.forms import F, parse_form, read_form
from resight.service.service import Service

__all__ = ["check_model", "crop_of", "person", "upload"]

T = TypeVar("T")


async def upload(request: Request, service: Service, kind: type[F], work: Callable[[F], T]) -> T:
    """Read a form and work on it on one of the service's threads. The caller holds a place."""
    body = await request.body()
    content_type = request.headers.get("content-type", "")

    def read() -> T:
        return work(read_form(kind, parse_form(content_type, body)))

    return await asyncio.get_running_loop().run_in_executor(service.uploads, read)


def check_model(settings: Settings, sha256: str) -> None:
    """Refuse a request for another model than the gallery's. Raises `ModelMismatchError`."""
    if sha256 not in ("", settings.model_sha256):
        raise ModelMismatchError(
            f"the request is for a model {sha256[:12]} and the gallery of {settings.model_sha256[:12]}; ask without model_sha256, "
            "or the gallery of that model"
        )


def person(data: bytes, box: str, size: tuple[int, int]) -> Pixels:
    """Decode one upload and resize it, or a box of it, for the model.

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
        If the box is not four whole numbers, or lies outside the image.
    """
    image = decode(data)
    return resize(_cut(image, box) if box else image, size)


def _cut(image: Pixels, box: str) -> Pixels:
    """The part of an image in a box; see `person`."""
    if not (match := re.fullmatch(r"\s*(-?\d{1,6}),(-?\d{1,6}),(\d{1,6}),(\d{1,6})\s*", box)):
        raise UploadError(f"the box {box[:60]!r} cannot be read; expected x,y,width,height in whole pixels")
    x, y, width, height = map(int, match.groups())
    try:
        return cut(image, (x, y, x + width, y + height))
    except ImageError as error:
        raise UploadError(f"the box {box} is outside the image of {image.shape[1]}x{image.shape[0]} pixels") from error


def crop_of(data: bytes, box: str) -> tuple[bytes, Pixels | None]:
    """The file to enrol: the upload itself, or its box as a PNG, which loses nothing, together with the pixels in it.

    Raises
    ------
    ImageError, UploadError
        See `person`.
    """
    if not box:
        return data, None
    part = _cut(decode(data), box)
    done, png = cv2.imencode(".png", cv2.cvtColor(part, cv2.COLOR_RGB2BGR))
    if not done:
        raise ImageError("the box cannot be encoded")
    return png.tobytes(), part
