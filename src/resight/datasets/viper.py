"""VIPeR: 632 people, each seen once by each of two cameras; ten random halves.

D. Gray, S. Brennan, H. Tao, "Evaluating Appearance Models for Recognition, Reacquisition, and Tracking", PETS 2007.
For research only; nothing here downloads it.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from resight.datasets.layout import Layout, find
from resight.datasets.records import Dataset, Records, Split
from resight.datasets.rows import Row, records_of
from resight.datasets.splits import random_halves
from resight.datasets.tree import Tree
from resight.errors import DatasetError

__all__ = ["LAYOUT", "fit", "load"]

_FOLDERS = ("cam_a", "cam_b")
_NAME = re.compile(r"^([0-9]{1,9})(?![0-9])")
_INSIDE = ("VIPeR", "viper")


def fit(tree: Tree) -> float:
    """Share of the images in `cam_a` and `cam_b` whose names begin with a number.

    0 if both folders are missing. Raises `DatasetError` if one of them is alone.
    """
    for there, missing in (_FOLDERS, _FOLDERS[::-1]):
        if tree.folders == [there] and not (tree.root / missing).is_dir():
            raise DatasetError(f"{tree.root}: VIPeR's {missing} is missing; unpack it beside {there}")
    names = [_NAME.match(image.partition("/")[2]) is not None for image in tree.images if image.partition("/")[0] in _FOLDERS]
    return sum(names) / len(names) if set(_FOLDERS) <= set(tree.folders) else 0.0


def load(root: str | Path | Tree, *, seed: int = 0) -> Dataset:
    """Read VIPeR, with names like ``000_45.bmp``: the number before the underscore is the person.

    Parameters
    ----------
    root : str, Path or Tree
        The folder that holds `cam_a` and `cam_b`, or its parent.
    seed : int
        Seed of the ten divisions; the published ones are random too.

    Returns
    -------
    Dataset
        Ten splits, 316 people to train on and 316 to test. Identities are the numbers in the names plus 1, because 0 means
        distractor. `cam_a` is camera 1 and the gallery, `cam_b` camera 2 and the queries, as in the code of LOMO and XQDA [1]_
        (some other works ask the other way round). Single-shot: the gallery holds one image of each person.

    Raises
    ------
    DatasetError
        If the folders are missing or fewer than two people are in both.

    References
    ----------
    .. [1] S. Liao, Y. Hu, X. Zhu, S. Z. Li, "Person Re-identification by Local Maximal Occurrence Representation and Metric
           Learning", CVPR 2015.
    """
    share, found = find(tree := Tree.read(root), fit, _INSIDE)
    if not share:
        raise DatasetError(f"{tree.root}: no VIPeR here; expected the folders cam_a and cam_b in it or in its VIPeR")
    views: list[dict[int, Row]] = [{}, {}]
    left_out = 0
    for image in found.images:
        folder, _, name = image.partition("/")
        if folder not in _FOLDERS or "/" in name:
            continue
        match, people = _NAME.match(name), views[_FOLDERS.index(folder)]
        if match is None or int(match[1]) + 1 in people:
            left_out += 1
        else:
            people[int(match[1]) + 1] = Row(found.path(image), str(int(match[1]) + 1), str(_FOLDERS.index(folder) + 1))
    both = sorted(views[0].keys() & views[1].keys())
    left_out += len(views[0]) + len(views[1]) - 2 * len(both)
    gallery, query = (records_of(people[identity] for identity in both) for people in views)
    if len(both) < 2:
        raise DatasetError(
            f"{found.root}: {len(both)} people are in both cam_a and cam_b; expected names like 000_45.bmp, 632 in each"
        )
    splits = tuple(
        Split(
            Records.concatenate([view.select(np.isin(view.identities, train)) for view in (gallery, query)]),
            query.select(np.isin(query.identities, test)),
            gallery.select(np.isin(gallery.identities, test)),
        )
        for train, test in random_halves(gallery.people(), seed=seed)
    )
    warnings = (f"{left_out} image files left out: no identity in the name, or not one image by each camera",) if left_out else ()
    accounting = found.account(2 * len(both), {"without identity in the name, or not one image by each camera": left_out})
    return Dataset("viper", found.root, splits, warnings, accounting)


LAYOUT = Layout(about="VIPeR's folders (cam_a, cam_b)", fit=fit, load=load, inside=_INSIDE)
