"""Folders of drawn people, as `resight.drawn` makes them: Market-1501's layout with a file that says how it was drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from resight.datasets import market1501
from resight.datasets.layout import Layout
from resight.datasets.records import Dataset, image_files
from resight.datasets.tree import Tree
from resight.errors import DatasetError
from resight.files import read_json

__all__ = ["LAYOUT", "MARKER", "drawn_files", "fit", "load", "read_marker"]

MARKER = "drawn.json"
"""File that says how a folder was drawn; written last, so that a folder without it is not complete."""


def fit(tree: Tree) -> float:
    """1 if the folder holds a drawn network, else 0."""
    return float((tree.root / MARKER).is_file())


def load(root: str | Path | Tree, *, seed: int = 0) -> Dataset:
    """Read a folder that `resight.drawn.crops.generate` made; `seed` is not used.

    Raises
    ------
    DatasetError
        If it is missing, was never finished, or has lost images.
    """
    folder = root.root if isinstance(root, Tree) else Path(root)
    marker = read_marker(folder)
    if marker is None or len(drawn_files(folder)) != marker.get("images"):
        raise DatasetError(f"{folder}: no complete drawn network here; draw it again")
    return market1501.load(root, name="drawn")


def read_marker(root: Path) -> dict[str, Any] | None:
    """How a folder was drawn; None if that is not known."""
    try:
        value = read_json(root / MARKER)
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def drawn_files(root: Path) -> set[str]:
    """The images in the three folders, as folder/file."""
    found = (folder for name in market1501.FOLDERS if (folder := root / name).is_dir())
    return {f"{folder.name}/{path.name}" for folder in found for path in image_files(folder)}


LAYOUT = Layout(about="a drawn network with its file drawn.json", fit=fit, load=load)
