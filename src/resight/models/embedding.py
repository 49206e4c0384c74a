"""Image files to vectors, in chunks: the files of the next chunks are decoded while the model works on the present one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import NamedTuple

import numpy as np

from resight.images import Pixels, grouped, read_ahead, read_into, unreadable
from resight.models.model import AHEAD, AT_ONCE, CHUNK, Model, Vectors, extract_finite
from resight.progress import Progress, silent

__all__ = ["Chunk", "embed_chunks", "embed_files"]


class Chunk(NamedTuple):
    """Vectors of up to `CHUNK` consecutive images.

    Attributes
    ----------
    start : int
        Place of the first image.
    vectors : float32 array of shape (n, embedding_size)
        One row for each image; ignore the rows in `failures`.
    failures : dict of int to str
        Rows of images that cannot be read, with the reason.
    """

    start: int
    vectors: Vectors
    failures: dict[int, str]


def embed_chunks(model: Model, paths: Sequence[str], *, first: int = 0) -> Iterator[Chunk]:
    """Read image files and extract their vectors, chunk by chunk, in order.

    Parameters
    ----------
    model : Model
    paths : sequence of str
        Image files.
    first : int
        Place to begin at, a multiple of `CHUNK`.

    Yields
    ------
    Chunk

    Raises
    ------
    ArrayError
        If a vector holds NaN or infinity.
    """

    def read(some: list[str]) -> tuple[Pixels, dict[int, str]]:
        pixels = np.empty((len(some), *model.size, 3), np.uint8)
        return pixels, read_into(some, pixels)

    start = first
    with closing(read_ahead(islice(paths, first, None), read, at_once=AT_ONCE, ahead=AHEAD)) as parts:
        for several in grouped(parts, CHUNK // AT_ONCE):
            pixels = np.concatenate([part for part, _ in several])
            failures = {AT_ONCE * place + row: why for place, (_, failed) in enumerate(several) for row, why in failed.items()}
            vectors = extract_finite(model, pixels, list(paths[start : start + len(pixels)]))
            yield Chunk(start, vectors, failures)
            start += len(pixels)


def embed_files(model: Model, paths: Sequence[str], *, progress: Progress = silent) -> Vectors:
    """Read image files and extract their vectors.

    Parameters
    ----------
    model : Model
    paths : sequence of str
        n image files.
    progress : Progress

    Returns
    -------
    float32 array of shape (n, embedding_size)

    Raises
    ------
    ImageError
        If an image cannot be read.
    ArrayError
        If a vector holds NaN or infinity.
    """
    vectors = np.empty((len(paths), model.embedding_size), np.float32)
    for chunk in embed_chunks(model, paths):
        done = chunk.start + len(chunk.vectors)
        if chunk.failures:
            raise unreadable([f"{paths[chunk.start + row]}: {reason}" for row, reason in chunk.failures.items()], done)
        vectors[chunk.start : done] = chunk.vectors
        progress(f"embedding ({model.name})", done, len(paths))
    return vectors
