"""A folder or a table on the disk becomes records: path, identity, camera, time, tracklet.

`open_dataset` recognises the layout; each module that ends in `LAYOUT` reads one and names where its data set comes from.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from resight.datasets import (
    cameras,
    cuhk01,
    cuhk03,
    divided,
    drawn,
    dukemtmc,
    folder,
    ilids_vid,
    market1501,
    mars,
    msmt17,
    prid2011,
    split_file,
    viper,
)
from resight.datasets.accounting import Accounting
from resight.datasets.inspect import Inspection, inspect
from resight.datasets.layout import Layout
from resight.datasets.layout import recognise as recognise_tree
from resight.datasets.records import DISTRACTOR, JUNK, Dataset, Records, Split
from resight.datasets.several import merge
from resight.datasets.tree import Tree, is_image
from resight.errors import DatasetError

__all__ = [
    "DATASETS",
    "DISTRACTOR",
    "JUNK",
    "Accounting",
    "Dataset",
    "Inspection",
    "Layout",
    "Records",
    "Split",
    "check_layout",
    "inspect",
    "open_dataset",
    "recognise",
]

DATASETS: dict[str, Layout] = {
    "drawn": drawn.LAYOUT,
    "dukemtmc": dukemtmc.LAYOUT,
    "cuhk03": cuhk03.LAYOUT,
    "market1501": market1501.LAYOUT,
    "msmt17": msmt17.LAYOUT,
    "mars": mars.LAYOUT,
    "viper": viper.LAYOUT,
    "prid2011": prid2011.LAYOUT,
    "ilids-vid": ilids_vid.LAYOUT,
    "cuhk01": cuhk01.LAYOUT,
    "divided": divided.LAYOUT,
    "cameras": cameras.LAYOUT,
    "folder": folder.LAYOUT,
}
"""Layouts by name, the special before the general."""


def open_dataset(
    root: str | Path | Sequence[str | Path], layout: str = "auto", seed: int = 0, *, name_pattern: str = ""
) -> Dataset:
    """Read a data set from its folder or its table, or several data sets as one.

    Parameters
    ----------
    root : str, Path, or sequence of them
        The folder, or its parent where that is customary (`Market-1501-v15.09.15`, `DukeMTMC-reID`, `VIPeR`, `campus`), a table
        (see `resight.datasets.tables.read_table`), or torchreid's file of splits, ending in .json. People and cameras of several
        data sets are different ones.
    layout : str
        A key of `DATASETS`, or ``"auto"`` to recognise it from what is in the folder.
    seed : int
        Seed of random divisions (VIPeR, CUHK01, PRID 2011, iLIDS-VID, a folder of one's own); the others have a fixed one.
    name_pattern : str
        Pattern of names in a folder of one's own, such as ``{identity}/{camera}_{*}``; see `resight.datasets.names.parse_pattern`.

    Returns
    -------
    Dataset

    Raises
    ------
    DatasetError
        If a folder is missing or empty, is in none of the layouts, or if `layout` is unknown.
    """
    if not isinstance(root, str | Path):
        if not root:
            raise DatasetError("no data set is named; give its folder or table")
        parts = [open_dataset(one, layout, seed, name_pattern=name_pattern) for one in root]
        return parts[0] if len(parts) == 1 else merge(parts)
    root = Path(root)
    check_layout(layout, name_pattern)
    try:
        if not root.exists():
            raise DatasetError(f"{root}: no such folder; name the folder of a data set")
        if root.is_file():
            if is_image(root):
                raise DatasetError(f"{root}: one image; expected the folder of a data set, or a table")
            if layout not in ("auto", "folder") or name_pattern:
                raise DatasetError(f"{root}: a file; expected a folder in the layout {name_pattern or layout}")
            return split_file.load(root) if root.suffix == ".json" else folder.load(root, seed=seed)
        if not any(root.iterdir()):
            raise DatasetError(f"{root}: the folder is empty; unpack the data set into it")
        tree = Tree.read(root)
        if name_pattern:
            return folder.load(tree, seed=seed, pattern=name_pattern)
        if layout == "auto":
            layout, tree = recognise_tree(tree, DATASETS)
        return DATASETS[layout].load(tree, seed=seed)
    except OSError as error:
        raise DatasetError(f"{root}: cannot be read: {error.strerror or error}") from error


def check_layout(layout: str, name_pattern: str = "") -> None:
    """Check that there is such a layout, and that the pattern of names belongs to it. Raises `DatasetError`."""
    if layout != "auto" and layout not in DATASETS:
        raise DatasetError(f"unknown layout {layout!r}; expected auto, {', '.join(DATASETS)}")
    if name_pattern and layout not in ("auto", "folder"):
        raise DatasetError(f"--name-pattern belongs to the layout folder, not to {layout}; leave one of them out")


def recognise(root: str | Path | Tree) -> str:
    """Layout of a folder, a key of `DATASETS`, by what is in it. Raises `DatasetError` if it is in none."""
    return recognise_tree(Tree.read(root), DATASETS)[0]
