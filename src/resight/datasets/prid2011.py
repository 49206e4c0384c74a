"""PRID 2011: 200 people seen by both of two cameras, and 734 by one; ten random halves.

M. Hirzer, C. Beleznai, P. M. Roth, H. Bischof, "Person Re-Identification by Descriptive and Discriminative Classification",
SCIA 2011. For research only; nothing here downloads it.
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

_NAME = re.compile(r"cam_(?P<camera>[ab])/person_(?P<identity>[0-9]{4})([.][^./]+|/[^/]+)")
_FOLDERS = ("cam_a", "cam_b")
_INSIDE = ("single_shot", "multi_shot", "prid_2011/single_shot", "prid_2011/multi_shot", "prid_2011", "prid2011", "PRID2011")
_BOTH = 200  # people 1 to 200 are seen by both cameras; higher numbers of the two cameras are different people


def fit(tree: Tree) -> float:
    """Share of the images in `cam_a` and `cam_b` that are called person_0001 or lie in a folder called so."""
    return share_in_folders(tree, _FOLDERS, _NAME)


def load(root: str | Path | Tree, *, seed: int = 0) -> Dataset:
    """Read PRID 2011, ``cam_a/person_0001.png`` (single shot) or ``cam_a/person_0001/0001.png`` (tracklets).

    Parameters
    ----------
    root : str, Path or Tree
        The folder that holds `cam_a` and `cam_b`, or its parent, of which `single_shot` is read if it is there.
    seed : int
        Seed of the ten divisions; the published ones are random too.

    Returns
    -------
    Dataset
        Ten splits. Half of the people that both cameras saw train. Of the others camera a asks; the gallery is all of camera b but
        the people to train on, as its authors evaluate it.

    Raises
    ------
    DatasetError
        If the folders are missing, or fewer than two people are in both.
    """
    share, found = find(tree := Tree.read(root), fit, _INSIDE)
    if not share:
        raise DatasetError(f"{tree.root}: no PRID 2011 here; expected cam_a and cam_b with names like person_0001.png")
    rows = []
    fitting, unnamed = in_folders(found, _FOLDERS, _NAME)
    for image, match in fitting:
        person, camera = int(match["identity"]), match["camera"]
        name = str(person) if person <= _BOTH else f"{camera}/{person}"
        tracklet = f"{camera}/{person}" if image.count("/") == 2 else ""
        rows.append(Row(found.path(image), name, camera, tracklet=tracklet))
    everything = records_of(rows)
    cameras = np.array(everything.camera_names())
    both = np.intersect1d(everything.identities[cameras == "a"], everything.identities[cameras == "b"])
    splits = []
    for train, test in random_halves(both, seed=seed):
        trains = np.isin(everything.identities, train)
        asks = np.isin(everything.identities, test) & (cameras == "a")
        splits.append(Split(everything.select(trains), everything.select(asks), everything.select(~trains & (cameras == "b"))))
    only = int((~np.isin(everything.identities, both) & (cameras == "a")).sum())
    left_out = {NO_LABEL: unnamed, "of people whom camera a alone saw": only}
    return Dataset("prid2011", found.root, tuple(splits), (), found.account(len(rows) - only, left_out))


LAYOUT = Layout(about="PRID 2011's cam_a and cam_b with names like person_0001.png", fit=fit, load=load, inside=_INSIDE)
