"""The value objects that leave the data-set station: who is on which image, seen by which camera."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.datasets.accounting import Accounting
from resight.datasets.tree import IMAGE_SUFFIXES
from resight.errors import DatasetError, ImageError

__all__ = ["ALONE", "DISTRACTOR", "JUNK", "UNKNOWN", "Dataset", "Records", "Split", "image_files"]

JUNK = -1
"""Identity of an image that counts neither for nor against a ranking (a bad detection)."""

DISTRACTOR = 0
"""Identity of a gallery image that shows none of the queries' people: always a wrong match."""

UNKNOWN = -1
"""Camera of an image of which no camera is known."""

ALONE = -2
"""Camera of a query that is compared with all images but itself; see `resight.datasets.splits.ask`."""


@dataclass(frozen=True, eq=False)
class Records:
    """Images of people, one row an image.

    People and cameras are numbers here; `identity_names` and `camera_names` are what a user calls them.

    Attributes
    ----------
    paths : tuple of str
        Image files, n of them.
    identities : int64 array of shape (n,)
        Person on the image; `JUNK` (-1, also of images of unknown people) and `DISTRACTOR` (0) are not people.
    cameras : int64 array of shape (n,)
        Camera that saw it; `UNKNOWN` (-1) if that is not known.
    people_called, cameras_called : mapping of int to str
        Names of the numbers whose name is not the number itself.
    times : tuple of (datetime or None)
        When each image was taken, UTC; empty if that is known of none.
    tracklets, parts : tuple of str
        Tracklet of each image, and its part of the data set (train, query, gallery); empty if that is known of none.
    accounting : Accounting
        Accounting of the files among which they were found, if they were just found.
    notes : tuple of str
        Notes for the user.
    layout : str
        Key of `resight.datasets.DATASETS` by which they were read, or several with + between them; empty if by none.
    """

    paths: tuple[str, ...]
    identities: NDArray[np.int64]
    cameras: NDArray[np.int64]
    people_called: Mapping[int, str] = field(default_factory=dict)
    cameras_called: Mapping[int, str] = field(default_factory=dict)
    times: tuple[datetime | None, ...] = ()
    tracklets: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    accounting: Accounting = field(default_factory=Accounting)
    notes: tuple[str, ...] = ()
    layout: str = ""

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
        rows = chosen.tolist()
        return replace(
            self,
            paths=tuple(self.paths[row] for row in rows),
            identities=self.identities[chosen],
            cameras=self.cameras[chosen],
            times=tuple(self.times[row] for row in rows) if self.times else (),
            tracklets=tuple(self.tracklets[row] for row in rows) if self.tracklets else (),
            parts=tuple(self.parts[row] for row in rows) if self.parts else (),
            accounting=Accounting(),
            notes=(),
        )

    def without(self, paths: Collection[str], reason: str) -> Records:
        """The same images without some, which are left out for a reason."""
        kept = self.select(np.array([path not in paths for path in self.paths], bool))
        return replace(kept, accounting=self.accounting.without(reason, len(self) - len(kept)), notes=self.notes)

    def digest(self) -> str:
        """SHA-256 of file names, labels and the files' bytes, without decoding; the same wherever the files lie.

        Returns
        -------
        str
            64 hexadecimal digits.

        Raises
        ------
        ImageError
            If a file cannot be read.
        """
        digest = hashlib.sha256()
        tracklets = self.tracklets or ("",) * len(self)
        for path, identity, camera, tracklet in zip(self.paths, self.identities, self.cameras, tracklets, strict=True):
            try:
                content = hashlib.sha256(Path(path).read_bytes()).hexdigest()
            except OSError as error:
                raise ImageError(f"{error.filename}: {error.strerror}; repair or remove it") from error
            row = f"{Path(path).name}\0{identity} {camera} {content}\0{tracklet}\0"
            digest.update(row.encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    @staticmethod
    def from_rows(rows: Iterable[tuple[str | Path, int, int]]) -> Records:
        """Records from (path, identity, camera) rows."""
        columns = list(zip(*rows, strict=True)) or [(), (), ()]
        paths, identities, cameras = columns
        return Records(tuple(str(p) for p in paths), np.array(identities, np.int64), np.array(cameras, np.int64))

    @staticmethod
    def concatenate(parts: Sequence[Records]) -> Records:
        """All rows of `parts`, one part after the other; equal numbers must mean the same people and cameras in all of them."""

        def column(name: str, empty: Any) -> tuple[Any, ...]:
            columns = [getattr(part, name) or (empty,) * len(part) for part in parts]
            return tuple(value for column in columns for value in column) if any(getattr(part, name) for part in parts) else ()

        return Records(
            tuple(path for part in parts for path in part.paths),
            np.concatenate([part.identities for part in parts]) if parts else np.empty(0, np.int64),
            np.concatenate([part.cameras for part in parts]) if parts else np.empty(0, np.int64),
            people_called={code: name for part in parts for code, name in part.people_called.items()},
            cameras_called={code: name for part in parts for code, name in part.cameras_called.items()},
            times=column("times", None),
            tracklets=column("tracklets", ""),
            parts=column("parts", ""),
        )

    def identity_names(self) -> list[str]:
        """Name of the person on each image; empty for junk, distractors and unknown people."""
        return self.people_names(self.identities)

    def people_names(self, codes: NDArray[np.int64]) -> list[str]:
        """Names of people by their numbers; empty for junk, distractors and unknown people."""
        return ["" if code <= DISTRACTOR else self.people_called.get(code, str(code)) for code in codes.tolist()]

    def camera_names(self) -> list[str]:
        """Name of the camera of each image; empty if it is not known."""
        called = {UNKNOWN: "", ALONE: ""} | dict(self.cameras_called)
        return [called.get(code, str(code)) for code in self.cameras.tolist()]

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
        One of the keys of `resight.datasets.DATASETS`, or several with + between them.
    root : Path
        The folder that was read.
    splits : tuple of Split
        One for data sets with a fixed division (Market-1501), ten for VIPeR and CUHK01: a score is the mean over them.
    warnings : tuple of str
        Notes for a user, such as terms or skipped files.
    accounting : Accounting
        How many files there were, how many are used, and why not the rest.
    """

    name: str
    root: Path
    splits: tuple[Split, ...]
    warnings: tuple[str, ...] = field(default=())
    accounting: Accounting = field(default_factory=Accounting)

    def __post_init__(self) -> None:
        if not self.splits:
            raise DatasetError(f"{self.root}: no split")

    def __repr__(self) -> str:
        counts = f"{len(self.train)} training, {len(self.query)} query and {len(self.gallery)} gallery images"
        divisions = f", {len(self.splits)} divisions" if len(self.splits) > 1 else ""
        return f"<Dataset {self.name} in {self.root}: {counts}{divisions}>"

    @property
    def protocol(self) -> str:
        """``"other cameras"``, or ``"all but itself"`` if there is one camera (see `resight.datasets.splits.ask`).

        Several sets, some of them with one camera, have both.
        """
        alone = self.query.cameras == ALONE
        if not alone.any():
            return "other cameras"
        return "all but itself" if alone.all() else "other cameras; all but itself for people of a single camera"

    def account(self, *parts: str, first: bool = False) -> Accounting:
        """The accounting of a command that uses some parts only, such as ``"query", "gallery"``, of all divisions or the first."""
        anywhere = len(self.paths(*parts))
        used = len(replace(self, splits=self.splits[:1]).paths(*parts)) if first else anywhere
        found = self.accounting.without(f"not in {' or '.join(parts)}", self.accounting.used - anywhere)
        return found.without("of another division", anywhere - used)

    def paths(self, *parts: str) -> list[str]:
        """The images of some parts, such as ``"query", "gallery"``, of all divisions, each once."""
        return list(dict.fromkeys(path for split in self.splits for part in parts for path in getattr(split, part).paths))

    def without(self, paths: Collection[str], reason: str) -> Dataset:
        """The same data set without some images, which are left out for a reason."""
        if not paths:
            return self
        parts = [[getattr(split, part) for part in ("train", "query", "gallery")] for split in self.splits]
        gone = {path for three in parts for records in three for path in records.paths} & set(paths)
        splits = [
            Split(*(records.select(np.array([path not in gone for path in records.paths], bool)) for records in three))
            for three in parts
        ]
        return replace(self, splits=tuple(splits), accounting=self.accounting.without(reason, len(gone)))

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
