"""Which images a user means: a data set, a folder, or a list of files."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from resight.datasets import open_dataset
from resight.datasets.market1501 import parse_folder
from resight.datasets.records import IMAGE_SUFFIXES, JUNK, Records
from resight.errors import DatasetError

__all__ = ["find_images"]

_LARGEST = 2**31 - 1
_BINARY = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
"""Control characters, which any other kind of file has soon, and no file name."""


def find_images(root: str | Path) -> Records:
    """The images that a user means by a folder, a list or one image.

    Parameters
    ----------
    root : str or Path
        A data set in a known layout: its queries and then its gallery are meant (of the first division); of a folder of one's own,
        all of its images. Any other folder: all images in it and below it, of unknown identity and camera (-1), unless it is
        one folder of images that are all named as Market-1501's. An image: itself. A ``.csv`` file with a header: the column
        ``path``, and ``identity`` and ``camera`` in whole numbers if it has them. Any other file: one path a line. Paths in a
        list are relative to its folder; none of the files is looked for yet.

    Returns
    -------
    Records

    Raises
    ------
    DatasetError
        If there is no such folder or list, no image in it, or a line of it is wrong.
    """
    root = Path(root)
    if root.is_file() and root.suffix.lower() in IMAGE_SUFFIXES:
        return Records.from_rows([(root, JUNK, JUNK)])
    if root.is_file():
        return _listed(root)
    try:
        dataset = open_dataset(root)
    except DatasetError:
        if not root.is_dir():
            raise
        return _below(root)
    parts = [dataset.query, dataset.gallery]
    return Records.concatenate([dataset.train, *parts] if dataset.name == "folder" else parts)


def _below(root: Path) -> Records:
    try:
        records, unnamed = parse_folder(root)
        if not unnamed:
            return records
    except DatasetError:
        pass
    files = sorted(path for path in root.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())
    if not files:
        raise DatasetError(f"{root}: no image in this folder or below it (JPEG, PNG, WebP, BMP)")
    return Records.from_rows((path, JUNK, JUNK) for path in files)


def _listed(path: Path) -> Records:
    rows = _csv_rows if path.suffix.lower() == ".csv" else _lines
    try:
        # File names need not be UTF-8; their bytes are kept.
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
            records = Records.from_rows((path.parent / name, identity, camera) for name, identity, camera in rows(stream, path))
    except (OSError, csv.Error) as error:
        raise DatasetError(f"{path}: cannot be read as a list of images: {error}") from error
    if not len(records):
        raise DatasetError(f"{path}: no image is listed")
    return records


def _lines(stream: Iterable[str], path: Path) -> Iterator[tuple[str, int, int]]:
    for line in stream:
        if _BINARY.search(line):
            raise DatasetError(f"{path}: not a text file with one path a line; name a folder, a list or a data set")
        if name := line.strip("\r\n"):
            yield name, JUNK, JUNK


def _csv_rows(stream: Iterable[str], path: Path) -> Iterator[tuple[str, int, int]]:
    reader = csv.DictReader(stream)
    reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
    if "path" not in reader.fieldnames:
        raise DatasetError(f"{path}: no column path; expected a header with path, and perhaps identity and camera")
    for row in reader:
        try:
            labels = [int(row[name] if row.get(name) not in (None, "") else JUNK) for name in ("identity", "camera")]
            if too_large := [label for label in labels if abs(label) > _LARGEST]:
                raise ValueError(f"{too_large[0]} is larger than {_LARGEST}")
        except ValueError as error:
            raise DatasetError(f"{path}, line {reader.line_num}: {error}; expected identity and camera in whole numbers") from error
        if not row["path"] or "\0" in row["path"]:
            raise DatasetError(f"{path}, line {reader.line_num}: no path")
        yield row["path"], labels[0], labels[1]
