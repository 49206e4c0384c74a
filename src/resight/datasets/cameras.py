"""One folder for each camera, called cam1, camera_2, cam-a and the like.

In it are one folder for each person, or images whose names begin with the person: ``cam1/anna_0001.jpg``, or are the person:
``cam1/0001.jpg``.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from resight.datasets.accounting import NO_LABEL
from resight.datasets.folder import dataset_of
from resight.datasets.layout import Layout
from resight.datasets.names import camera_name, camera_of, find_style, nfc
from resight.datasets.records import Dataset
from resight.datasets.rows import Row, alike_notes, kinds_of
from resight.datasets.tree import Tree
from resight.errors import DatasetError

__all__ = ["LAYOUT", "fit", "load"]

_CAMERA = re.compile(r"(cam|camera|kamera|cctv|channel|view)[ _-]?([0-9]+|[a-z])", re.IGNORECASE)


def fit(tree: Tree) -> float:
    """Share of the images that lie in folders called as cameras, directly or in the folder of a person; 0 with fewer than two."""
    if sum(_CAMERA.fullmatch(folder) is not None for folder in tree.folders) < 2:
        return 0.0
    fits = [_CAMERA.fullmatch(image.partition("/")[0]) is not None and image.count("/") in (1, 2) for image in tree.images]
    return sum(fits) / len(fits)


def load(root: str | Path | Tree, *, seed: int = 0) -> Dataset:
    """Read one folder for each camera.

    Parameters
    ----------
    root : str, Path or Tree
    seed : int
        Seed of the division; see `resight.datasets.divide.divide`.

    Returns
    -------
    Dataset
        With one split.

    Raises
    ------
    DatasetError
        If there are no such folders, or nobody was seen by two cameras.
    """
    tree = Tree.read(root)
    if not fit(tree):
        raise DatasetError(f"{tree.root}: found {tree.summary()}; expected folders called cam1, cam2, ...")
    rows = []
    style = find_style([image.rpartition("/")[2] for image in tree.images])
    for image in tree.images:
        camera, *folders, name = image.split("/")
        if _CAMERA.fullmatch(camera) is None or len(folders) > 1:
            continue
        if folders:
            identity = nfc(folders[0])
        elif style is not None and (label := style.parse(name)) is not None:
            identity = label.identity
        else:
            identity = camera_of(name) or nfc(name.rpartition(".")[0] or name)
        rows.append(Row(tree.path(image), identity, camera_name(camera)))
    rows = [replace(row, kind=kind) for row, kind in zip(rows, kinds_of(style, [row.identity for row in rows]), strict=True)]
    return dataset_of("cameras", tree, rows, {NO_LABEL: 0}, alike_notes(rows), seed)


LAYOUT = Layout(
    about="one folder for each camera (cam1, cam2, ...) with images named like anna_0001.jpg, or one folder for each person in it",
    fit=fit,
    load=load,
    whole=True,
    by_folders=True,
)
