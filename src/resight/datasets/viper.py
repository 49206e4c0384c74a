"""VIPeR: 632 people, each seen once by each of two cameras; ten random halves.

D. Gray, S. Brennan, H. Tao, "Evaluating Appearance Models for Recognition, Reacquisition, and Tracking", PETS 2007.
For research only; nothing here downloads it.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from resight.datasets.records import Dataset, Records, Split, image_files
from resight.datasets.splits import random_halves
from resight.errors import DatasetError

__all__ = ["find_root", "load", "missing_camera"]

_FOLDERS = ("cam_a", "cam_b")
_NAME = re.compile(r"^([0-9]{1,9})(?![0-9])")


def find_root(root: str | Path) -> Path | None:
    """The folder that holds `cam_a` and `cam_b`: `root` or VIPeR inside it; None if neither."""
    for candidate in _candidates(root):
        if all((candidate / folder).is_dir() for folder in _FOLDERS):
            return candidate
    return None


def missing_camera(root: str | Path) -> tuple[str, str] | None:
    """Which of the two folders is missing where the other is alone, and that other; None if there is no such place."""
    for candidate in _candidates(root):
        folders = [path.name for path in candidate.iterdir() if path.is_dir()] if candidate.is_dir() else []
        for there, missing in (_FOLDERS, _FOLDERS[::-1]):
            if folders == [there]:
                return missing, there
    return None


def _candidates(root: str | Path) -> list[Path]:
    return [Path(root), Path(root) / "VIPeR", Path(root) / "viper"]


def load(root: str | Path, *, seed: int = 0) -> Dataset:
    """Read VIPeR, with names like ``000_45.bmp``: the number before the underscore says who it is.

    Parameters
    ----------
    root : str or Path
        The folder that holds `cam_a` and `cam_b`, or its parent.
    seed : int
        Of the ten divisions; the published ones are random too.

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
    found = find_root(root)
    if found is None:
        raise DatasetError(f"{root}: no VIPeR here; expected the folders cam_a and cam_b in it or in its VIPeR")
    views = []
    left_out = 0
    for camera, folder in enumerate(_FOLDERS, 1):
        people: dict[int, tuple[Path, int, int]] = {}
        for path in image_files(found / folder):
            match = _NAME.match(path.name)
            if match is None or int(match[1]) + 1 in people:
                left_out += 1
            else:
                people[int(match[1]) + 1] = (path, int(match[1]) + 1, camera)
        views.append(people)
    both = sorted(views[0].keys() & views[1].keys())
    left_out += len(views[0]) + len(views[1]) - 2 * len(both)
    gallery, query = (Records.from_rows(people[identity] for identity in both) for people in views)
    if len(both) < 2:
        raise DatasetError(f"{found}: {len(both)} people are in both cam_a and cam_b; expected names like 000_45.bmp, 632 in each")
    splits = tuple(
        Split(
            Records.concatenate([view.select(np.isin(view.identities, train)) for view in (gallery, query)]),
            query.select(np.isin(query.identities, test)),
            gallery.select(np.isin(gallery.identities, test)),
        )
        for train, test in random_halves(gallery.people(), seed=seed)
    )
    warnings = (f"{left_out} image files left out: no identity in the name, or not one image by each camera",) if left_out else ()
    return Dataset("viper", found, splits, warnings)
