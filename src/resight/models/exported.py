"""The common part of exported models on any runtime: a description, and many small calls beside each other."""

from __future__ import annotations

from abc import abstractmethod
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from resight.compute import usable_cores
from resight.errors import ArrayError, WeightsError
from resight.images import Pixels
from resight.models.description import INPUTS, GraphInput
from resight.models.model import Model, Vectors

__all__ = ["BATCH", "OUTPUT", "ExportedModel", "ModelFile", "filled", "first_line"]

BATCH = 8
"""Images in one call: few enough that activations stay in a core's cache, enough to hide the cost of a call."""

OUTPUT = "embeddings"


@dataclass(frozen=True, kw_only=True)
class ModelFile:
    """A model file that has been read, before a runtime sees it.

    Attributes
    ----------
    path : str
        Its path, for messages.
    data : bytes
        Its content.
    sha256 : str
        SHA-256 of the model.
    name : str
        Name in tables, without the runtime.
    size : tuple of (height, width)
        Input size in pixels.
    embedding_size : int
        Numbers in one vector.
    distance : str
        Distance between two vectors.
    parameters : int
    multiply_adds : int or None
        Multiply-adds for one image; None if unknown.
    card : dict
        Description inside the file, or beside it.
    takes : GraphInput
    output : str
        Output with the vectors.
    fixed_batch : int or None
        Images in one call, if a graph of others fixes it.
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
    takes: GraphInput = INPUTS["uint8"]
    output: str = OUTPUT
    fixed_batch: int | None = None


class ExportedModel(Model):
    """A model file as a function from images to embeddings.

    The network runs on one thread a call, and calls run beside each other. Several threads in one call of a small network would
    wait for each other between layers.

    Parameters
    ----------
    file : ModelFile
    threads : int
        Calls beside each other; 0 is one for each usable core.
    fixed_batch : int, optional
        Images in one call, if the graph fixes it.
    """

    runtime: str
    """Part of the name: one file on two runtimes is two models in a table."""

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
    def _run(self, pixels: Pixels) -> Vectors:
        """Call the runtime on any thread. Whatever it raises becomes a `WeightsError`."""

    def extract(self, pixels: Pixels) -> Vectors:
        """See `Model.extract`. Raises `ArrayError` for other arrays, and `WeightsError` if the model fails."""
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

    def _call(self, pixels: Pixels) -> Vectors:
        count = len(pixels)
        pixels = filled(pixels, self._fixed)
        try:
            vectors = self._run(pixels)
        except Exception as error:  # the runtimes' errors have no common base
            raise WeightsError(f"{self._path}: the model fails ({first_line(error)}); export it again") from error
        if vectors.shape[2:] and set(vectors.shape[2:]) == {1}:  # planes of one number
            vectors = vectors.reshape(vectors.shape[:2])
        if vectors.shape != (len(pixels), self.embedding_size):
            raise WeightsError(f"{self._path}: {len(pixels)} images gave vectors of shape {vectors.shape}; export it again")
        return vectors[:count]


def filled(pixels: Pixels, batch: int | None) -> Pixels:
    """Images with black ones after them, as many as a fixed batch needs."""
    if batch is None or len(pixels) == batch:
        return pixels
    return np.concatenate([pixels, np.zeros((batch - len(pixels), *pixels.shape[1:]), np.uint8)])


def first_line(error: Exception) -> str:
    """The message of a runtime's error, without its trace."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
