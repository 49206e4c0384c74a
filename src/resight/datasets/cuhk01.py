"""CUHK01: 971 people, each seen twice by each of two cameras; ten random divisions into 485 and 486.

W. Li, R. Zhao, X. Wang, "Human Reidentification with Transferred Metric Learning", ACCV 2012.
For research only; nothing here downloads it.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from resight.datasets.accounting import NO_LABEL
from resight.datasets.layout import Layout, find
from resight.datasets.records import Dataset, Split
from resight.datasets.rows import Row, records_of
from resight.datasets.splits import random_halves
from resight.datasets.tree import Tree
from resight.errors import DatasetError

__all__ = ["LAYOUT", "fit", "load"]

_NAME = re.compile(r"^([0-9]{4})([0-9]{3})[.][^.]*$")
_CAMERAS = {1: "1", 2: "1", 3: "2", 4: "2"}  # number of the image -> camera
_INSIDE = ("campus", "CUHK01", "CUHK01/campus", "cuhk01/campus")
_ALONE = "of people not seen by both cameras"


def fit(tree: Tree) -> float:
    """Share of the images directly in the folder whose names are four digits of identity, then 001 to 004."""
    names = [_parse(image) is not None for image in tree.images]
    return sum(names) / max(len(names), 1)


def _parse(name: str) -> tuple[str, str] | None:
    match = _NAME.match(name)
    if match is None or int(match[1]) < 1 or int(match[2]) not in _CAMERAS:
        return None
    return str(int(match[1])), _CAMERAS[int(match[2])]


def load(root: str | Path | Tree, *, seed: int = 0) -> Dataset:
    """Read CUHK01, with names like ``0001001.png``: four digits of identity, three of the image.

    Parameters
    ----------
    root : str, Path or Tree
        The folder of the images, or its parent.
    seed : int
        Seed of the ten divisions; the published ones are random too.

    Returns
    -------
    Dataset
        Ten splits, 485 people to train on and 486 to test. Images 1 and 2 of a person are by camera 1 (A), 3 and 4 by camera 2
        (B). Camera A asks, camera B is the gallery. Multi-shot: all images are used, so a query has two matches.

    Raises
    ------
    DatasetError
        If no image has such a name, or fewer than two people were seen by both cameras.
    """
    share, found = find(tree := Tree.read(root), fit, _INSIDE)
    if not share:
        raise DatasetError(f"{tree.root}: no CUHK01 here; expected images named like 0001001.png in it or in its folder campus")
    rows = [Row(found.path(image), *label) for image in found.images if (label := _parse(image)) is not None]
    everything = records_of(rows)
    a, b = (everything.identities[everything.cameras == camera] for camera in (1, 2))
    both = np.intersect1d(a, b)
    kept = everything.select(np.isin(everything.identities, both))
    if len(both) < 2:
        raise DatasetError(f"{found.root}: {len(both)} people were seen by both cameras; expected images 0001001 to 0971004")
    splits = []
    for train, test in random_halves(both, seed=seed):
        asked = kept.select(np.isin(kept.identities, test))
        splits.append(
            Split(kept.select(np.isin(kept.identities, train)), asked.select(asked.cameras == 1), asked.select(asked.cameras == 2))
        )
    left_out = {NO_LABEL: len(found.images) - len(rows), _ALONE: len(rows) - len(kept)}
    count = sum(left_out.values())
    warnings = (f"{count} image files left out: other names, or people seen by one camera only",) if count else ()
    return Dataset("cuhk01", found.root, tuple(splits), warnings, found.account(len(kept), left_out))


LAYOUT = Layout(about="CUHK01's names (0001001.png)", fit=fit, load=load, inside=_INSIDE)
