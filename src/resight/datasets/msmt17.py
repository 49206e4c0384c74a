"""MSMT17: 4,101 people, 15 cameras; lists of files say who trains, asks and answers.

L. Wei, S. Zhang, W. Gao, Q. Tian, "Person Transfer GAN to Bridge Domain Gap for Person Re-Identification", CVPR 2018.
For research only; nothing here downloads it.
"""

from __future__ import annotations

import re
from pathlib import Path

from resight.datasets.accounting import NO_LABEL
from resight.datasets.divide import given_split
from resight.datasets.layout import Layout, find
from resight.datasets.names import STYLES
from resight.datasets.records import Dataset
from resight.datasets.rows import Row, records_of
from resight.datasets.tree import Tree
from resight.errors import DatasetError

__all__ = ["LAYOUT", "fit", "load"]

_LISTS = {"list_train.txt": "train", "list_val.txt": "train", "list_query.txt": "query", "list_gallery.txt": "gallery"}
_INSIDE = ("MSMT17_V1", "MSMT17_V2", "MSMT17", "msmt17")
_FOLDERS = {"train": ("train", "mask_train_v2"), "test": ("test", "mask_test_v2")}


def fit(tree: Tree) -> float:
    """Share of the images in the folders of training and test whose names are MSMT17's; 0 if a list is missing."""
    if not all((tree.root / name).is_file() for name in _LISTS if name != "list_val.txt"):
        return 0.0
    folders = _folders(tree)
    names = [image.rpartition("/")[2] for image in tree.images if image.partition("/")[0] in folders.values()]
    return sum(STYLES["msmt17"].parse(name) is not None for name in names) / len(names) if len(folders) == 2 else 0.0


def load(root: str | Path | Tree, *, seed: int = 0) -> Dataset:
    """Read MSMT17, with names like ``0000_000_01_0303morning_0015_0.jpg``; the third number is the camera.

    Parameters
    ----------
    root : str, Path or Tree
        The folder that holds `train`, `test` (version 2: `mask_train_v2`, `mask_test_v2`) and the lists, or its parent.
    seed : int
        Not used: the division is fixed.

    Returns
    -------
    Dataset
        With one split; `list_val` trains, too. People of training and test are different people with the same numbers: those of
        training are called train/0, train/1, ...

    Raises
    ------
    DatasetError
        If a folder or list is missing or wrong.
    """
    share, found = find(tree := Tree.read(root), fit, _INSIDE)
    if not share:
        raise DatasetError(
            f"{tree.root}: no MSMT17 here; expected train, test, list_train.txt, list_query.txt and list_gallery.txt"
        )
    folders, images = _folders(found), set(found.images)
    rows: dict[str, Row] = {}
    missing = twice = unnamed = 0
    for name, part in _LISTS.items():
        if name == "list_val.txt" and not (found.root / name).is_file():
            continue
        folder = folders["train" if part == "train" else "test"]
        try:
            lines = (found.root / name).read_text(encoding="utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise DatasetError(f"{found.root / name}: not text in UTF-8 ({error}); save it as UTF-8") from error
        for line in lines:
            file, _, number = line.strip().rpartition(" ")
            if not file:
                continue
            label = STYLES["msmt17"].parse(file.rpartition("/")[2])
            image = f"{folder}/{file}"
            if image not in images:
                missing += 1
            elif image in rows:
                twice += 1
            elif label is None or not re.fullmatch("[0-9]{1,9}", number):
                unnamed += 1
            else:
                identity = str(int(number))
                rows[image] = Row(found.path(image), f"train/{identity}" if part == "train" else identity, label.camera, part=part)
    everything = records_of(rows.values())
    split, notes = given_split(
        *(everything.select([p == part for p in everything.parts]) for part in ("train", "query", "gallery"))
    )
    if missing:
        notes.append(f"{missing} images of the lists are not in the folders")
    if twice:
        notes.append(f"{twice} images are listed twice, and used once")
    return Dataset("msmt17", found.root, (split,), tuple(notes), found.account(len(rows), {NO_LABEL: unnamed}))


def _folders(tree: Tree) -> dict[str, str]:
    return {part: name for part, names in _FOLDERS.items() for name in names[::-1] if name in tree.folders}


LAYOUT = Layout(
    about="MSMT17's folders (train, test) with list_train.txt, list_query.txt and list_gallery.txt",
    fit=fit,
    load=load,
    inside=_INSIDE,
)
