"""Several data sets as one: people and cameras of different sets are different."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from resight.datasets.accounting import Accounting
from resight.datasets.records import DISTRACTOR, Dataset, Records, Split
from resight.errors import DatasetError

__all__ = ["merge"]


def merge(datasets: Sequence[Dataset]) -> Dataset:
    """Put data sets together.

    Parameters
    ----------
    datasets : sequence of Dataset
        One or more. If one has fewer divisions than another, its divisions are used again.

    Returns
    -------
    Dataset
        Called ``a+b``. People and cameras are called ``FOLDER/NAME``; the folder of a later set of the same folder name gets a
        number.

    Raises
    ------
    DatasetError
        If a file is in two of them, because its person would be two people.
    """
    names: list[str] = []
    sets: dict[str, str] = {}
    for dataset in datasets:
        folder = Path(os.path.abspath(dataset.root))  # "." has no name
        first = (folder.stem if folder.is_file() else folder.name) or "data"
        name, number = first, 2
        while name in names:
            name, number = f"{first}-{number}", number + 1
        names.append(name)
        files = {os.path.realpath(path): path for path in dataset.paths("train", "query", "gallery")}
        if twice := sorted(files.keys() & sets.keys()):
            raise DatasetError(
                f"{files[twice[0]]} is in {sets[twice[0]]} and in {name}, so its person would be two; give each image in one set"
            )
        sets |= dict.fromkeys(files, name)
    splits = []
    for number in range(max(len(dataset.splits) for dataset in datasets)):
        parts: list[list[Records]] = [[], [], []]
        people = cameras = 0
        for dataset, name in zip(datasets, names, strict=True):
            split = dataset.splits[number % len(dataset.splits)]
            three = (split.train, split.query, split.gallery)
            for moved, records in zip(parts, three, strict=True):
                moved.append(_moved(records, name, people, cameras))
            people += max((int(records.identities.max(initial=0)) for records in three), default=0)
            cameras += max((int(records.cameras.max(initial=0)) for records in three), default=0) + 1
        splits.append(Split(*map(Records.concatenate, parts)))
    accounting = sum((dataset.accounting for dataset in datasets), Accounting())
    warnings = tuple(f"{name}: {warning}" for dataset, name in zip(datasets, names, strict=True) for warning in dataset.warnings)
    return Dataset("+".join(dataset.name for dataset in datasets), datasets[0].root, tuple(splits), warnings, accounting)


def _moved(records: Records, name: str, people: int, cameras: int) -> Records:
    """The same images with numbers that no other data set has, and names that say which set they are of."""
    identities = np.where(records.identities > DISTRACTOR, records.identities + people, records.identities)
    seen_by = np.where(records.cameras >= 0, records.cameras + cameras, records.cameras)
    who = {
        code: f"{name}/{text}"
        for code, text in zip(identities.tolist(), records.identity_names(), strict=True)
        if code > DISTRACTOR
    }
    where = {code: f"{name}/{text}" for code, text in zip(seen_by.tolist(), records.camera_names(), strict=True) if code >= 0}
    return replace(records, identities=identities, cameras=seen_by, people_called=who, cameras_called=where)
