"""A file of splits as torchreid writes it, such as CUHK03's ``splits_new_detected.json``.

It is a list of divisions, each with train, query and gallery: lists of path, identity and camera.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from resight.datasets.accounting import Accounting
from resight.datasets.records import Dataset, Split
from resight.datasets.rows import Row, records_of
from resight.errors import DatasetError

__all__ = ["load"]

_MOST_BYTES = 2**28
_PARTS = ("train", "query", "gallery")


def load(path: Path) -> Dataset:
    """Read a file of splits.

    Parameters
    ----------
    path : Path
        Images are looked for at the paths that it gives, and then by their last two parts in the file's folder, because torchreid
        writes down where they were when it was made.

    Returns
    -------
    Dataset
        With the file's divisions. People to train on have numbers of their own in it, so they are called ``train 0``, ``train 1``.

    Raises
    ------
    DatasetError
        If the file is not one of splits, or an image is not there.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"more than {_MOST_BYTES} bytes")
        divisions = json.loads(path.read_bytes())
        listed = [(number, row) for number, division in enumerate(divisions) for row in _rows(division, path.parent)]
        if not listed:
            raise ValueError("no image")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise DatasetError(
            f"{path}: not a file of splits ({error}); expected a list of divisions, each with train, query and gallery as lists of "
            "[path, identity, camera]"
        ) from error
    if missing := [row.path for _, row in listed if not Path(row.path).is_file()]:
        raise DatasetError(f"{path}: {len(missing)} of its images are not there, such as {missing[0]}; put them beside the file")
    everything = records_of([row for _, row in listed])
    numbers, parts = np.array([number for number, _ in listed]), np.array([row.part for _, row in listed])
    splits = [
        Split(*(everything.select((numbers == number) & (parts == part)) for part in _PARTS)) for number in range(len(divisions))
    ]
    return Dataset("cuhk03", path, tuple(splits), (), Accounting(used=len({row.path for _, row in listed})))


def _rows(division: Any, folder: Path) -> Iterator[Row]:
    for part in _PARTS:
        for name, identity, camera in division[part]:
            if not isinstance(name, str) or type(identity) is not int or type(camera) is not int or "\0" in name:
                raise ValueError(f"{part} has {[name, identity, camera]}"[:200])
            person = f"train {identity}" if part == "train" else str(identity)
            yield Row(str(_place(name, folder)), person, str(camera), part=part)


def _place(name: str, folder: Path) -> Path:
    given = folder / name
    return given if given.is_file() else folder.joinpath(*Path(name).parts[-2:])
