"""Market-1501, and every data set in its layout (MARS crops, MSMT17 exports, `drawn`).

L. Zheng, L. Shen, L. Tian, S. Wang, J. Wang, Q. Tian, "Scalable Person Re-identification: A Benchmark", ICCV 2015.
For research only; nothing here downloads it: ask its authors for it.
"""

from __future__ import annotations

import re
from pathlib import Path

from resight.datasets.records import JUNK, Dataset, Records, Split, image_files
from resight.errors import DatasetError

__all__ = ["FOLDERS", "find_root", "load", "parse_folder"]

FOLDERS = ("bounding_box_train", "query", "bounding_box_test")
"""The three folders of the layout: training images, queries, gallery."""

_NAME = re.compile(r"^(-?[0-9]{1,9})_c([0-9]{1,9})")


def find_root(root: str | Path) -> Path | None:
    """The folder that holds `bounding_box_train`: `root` itself, or the Market-1501 folder inside it; None if neither."""
    root = Path(root)
    for candidate in (root, root / "Market-1501-v15.09.15", root / "market1501", root / "Market-1501"):
        if all((candidate / folder).is_dir() for folder in FOLDERS):
            return candidate
    return None


def parse_folder(folder: Path, name: re.Pattern[str] = _NAME) -> tuple[Records, int]:
    """Read identities and cameras from the file names of one folder.

    Parameters
    ----------
    folder : Path
        Holds images named ``IDENTITY_cCAMERA...``, for example ``0002_c1s1_000451_03.jpg``.
    name : re.Pattern
        Its groups are the identity and the camera.

    Returns
    -------
    Records
        Sorted by file name.
    int
        How many image files were left out because their names do not say who is on them.

    Raises
    ------
    DatasetError
        If the folder is missing or holds no image with such a name.
    """
    rows = []
    unnamed = 0
    for path in image_files(folder):
        match = name.match(path.name)
        if match is None or int(match[1]) < JUNK:
            unnamed += 1
            continue
        rows.append((path, int(match[1]), int(match[2])))
    if not rows:
        raise DatasetError(f"{folder}: no image named like 0002_c1s1_000451_03.jpg; is this the data set's own folder?")
    return Records.from_rows(rows), unnamed


def load(root: str | Path, *, name: str = "market1501") -> Dataset:
    """Read Market-1501 or a folder in its layout.

    Parameters
    ----------
    root : str or Path
        The folder that holds `bounding_box_train`, `query` and `bounding_box_test`, or its parent.
    name : str
        What the data set is called in results.

    Returns
    -------
    Dataset
        With one split. Junk keeps identity -1 and distractors identity 0 in the gallery; training and query hold people only.

    Raises
    ------
    DatasetError
        If the folders are missing or empty, or if training or query hold no person.
    """
    found = find_root(root)
    if found is None:
        raise DatasetError(
            f"{root}: no Market-1501 here; expected the folders {', '.join(FOLDERS)} in it or in its Market-1501-v15.09.15 "
            "(the data set is to be had from its authors, for research only)"
        )
    train, query, gallery = (parse_folder(found / folder) for folder in FOLDERS)
    unnamed = train[1] + query[1] + gallery[1]
    warnings = (f"{unnamed} image files left out: their names say no identity and camera",) if unnamed else ()
    people_of_train = train[0].select(train[0].identities > 0)
    people_of_query = query[0].select(query[0].identities > 0)
    if not len(people_of_train) or not len(people_of_query):
        raise DatasetError(f"{found}: no image of a person in {FOLDERS[0]} or in {FOLDERS[1]}")
    return Dataset(name, found, (Split(people_of_train, people_of_query, gallery[0]),), warnings)
