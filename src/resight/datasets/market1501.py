"""Market-1501, and every data set with its folders and names (`drawn`, CUHK03-NP).

L. Zheng, L. Shen, L. Tian, S. Wang, J. Wang, Q. Tian, "Scalable Person Re-identification: A Benchmark", ICCV 2015.
For research only; nothing here downloads it: ask its authors for it.
"""

from __future__ import annotations

from pathlib import Path

from resight.datasets.accounting import NO_LABEL
from resight.datasets.layout import Layout, find
from resight.datasets.names import STYLES, Style
from resight.datasets.records import DISTRACTOR, JUNK, Dataset, Split
from resight.datasets.rows import PERSON, Row, records_of
from resight.datasets.tree import Tree
from resight.errors import DatasetError

__all__ = ["FOLDERS", "INSIDE", "LAYOUT", "fit", "load", "load_named", "rows_of"]

FOLDERS = ("bounding_box_train", "query", "bounding_box_test")
"""The three folders of the layout: training images, queries, gallery."""

INSIDE = ("Market-1501-v15.09.15", "market1501", "Market-1501")

_PARTS = dict(zip(FOLDERS, ("train", "query", "gallery"), strict=True))
_NOBODY = "nobody to train on or to ask (identity 0 or -1)"


def fit(tree: Tree, style: Style = STYLES["market1501"]) -> float:
    """Share of the images in the three folders whose names fit a style; 0 if a folder is missing."""
    if not set(FOLDERS) <= set(tree.folders):
        return 0.0
    fits = [style.parse(image.partition("/")[2]) is not None for image in tree.images if image.partition("/")[0] in FOLDERS]
    return sum(fits) / len(fits)


def rows_of(tree: Tree, style: Style) -> tuple[list[Row], int]:
    """The images in the three folders, and how many of them have other names."""
    rows, unnamed = [], 0
    for image in tree.images:
        folder, _, name = image.partition("/")
        if folder not in FOLDERS or "/" in name:
            continue
        label = style.parse(name)
        if label is None:
            unnamed += 1
        else:
            kind = {"-1": JUNK, "0": DISTRACTOR}.get(label.identity, PERSON)
            identity = label.identity if kind == PERSON else ""
            rows.append(Row(tree.path(image), identity, label.camera, part=_PARTS[folder], kind=kind))
    return rows, unnamed


def load(root: str | Path | Tree, *, seed: int = 0, name: str = "market1501") -> Dataset:
    """Read Market-1501 or a folder in its layout.

    Parameters
    ----------
    root : str, Path or Tree
        The folder that holds `bounding_box_train`, `query` and `bounding_box_test`, or its parent.
    seed : int
        Not used: the division is fixed.
    name : str
        Name of the data set in results.

    Returns
    -------
    Dataset
        With one split. Junk keeps identity -1 and distractors identity 0 in the gallery; training and query hold people only.

    Raises
    ------
    DatasetError
        If the folders are missing or empty, or if training or query hold no person.
    """
    tree = Tree.read(root)
    found = find(tree, fit, INSIDE)
    if not found[0]:
        places = (tree.root, *(tree.root / inside for inside in INSIDE))
        if place := next((place for place in places if all((place / folder).is_dir() for folder in FOLDERS)), None):
            bare = next(folder for folder in FOLDERS if not any(image.startswith(folder + "/") for image in tree.images))
            raise DatasetError(
                f"{place / bare}: no image named like {STYLES['market1501'].example}; is this the data set's own folder?"
            )
        raise DatasetError(
            f"{tree.root}: no Market-1501 here; expected the folders {', '.join(FOLDERS)} in it or in its {INSIDE[0]} "
            "(its authors give the data set for research only)"
        )
    return load_named(found[1], STYLES["market1501"], name)


def load_named(tree: Tree, style: Style, name: str) -> Dataset:
    """Read the three folders with names in a style. Raises `DatasetError` if training or query hold no person."""
    rows, unnamed = rows_of(tree, style)
    people = [row for row in rows if row.part == "gallery" or row.kind == PERSON]
    everything = records_of(people)
    split = Split(*(everything.select([part == wanted for part in everything.parts]) for wanted in _PARTS.values()))
    if not len(split.train) or not len(split.query):
        raise DatasetError(f"{tree.root}: no image of a person in {FOLDERS[0]} or in {FOLDERS[1]}")
    warnings = (f"{unnamed} image files left out: their names say no identity and camera",) if unnamed else ()
    accounting = tree.account(len(people), {NO_LABEL: unnamed, _NOBODY: len(rows) - len(people)})
    return Dataset(name, tree.root, (split,), warnings, accounting)


LAYOUT = Layout(
    about="Market-1501's folders (bounding_box_train, query, bounding_box_test) with names like 0002_c1s1_000451_03.jpg",
    fit=fit,
    load=load,
    inside=INSIDE,
)
