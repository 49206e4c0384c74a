"""The crops that a user wants in a gallery, from folders and lists."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from resight.datasets import DATASETS, recognise
from resight.datasets.accounting import Accounting
from resight.datasets.folder import read_rows
from resight.datasets.image_list import find_images
from resight.datasets.records import Records
from resight.datasets.rows import PERSON, Row
from resight.datasets.tables import find_table, read_table
from resight.datasets.tree import Tree
from resight.errors import DatasetError
from resight.images import FORMATS, Pixels, is_url

__all__ = ["Crop", "Crops", "crops_of", "find_crops"]


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


class Crops(list[Crop]):
    """Crops, with the accounting of the files among which they were found.

    Attributes
    ----------
    accounting : Accounting
    notes : tuple of str
        Notes for a user.
    """

    def __init__(self, crops: Iterable[Crop], accounting: Accounting, notes: tuple[str, ...] = ()) -> None:
        super().__init__(crops)
        self.accounting = accounting
        self.notes = notes


def find_crops(path: str | Path, *, named: bool = False, name_pattern: str = "") -> Crops:
    """The crops that a user means by a path.

    Parameters
    ----------
    path : str or Path
        An image; or a table (see `resight.datasets.tables.read_table`), or a folder with one table in it; or a published data
        set; or any other folder, for all images in it; or a text file with a path a line. By URL: a list, a table, Parquet, or
        a folder for all images in it.
    named : bool
        The images of a folder are called ``anna/entrance_0001.jpg``: the person, and the camera before the last underscore (see
        `resight.datasets.names.camera_of`). Otherwise names mean nothing.
    name_pattern : str
        Pattern of the names, such as ``{identity}/{camera}_{*}``; see `resight.datasets.names.parse_pattern`.

    Returns
    -------
    Crops
        In an order that depends on their names alone.

    Raises
    ------
    DatasetError
        If there is nothing there, or a list cannot be read.
    """
    here = None if is_url(path) else Path(path)
    if here is not None and here.is_file():
        return _of_records(find_images(here))
    tree = Tree.of_url(str(path)) if here is None else Tree.read(here)
    if tree is None or tree.url.endswith(".parquet"):
        return _of_records(find_images(path))
    if not tree.images:
        raise DatasetError(f"{path}: no image in this folder or below it ({FORMATS}); {tree.account(0, {})}")
    if named or name_pattern:
        rows, left_out, notes = read_rows(tree, name_pattern, without_camera=True)
        return Crops(map(_of_row, rows), tree.account(len(rows), left_out), tuple(notes))
    if here is not None and _is_published(tree):
        return _of_records(find_images(here))
    if here is not None and (table := find_table(here, any_label=True)) is not None:
        found = read_table(table, inside=here)
        return Crops(map(_of_row, found.rows), found.accounting, found.notes)
    return Crops((Crop(source=tree.path(image)) for image in tree.images), tree.account(len(tree.images), {}))


def crops_of(records: Records) -> list[Crop]:
    """Images of a data set as crops; junk and distractors are of unknown identity."""
    count = len(records)
    times, tracklets = records.times or (None,) * count, records.tracklets or ("",) * count
    rows = zip(records.paths, records.camera_names(), times, tracklets, records.identity_names(), strict=True)
    return [Crop(source=path, camera=camera, time=time, tracklet=run, identity=who) for path, camera, time, run, who in rows]


def _of_records(records: Records) -> Crops:
    return Crops(crops_of(records), records.accounting, records.notes)


def _of_row(row: Row) -> Crop:
    identity = row.identity if row.kind == PERSON else ""
    return Crop(source=row.path, camera=row.camera, time=row.time, tracklet=row.tracklet, identity=identity)


def _is_published(tree: Tree) -> bool:
    """Tell if the names of a folder are those of a published data set; in a folder of one's own they mean nothing unless asked."""
    try:
        return not DATASETS[recognise(tree)].whole
    except DatasetError:
        return False
