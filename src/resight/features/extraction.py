"""What every kind of feature has in common: files go in, vectors come out, and are kept with what is known of the images."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from resight.datasets import open_dataset
from resight.datasets.records import IMAGE_SUFFIXES, JUNK, Records
from resight.errors import ArrayError, DatasetError
from resight.files import atomic_write, write_text
from resight.images import Pixels, read_images
from resight.progress import Progress, silent

__all__ = ["Extractor", "embed_files", "find_images", "save_vectors"]

_CHUNK = 512


class Extractor(Protocol):
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


def embed_files(extractor: Extractor, paths: Sequence[str], *, progress: Progress = silent) -> NDArray[np.float32]:
    """Read image files and extract their vectors, some hundred at a time, so that memory does not grow with the pixels.

    Parameters
    ----------
    extractor : Extractor
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
    for start in range(0, len(paths), _CHUNK):
        some = paths[start : start + _CHUNK]
        vectors[start : start + len(some)] = extractor.extract(read_images(some, extractor.size))
        progress(f"embedding ({extractor.name})", start + len(some), len(paths))
    if not np.isfinite(vectors).all():
        row = int(np.flatnonzero(~np.isfinite(vectors).all(1))[0])
        raise ArrayError(f"{extractor.name} gives NaN or infinity for {paths[row]}; its weights are damaged or too large")
    return vectors


def find_images(root: str | Path) -> Records:
    """The images that a user means by a folder.

    Parameters
    ----------
    root : str or Path
        A data set in a known layout: its queries and then its gallery are meant (of the first division). Any other folder: all
        images in it and below it, of unknown identity and camera (-1).

    Returns
    -------
    Records

    Raises
    ------
    DatasetError
        If there is no such folder or no image in it.
    """
    root = Path(root)
    try:
        dataset = open_dataset(root)
    except DatasetError:
        if not root.is_dir():
            raise
        files = sorted(path for path in root.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())
        if not files:
            raise DatasetError(f"{root}: no image in this folder or below it (JPEG, PNG, WebP, BMP)") from None
        return Records.from_rows((path, JUNK, JUNK) for path in files)
    return Records.concatenate([dataset.query, dataset.gallery])


def save_vectors(out: str | Path, vectors: NDArray[np.float32], records: Records) -> None:
    """Write ``OUT.npy``, a row an image, and ``OUT.csv`` with path, identity and camera in the same order.

    Raises `StorageError`.
    """
    out = Path(out)
    with atomic_write(out.with_name(out.name + ".npy")) as stream:
        np.save(stream, vectors)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["path", "identity", "camera"])
    writer.writerows(zip(records.paths, records.identities.tolist(), records.cameras.tolist(), strict=True))
    write_text(out.with_name(out.name + ".csv"), text.getvalue())
