"""iLIDS-VID: tracklets of 300 people, one by each of two cameras; ten random halves.

T. Wang, S. Gong, X. Zhu, S. Wang, "Person Re-identification by Video Ranking", ECCV 2014.
For research only; nothing here downloads it.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from resight.datasets.accounting import NO_LABEL
from resight.datasets.layout import Layout, find, in_folders, share_in_folders
from resight.datasets.records import Dataset, Split
from resight.datasets.rows import Row, records_of
from resight.datasets.splits import random_halves
from resight.datasets.tree import Tree
from resight.errors import DatasetError

__all__ = ["LAYOUT", "fit", "load"]

_NAME = re.compile(r"cam(?P<camera>[12])/person(?P<identity>[0-9]{3})/[^/]+")
_FOLDERS = ("cam1", "cam2")
_INSIDE = tuple(f"{parent}{kind}" for parent in ("", "i-LIDS-VID/", "iLIDS-VID/") for kind in ("sequences", "images"))


def fit(tree: Tree) -> float:
    """Share of the images in `cam1` and `cam2` that lie in folders called person001, person002, ..."""
    return share_in_folders(tree, _FOLDERS, _NAME)


def load(root: str | Path | Tree, *, seed: int = 0) -> Dataset:
    """Read iLIDS-VID, ``cam1/person001/cam1_person001_00317.png``.

    Parameters
    ----------
    root : str, Path or Tree
        The folder that holds `cam1` and `cam2`, or its parent, of which `sequences` is read rather than `images`.
    seed : int
        Seed of the ten divisions.

    Returns
    -------
    Dataset
        Ten splits and tracklets. Camera 1 asks, camera 2 is the gallery; each image asks and answers by itself.

    Raises
    ------
    DatasetError
        If the folders are missing, or fewer than two people are in both.
    """
    share, found = find(tree := Tree.read(root), fit, _INSIDE)
    if not share:
        raise DatasetError(f"{tree.root}: no iLIDS-VID here; expected cam1/person001 and cam2/person001 in it or in its sequences")
    rows = []
    fitting, unnamed = in_folders(found, _FOLDERS, _NAME)
    for image, match in fitting:
        person, camera = str(int(match["identity"])), match["camera"]
        rows.append(Row(found.path(image), person, camera, tracklet=f"{camera}/{person}"))
    everything = records_of(rows)
    both = np.intersect1d(*(everything.identities[everything.cameras == camera] for camera in (1, 2)))
    kept = everything.select(np.isin(everything.identities, both))
    splits = []
    for train, test in random_halves(both, seed=seed):
        tests = kept.select(np.isin(kept.identities, test))
        asks = tests.cameras == 1
        splits.append(Split(kept.select(np.isin(kept.identities, train)), tests.select(asks), tests.select(~asks)))
    left_out = {NO_LABEL: unnamed, "of people not seen by both cameras": len(rows) - len(kept)}
    return Dataset("ilids-vid", found.root, tuple(splits), (), found.account(len(kept), left_out))


LAYOUT = Layout(about="iLIDS-VID's cam1 and cam2 with folders like person001", fit=fit, load=load, inside=_INSIDE)
