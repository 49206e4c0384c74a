"""MARS: tracklets of 1,261 people by six cameras.

L. Zheng, Z. Bie, Y. Sun, J. Wang, C. Su, S. Wang, Q. Tian, "MARS: A Video Benchmark for Large-Scale Person Re-identification",
ECCV 2016. For research only; nothing here downloads it.
"""

from __future__ import annotations

from pathlib import Path

from resight.datasets.accounting import NO_LABEL
from resight.datasets.divide import given_split
from resight.datasets.layout import Layout, find
from resight.datasets.mars_queries import query_images
from resight.datasets.names import STYLES
from resight.datasets.records import DISTRACTOR, JUNK, Dataset
from resight.datasets.rows import PERSON, Row, records_of
from resight.datasets.tree import Tree
from resight.errors import DatasetError

__all__ = ["LAYOUT", "fit", "load"]

_FOLDERS = {"bbox_train": "train", "bbox_test": "gallery"}
_INSIDE = ("MARS", "mars")
_OF_IMAGES = "scores are of images, not of tracklets"
_OWN = f"MARS's own queries ask, each by the middle image of its tracklet; {_OF_IMAGES}"
_OTHERS = f"MARS's own queries need info/*.mat and SciPy: one image of each person by each camera asks, and {_OF_IMAGES}"


def fit(tree: Tree) -> float:
    """Share of the images in `bbox_train` and `bbox_test` whose names are MARS's; 0 if a folder is missing."""
    names = [image.rpartition("/")[2] for image in tree.images if image.partition("/")[0] in _FOLDERS]
    there = set(_FOLDERS) <= set(tree.folders)
    return sum(STYLES["mars"].parse(name) is not None for name in names) / len(names) if there else 0.0


def load(root: str | Path | Tree, *, seed: int = 0) -> Dataset:
    """Read MARS, with names like ``0001C1T0001F001.jpg``: identity, camera, tracklet, frame.

    Parameters
    ----------
    root : str, Path or Tree
        The folder that holds `bbox_train` and `bbox_test`, or its parent.
    seed : int
        Not used.

    Returns
    -------
    Dataset
        With one split and tracklets; see `resight.datasets.mars_queries` for its queries. In the test folder 00-1 is junk and 0000
        a distractor.

    Raises
    ------
    DatasetError
        If the folders are missing or hold other names.
    """
    share, found = find(tree := Tree.read(root), fit, _INSIDE)
    if not share:
        raise DatasetError(f"{tree.root}: no MARS here; expected bbox_train and bbox_test with names like 0001C1T0001F001.jpg")
    asks = query_images(found.root)
    rows, unnamed, nobody = [], 0, 0
    for image in found.images:
        part = _FOLDERS.get(image.partition("/")[0])
        if part is None:
            continue
        label = STYLES["mars"].parse(image.rpartition("/")[2])
        if label is None:
            unnamed += 1
            continue
        kind = JUNK if label.identity == "00-1" else DISTRACTOR if label.identity == "0" and part == "gallery" else PERSON
        if kind != PERSON and part == "train":
            nobody += 1
            continue
        identity = label.identity if kind == PERSON else ""
        if asks is not None and kind == PERSON and image.rpartition("/")[2] in asks:
            part = "query"
        rows.append(Row(found.path(image), identity, label.camera, tracklet=label.tracklet, part=part, kind=kind))
    everything = records_of(rows)
    split, notes = given_split(
        *(everything.select([p == part for p in everything.parts]) for part in ("train", "query", "gallery"))
    )
    accounting = found.account(len(rows), {NO_LABEL: unnamed, "junk in training": nobody})
    return Dataset("mars", found.root, (split,), (_OTHERS if asks is None else _OWN, *notes), accounting)


LAYOUT = Layout(about="MARS's folders (bbox_train, bbox_test)", fit=fit, load=load, inside=_INSIDE)
