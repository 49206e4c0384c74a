"""The value objects that leave the data-set station: who is on which image, seen by which camera."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.errors import DatasetError

__all__ = ["DISTRACTOR", "IMAGE_SUFFIXES", "JUNK", "Dataset", "Records", "Split", "image_files"]

JUNK = -1
"""Identity of an image that counts neither for nor against a ranking (a bad detection)."""

DISTRACTOR = 0
"""Identity of a gallery image that shows none of the queries' people: always a wrong match."""

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
"""Endings of the files that are taken for images, in lower case."""


@dataclass(frozen=True, eq=False)
class Records:
    """Images of people, one row an image.

    Attributes
    ----------
    paths : tuple of str
        Image files, n of them.
    identities : int64 array of shape (n,)
        Whose image it is; `JUNK` (-1) and `DISTRACTOR` (0) are not people.
    cameras : int64 array of shape (n,)
        Which camera saw it.
    """

    paths: tuple[str, ...]
    identities: NDArray[np.int64]
    cameras: NDArray[np.int64]

    def __post_init__(self) -> None:
        object.__setattr__(self, "paths", tuple(str(path) for path in self.paths))
        for name in ("identities", "cameras"):
            array = np.array(getattr(self, name), dtype=np.int64)
            if array.shape != (len(self.paths),):
                raise DatasetError(f"{name} has shape {array.shape}; expected one number for each of {len(self.paths)} images")
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    def __len__(self) -> int:
        return len(self.paths)

    def __repr__(self) -> str:
        return f"<Records: {len(self)} images of {len(self.people())} people by {len(np.unique(self.cameras))} cameras>"

    def select(self, rows: NDArray[Any] | Sequence[int]) -> Records:
        """The given rows, by a boolean mask of shape (n,) or by row numbers, in that order."""
        chosen = np.arange(len(self))[rows] if len(self) else np.empty(0, np.int64)
        return Records(tuple(self.paths[row] for row in chosen), self.identities[chosen], self.cameras[chosen])

    @staticmethod
    def from_rows(rows: Iterable[tuple[str | Path, int, int]]) -> Records:
        """Records from (path, identity, camera) rows."""
        columns = list(zip(*rows, strict=True)) or [(), (), ()]
        paths, identities, cameras = columns
        return Records(tuple(str(p) for p in paths), np.array(identities, np.int64), np.array(cameras, np.int64))

    @staticmethod
    def concatenate(parts: Sequence[Records]) -> Records:
        """All rows of `parts`, one part after the other."""
        return Records(
            tuple(path for part in parts for path in part.paths),
            np.concatenate([part.identities for part in parts]) if parts else np.empty(0, np.int64),
            np.concatenate([part.cameras for part in parts]) if parts else np.empty(0, np.int64),
        )

    def people(self) -> NDArray[np.int64]:
        """The identities of people (junk and distractors left out), sorted, each once."""
        unique = np.unique(self.identities)
        return unique[unique > DISTRACTOR]


@dataclass(frozen=True, eq=False)
class Split:
    """One way to divide a data set: images to train on, queries, and the gallery they are searched in."""

    train: Records
    query: Records
    gallery: Records


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set as found on the disk.

    Attributes
    ----------
    name : str
        One of the keys of `resight.datasets.DATASETS`.
    root : Path
        The folder that was read.
    splits : tuple of Split
        One for data sets with a fixed division (Market-1501), ten for VIPeR and CUHK01: a score is the mean over them.
    warnings : tuple of str
        What a user should know before using it, such as terms or skipped files.
    """

    name: str
    root: Path
    splits: tuple[Split, ...]
    warnings: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if not self.splits:
            raise DatasetError(f"{self.root}: no split")

    def __repr__(self) -> str:
        counts = f"{len(self.train)} training, {len(self.query)} query and {len(self.gallery)} gallery images"
        divisions = f", {len(self.splits)} divisions" if len(self.splits) > 1 else ""
        return f"<Dataset {self.name} in {self.root}: {counts}{divisions}>"

    @property
    def train(self) -> Records:
        """Training images of the first split."""
        return self.splits[0].train

    @property
    def query(self) -> Records:
        """Queries of the first split."""
        return self.splits[0].query

    @property
    def gallery(self) -> Records:
        """Gallery of the first split."""
        return self.splits[0].gallery


def image_files(folder: Path) -> list[Path]:
    """The image files directly in `folder`, sorted by name; told by their ending, not opened.

    Raises
    ------
    DatasetError
        If the folder is missing or cannot be read.
    """
    try:
        return sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    except FileNotFoundError as error:
        raise DatasetError(f"{folder}: no such folder") from error
    except OSError as error:
        raise DatasetError(f"{folder}: cannot be read as a folder: {error.strerror}") from error
