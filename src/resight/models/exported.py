"""What exported models have in common, whatever runs them: a description, and many small calls beside each other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.compute import usable_cores
from resight.errors import ArrayError, WeightsError
from resight.images import Pixels

__all__ = ["BATCH", "ExportedModel", "ModelFile", "first_line"]

BATCH = 8
"""Images in one call. Small enough for a batch of activations to stay in a core's cache, large enough to hide what a call costs."""


@dataclass(frozen=True, kw_only=True)
class ModelFile:
    """A model file that has been read, but not yet handed to a runtime.

    Attributes
    ----------
    path : str
        Where it was found, for messages.
    data : bytes
        All of it.
    sha256 : str
        Of the model.
    name : str
        How it is called in tables, but for the runtime.
    size : tuple of (height, width)
        Of the images that it takes, in pixels.
    embedding_size : int
        Numbers in one vector.
    distance : str
        What compares two vectors.
    parameters : int
    multiply_adds : int or None
        For one image; None where it is not known.
    card : dict
        Everything that the file says of itself.
    """

    path: str
    data: bytes
    sha256: str
    name: str
    size: tuple[int, int]
    embedding_size: int
    distance: str
    parameters: int
    multiply_adds: int | None
    card: dict[str, Any]


class ExportedModel(ABC):
    """A model file as a function from images to embeddings.

    The network runs on one thread a call, and calls run beside each other: that wastes nothing on waiting between layers, as
    several threads in one call of a small network do.

    Parameters
    ----------
    file : ModelFile
    threads : int
        Calls beside each other; 0 is one for each usable core.
    fixed_batch : int, optional
        Images in one call, where the graph fixes it.
    """

    runtime: str
    """Is a part of the name: two runtimes are two models in a table."""

    def __init__(self, file: ModelFile, threads: int, fixed_batch: int | None = None) -> None:
        self.name = f"{file.name} {self.runtime}"
        self.sha256 = file.sha256
        self.size = file.size
        self.embedding_size = file.embedding_size
        self.distance = file.distance
        self.parameters = file.parameters
        self.multiply_adds = file.multiply_adds
        self.card = file.card
        self._path = file.path
        self._fixed = fixed_batch
        self._pool = ThreadPoolExecutor(threads or usable_cores(), thread_name_prefix="model")

    @abstractmethod
    def _run(self, pixels: Pixels) -> NDArray[np.float32]:
        """Call the runtime, on any thread. Whatever it raises becomes a `WeightsError`."""

    def extract(self, pixels: Pixels) -> NDArray[np.float32]:
        """Images of `size`, uint8 RGB (n, height, width, 3), to embeddings, float32 (n, embedding_size).

        Raises `ArrayError` for other arrays, `WeightsError` if the model fails.
        """
        if pixels.dtype != np.uint8 or pixels.shape[1:] != (*self.size, 3):
            expected = f"uint8 (n, {self.size[0]}, {self.size[1]}, 3)"
            raise ArrayError(f"{self.name} got {pixels.dtype} {pixels.shape}; expected {expected}")
        pixels = np.ascontiguousarray(pixels)
        vectors = np.empty((len(pixels), self.embedding_size), np.float32)
        batch = self._fixed or BATCH

        def embed(start: int) -> None:
            vectors[start : start + batch] = self._call(pixels[start : start + batch])

        starts = range(0, len(pixels), batch)
        if len(starts) == 1:
            embed(0)
        else:
            list(self._pool.map(embed, starts))
        return vectors

    def _call(self, pixels: Pixels) -> NDArray[np.float32]:
        count = len(pixels)
        if self._fixed and count < self._fixed:
            pixels = np.concatenate([pixels, np.zeros((self._fixed - count, *pixels.shape[1:]), np.uint8)])
        try:
            vectors = self._run(pixels)
        except Exception as error:  # what a runtime raises has no base of its own
            raise WeightsError(f"{self._path}: the model fails ({first_line(error)}); export it again") from error
        if vectors.shape != (len(pixels), self.embedding_size):
            raise WeightsError(f"{self._path}: {len(pixels)} images gave vectors of shape {vectors.shape}; export it again")
        return vectors[:count]


def first_line(error: Exception) -> str:
    """What a runtime says, without its trace."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
