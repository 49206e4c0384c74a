"""A folder on the disk becomes records: path, identity, camera.

`open_dataset` recognises the layout; each module beside this one reads one layout and names where its data set comes from.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from resight.datasets import cuhk01, drawn, dukemtmc, folder, market1501, viper
from resight.datasets.inspect import Inspection, inspect
from resight.datasets.records import DISTRACTOR, JUNK, Dataset, Records, Split
from resight.errors import DatasetError

__all__ = ["DATASETS", "DISTRACTOR", "JUNK", "Dataset", "Inspection", "Records", "Split", "inspect", "open_dataset", "recognise"]

DATASETS: dict[str, Callable[..., Dataset]] = {
    "drawn": drawn.load,
    "dukemtmc": dukemtmc.load,
    "market1501": market1501.load,
    "viper": viper.load,
    "cuhk01": cuhk01.load,
    "folder": folder.load,
}
"""Layouts by name, each with its loader, the special before the general."""

_DIVIDED_AT_RANDOM = ("viper", "cuhk01", "folder")


def open_dataset(root: str | Path, layout: str = "auto", seed: int = 0) -> Dataset:
    """Read a data set from its folder.

    Parameters
    ----------
    root : str or Path
        The folder, or its parent where that is customary (`Market-1501-v15.09.15`, `DukeMTMC-reID`, `VIPeR`, `campus`), or a CSV.
    layout : str
        A key of `DATASETS`, or ``"auto"`` to recognise it from what is in the folder.
    seed : int
        Of the random divisions of VIPeR, CUHK01 and a folder of one's own; the others have a fixed one.

    Returns
    -------
    Dataset

    Raises
    ------
    DatasetError
        If the folder is missing or empty, is in none of the layouts, or if `layout` is unknown.
    """
    root = Path(root)
    if layout != "auto" and layout not in DATASETS:
        raise DatasetError(f"unknown layout {layout!r}; expected auto, {', '.join(DATASETS)}")
    try:
        if not root.exists():
            raise DatasetError(f"{root}: no such folder; name the folder of a data set")
        if root.is_dir() and not any(root.iterdir()):
            raise DatasetError(f"{root}: the folder is empty; unpack the data set into it")
        if layout == "auto":
            layout = recognise(root)
        return DATASETS[layout](root, seed=seed) if layout in _DIVIDED_AT_RANDOM else DATASETS[layout](root)
    except OSError as error:
        raise DatasetError(f"{root}: cannot be read: {error.strerror or error}") from error


def recognise(root: Path) -> str:
    """Layout of a folder, a key of `DATASETS`, by what is in it. Raises `DatasetError` if it is in none."""
    if drawn.find_root(root):
        return "drawn"
    if dukemtmc.find_root(root):  # before Market-1501, whose folders it shares: only the names differ
        return "dukemtmc"
    if market1501.find_root(root):
        return "market1501"
    if viper.find_root(root):
        return "viper"
    if cuhk01.find_root(root):
        return "cuhk01"
    if root.suffix.lower() == ".csv" or folder.find_csv(root):
        return "folder"
    if half := viper.missing_camera(root):
        raise DatasetError(f"{root}: VIPeR's {half[0]} is missing; unpack it beside {half[1]}")
    if root.is_dir() and any(path.is_dir() for path in root.iterdir()):
        return "folder"
    raise DatasetError(
        f"{root}: no known layout; expected Market-1501's folders ({', '.join(market1501.FOLDERS)}), VIPeR's (cam_a, cam_b), "
        "CUHK01's names (0001001.png), one folder for each person with images like entrance_0001.jpg, "
        "or a CSV with path, identity, camera"
    )
