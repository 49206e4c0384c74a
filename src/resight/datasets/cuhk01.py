"""CUHK01: 971 people, each seen twice by each of two cameras; ten random divisions into 485 and 486.

W. Li, R. Zhao, X. Wang, "Human Reidentification with Transferred Metric Learning", ACCV 2012.
For research only; nothing here downloads it.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from resight.datasets.records import IMAGE_SUFFIXES, Dataset, Records, Split, image_files
from resight.datasets.splits import random_halves
from resight.errors import DatasetError

__all__ = ["find_root", "load"]

_NAME = re.compile(r"^([0-9]{4})([0-9]{3})$")
_CAMERAS = {1: 1, 2: 1, 3: 2, 4: 2}  # number of the image -> camera


def find_root(root: str | Path) -> Path | None:
    """The folder with names like ``0001001.png``: `root`, or `campus` or CUHK01 inside it; None if there is none."""
    root = Path(root)
    for candidate in (root, root / "campus", root / "CUHK01", root / "CUHK01" / "campus", root / "cuhk01" / "campus"):
        if candidate.is_dir():
            images = (path for path in candidate.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
            if any(_NAME.match(path.stem) for path in images):
                return candidate
    return None


def load(root: str | Path, *, seed: int = 0) -> Dataset:
    """Read CUHK01, with names like ``0001001.png``: four digits of identity, three of the image.

    Parameters
    ----------
    root : str or Path
        The folder of the images, or its parent.
    seed : int
        Of the ten divisions; the published ones are random too.

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
    found = find_root(root)
    if found is None:
        raise DatasetError(f"{root}: no CUHK01 here; expected images named like 0001001.png in it or in its folder campus")
    rows = []
    left_out = 0
    for path in image_files(found):
        match = _NAME.match(path.stem)
        if match is None or int(match[1]) < 1 or int(match[2]) not in _CAMERAS:
            left_out += 1
        else:
            rows.append((path, int(match[1]), _CAMERAS[int(match[2])]))
    everything = Records.from_rows(rows)
    a, b = (everything.identities[everything.cameras == camera] for camera in (1, 2))
    both = np.intersect1d(a, b)
    kept = everything.select(np.isin(everything.identities, both))
    left_out += len(everything) - len(kept)
    if len(both) < 2:
        raise DatasetError(f"{found}: {len(both)} people were seen by both cameras; expected images 0001001 to 0971004")
    splits = []
    for train, test in random_halves(both, seed=seed):
        asked = kept.select(np.isin(kept.identities, test))
        splits.append(
            Split(kept.select(np.isin(kept.identities, train)), asked.select(asked.cameras == 1), asked.select(asked.cameras == 2))
        )
    warnings = (f"{left_out} image files left out: other names, or people seen by one camera only",) if left_out else ()
    return Dataset("cuhk01", found, tuple(splits), warnings)
