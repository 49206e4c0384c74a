"""From the body of a request to the pixels of people, on the service's threads beside the event loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import cv2
from fastapi import Request

from resight.errors import ImageError, ModelMismatchError, UploadError
from resight.gallery import Settings
from resight.images import Pixels, cut, decode, resize
from resight.images.header import header_size
from resight.service.access import Caller
from resight.service.forms import F, parse_form, read_form
from resight.service.lifecycle import Service
from resight.service.requests import Box

__all__ = ["check_model", "check_pixels", "crop_of", "person", "work_on"]

T = TypeVar("T")


async def work_on(request: Request, caller: Caller, service: Service, kind: type[F], work: Callable[[F], T]) -> T:
    """Parse the form of a request whose body is there, and work on it on one of the service's threads, in the caller's turn."""
    body, content_type = await request.body(), request.headers.get("content-type", "")
    return await service.uploads.run(caller.name, lambda: work(read_form(kind, parse_form(content_type, body))))


def check_model(settings: Settings, sha256: str) -> None:
    """Refuse a request for another model than the gallery's. Raises `ModelMismatchError`."""
    if sha256 not in ("", settings.model_sha256):
        raise ModelMismatchError(
            f"the request is for model {sha256[:12]}, but the gallery is of model {settings.model_sha256[:12]}; "
            "ask without model_sha256, or ask another gallery"
        )


def check_pixels(images: Sequence[bytes], most: int) -> None:
    """Refuse images that hold too many pixels together, before one is decoded. Raises `UploadError` and `ImageError`."""
    pixels = sum(height * width for _, height, width in map(header_size, images))
    if pixels > most:
        raise UploadError(f"the images hold {pixels / 1e6:.0f} megapixels, at most {most / 1e6:g} are allowed; send smaller images")


def person(data: bytes, box: Box | None, size: tuple[int, int]) -> Pixels:
    """Decode what the model sees of one upload: the whole image or a box of it, resized.

    Parameters
    ----------
    data : bytes
    box : Box or None
        None is the whole image.
    size : tuple of (height, width)

    Returns
    -------
    uint8 array of shape (height, width, 3)

    Raises
    ------
    ImageError
        If the image cannot be decoded.
    UploadError
        If the box is outside the image.
    """
    image = decode(data)
    return resize(image if box is None else _cut(image, box), size)


def crop_of(data: bytes, box: Box | None) -> tuple[bytes, Pixels | None]:
    """Return the file to enrol: the upload itself, or its box as a PNG, which loses nothing, together with its pixels.

    Raises
    ------
    ImageError, UploadError
        See `person`.
    """
    if box is None:
        return data, None
    part = _cut(decode(data), box)
    done, png = cv2.imencode(".png", cv2.cvtColor(part, cv2.COLOR_RGB2BGR))
    if not done:
        raise ImageError("the box cannot be encoded as PNG")
    return png.tobytes(), part


def _cut(image: Pixels, box: Box) -> Pixels:
    try:
        return cut(image, (box.x, box.y, box.x + box.width, box.y + box.height))
    except ImageError as error:
        raise UploadError(f"the box {box} is outside the image of {image.shape[1]}x{image.shape[0]} pixels") from error
