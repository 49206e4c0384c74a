"""The crops that a gallery keeps, as files with a table: for a training, a calibration, or whoever asks what is kept of them."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

import cv2

from resight.datasets.image_list import find_images
from resight.datasets.records import Records
from resight.errors import ConfigurationError, GalleryError, ImageError, ResightError, StorageError
from resight.files import atomic_write, write_text
from resight.gallery.gallery import Gallery
from resight.gallery.people import is_provisional
from resight.gallery.sighting import EVERYTHING, Record, Where
from resight.gallery.store.database import FILE, check_outside
from resight.gallery.store.interface import is_database
from resight.gallery.strip import crops_in
from resight.images import grouped
from resight.models.model import CHUNK
from resight.progress import Progress, silent

__all__ = ["Written", "is_gallery", "kept_crops", "write_crops"]

_TABLE = "crops.csv"
_GALLERY = "gallery.sha256"
"""Digest of where the gallery of the crops is, which may have a password in it."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """Crops that were written.

    Attributes
    ----------
    table : Path
        Table of the crops: path, identity, camera, time, tracklet, and split, which is gallery.
    sightings, crops : int
        Number of sightings, and of their crops.
    unnamed : int
        Number of sightings left out because nobody has named them.
    damaged : tuple of str
        Ids of sightings whose picture cannot be read.
    """

    table: Path
    sightings: int
    crops: int
    unnamed: int
    damaged: tuple[str, ...]


def is_gallery(location: str | Path) -> bool:
    """Tell if a location names a gallery: a folder with one in it, or a database."""
    return is_database(location) or (Path(location) / FILE).is_file()


def write_crops(
    gallery: Gallery, folder: Path, where: Where = EVERYTHING, *, named: bool = False, progress: Progress = silent
) -> Written:
    """Write the crops that a gallery keeps into a folder that only its owner may read; the table comes last.

    All crops of one sighting are one tracklet. The files are copies, which no purge reaches.

    Parameters
    ----------
    gallery : Gallery
    folder : Path
        Gets an image for each crop, and ``crops.csv``.
    where : Where
        Sightings to write.
    named : bool
        Leave out sightings without a name, and with a name that nobody gave, such as ``person-12``.
    progress : Progress

    Returns
    -------
    Written

    Raises
    ------
    ConfigurationError
        If the folder is that of a gallery, or inside one.
    GalleryError
        If there is no crop to write.
    StorageError
        If the folder cannot be written.
    """
    check_outside(folder / _TABLE)
    found = gallery.records(where)
    records = {record.id: record for record in found if not named or (record.identity and not is_provisional(record.identity))}
    rows: list[tuple[str, ...]] = []
    damaged: list[str] = []
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)  # it may have been there
        for number, ids in enumerate(grouped(list(records), CHUNK), 1):
            for sighting in gallery.sightings(ids).values():
                names = _write(sighting.thumbnail, folder, sighting.id)
                damaged += [] if names else [sighting.id]
                rows += [_row(name, sighting) for name in names]
            progress("crops", min(number * CHUNK, len(records)), len(records))
    except OSError as error:
        raise StorageError(f"cannot write {folder}: {error.strerror or error}; free space or choose another folder") from error
    if not rows:
        wanted = "sightings that somebody has named" if named else "sightings"
        raise GalleryError(f"none of {len(found)} sightings has a crop to write; expected {wanted}, with pictures that can be read")
    with atomic_write(folder / _TABLE, private=True) as stream:
        text = io.TextIOWrapper(stream, "utf-8", newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["path", "identity", "camera", "time", "tracklet", "split"])
        writer.writerows(rows)
        text.detach()
    return Written(
        table=folder / _TABLE,
        sightings=len(records) - len(damaged),
        crops=len(rows),
        unnamed=len(found) - len(records),
        damaged=tuple(damaged),
    )


@contextmanager
def kept_crops(location: str | Path, folder: Path, *, progress: Progress = silent) -> Iterator[Records]:
    """Write all crops of a gallery into a folder, and delete it after the work in the block.

    If the work is interrupted, or the disk is full, the folder stays, and the next call takes it as it is: so the work can go on,
    although the gallery has changed since. It is then deleted when the work is done.

    Parameters
    ----------
    location : str or Path
        The gallery.
    folder : Path
        Folder of its own.
    progress : Progress

    Yields
    ------
    Records

    Raises
    ------
    ConfigurationError
        If the folder holds the crops of another gallery.
    GalleryError
        If there is no gallery, or no crop in it.
    StorageError
        If the folder cannot be written or deleted.
    """
    told = hashlib.sha256(os.fsencode(location if is_database(location) else Path(location).resolve())).hexdigest()
    mark = folder / _GALLERY
    if (folder / _TABLE).exists() and not (mark.exists() and mark.read_text() == told):
        raise ConfigurationError(
            f"{folder} holds crops of another gallery, for a run that was interrupted; finish it, or delete them"
        )
    begun = (folder / _TABLE).exists()
    try:
        if not begun:
            with Gallery.open(location) as gallery:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                write_text(mark, told, private=True)
                write_crops(gallery, folder, progress=progress)
        yield find_images(folder / _TABLE)
    except StorageError:
        raise
    except ResightError as error:
        if begun:  # a mistyped option must not cost an interrupted run its crops
            raise type(error)(f"{error} ({folder} still holds the crops of an interrupted run)") from error
        _delete(folder)
        raise
    _delete(folder)


def _delete(folder: Path) -> None:
    try:
        rmtree(folder)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise StorageError(f"{folder} holds crops of people and cannot be deleted ({error.strerror}); delete it") from error


def _row(name: str, record: Record) -> tuple[str, ...]:
    time = "" if record.time is None else record.time.isoformat()
    return name, record.identity, record.camera, time, record.tracklet or record.id, "gallery"


def _write(thumbnail: bytes, folder: Path, id: str) -> list[str]:
    """Write the crops of one picture, and return their names; none if it is damaged. PNG keeps the pixels as they are."""
    try:
        crops = crops_in(thumbnail)
    except ImageError:
        return []
    names = [f"{id}-{number}.png" for number in range(len(crops))]
    for name, crop in zip(names, crops, strict=True):
        (folder / name).write_bytes(cv2.imencode(".png", cv2.cvtColor(crop, cv2.COLOR_RGB2BGR))[1].tobytes())
    return names
