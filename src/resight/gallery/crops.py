"""The crops that a user wants in a gallery, from folders and lists."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from resight.datasets import recognise
from resight.datasets.folder import find_csv
from resight.datasets.image_list import find_images
from resight.datasets.records import DISTRACTOR, IMAGE_SUFFIXES, Records
from resight.errors import ConfigurationError, DatasetError
from resight.gallery.sighting import parse_time
from resight.images import Pixels

__all__ = ["Crop", "crops_of", "find_crops"]

_COLUMNS = ("path", "camera", "time", "tracklet", "identity", "split")
"""Of a CSV; ``split`` is what `resight.datasets.folder` reads, and means nothing here."""


@dataclass(frozen=True, kw_only=True)
class Crop:
    """An image of one person, to be enrolled, with what is known of it.

    Attributes
    ----------
    source : str
        Its file, or where it came from.
    data : bytes, optional
        The file's content; None to read it from `source`.
    pixels : uint8 array of shape (height, width, 3), optional
        The decoded `data`, RGB, if it is at hand.
    camera, tracklet, identity : str
        Empty if unknown.
    time : datetime, optional
        With a time zone.
    """

    source: str
    data: bytes | None = None
    camera: str = ""
    time: datetime | None = None
    tracklet: str = ""
    identity: str = ""
    pixels: Pixels | None = field(default=None, repr=False, compare=False)


def find_crops(path: str | Path, *, named: bool = False) -> list[Crop]:
    """The crops that a user means by a path.

    Parameters
    ----------
    path : str or Path
        An image; or a CSV with the column ``path``, relative to it, and any of ``camera``, ``time`` (ISO 8601), ``tracklet`` and
        ``identity``, or a folder with such a CSV in it; or a published data set, whose numbers are kept; or any other folder, for
        all images in it; or a text file with a path a line.
    named : bool
        The images of a folder are called ``anna/entrance_0001.jpg``: the person, and the camera before the first underscore, whose
        names are kept. Otherwise names mean nothing.

    Returns
    -------
    list of Crop
        In an order that depends on their names alone.

    Raises
    ------
    DatasetError
        If there is nothing there, or a list cannot be read.
    """
    path = Path(path)
    if path.suffix.lower() == ".csv":
        return _from_csv(path)
    if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
        return [Crop(source=str(path))]
    if not named and not _is_own(path):
        return crops_of(find_images(path))
    if not named and (table := find_csv(path)):
        return _from_csv(table)
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file())
    if not files:
        raise DatasetError(f"{path}: no such folder, or no image in it (JPEG, PNG, WebP, BMP)")
    return [_from_name(file) if named else Crop(source=str(file)) for file in files]


def crops_of(records: Records) -> list[Crop]:
    """Images of a data set as crops; junk and distractors are of unknown identity."""
    rows = zip(records.paths, records.identities.tolist(), records.cameras.tolist(), strict=True)
    return [
        Crop(source=path, camera=str(camera) if camera >= 0 else "", identity=str(identity) if identity > DISTRACTOR else "")
        for path, identity, camera in rows
    ]


def _is_own(path: Path) -> bool:
    """Whether it is a folder of one's own: as a data set its names become numbers, which another folder has for other people."""
    try:
        return path.is_dir() and recognise(path) == "folder"
    except DatasetError:
        return False


def _from_name(file: Path) -> Crop:
    camera, underscore, _ = file.name.partition("_")
    if not camera or not underscore:
        raise DatasetError(f"{file} does not begin with a camera and an underscore, as entrance_0001.jpg; rename it, or give a CSV")
    return Crop(source=str(file), camera=camera, identity=file.parent.name)


def _from_csv(table: Path) -> list[Crop]:
    try:
        # File names need not be UTF-8; their bytes are kept.
        with table.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
            lines = list(csv.reader(stream))
    except (OSError, csv.Error) as error:
        raise DatasetError(f"{table} cannot be read as a CSV: {error}") from error
    header = [name.strip().lower() for name in lines[0]] if lines else []
    if "path" not in header or (unknown := set(header) - set(_COLUMNS)):
        wrong = f"unknown columns {', '.join(sorted(unknown))}" if "path" in header else "no column path"
        raise DatasetError(f"{table}: {wrong}; expected path and any of {', '.join(_COLUMNS[1:])}")
    crops = []
    for number, cells in enumerate(lines[1:], 2):
        if not cells:
            continue
        if len(cells) != len(header):
            raise DatasetError(f"{table}, line {number}: {len(cells)} values; expected {len(header)}")
        row = dict(zip(header, (cell.strip() for cell in cells), strict=True))
        if not row["path"]:
            raise DatasetError(f"{table}, line {number}: no path")
        try:
            time = parse_time(row["time"]) if row.get("time") else None
        except ConfigurationError as error:
            raise DatasetError(f"{table}, line {number}: {error}") from error
        camera, tracklet, identity = (row.get(name, "") for name in ("camera", "tracklet", "identity"))
        source = str(table.parent / row["path"])
        crops.append(Crop(source=source, camera=camera, time=time, tracklet=tracklet, identity=identity))
    return crops
