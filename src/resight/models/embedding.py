"""What every kind of feature has in common: files go in, vectors come out.

Images are decoded on threads of their own while the model works on those before them, a few hundred at a time, so that memory does
not grow with their number.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from resight.compute import usable_cores
from resight.errors import ArrayError
from resight.images import Pixels, read_into, unreadable
from resight.progress import Progress, silent

__all__ = ["CHUNK", "Chunk", "Model", "embed_chunks", "embed_files"]

CHUNK = 256
"""Images that a model is handed at once. Vectors may differ in the last bits with it, so it depends on nothing."""

_AHEAD = 2  # chunks that are decoded before the model asks for them
_TASK = 16  # images that a thread decodes at a time


class Model(Protocol):
    """A model, as evaluation, trade-off and gallery see it."""

    @property
    def name(self) -> str:
        """How it is called in tables."""

    @property
    def sha256(self) -> str:
        """Names the weights; empty for an untrained network."""

    @property
    def distance(self) -> str | Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]:
        """What compares two vectors, unless a user asks for another: a name, or a function (q, d), (g, d) to (q, g)."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the images that `extract` takes, in pixels."""

    @property
    def embedding_size(self) -> int:
        """Numbers in one vector."""

    @property
    def parameters(self) -> int:
        """Learned numbers that are used at test time; 0 for a hand-crafted feature."""

    @property
    def multiply_adds(self) -> int | None:
        """Multiply-adds for one image; None where they are not counted."""

    def extract(self, pixels: Pixels) -> NDArray[np.float32]:
        """Images of `size`, uint8 RGB (n, height, width, 3), to vectors, float32 (n, embedding_size)."""


class Chunk(NamedTuple):
    """Vectors of up to `CHUNK` consecutive images.

    Attributes
    ----------
    start : int
        Place of the first image.
    vectors : float32 array of shape (n, embedding_size)
        A row an image. Those of images that cannot be read mean nothing.
    failures : dict of int to str
        Rows that cannot be read, with the reason.
    """

    start: int
    vectors: NDArray[np.float32]
    failures: dict[int, str]


def embed_chunks(extractor: Model, paths: Sequence[str], *, first: int = 0) -> Iterator[Chunk]:
    """Read image files and extract their vectors, chunk by chunk, in order.

    Parameters
    ----------
    extractor : Model
    paths : sequence of str
        Image files.
    first : int
        Where to begin: a multiple of `CHUNK`.

    Yields
    ------
    Chunk

    Raises
    ------
    ArrayError
        If a vector holds NaN or infinity.
    """
    starts = iter(range(first, len(paths), CHUNK))
    spare = [np.empty((min(CHUNK, len(paths)), *extractor.size, 3), np.uint8) for _ in range(_AHEAD + 1)]
    ahead: deque[tuple[int, Pixels, list[Future[dict[int, str]]]]] = deque()
    pool = ThreadPoolExecutor(usable_cores(), thread_name_prefix="decode")

    def read_ahead() -> None:
        if (start := next(starts, None)) is not None:
            pixels, some = spare.pop(), paths[start : start + CHUNK]
            rows = range(0, len(some), _TASK)
            ahead.append((start, pixels, [pool.submit(read_into, some[r : r + _TASK], pixels[r : r + _TASK]) for r in rows]))

    try:
        for _ in range(_AHEAD):
            read_ahead()
        while ahead:
            read_ahead()
            start, pixels, tasks = ahead.popleft()
            failures = {number * _TASK + row: why for number, task in enumerate(tasks) for row, why in task.result().items()}
            vectors = extractor.extract(pixels[: len(paths) - start])
            spare.append(pixels)
            finite = np.isfinite(vectors).all(1)
            if not finite.all():
                path = paths[start + int(np.argmin(finite))]
                raise ArrayError(f"{extractor.name} gives NaN or infinity for {path}; its weights are damaged or too large")
            yield Chunk(start, vectors, failures)
    finally:
        pool.shutdown(cancel_futures=True)


def embed_files(extractor: Model, paths: Sequence[str], *, progress: Progress = silent) -> NDArray[np.float32]:
    """Read image files and extract their vectors.

    Parameters
    ----------
    extractor : Model
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
    vectors = np.empty((len(paths), extractor.embedding_size), np.float32)
    for chunk in embed_chunks(extractor, paths):
        done = chunk.start + len(chunk.vectors)
        if chunk.failures:
            raise unreadable([f"{paths[chunk.start + row]}: {reason}" for row, reason in chunk.failures.items()], done)
        vectors[chunk.start : done] = chunk.vectors
        progress(f"embedding ({extractor.name})", done, len(paths))
    return vectors
