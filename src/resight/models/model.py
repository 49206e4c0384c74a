"""The base class of every model: pixels go in, vectors come out."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resight.errors import ArrayError, ImageError
from resight.images import Pixels, boxes_of, cut, grouped, is_frame, is_image, pixels_of, read_ahead, resize

__all__ = ["AHEAD", "AT_ONCE", "CHUNK", "Model", "Vectors", "extract_finite"]

CHUNK = 256
"""Images that a model receives at once. Some models' vectors differ in the last bits with it, so it never changes."""

AT_ONCE = 16
"""Images that a thread decodes at a time."""

AHEAD = 2 * CHUNK // AT_ONCE
"""Such tasks that are decoded before the model asks for them: two chunks."""

Vectors = NDArray[np.float32]


class Model(ABC):
    """A model as evaluation, trade-off and gallery see it. A subclass sets the attributes and implements `extract`.

    Attributes
    ----------
    name : str
        Name in tables.
    sha256 : str
        SHA-256 of the weights; empty for an untrained network.
    distance : str or callable
        Distance between two vectors, unless a user asks for another: a name, or a function (q, d), (g, d) to (q, g).
    size : tuple of (height, width)
        Size of the images that `extract` takes, in pixels.
    embedding_size : int
        Numbers in one vector.
    parameters : int
        Learned numbers that are used at test time; 0 for a hand-crafted feature.
    multiply_adds : int or None
        Multiply-adds for one image; None if they are not counted.
    precise : bool
        False if it computes in bfloat16; see `resight.load_model`.
    """

    name: str
    sha256: str
    distance: str | Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]
    size: tuple[int, int]
    embedding_size: int
    parameters: int
    multiply_adds: int | None
    precise: bool = True

    @abstractmethod
    def extract(self, pixels: Pixels) -> Vectors:
        """Turn images of `size`, uint8 RGB (n, height, width, 3), into vectors, float32 (n, embedding_size)."""

    def embed(self, images: Any) -> Vectors:
        """Turn images of any size and kind into vectors.

        Parameters
        ----------
        images : one image, ``(frame, boxes)``, or any iterable of these
            An image is a path, the bytes of an image file, a uint8 RGB array (height, width, 3) or a PIL image. Boxes are an
            array (n, 4) of left, top, right and bottom in pixels, or an object that holds one as ``xyxy``; each gives a vector.
            OpenCV's arrays are BGR: pass ``image[..., ::-1]``.

        Returns
        -------
        float32 array of shape (n, embedding_size)
            A row for each image or box, in order; of shape (embedding_size,) for one image. A file, its bytes and its pixels
            have the same vector, bit by bit.

        Raises
        ------
        ImageError
            If an image cannot be read, or a box holds none of its frame.
        ArrayError
            If an array is not uint8 RGB, or a vector holds NaN or infinity. Either message says which image it is.

        Notes
        -----
        An iterable is read as it is needed, and memory does not grow with it: arrays are cut and resized when they are taken, and
        files are decoded on threads up to 512 images ahead.

        Examples
        --------
        >>> import numpy as np, resight
        >>> model = resight.load_model("student-fastest")
        >>> crop = np.zeros((128, 64, 3), np.uint8)
        >>> model.embed(crop).shape, model.embed([crop, crop]).shape
        ((256,), (2, 256))
        """
        one = is_image(images)
        try:
            items = enumerate([images] if one or is_frame(images) else images)
        except TypeError:
            items = enumerate([images])  # whose message says what is expected

        def read(taken: list[list[_Row] | tuple[int, Any]]) -> list[_Row]:
            return [row for some in taken for row in (some if isinstance(some, list) else _rows(*some, self.size))]

        def take() -> Iterator[list[_Row] | tuple[int, Any]]:
            for number, item in items:  # a caller may use an array again, and it may be large; a file can wait
                yield (number, item) if isinstance(item, str | os.PathLike | bytes) else _rows(number, item, self.size)

        found = [np.empty((0, self.embedding_size), np.float32)]
        with closing(read_ahead(take(), read, at_once=AT_ONCE, ahead=AHEAD)) as parts:
            for rows in grouped(chain.from_iterable(parts), CHUNK):
                pixels = np.stack([row.pixels for row in rows])
                found.append(extract_finite(self, pixels, [row.name for row in rows]))
        vectors = np.concatenate(found)
        return vectors[0] if one else vectors

    def __repr__(self) -> str:
        by = self.distance if isinstance(self.distance, str) else "fitted"
        height, width = self.size
        return f"<{type(self).__name__} {self.name!r}: {height}x{width} pixels to {self.embedding_size} numbers, {by} distance>"


def extract_finite(model: Model, pixels: Pixels, names: list[str]) -> Vectors:
    """Call `Model.extract`. Raises `ArrayError`, with the image's name, if a vector holds NaN or infinity."""
    vectors = model.extract(pixels)
    finite = np.isfinite(vectors).all(1)
    if not finite.all():
        name = names[int(np.argmin(finite))]
        raise ArrayError(f"{model.name} gives NaN or infinity for {name}; its weights are damaged or too large")
    return vectors


class _Row(NamedTuple):
    name: str
    pixels: Pixels


def _rows(number: int, item: Any, size: tuple[int, int]) -> list[_Row]:
    """Cut out and resize the people of one item. The pixels are copies. Raises `ImageError` and `ArrayError`, with a name."""
    frame, boxes = item if is_frame(item) else (item, None)
    name = f"image {number}" + (f" ({os.fspath(frame)!s})" if isinstance(frame, str | os.PathLike) else "")
    rows: list[_Row] = []
    try:
        pixels = pixels_of(frame)
        if boxes is None:
            return [_Row(name, _resized(pixels, size))]
        whole = name
        for place, box in enumerate(boxes_of(boxes)):
            name = f"{whole}, box {place}"
            rows.append(_Row(name, _resized(cut(pixels, box), size)))
    except (ImageError, ArrayError) as error:
        raise type(error)(f"{name}: {error}") from error
    return rows


def _resized(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    return resize(pixels, size, out=np.empty((*size, 3), np.uint8))
